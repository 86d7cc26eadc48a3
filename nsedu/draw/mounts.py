"""Mount trees side by side with the peer groups that connect them: which mounts pass where."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

from nsedu.draw.labels import at_most, branches, columns, identity, letter, shorten
from nsedu.draw.picture import Picture
from nsedu.draw.rows import Cell, Column, Line, Rows, Space, words
from nsedu.draw.style import (
    INK,
    MARGIN,
    MONO_ADVANCE,
    PANEL,
    RULE,
    SOFT_INK,
    WIDEST,
    okabe_ito,
    tint,
)
from nsedu.draw.svg import Canvas, fit, measure
from nsedu.kernel.mountinfo import Mount
from nsedu.observe.mounts import MountTable
from nsedu.printable import clean

ROW, INDENT = 22.0, 18.0
PATH_SIZE, WORD_SIZE, MARK_WIDTH = 12.5, 11.5, 29.0
MOST_LANES = 6
"""So many peer groups are drawn as lines beside the trees; of more, the letters must do."""
MOST_GROUPS = 16
"""So many peer groups are told of in words; of more, the first ones."""
WIDE = 80
"""Columns to which the text twin pads; what is longer than that is not cut."""
MOST_ENDS = 8
"""So many mounts of a peer group are named."""
LONGEST = 60
"""Columns after which a name, or a path in a sentence, is cut."""
LANE = 20.0
COLOURS = ("mnt", "uts", "net", "pid", "user", "ipc")
"""The types whose colours the lines of peer groups take in turn."""
MEANING = {
    "shared": "↔ shared: mounts made on it appear at its peers, and theirs here",
    "slave": "← slave: mounts of the group appear here, those made here stay here",
    "private": "· private: mounts pass neither in nor out",
    "unbindable": "⊘ unbindable: private, and no bind mount of it can be made",
}
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
    def depth(self) -> int:
        """Its level in the tree."""
        return len(self.lasts) - 1

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


def mounts(tables: list[MountTable], below: str | None = None, everything: bool = False) -> Picture:
    """Mount trees one below the other, with letters for the peer groups that connect them.

    Args:
        tables: what `nsedu.observe.mounts.mount_tables` read.
        below: a path: only what is mounted there and below it.
        everything: also what all the tables have in common, and each mount on a row of its own.
    """
    pages, groups = sheets(tables, below, everything)
    where = f" at and below {below}" if below not in (None, "/") else ""
    title = f"Mounts{where}"
    told = [*_told(pages, groups), *_maps(pages)]
    return _Drawing(pages, groups).picture(title, told, _notes(pages, below, everything))


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
        notes = _options(mount) + ("covered",) * (mount.id in hidden)
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


def _options(mount: Mount) -> tuple[str, ...]:
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
    for row in chain(*(page.rows for page in pages), *map(walk, forests)):
        for number in (row.mount.master, row.mount.peer_group):
            if number is not None and number not in groups:
                groups[number] = Group(letter(len(groups)), [], [])
    for index, forest in enumerate(forests):
        for row in walk(forest):
            for number, ends in ((row.mount.master, "slaves"), (row.mount.peer_group, "peers")):
                if number is not None:
                    getattr(groups[number], ends).append((index, row.path))
    for row in chain(*(page.rows for page in pages)):
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


def _called(table: MountTable) -> str:
    return shorten(", ".join(map(clean, table.names)), LONGEST)


def _identity(table: MountTable) -> str:
    if not table.ns:
        return "not readable by you"
    above = f" · below its root directory {clean(table.root)}" if table.root != "/" else ""
    return identity("mnt", table.ns) + above


def _remarks(sheet: Sheet, alone: bool) -> list[str]:
    """What is said in place of rows, or below them."""
    said = [f"… {sheet.cut} more mounts, not drawn"] if sheet.cut else []
    if sheet.rows:
        return said
    if sheet.table.refused:
        return ["its mounts may be read by its own user and by root", *said]
    return ["nothing is mounted there" if alone else "nothing that the others do not have", *said]


def _text(pages: list[Sheet], sheet: Rows) -> list[str]:
    rows = iter(sheet.text())
    lines = []
    for page in pages:
        lines.append(f"{_called(page.table)} · {_identity(page.table)}")
        said = [*islice(rows, len(page.rows)), *_remarks(page, len(pages) == 1)]
        lines += [f"  {line}" for line in said]
    return lines


def _told(pages: list[Sheet], groups: list[Group]) -> list[str]:
    """The peer groups in words: between which mounts they let mounts pass."""

    def ends(found: list[tuple[int, str]]) -> list[str]:
        named = [f"{_called(pages[i].table)} {_end(path, LONGEST)}" for i, path in found]
        return at_most(named, MOST_ENDS)

    named = {name for page in pages for row in page.rows for name in (row.master, row.group)}
    told, alone = [], []
    for group in groups:
        if group.letter not in named:
            continue
        peers = " ↔ ".join(ends(group.peers)) or "mounts out of sight"
        slaves = f" → {', '.join(ends(group.slaves))}" if group.slaves else ""
        if len(group.peers) + len(group.slaves) > 1 or slaves:
            told.append(f"peer group {group.letter}: {peers}{slaves}")
        else:
            alone.append(group.letter)
    told, more = told[:MOST_GROUPS], len(told) - MOST_GROUPS
    if more > 0:
        told.append(f"… {more} more peer groups that connect mounts")
    if alone:
        letters = ", ".join(alone[:MOST_GROUPS]) + ", …" * (len(alone) > MOST_GROUPS)
        told.append(f"without a second mount in this picture: peer group {letters}")
    return told


def _maps(pages: list[Sheet]) -> list[str]:
    """The idmapped mounts in words: whose files are whose."""
    sentences = []
    for page in pages:
        for row in page.rows:
            users, groups = page.table.idmaps.get(row.mount.id, ((), ()))
            parts = [("users and groups", users)] if users == groups else [
                ("users", users), ("groups", groups)
            ]  # fmt: skip
            ranges = [f"{who} {', '.join(map(_range, lines[:MOST_ENDS]))}" for who, lines in parts
                      if lines]  # fmt: skip
            if ranges and not row.more:
                where = f"{_called(page.table)} {_end(row.path, LONGEST)}"
                sentences.append(
                    f"idmapped {where}: of the file system → as you see them: {'; '.join(ranges)}"
                )
    more = len(sentences) - MOST_GROUPS
    return sentences[:MOST_GROUPS] + [f"… {more} more idmapped mounts"] * (more > 0)


def _range(line: str) -> str:
    first, here, count = map(int, line.split())
    return " → ".join(str(id) if count == 1 else f"{id}–{id + count - 1}" for id in (first, here))


def _notes(pages: list[Sheet], below: str | None, everything: bool) -> list[str]:
    kinds = {part for page in pages for row in page.rows for part in row.kind.split("+")}
    notes = [MEANING[kind] for kind in MEANING if kind in kinds]
    if len(pages) > 1 and not everything:
        notes.append("left out: what all of these have, where nothing passes between them")
    return notes


class _Drawing:
    """The rows of all tables, and the lines of peer groups beside them."""

    def __init__(self, pages: list[Sheet], groups: list[Group]) -> None:
        self.pages = pages
        connecting = [g for g in groups if len(g.peers) + len(g.slaves) > 1]
        drawn = connecting if len(connecting) <= MOST_LANES else []
        self.lanes = {group.letter: index for index, group in enumerate(drawn)}
        rows = [row for page in pages for row in page.rows]
        paths = max((row.depth * INDENT + measure(row.path, PATH_SIZE, mono=True) for row in rows),
                    default=0.0)  # fmt: skip
        what = max((measure(row.what, 11, mono=True) for row in rows), default=0.0)
        passing = max(map(_words_width, rows), default=0.0)
        gutter = LANE * (len(self.lanes) + 1) if self.lanes else 0.0
        room = WIDEST - 2 * MARGIN - gutter - passing - 40
        paths = min(paths, room - min(what, room * 0.4))
        self.columns = (
            Column(paths + 8, 8, least=12, most=WIDE),
            Column(min(what, room - paths) + 8, 8, least=6, most=WIDE),
            Column(passing),
        )
        self.rows = self._rows(rows)
        right = self.rows.width - MARGIN
        self.lanes_x = right + LANE
        head = max(measure(_called(page.table), 15) + 230 for page in pages)
        self.width = min(WIDEST, max(620.0, right + gutter + MARGIN, head))
        self.ends: dict[str, list[tuple[float, float, bool]]] = {}

    def picture(self, title: str, told: list[str], notes: list[str]) -> Picture:
        canvas = Canvas()
        y = canvas.heading(title, [], self.width)
        for page in self.pages:
            y = self._page(canvas, page, y)
        self._lanes(canvas)
        canvas.line(MARGIN, y, self.width - MARGIN, y, RULE)
        y = canvas.footnotes(told, y + 16, self.width, INK)
        y = canvas.footnotes(notes, y, self.width)
        text = [*_text(self.pages, self.rows), *told, *notes]
        return canvas.picture(title, text, self.width, y + 4)

    def _rows(self, rows: list[Row]) -> Rows:
        lines = [
            Line([_path(row), words(row.what, 11, mono=True, fill=SOFT_INK),
                  Cell(f"{MARK[row.kind]} {_words(row)}", partial(self._draw_words, row))],
                 row.depth)
            for row in rows
        ]  # fmt: skip
        return Rows(self.columns, lines, ROW, indent=INDENT, left=MARGIN + 8)

    def _page(self, canvas: Canvas, page: Sheet, y: float) -> float:
        colour = okabe_ito["mnt"]
        canvas.rect(MARGIN, y, self.width - 2 * MARGIN, 24, fill=tint(colour, 0.16), radius=5)
        name = fit(_called(page.table), 14, self.width - 2 * MARGIN - 190)
        canvas.text(MARGIN + 8, y + 12, name, 13, bold=True)
        canvas.text(MARGIN + 14 + measure(name, 15), y + 12, _identity(page.table), 11, mono=True,
                    fill=SOFT_INK)  # fmt: skip
        y = self._rows(page.rows).draw(canvas, y + 30)
        for said in _remarks(page, len(self.pages) == 1):
            canvas.text(MARGIN + 8, y + ROW / 2, said, 12, fill=SOFT_INK)
            y += ROW
        return y + 12

    def _draw_words(self, row: Row, canvas: Canvas, space: Space) -> None:
        """How mounts pass, in words; remembers where the lines of its peer groups end."""
        x, y, _, _ = space
        ink = SOFT_INK if _quiet(row) else INK
        canvas.text(x + 12, y, MARK[row.kind], 14, anchor="middle", bold=True)
        canvas.text(x + MARK_WIDTH, y, _words(row), WORD_SIZE, fill=ink)
        for name, gets in ((row.master, True), (row.group, False)):
            if name in self.lanes:
                aside = (-5 if gets else 5) if row.master and row.group else 0
                end = (x + _words_width(row), y + aside, gets)
                self.ends.setdefault(name, []).append(end)

    def _lanes(self, canvas: Canvas) -> None:
        """A line for each peer group; an arrow at a mount says that it gets what others mount."""
        for name, index in self.lanes.items():
            ends = self.ends.get(name, [])
            if len(ends) < 2:
                continue
            x, colour = self.lanes_x + index * LANE, okabe_ito[COLOURS[index]]
            top, bottom = min(y for _, y, _ in ends), max(y for _, y, _ in ends)
            canvas.path(f"M{x:.1f} {top:.1f}V{bottom:.1f}", colour, 2)
            for start, y, gets in ends:
                canvas.path(f"M{x:.1f} {y:.1f}H{start:.1f}", colour, 1.6, dashed=gets)
                canvas.path(f"M{start + 6:.1f} {y - 4:.1f}L{start:.1f} {y:.1f}"
                            f"L{start + 6:.1f} {y + 4:.1f}", colour, 1.6)  # fmt: skip
                if not gets:
                    canvas.rect(x - 3.5, y - 3.5, 7, 7, fill=colour, radius=3.5)
            canvas.rect(x - 8, top - 19, 16, 14, fill=PANEL, stroke=colour, radius=3)
            canvas.text(x, top - 12, name, 10.5, anchor="middle", mono=True, bold=True)


def _words(row: Row) -> str:
    return ", ".join([row.passing, *row.notes])


def _words_width(row: Row) -> float:
    return MARK_WIDTH + measure(_words(row), WORD_SIZE) + 8


def _quiet(row: Row) -> bool:
    return bool(row.more) or "covered" in row.notes


def _path(row: Row) -> Cell:
    ink = SOFT_INK if _quiet(row) else INK

    def draw(canvas: Canvas, space: Space) -> None:
        path = _end(row.path, max(2, int(space.width / (PATH_SIZE * MONO_ADVANCE))))
        canvas.text(space.x, space.y, path, PATH_SIZE, mono=True, fill=ink)

    return Cell(branches(row.lasts) + row.path, draw)


def _end(path: str, most: int) -> str:
    """A path cut at its front to so many columns, since its end is what tells it apart."""
    if columns(path) <= most:
        return path
    path = path[-most:]
    while columns(path) > most - 1:
        path = path[1:]
    return "…" + path
