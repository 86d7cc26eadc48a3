"""What a picture of mount tables has to say: which mounts, in what tree, and who passes to whom."""

from __future__ import annotations

import itertools
import posixpath
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from nsedu.draw.names import clean, letter
from nsedu.mountinfo import Mount
from nsedu.observe.mount_tables import MountTable

MANY = 40
"""Above so many rows in a table, mounts that are alike are gathered into one row."""
MOST = 100
"""So many rows of a table are drawn; how many more there are, is said."""
FEW = 8
"""So many mounts that differ in their propagation type alone are drawn; of more, none."""
LEAST = 3
"""So many rows at least a gathering must replace."""
MARK = {"shared": "↔", "slave": "←", "slave+shared": "←↔", "private": "·", "unbindable": "⊘"}


@dataclass(eq=False)
class Row:
    """A line of a table: a mount, or several that are not drawn one by one.

    Attributes:
        mount: the mount, or the first of several.
        path: its mount point, or words in its place.
        kind: its propagation type.
        notes: "read-only", "covered".
        children: the rows below.
        lasts: for each level from the root down, whether that is the last of its siblings.
        more: 0, or how many mounts the row stands for.
        master, group: letters of the peer groups it gets from and shares with, or "".
    """

    mount: Mount
    path: str
    kind: str
    notes: tuple[str, ...] = ()
    children: list[Row] = field(default_factory=list)
    lasts: tuple[bool, ...] = ()
    more: int = 0
    master: str = ""
    group: str = ""

    @property
    def what(self) -> str:
        """The file system: its type, its source if that says more, and which part of it."""
        if self.more:
            return ""
        source = self.mount.source if self.mount.source not in (self.mount.fstype, "none") else ""
        part = f"[{self.mount.root}]" if self.mount.root != "/" else ""
        return clean(f"{self.mount.fstype} {source}".rstrip() + part)

    @property
    def passing(self) -> str:
        """Its propagation type in words, with the letters."""
        if self.more:
            return self.kind
        slave = [f"slave of {self.master}"] if self.master else []
        shared = [f"shared {self.group}"] if self.group else []
        return ", ".join(slave + shared) or self.kind


class Sheet(NamedTuple):
    """A table as it is drawn.

    Attributes:
        table: where it comes from.
        rows: its lines, from top to bottom.
        cut: how many mounts more there are.
    """

    table: MountTable
    rows: list[Row]
    cut: int


class Group(NamedTuple):
    """A peer group: between whom mounts pass.

    Attributes:
        letter: what the picture calls it.
        peers: (index of the table, mount point) of each mount that shares with the others.
        slaves: the same of those that only get.
    """

    letter: str
    peers: list[tuple[int, str]]
    slaves: list[tuple[int, str]]


def sheets(
    tables: list[MountTable], below: str | None, everything: bool
) -> tuple[list[Sheet], list[Group]]:
    """The rows of each table and the peer groups among them.

    Args:
        tables: what was read.
        below: a path: only what is mounted there and below.
        everything: also what all tables have in common, and each mount on a row of its own.
    """
    chosen = [[m for m in table.mounts if _within(m.target, below)] for table in tables]
    if not everything and len(tables) > 1:
        chosen = _differing(tables, chosen)
    forests = [_plant(table, kept) for table, kept in zip(tables, chosen, strict=True)]
    pages = []
    for table, forest in zip(tables, forests, strict=True):
        many = not everything and len(list(walk(forest))) > MANY
        rows = list(_laid(_gathered(forest) if many else forest, ()))
        most = len(rows) if everything else MOST
        pages.append(Sheet(table, rows[:most], sum(row.more or 1 for row in rows[most:])))
    return pages, _name_groups(pages, forests)


def walk(rows: list[Row]) -> Iterator[Row]:
    """Every row, the upper before those below it."""
    for row in rows:
        yield row
        yield from walk(row.children)


def _within(target: str, below: str | None) -> bool:
    return below in (None, "/") or target == below or target.startswith(f"{below}/")


def _differing(tables: list[MountTable], chosen: list[list[Mount]]) -> list[list[Mount]]:
    """Without the mounts that every table has, unless they say something about one of them.

    A private mount that is everywhere says nothing.  One that is shared here and private there
    does, but not where most mounts are like that, as on a machine with systemd.
    """

    def place(mount: Mount) -> Hashable:
        return (mount.device, mount.root, mount.target, mount.options)

    everywhere = set.intersection(*({place(m) for m in mounts} for mounts in chosen))
    kinds: dict[Hashable, set[str]] = {}
    seen_by: dict[int | None, set[int]] = {}  # peer group → the tables that have to do with it
    for index, mounts in enumerate(chosen):
        for mount in mounts:
            kinds.setdefault(place(mount), set()).add(mount.propagation_type)
            for number in (mount.peer_group, mount.master):
                seen_by.setdefault(number, set()).add(index)
    mixed = [key for key in everywhere if len(kinds[key]) > 1]

    def dull(mount: Mount) -> bool:
        key = place(mount)
        if key not in everywhere or mount.propagation_type == "unbindable":
            return False
        if kinds[key] == {"private"}:
            return True
        numbers = [n for n in (mount.peer_group, mount.master) if n is not None]
        passes = any(len(seen_by[number]) > 1 for number in numbers)
        return len(mixed) > FEW and not passes

    return [[mount for mount in mounts if not dull(mount)] for mounts in chosen]


