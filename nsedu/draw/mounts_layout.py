"""What a picture of mount tables has to say: which mounts, in what tree, and who passes to whom."""

from __future__ import annotations

import itertools
import posixpath
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from nsedu.draw.labels import letter
from nsedu.kernel.mountinfo import Mount
from nsedu.observe.mounts import MountTable
from nsedu.printable import clean

MANY = 40
"""Above so many rows in a table, mounts that are alike are gathered into one row."""
MOST = 100
"""So many rows of a table are drawn; how many more there are, is said."""
FEW = 8
"""So many mounts that differ in their propagation type alone are drawn; of more, none."""
DEEPEST = 24
"""Levels of a tree: what hangs deeper is drawn at the last of them."""
LEAST = 3
"""So many rows at least a gathering must replace."""
DELETED = "//deleted"
"""What the kernel writes behind a path that leads to nothing any more."""
MARK = {"shared": "↔", "slave": "←", "slave+shared": "←↔", "private": "·", "unbindable": "⊘"}


@dataclass(eq=False)
class Row:
    """A line of a table: a mount, or several that are not drawn one by one.

    Attributes:
        mount: the mount, or the first of several.
        path: its mount point, or words in its place.
        kind: its propagation type.
        notes: "read-only", "nosuid", "idmapped", "covered" and the like.
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
        root = self.mount.root.removesuffix(DELETED)
        part = f"[{root}]" if root != "/" else ""
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

    def is_uninteresting(mount: Mount) -> bool:
        key = place(mount)
        if key not in everywhere or mount.propagation_type == "unbindable":
            return False
        if kinds[key] == {"private"}:
            return True
        numbers = [n for n in (mount.peer_group, mount.master) if n is not None]
        passes = any(len(seen_by[number]) > 1 for number in numbers)
        return len(mixed) > FEW and not passes

    return [[mount for mount in mounts if not is_uninteresting(mount)] for mounts in chosen]


def _covered(table: MountTable) -> set[int]:
    """The ids of mounts that no path leads to, because another mount lies over them."""
    ids = {mount.id for mount in table.mounts}
    below: dict[int, list[Mount]] = {}
    for mount in table.mounts:
        if mount.parent != mount.id:
            below.setdefault(mount.parent, []).append(mount)
    hidden: set[int] = set()
    todo = [(m, False) for m in table.mounts if m.parent not in ids or m.parent == m.id]
    while todo:
        mount, over = todo.pop()
        children = below.pop(mount.id, [])
        top = any(child.target == mount.target for child in children)
        if over or top:
            hidden.add(mount.id)
        shadowed = _shadowed(children)
        for child in children:
            lifted = top and child.target != mount.target
            todo.append((child, over or lifted or child.id in shadowed))
    return hidden


def _shadowed(siblings: list[Mount]) -> set[int]:
    """The ids of those that lie below another: of two on one parent, the nearer is met first."""
    found = set()
    nearer = ""
    # With the separator before all other characters, what lies below a path follows it at once.
    for mount in sorted(siblings, key=lambda mount: mount.target.replace("/", "\0")):
        if nearer and mount.target.startswith(f"{nearer.rstrip('/')}/") and mount.target != nearer:
            found.add(mount.id)
        else:
            nearer = mount.target
    return found


def _plant(table: MountTable, kept: list[Mount]) -> list[Row]:
    """The trees that the mounts form, each below the nearest that is kept, ordered by path."""
    hidden = _covered(table)
    nodes = {}
    for mount in kept:
        notes = _notes(mount) + ("covered",) * (mount.id in hidden)
        nodes[mount.id] = Row(mount, path_of(mount), mount.propagation_type, notes)
    below: dict[int | None, list[int]] = {}
    for id, above in _hung(table, set(nodes)).items():
        if id in nodes:
            below.setdefault(above, []).append(id)
    roots: list[Row] = []
    todo = [(id, roots, 1) for id in below.get(None, [])]
    while todo:
        id, siblings, depth = todo.pop()
        siblings.append(nodes[id])
        inner = nodes[id].children if depth < DEEPEST else siblings
        todo += [(child, inner, min(depth + 1, DEEPEST)) for child in below.get(id, [])]
    for level in (roots, *(node.children for node in nodes.values())):
        level.sort(key=lambda row: (row.mount.target, row.mount.id))
    return roots


def path_of(mount: Mount) -> str:
    """Its mount point; between quotation marks if a blank at either end would not be seen."""
    path = clean(mount.target)
    return path if path == path.strip() else f'"{path}"'


def _notes(mount: Mount) -> tuple[str, ...]:
    notes = []
    if "ro" in mount.options:
        notes.append("read-only")
    elif "ro" in mount.super_options:  # either of the two refuses to write
        notes.append("read-only file system")
    notes += [option for option in ("nosuid", "nodev", "noexec") if option in mount.options]
    if mount.root.endswith(DELETED):
        notes.append("of what was deleted")
    return (*notes, "idmapped") if "idmapped" in mount.options else tuple(notes)


def _hung(table: MountTable, kept: set[int]) -> dict[int, int | None]:
    """For each mount the id of the nearest above it that is kept; None if there is none.

    A table is not read at one moment, so a mount that is moved meanwhile may be seen twice, and
    mounts may seem to hang on each other in a circle: they are drawn as roots.
    """
    by_id = {mount.id: mount for mount in table.mounts}
    found: dict[int, int | None] = {}
    for start in by_id:
        path: dict[int, None] = {}
        id = start
        while id in by_id and id not in found and id not in path:
            path[id] = None
            above = by_id[id].parent
            id = above if above != id else 0  # a root may be its own parent
        for up in reversed(path):
            above = by_id[up].parent
            top = id in path or above == up or above not in by_id
            found[up] = None if top else above if above in kept else found[above]
    return found


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
