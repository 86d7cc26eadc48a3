"""Mount trees side by side with the peer groups that connect them: which mounts pass where."""

from __future__ import annotations

from nsedu.draw.labels import columns, identity, pad, shorten
from nsedu.draw.mounts_layout import MARK, Group, Row, Sheet, sheets
from nsedu.draw.picture import Picture
from nsedu.draw.style import (
    INK,
    MARGIN,
    MONO_ADVANCE,
    PANEL,
    RULE,
    SOFT_INK,
    TREE_LINE,
    WIDEST,
    okabe_ito,
    tint,
)
from nsedu.draw.svg import Canvas, fit, measure, wrap
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
    notes = _notes(pages, below, everything)
    text = [*_text(pages), *told, *notes]
    return _Drawing(pages, groups).picture(title, told, notes, text)


def _called(table: MountTable) -> str:
    return shorten(", ".join(map(clean, table.names)), LONGEST)


def _identity(table: MountTable) -> str:
    if not table.ns:
        return "not readable by you"
    above = f" · below its root directory {clean(table.root)}" if table.root != "/" else ""
    return identity("mnt", table.ns) + above


def _empty(sheet: Sheet, alone: bool) -> str:
    if sheet.table.refused:
        return "its mounts may be read by its own user and by root"
    return "nothing is mounted there" if alone else "nothing that the others do not have"


def _cut(sheet: Sheet) -> str:
    return f"… {sheet.cut} more mounts, not drawn"


def _text(pages: list[Sheet]) -> list[str]:
    trees = {id(row): _branches(row) + row.path for page in pages for row in page.rows}
    left = min(WIDE, max([12, *map(columns, trees.values())])) + 2
    whats = (columns(row.what) for page in pages for row in page.rows)
    middle = min(WIDE, max([6, *whats])) + 2
    lines = []
    for page in pages:
        lines.append(f"{_called(page.table)} · {_identity(page.table)}")
        for row in page.rows:
            words = ", ".join([f"{MARK[row.kind]} {row.passing}", *row.notes])
            lines.append(f"  {pad(trees[id(row)], left)}{pad(row.what, middle)}{words}")
        if not page.rows:
            lines.append(f"  {_empty(page, len(pages) == 1)}")
        if page.cut:
            lines.append(f"  {_cut(page)}")
    return lines


def _branches(row: Row) -> str:
    if len(row.lasts) < 2:
        return ""
    bars = "".join("   " if last else "│  " for last in row.lasts[1:-1])
    return bars + ("└─ " if row.lasts[-1] else "├─ ")