def _covered(table: MountTable) -> set[int]:
    """The ids of mounts that no path leads to, because another mount lies over them."""
    below: dict[int, list[Mount]] = {}
    for mount in table.mounts:
        if mount.parent != mount.id:
            below.setdefault(mount.parent, []).append(mount)
    hidden: set[int] = set()
    todo = [(mount, False) for mount in table.mounts if mount.parent not in _ids(table)]
    todo += [(mount, False) for mount in table.mounts if mount.parent == mount.id]
    while todo:
        mount, over = todo.pop()
        children = below.get(mount.id, [])
        top = any(child.target == mount.target for child in children)
        if over or top:
            hidden.add(mount.id)
        for child in children:
            shadow = any(_over(other, child) for other in children if other is not child)
            lifted = top and child.target != mount.target
            todo.append((child, over or shadow or lifted))
    return hidden


def _over(one: Mount, other: Mount) -> bool:
    # On the same parent, what is mounted nearer to the root is met first on the way.
    root = one.target.rstrip("/")
    return other.target != one.target and other.target.startswith(f"{root}/")


def _ids(table: MountTable) -> set[int]:
    return {mount.id for mount in table.mounts}


def _plant(table: MountTable, kept: list[Mount]) -> list[Row]:
    """The trees that the mounts form, each below the nearest that is kept, ordered by path."""
    hidden = _covered(table)
    by_id = {mount.id: mount for mount in table.mounts}
    nodes = {}
    for mount in kept:
        notes = ("read-only",) * ("ro" in mount.options) + ("covered",) * (mount.id in hidden)
        nodes[mount.id] = Row(mount, clean(mount.target), mount.propagation_type, notes)
    roots: list[Row] = []
    for id, node in nodes.items():
        above = next((up for up in _upwards(by_id, id) if up in nodes), None)
        (roots if above is None else nodes[above].children).append(node)
    for siblings in (roots, *(node.children for node in nodes.values())):
        siblings.sort(key=lambda row: (row.mount.target, row.mount.id))
    return roots


def _upwards(by_id: dict[int, Mount], id: int) -> list[int]:
    """The ids of what a mount hangs on, the nearest first; none if they are a circle.

    A table is not read at one moment, so a mount that is moved meanwhile may be seen twice.
    """
    found = [id]
    while (above := by_id[found[-1]].parent) in by_id:
        if above in found:
            return found[1:] if above == found[-1] else []  # a root may be its own parent
        found.append(above)
    return found[1:]


def _name_groups(pages: list[Sheet], forests: list[list[Row]]) -> list[Group]:
    """Give the peer groups letters, in the order in which the drawn rows name them."""
    groups: dict[int, Group] = {}
    for row in itertools.chain(*(page.rows for page in pages), *map(walk, forests)):
        for number in (row.mount.master, row.mount.peer_group):
            if number is not None and number not in groups:
                groups[number] = Group(letter(len(groups)), [], [])
    for index, forest in enumerate(forests):
        for row in walk(forest):
            for number, ends in ((row.mount.master, "slaves"), (row.mount.peer_group, "peers")):
                if number is not None:
                    getattr(groups[number], ends).append((index, row.path))
    for row in itertools.chain(*(page.rows for page in pages)):
        if not row.more:
            row.master = groups[row.mount.master].letter if row.mount.master else ""
            row.group = groups[row.mount.peer_group].letter if row.mount.peer_group else ""
    return list(groups.values())


def _gathered(rows: list[Row]) -> list[Row]:
    """The rows, but siblings that have nothing below and are alike in all but their path as one."""

    def like(row: Row) -> Hashable:
        return row.mount.fstype, row.kind, row.notes, posixpath.dirname(row.path)

    often = Counter(like(row) for row in rows if not row.children)
    rest: dict[Hashable, Row] = {}
    kept = []
    for row in rows:
        kind = like(row)
        if row.children:
            kept.append(replace(row, children=_gathered(row.children)))
        elif often[kind] <= LEAST:
            kept.append(row)
        elif kind not in rest:  # the first of them stands as an example
            rest[kind] = Row(row.mount, "", row.kind, row.notes)
            kept += [row, rest[kind]]
        else:
            rest[kind].more += 1
            rest[kind].path = f"… {rest[kind].more} more {row.mount.fstype}"
    return kept


def _laid(rows: list[Row], lasts: tuple[bool, ...]) -> Iterator[Row]:
    for row in rows:
        row.lasts = (*lasts, row is rows[-1])
        yield row
        yield from _laid(row.children, row.lasts)
