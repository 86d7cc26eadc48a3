"""Control groups as a picture names them: relative to the reader's own, so that all see the same.

Where a notebook's own group lies depends on the machine, so it is "yours", and what lies above it
"…"; a group that was made for a sandbox has that sandbox's name.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from nsedu.draw.labels import Letters
from nsedu.observe.cgroup_limits import words
from nsedu.observe.cgroups import CgroupView, Hierarchy, Member

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


def trees(view: CgroupView, letters: Letters) -> list[Tree]:
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
            group.limits = words(known) if known is not None else []
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


def fold_groups(group: Group) -> None:
    """Draw once the groups side by side that differ only in whose they are."""
    kinds: dict[object, Group] = {}
    for inner in group.inner:
        fold_groups(inner)
        owner = [name.replace(inner.name, "its own") for name in inner.members]
        like = (owner, len(inner.roots), inner.limits) if not inner.inner else id(inner)
        first = kinds.setdefault(repr(like), inner)
        first.alike += first is not inner
    group.inner = list(kinds.values())


def fold_seats(seats: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The table with one line for all that differ only in name and letter."""
    shapes = [tuple(cell.replace(seat[0], "its own") for cell in seat[2:]) for seat in seats]
    number = Counter(shapes)
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for shape, (name, letter, *rest) in zip(shapes, seats, strict=True):
        more = number[shape] - 1
        label = f"{name} and {more} alike" if more else name
        found.setdefault(shape, (label, f"{letter} …" if more else letter, *rest))
    return list(found.values())
