"""Control groups as a tree, with who is in them and where each cgroup namespace has its root.

They are named relative to the reader's own, so that all see the same.  Where a notebook's own group
lies depends on the machine, so it is "yours", and what lies above it "…"; a group that was made for
a sandbox has that sandbox's name.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from nsedu.draw import legend
from nsedu.draw.labels import Letters, at_most, branches, with_alike
from nsedu.draw.picture import Picture
from nsedu.draw.rows import Column, Line, Rows, words
from nsedu.draw.style import (
    INK,
    MARGIN,
    RULE,
    SOFT_INK,
    TREE_LINE,
    WIDEST,
    ink_on,
    okabe_ito,
    tint,
)
from nsedu.draw.svg import CHIP, Canvas, chips, fit, measure
from nsedu.observe.cgroup_limits import words as limit_words
from nsedu.observe.cgroups import CgroupView, Hierarchy, Member
from nsedu.printable import clean

TITLE = "Control groups, and where each namespace has its root"
SENSE = (
    "a line of a tree: a group, the namespaces that have their root there, the processes in it",
    "inside: the path a process reads of itself; outside: the path that you read of it",
    'root: the group that it calls "/"; top: the root of your own view',
)
HEADS = ("process", "cgroup", "root", "inside", "outside")
MANY = 16
"""Above so many groups or processes, those that are alike are drawn once."""
MOST_NAMES, MOST_LETTERS = 16, 6
"""So many names and letters are written at one group; how many more, is said."""
MOST_ROWS = 40
"""So many groups, and so many lines of a table, are drawn."""
NARROWEST = 640
"""No picture is narrower than this, in px."""

_COLOUR = okabe_ito["cgroup"]
_STEP, _ROW = 24.0, 26.0
YOURS, ABOVE, TOP, UNKNOWN = "yours", "…", "top", "?"


@dataclass
class Group:
    """A control group in a drawn tree.

    Attributes:
        name: what it is called, relative to the group it is drawn below.
        roots: the letters of the cgroup namespaces that have their root here.
        members: who is in it.
        limits: its limits, a phrase each.
        inner: the groups drawn below it.
        alike: how many more there are like it.
    """

    name: str
    roots: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    inner: list[Group] = field(default_factory=list)
    alike: int = 0


@dataclass
class Tree:
    """A tree of groups that one or more hierarchies have in common.

    Attributes:
        label: which hierarchies.
        top: its outermost group.
        seats: for each member: name, letter, root, path inside, path outside.
    """

    label: str
    top: Group
    seats: list[tuple[str, ...]]


def cgroup_tree(view: CgroupView) -> Picture:
    """The groups that processes are in, and for each namespace where its root is.

    Hierarchies with the same tree are drawn once, with the limits of all of them.

    Args:
        view: what to draw.
    """
    letters = Letters()
    for member in view.members:
        if member.ns is not None:
            letters.meet("cgroup", member.ns)
    found = _trees(view, letters)
    for tree in found if len(view.members) > MANY else ():
        _fold_groups(tree.top)
        tree.seats = _fold_seats(tree.seats)
    notes = []
    if view.unread:
        notes.append(f"could not enter to look from inside: {view.unread}, shown as ?")
    text, canvas = [], Canvas()
    tables = [_table(tree.seats[:MOST_ROWS]) for tree in found]
    width = _width(found, tables)
    y = canvas.heading(TITLE, [f"{sentence}." for sentence in SENSE], width)
    for tree, table in zip(found, tables, strict=True):
        rows = list(_rows(tree.top))
        left_out = len(rows) - MOST_ROWS, len(tree.seats) - MOST_ROWS
        more = [f"… {n} more {what}" for n, what in zip(left_out, _WHAT, strict=True) if n > 0]
        rows = rows[:MOST_ROWS]
        text += [tree.label, *(line for row in rows for line in _told(row))]
        text += [*table.text(), *more, ""]
        y = _draw_tree(canvas, y + 12, width, tree, rows)
        y = table.draw(canvas, y + 6) + 6
        y = canvas.footnotes(more, y, width)
    if not found:
        notes.insert(0, "this process is in no control group: the kernel has none, or hides them")
    text += [*legend.lines(letters, {}, ("cgroup",)), *SENSE, *notes]
    y = legend.draw(canvas, y + 16, width, letters, {}, ("cgroup",))
    y = canvas.footnotes(notes, y, width)
    return canvas.picture(TITLE, text, width, y + 2)


def _width(found: list[Tree], tables: list[Rows]) -> float:
    """As wide as it takes for no line to break, within bounds."""
    widest = max([float(NARROWEST), *(table.width for table in tables)])
    for tree in found:
        for group, lasts in _rows(tree.top):
            labels = [*at_most(group.members, MOST_NAMES), _root_words(group)]
            chips = sum(measure(label, 12, mono=True) + 22 for label in labels if label)
            wide = min(300.0, measure(_title(group), 13, mono=True)) + 26
            widest = max(widest, 2 * MARGIN + _STEP * len(lasts) + wide + chips)
    return min(float(WIDEST), widest)


def _trees(view: CgroupView, letters: Letters) -> list[Tree]:
    """The trees of a view; hierarchies whose trees look the same, but for limits, are one."""
    merged: dict[str, tuple[list[Hierarchy], Tree]] = {}
    for hierarchy in view.hierarchies:
        tree = _Names(view, hierarchy.key, letters).tree()
        same, first = merged.setdefault(_signature(tree), ([], tree))
        same.append(hierarchy)
        if first is not tree:
            _add_limits(first.top, tree.top)
    found = sorted(merged.values(), key=lambda entry: not _any_limits(entry[1].top))
    for number, (same, tree) in enumerate(found):
        last = number == len(found) - 1 and number > 0
        tree.label = _label(same, alone=len(found) == 1, rest=last and not _any_limits(tree.top))
    return [tree for _, tree in found]


def _label(same: list[Hierarchy], *, alone: bool, rest: bool) -> str:
    if alone or rest:
        return "in every hierarchy" if alone else "in every other hierarchy"
    old = sorted(name for hierarchy in same for name in hierarchy.controllers if hierarchy.key)
    parts = [f"{', '.join(old)} (version 1)"] if old else []
    for hierarchy in same:
        if not hierarchy.key:
            used = ", ".join(hierarchy.controllers)
            parts.append(f"{used} (version 2)" if used else "version 2")
    return "in the hierarch" + ("ies of " if len(same) > 1 else "y of ") + "; ".join(parts)


def _signature(tree: Tree) -> str:
    def of(group: Group) -> list[object]:
        return [group.name, group.roots, group.members, [of(inner) for inner in group.inner]]

    return repr((of(tree.top), tree.seats))


def _add_limits(to: Group, more: Group) -> None:
    to.limits += more.limits
    for one, other in zip(to.inner, more.inner, strict=True):
        _add_limits(one, other)


def _any_limits(group: Group) -> bool:
    return bool(group.limits) or any(map(_any_limits, group.inner))


class _Names:
    """Calls the groups of one hierarchy by their names in a picture."""

    def __init__(self, view: CgroupView, key: str, letters: Letters) -> None:
        self.view, self.key, self.letters = view, key, letters
        self.own = view.own.get(key, "/")

    def tree(self) -> Tree:
        """The groups that somebody is in or has a root in, and those that hold them together."""
        inhabited: dict[str, list[str]] = {self.own: []}
        for member in self.view.members:
            inhabited.setdefault(member.outside.get(self.key, "/"), []).append(member.name)
        spaces = [ns for ns in self.letters.of_type("cgroup") if ns != self.view.ns]
        roots: dict[str, list[str]] = {}
        for ns in spaces:
            path = self.view.roots.get((ns, self.key))
            if path is not None:
                roots.setdefault(path, []).append(self.letters.of("cgroup", ns))
        shown = {*inhabited, *roots}
        shown |= {os.path.commonpath((path, self.own)) for path in shown}  # each drawn as "…"
        groups: dict[str, Group] = {}
        for path in sorted(shown, key=lambda path: path.split("/")):
            above = [p for p in groups if path != p and os.path.commonpath((p, path)) == p]
            nearest = max(above, key=len, default=None)
            group = Group(self.name(path, nearest), roots.get(path, []), inhabited.get(path, []))
            known = self.view.limits.get((self.key, path))
            group.limits = limit_words(known) if known is not None else []
            groups[path] = group
            if nearest is not None:
                groups[nearest].inner.append(group)
        for group in groups.values():  # in the order of the members, not of their numbers
            group.inner.sort(key=lambda inner: self._rank(inner))
        return Tree(
            "", groups[min(shown, key=len)], [self.seat(member) for member in self.view.members]
        )

    def _rank(self, group: Group) -> int:
        names = [member.name for member in self.view.members]
        return min((names.index(name) for name in _within(group) if name in names), default=-1)

    def name(self, path: str, below: str | None = None) -> str:
        """What a group is called, relative to one it is below if that is drawn above it."""
        if path == self.own:
            return YOURS
        common = os.path.commonpath((path, self.own))
        if path == common:
            return ABOVE
        common = common if below is None else below
        rest = [self._part(part) for part in os.path.relpath(path, common).split("/")]
        return "/".join(rest)

    def _part(self, part: str) -> str:
        return self.view.makers.get(part, part)

    def full(self, path: str) -> str:
        """What a group is called on its own: "yours/…", "…/…"."""
        if path == self.own:
            return YOURS
        common = os.path.commonpath((path, self.own))
        start = YOURS if common == self.own else ABOVE
        return start if path == common else f"{start}/{self.name(path, common)}"

    def seat(self, member: Member) -> tuple[str, ...]:
        """A line of the table below the tree."""
        letter = UNKNOWN if member.ns is None else self.letters.of("cgroup", member.ns)
        outside = self.full(member.outside.get(self.key, "/"))
        if member.ns == self.view.ns:
            return member.name, letter, TOP, outside, outside
        root = self.view.roots.get((member.ns or 0, self.key))
        inside = member.inside.get(self.key, UNKNOWN) if member.inside is not None else UNKNOWN
        inside = "/".join(self._part(part) for part in inside.split("/"))
        return member.name, letter, UNKNOWN if root is None else self.full(root), inside, outside


def _within(group: Group) -> Iterable[str]:
    yield from group.members
    for inner in group.inner:
        yield from _within(inner)


def _fold_groups(group: Group) -> None:
    """Draw once the groups side by side that differ only in whose they are."""
    kinds: dict[object, Group] = {}
    for inner in group.inner:
        _fold_groups(inner)
        owner = [name.replace(inner.name, "its own") for name in inner.members]
        like = (owner, len(inner.roots), inner.limits) if not inner.inner else id(inner)
        first = kinds.setdefault(repr(like), inner)
        first.alike += first is not inner
    group.inner = list(kinds.values())


def _fold_seats(seats: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The table with one line for all that differ only in name and letter."""
    shapes = [tuple(cell.replace(seat[0], "its own") for cell in seat[2:]) for seat in seats]
    number = Counter(shapes)
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for shape, (name, letter, *rest) in zip(shapes, seats, strict=True):
        more = number[shape] - 1
        label = with_alike(name, more)
        found.setdefault(shape, (label, f"{letter} …" if more else letter, *rest))
    return list(found.values())