def _told(pages: list[Sheet], groups: list[Group]) -> list[str]:
    """The peer groups in words: between which mounts they let mounts pass."""

    def ends(found: list[tuple[int, str]]) -> list[str]:
        named = [
            f"{_called(pages[i].table)} {_end(path, LONGEST)}" for i, path in found[:MOST_ENDS]
        ]
        return named + [f"… {len(found) - MOST_ENDS} more"] * (len(found) > MOST_ENDS)

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
    """The measures of the picture, and how it is drawn."""

    def __init__(self, pages: list[Sheet], groups: list[Group]) -> None:
        self.pages = pages
        connecting = [g for g in groups if len(g.peers) + len(g.slaves) > 1]
        drawn = connecting if len(connecting) <= MOST_LANES else []
        self.lanes = {group.letter: index for index, group in enumerate(drawn)}
        rows = [row for page in pages for row in page.rows]
        paths = max((self._x(row) + measure(row.path, PATH_SIZE, mono=True) for row in rows),
                    default=0.0)  # fmt: skip
        what = max((measure(row.what, 11, mono=True) for row in rows), default=0.0)
        words = max((self._words(row) for row in rows), default=0.0)
        gutter = LANE * (len(self.lanes) + 1) if self.lanes else 0.0
        room = WIDEST - 2 * MARGIN - gutter - words - 40
        paths = min(paths, room - min(what, room * 0.4))
        self.what_x = MARGIN + 8 + paths + 16
        self.words_x = self.what_x + min(what, room - paths) + 16
        self.lanes_x = self.words_x + words + LANE
        head = max(measure(_called(page.table), 15) + 230 for page in pages)
        self.width = min(WIDEST, max(620.0, self.words_x + words + gutter + MARGIN, head))
        self.ends: dict[str, list[tuple[float, float, bool]]] = {}

    def picture(self, title: str, told: list[str], notes: list[str], text: list[str]) -> Picture:
        canvas = Canvas()
        y = canvas.heading(title, [], self.width)
        for page in self.pages:
            y = self._page(canvas, page, y)
        self._lanes(canvas)
        canvas.line(MARGIN, y, self.width - MARGIN, y, RULE)
        y += 16
        for sentence in (*told, *notes):
            for line in wrap(sentence, WORD_SIZE, self.width - 2 * MARGIN - 4):
                ink = INK if sentence in told else SOFT_INK
                canvas.text(MARGIN, y, line, WORD_SIZE, fill=ink)
                y += 17
            y += 3
        return canvas.picture(title, text, self.width, y + 4)

    def _x(self, row: Row) -> float:
        return (len(row.lasts) - 1) * INDENT

    def _words(self, row: Row) -> float:
        return MARK_WIDTH + measure(", ".join([row.passing, *row.notes]), WORD_SIZE) + 8

    def _page(self, canvas: Canvas, page: Sheet, y: float) -> float:
        colour = okabe_ito["mnt"]
        canvas.rect(MARGIN, y, self.width - 2 * MARGIN, 24, fill=tint(colour, 0.16), radius=5)
        name = fit(_called(page.table), 14, self.width - 2 * MARGIN - 190)
        canvas.text(MARGIN + 8, y + 12, name, 13, bold=True)
        canvas.text(MARGIN + 14 + measure(name, 15), y + 12, _identity(page.table), 11, mono=True,
                    fill=SOFT_INK)  # fmt: skip
        y += 30
        stems: list[float] = []
        for row in page.rows:
            middle = y + ROW / 2
            self._row(canvas, row, middle, stems)
            y += ROW
        for said in (_empty(page, len(self.pages) == 1),) * (not page.rows) + (_cut(page),) * bool(
            page.cut
        ):
            canvas.text(MARGIN + 8, y + ROW / 2, said, 12, fill=SOFT_INK)
            y += ROW
        return y + 12

    def _row(self, canvas: Canvas, row: Row, y: float, stems: list[float]) -> None:
        depth, x = len(row.lasts) - 1, MARGIN + 8 + self._x(row)
        if depth:
            stem = x - INDENT + 5
            canvas.path(f"M{stem:.1f} {stems[depth - 1]:.1f}V{y:.1f}h10", TREE_LINE)
            stems[depth - 1] = y
        stems[depth:] = [y + 8]
        quiet = bool(row.more) or "covered" in row.notes
        path = _end(row.path, max(2, int((self.what_x - x - 8) / (PATH_SIZE * MONO_ADVANCE))))
        canvas.text(x, y, path, PATH_SIZE, mono=True, fill=SOFT_INK if quiet else INK)
        what = fit(row.what, 11, self.words_x - self.what_x - 8, mono=True)
        canvas.text(self.what_x, y, what, 11, mono=True, fill=SOFT_INK)
        canvas.text(self.words_x + 12, y, MARK[row.kind], 14, anchor="middle", bold=True)
        words = ", ".join([row.passing, *row.notes])
        canvas.text(self.words_x + MARK_WIDTH, y, words, WORD_SIZE, fill=SOFT_INK if quiet else INK)
        start = self.words_x + self._words(row)
        for letter, gets in ((row.master, True), (row.group, False)):
            if letter in self.lanes:
                aside = (-5 if gets else 5) if row.master and row.group else 0
                self.ends.setdefault(letter, []).append((start, y + aside, gets))

    def _lanes(self, canvas: Canvas) -> None:
        """A line for each peer group; an arrow at a mount says that it gets what others mount."""
        for letter, index in self.lanes.items():
            ends = self.ends.get(letter, [])
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
            canvas.text(x, top - 12, letter, 10.5, anchor="middle", mono=True, bold=True)


def _end(path: str, most: int) -> str:
    """A path cut at its front to so many columns, since its end is what tells it apart."""
    if columns(path) <= most:
        return path
    path = path[-most:]
    while columns(path) > most - 1:
        path = path[1:]
    return "…" + path
