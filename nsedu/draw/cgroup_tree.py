"""Control groups as a tree, with who is in them and where each cgroup namespace has its root."""

from __future__ import annotations

from collections.abc import Iterator

from nsedu.draw import legend
from nsedu.draw.cgroup_tree_layout import Group, Tree, fold_groups, fold_seats, trees
from nsedu.draw.labels import Letters, columns, pad
from nsedu.draw.picture import Picture
from nsedu.draw.style import (
    INK,
    MARGIN,
    PANEL,
    RULE,
    SOFT_INK,
    TREE_LINE,
    WIDEST,
    ink_on,
    okabe_ito,
    tint,
)
from nsedu.draw.svg import Canvas, fit, measure
from nsedu.observe.cgroups import CgroupView
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
_STEP, _ROW, _CHIP = 24.0, 26.0, 20.0


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
    found = trees(view, letters)
    for tree in found if len(view.members) > MANY else ():
        fold_groups(tree.top)
        tree.seats = fold_seats(tree.seats)
    notes = []
    if view.unread:
        notes.append(f"could not enter to look from inside: {view.unread}, shown as ?")
    text, canvas = [], Canvas()
    width = _width(found)
    y = canvas.heading(TITLE, [f"{sentence}." for sentence in SENSE], width)
    for tree in found:
        rows, seats = list(_rows(tree.top)), tree.seats[:MOST_ROWS]
        left_out = len(rows) - MOST_ROWS, len(tree.seats) - len(seats)
        more = [f"… {n} more {what}" for n, what in zip(left_out, _WHAT, strict=True) if n > 0]
        rows = rows[:MOST_ROWS]
        text += [tree.label, *(line for row in rows for line in _told(row))]
        text += [*_table(seats), *more, ""]
        y = _draw_tree(canvas, y + 12, width, tree, rows)
        y = _draw_table(canvas, y + 6, width, seats)
        for line in more:
            canvas.text(MARGIN, y + 6, line, 12, fill=SOFT_INK)
            y += 20
    if not found:
        notes.insert(0, "this process is in no control group: the kernel has none, or hides them")
    text += [*legend.lines(letters, {}, ("cgroup",)), *SENSE, *notes]
    y = legend.draw(canvas, y + 16, width, letters, {}, ("cgroup",))
    for note in notes:
        canvas.text(MARGIN, y, clean(note), 12, fill=SOFT_INK)
        y += 18
    return canvas.picture(TITLE, text, width, y + 2)


def _width(found: list[Tree]) -> float:
    """As wide as it takes for no line to break, within bounds."""
    widest = float(NARROWEST)
    for tree in found:
        widest = max(widest, 2 * MARGIN + sum(_columns(tree.seats)))
        for group, lasts in _rows(tree.top):
            labels = [*_shortened(group.members, MOST_NAMES), _root_words(group)]
            chips = sum(measure(label, 12, mono=True) + 22 for label in labels if label)
            wide = min(300.0, measure(_title(group), 13, mono=True)) + 26
            widest = max(widest, 2 * MARGIN + _STEP * len(lasts) + wide + chips)
    return min(float(WIDEST), widest)


_WHAT = ("groups, not drawn", "processes, not listed")


def _rows(group: Group, lasts: tuple[bool, ...] = ()) -> Iterator[tuple[Group, tuple[bool, ...]]]:
    """The groups from top to bottom, each with whether it and those above are the last ones."""
    yield group, lasts
    for inner in group.inner:
        yield from _rows(inner, (*lasts, inner is group.inner[-1]))


def _shortened(words: list[str], most: int) -> list[str]:
    rest = len(words) - most
    return words if rest <= 0 else [*words[:most], f"… {rest} more"]


def _title(group: Group) -> str:
    return f"{group.name} and {group.alike} alike" if group.alike else group.name


def _root_words(group: Group) -> str:
    return "root of " + ", ".join(_shortened(group.roots, MOST_LETTERS)) if group.roots else ""


def _told(row: tuple[Group, tuple[bool, ...]]) -> list[str]:
    group, lasts = row
    bars = ["   " if last else "│  " for last in lasts]
    branch = ("└─ " if lasts[-1] else "├─ ") if lasts else ""
    members = ", ".join(_shortened(group.members, MOST_NAMES))
    parts = [_title(group), _root_words(group), members]
    first = "".join(bars[:-1]) + branch + clean(" · ".join(part for part in parts if part))
    below = "".join(bars) + ("│  " if group.inner else "   ")
    return [first, *(below + phrase for phrase in group.limits)]


def _table(seats: list[tuple[str, ...]]) -> list[str]:
    if not seats:
        return []
    lines = [HEADS, *(tuple(map(clean, seat)) for seat in seats)]
    widths = [max(columns(line[i]) for line in lines) for i in range(len(HEADS))]
    return ["  ".join(pad(c, w) for c, w in zip(line, widths, strict=True)).rstrip()
            for line in lines]  # fmt: skip


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
    at = left
    if group.roots:
        words = _root_words(group)
        wide = measure(words, 12, mono=True) + 14
        canvas.rect(at, y + 1, wide, _CHIP, fill=_COLOUR, radius=10)
        canvas.text(at + 7, y + 11, words, 12, mono=True, bold=True, fill=ink_on(_COLOUR))
        at += wide + 8
    for label in _shortened(group.members, MOST_NAMES):
        shown = fit(label, 12, width - MARGIN - left - 14, mono=True)
        wide = measure(shown, 12, mono=True) + 14
        if at > left and at + wide > width - MARGIN:
            at, y = left, y + _CHIP + 4
        canvas.rect(at, y + 1, wide, _CHIP, fill=PANEL, stroke=tint(INK, 0.35), radius=5)
        canvas.text(at + 7, y + 11, shown, 12, mono=True)
        at += wide + 6
    y += _ROW
    for phrase in group.limits:
        canvas.text(x + 12, y + 8, fit(phrase, 12, width - MARGIN - x - 12), 12)
        y += 18
    return y + 4


def _columns(seats: list[tuple[str, ...]]) -> list[float]:
    lines = [HEADS, *seats]
    return [max(measure(line[i], 12, mono=True) for line in lines) + 18 for i in range(len(HEADS))]


def _draw_table(canvas: Canvas, y: float, width: float, seats: list[tuple[str, ...]]) -> float:
    if not seats:
        return y
    lines, widths = [HEADS, *seats], _columns(seats)
    spare = width - 2 * MARGIN - sum(widths)
    if spare < 0:  # the columns of paths and names give way
        for i in (4, 3, 2, 0):
            cut = min(-spare, max(0.0, widths[i] - 140))
            widths[i], spare = widths[i] - cut, spare + cut
    for number, line in enumerate(lines):
        x = float(MARGIN)
        for cell, wide in zip(line, widths, strict=True):
            shown = fit(cell, 12, wide - 10, mono=True)
            canvas.text(x, y + 10, shown, 12, mono=True, fill=INK if number else SOFT_INK)
            x += wide
        y += 20
        if number == 0:
            canvas.line(MARGIN, y, MARGIN + min(sum(widths), width - 2 * MARGIN), y, RULE)
            y += 2
    return y + 6