_WHAT = ("groups, not drawn", "processes, not listed")


def _rows(group: Group, lasts: tuple[bool, ...] = ()) -> Iterator[tuple[Group, tuple[bool, ...]]]:
    """The groups from top to bottom, each with whether it and those above are the last ones."""
    yield group, lasts
    for inner in group.inner:
        yield from _rows(inner, (*lasts, inner is group.inner[-1]))


def _title(group: Group) -> str:
    return with_alike(group.name, group.alike)


def _root_words(group: Group) -> str:
    return "root of " + ", ".join(at_most(group.roots, MOST_LETTERS)) if group.roots else ""


def _told(row: tuple[Group, tuple[bool, ...]]) -> list[str]:
    group, lasts = row
    bars = "".join("   " if last else "│  " for last in lasts)
    members = ", ".join(at_most(group.members, MOST_NAMES))
    parts = [_title(group), _root_words(group), members]
    first = branches((True, *lasts)) + clean(" · ".join(part for part in parts if part))
    below = bars + ("│  " if group.inner else "   ")
    return [first, *(below + phrase for phrase in group.limits)]


def _table(seats: list[tuple[str, ...]]) -> Rows:
    """The table of the processes; paths and names give way if it would be too wide."""
    if not seats:
        return Rows([Column()], [])
    lines = [HEADS, *(tuple(map(clean, seat)) for seat in seats)]
    widths = [max(measure(line[i], 12, mono=True) for line in lines) + 18 for i in range(5)]
    spare = WIDEST - 2 * MARGIN - sum(widths)
    for i in (4, 3, 2, 0):
        cut = min(max(0.0, -spare), max(0.0, widths[i] - 140))
        widths[i], spare = widths[i] - cut, spare + cut
    head, *body = [
        Line([words(cell, mono=True, fill=INK if number else SOFT_INK) for cell in line])
        for number, line in enumerate(lines)
    ]
    columns = [Column(width - 10, 10) for width in widths]
    return Rows(columns, [head._replace(rule=True, height=22), *body], 20)


def _draw_tree(
    canvas: Canvas, y: float, width: float, tree: Tree, rows: list[tuple[Group, tuple[bool, ...]]]
) -> float:
    canvas.line(MARGIN, y - 4, width - MARGIN, y - 4, RULE)
    label = tree.label[:1].upper() + tree.label[1:]
    canvas.text(MARGIN, y + 10, fit(label, 13, width - 2 * MARGIN), 13, bold=True)
    y += 28
    stems: list[float] = []  # for each level, where the line to the next group below starts
    for group, lasts in rows:
        x = MARGIN + _STEP * len(lasts)
        if lasts:
            start = stems[len(lasts) - 1]
            canvas.path(f"M{x - _STEP / 2:.0f} {start:.0f}V{y + 11:.0f}H{x - 2:.0f}", TREE_LINE)
            stems[len(lasts) - 1] = y + 11
        stems[len(lasts) :] = [y + 22]
        y = _draw_group(canvas, x, y, width, group)
    return y


def _draw_group(canvas: Canvas, x: float, y: float, width: float, group: Group) -> float:
    """One group: a box with its name, its roots, its members in chips, its limits below."""
    name = fit(_title(group), 13, 300, mono=True)
    wide = measure(name, 13, mono=True) + 18
    canvas.rect(x, y, wide, 22, fill=tint(_COLOUR, 0.16), stroke=_COLOUR, line=1.5, radius=5)
    canvas.text(x + 9, y + 11, name, 13, mono=True, bold=True)
    left = x + wide + 8
    taken = 0.0
    if group.roots:
        roots = _root_words(group)
        wide = measure(roots, 12, mono=True) + 14
        canvas.rect(left, y + 1, wide, CHIP, fill=_COLOUR, radius=10)
        canvas.text(left + 7, y + 11, roots, 12, mono=True, bold=True, fill=ink_on(_COLOUR))
        taken = wide + 8
    placed = chips(at_most(group.members, MOST_NAMES), width - MARGIN - left, taken)
    for right, down, wide, shown in placed:
        canvas.chip(left + right, y + 1 + down, wide, shown)
    y += _ROW + (placed[-1][1] if placed else 0)
    for phrase in group.limits:
        canvas.text(x + 12, y + 8, fit(phrase, 12, width - MARGIN - x - 12), 12)
        y += 18
    return y + 4
