"""The pid-translation ladder: a row per process, a cell for each pid namespace that sees it."""

from __future__ import annotations

from typing import NamedTuple

from nsedu.draw import legend
from nsedu.draw.labels import Letters, unread
from nsedu.draw.picture import Picture
from nsedu.draw.process_rows import (
    Row,
    build_trees,
    collapse,
    merge_identical,
    name_cell,
    names_width,
    processes_in,
    rows,
)
from nsedu.draw.rows import Band, Cell, Column, Line, Rows, Space, words
from nsedu.draw.style import INK, MARGIN, SOFT_INK, TREE_LINE, WIDEST, ink_on, okabe_ito, tint
from nsedu.draw.svg import Canvas, measure
from nsedu.observe.pid_numbers import Number, numbers
from nsedu.observe.records import Process, Snapshot

FEW_ROWS = 24
"""Above so many rows, siblings that are alike are drawn once."""
MANY_ROWS = 64
"""Above so many, so are those that are alike but for their namespaces, and if that is not enough,
what lives where its parent lives is gathered in one row."""
MOST_ROWS = 160
"""So many rows are drawn; what is cut is said."""
TITLE = "One process, a number in each pid namespace"
SENSE = "a row is one process; its own number is the last, the others are used outside"

COLOUR = okabe_ito["pid"]
SIZE, GAP = 13.0, 16.0
"""Font size; px between two columns."""
LEAST_NAMES, MOST_NAMES, LEAST_INDENT = 190.0, 300.0, 4.0
"""What the names get at least, and at most if that costs columns; px for a level of the tree."""
_HIGHEST = 4194304  # a pid is below this, proc_sys_kernel(5)
ELIDED = -1
"""In place of a level: the column that stands for all levels that are left out."""


def pids(snapshot: Snapshot) -> Picture:
    """The number of each process in each pid namespace that sees it.

    Numbers in the reader's own namespace are other ones each time.  The drawing has them; the text
    twin says p1, p2 and so on instead.  The numbers further in are those of young namespaces and
    stay the same if the same happens there.

    Args:
        snapshot: what to draw.
    """
    found = rows(build_trees(snapshot.processes))
    if len(found) > FEW_ROWS:
        found = rows(merge_identical([row.node for row in found if row.parent is None], _alike))
    if len(found) > MANY_ROWS:
        found = rows(merge_identical([row.node for row in found if row.parent is None], _as_deep))
    if len(found) > MANY_ROWS:
        found = rows(collapse([row.node for row in found if row.parent is None], _dull))
    letters = _letters(snapshot, found[:MOST_ROWS])
    lines = _lines(snapshot, letters, found[:MOST_ROWS])
    notes = [*_notes(lines, found), *unread(snapshot)]

    sheet = _Ladder(lines).rows()
    text = [*sheet.text(), *legend.lines(letters, {}, ("pid",)), SENSE]
    if any(line.cells for line in lines):
        text.append("p1, p2, …: the numbers of level 0, which are other ones each time")
    canvas = Canvas()
    y = canvas.heading(TITLE, [SENSE + "."], sheet.width)
    y = sheet.draw(canvas, y) + 20
    y = _samples(canvas, y, lines, sheet.width)
    y = legend.draw(canvas, y, sheet.width, letters, {}, ("pid",))
    y = canvas.footnotes(notes, y, sheet.width)
    return canvas.picture(TITLE, [*text, *notes], sheet.width, y + 4)


class PidCell(NamedTuple):
    """A number, as it stands in a row.

    Attributes:
        ns: the pid namespace, None if it is out of sight.
        letter: its letter.
        told: the number as the text twin says it.
        drawn: the number as the drawing says it.
        own: whether it is the process's own, the last in the row.
        first: whether it is the number 1, own, and thus that of the namespace's init.
    """

    ns: int | None
    letter: str
    told: str
    drawn: str
    own: bool
    first: bool


class PidLine(NamedTuple):
    """A row of the picture: its place in the forest, and its numbers by level."""

    row: Row
    cells: tuple[PidCell, ...]


def _letters(snapshot: Snapshot, found: list[Row]) -> Letters:
    """A letter for each pid namespace concerned, the outer before the inner."""
    letters = Letters()
    for row in found:
        for number in numbers(snapshot, row.node.process):
            if number.ns is not None:
                letters.meet("pid", number.ns)
    return letters


def _alike(process: Process) -> tuple[int | None, int]:
    return process.links.get("pid"), len(process.nspid)


def _as_deep(process: Process) -> int:
    return len(process.nspid)


def _dull(row: Row) -> bool:
    process = row.node.process
    return (
        row.parent is not None
        and not process.role
        and _alike(process) == _alike(row.parent.process)
    )


def _lines(snapshot: Snapshot, letters: Letters, found: list[Row]) -> list[PidLine]:
    lines, outside = [], 0
    for row in found:
        cells: list[PidCell] = []
        several = "…" if row.node.count > 1 else ""
        known: tuple[Number, ...] = numbers(snapshot, row.node.process)
        for level, (ns, pid) in enumerate(known):
            if row.node.more:
                told = drawn = "…"
            else:
                outside += level == 0
                told, drawn = (f"{pid}{several}",) * 2
                if level == 0:
                    told = f"p{outside}{several}"
            own = level == len(known) - 1
            first = own and level > 0 and pid == 1 and not row.node.more
            cells.append(PidCell(ns, letters.of("pid", ns), told, drawn, own, first))
        lines.append(PidLine(row, tuple(cells)))
    return lines


def _notes(lines: list[PidLine], found: list[Row]) -> list[str]:
    notes = [] if found else ["no process in this snapshot"]
    if any(cell.letter == "?" for line in lines for cell in line.cells):
        notes.append("? a pid namespace that cannot be seen from here")
    if len(found) > len(lines):
        left_out = processes_in(found) - processes_in([line.row for line in lines])
        notes.append(f"… {left_out} more processes below, which are not drawn")
    if any(line.row.node.count > 1 for line in lines):
        notes.append("× so many alike, drawn once with the numbers of the first, as in 5…")
    if any(line.row.node.more for line in lines):
        notes.append("… more: other processes, all in the pid namespace of the parent row")
    return notes


class _Ladder:
    """The levels that there is room for, and how wide they are."""

    def __init__(self, lines: list[PidLine]) -> None:
        self.lines = lines
        least = max(LEAST_NAMES, min(MOST_NAMES, self._names(LEAST_INDENT)))
        depth = max((len(line.cells) for line in lines), default=0)
        self.levels, self.widths = self._choose(depth, WIDEST - 2 * MARGIN - least)

    def rows(self) -> Rows:
        """The ladder, a row for each process."""
        room = WIDEST - 2 * MARGIN - sum(self.widths) - GAP * len(self.widths)
        deepest = max((line.row.depth for line in self.lines), default=0)
        indent = min(18.0, max(LEAST_INDENT, (room - 130) / max(1, deepest)))
        names = min(room, max(LEAST_NAMES, self._names(indent)))
        columns = [Column(width, GAP, gap=3) for width in self.widths]
        heads = [words(head, mono=True, bold=True, anchor="middle") for head in self._heads()]
        head = Line([words("process", fill=SOFT_INK), *heads], height=24, below=2, rule=True)
        body = [
            Line([name_cell(line.row), *(self._drawn(line, i) for i in range(len(columns)))],
                 line.row.depth, rule=True)
            for line in self.lines
        ]  # fmt: skip
        row = 27.0 if len(self.lines) <= 40 else 22.0
        first = Column(names - 8, 8, least=26)
        return Rows([first, *columns], [head, *body], row, indent=indent, least=640)

    def _names(self, indent: float) -> float:
        """How wide the names are, when each level of the tree takes `indent` px."""
        return names_width((line.row for line in self.lines), indent) + 10

    def _choose(self, depth: int, room: float) -> tuple[list[int], list[float]]:
        """As many levels as there is room for; of a deep ladder, those at both ends."""
        for most in range(depth, 2, -1):
            outer = most // 2
            inner = most - 1 - outer
            levels = list(range(depth))
            if most < depth:
                levels = [*levels[:outer], ELIDED, *levels[depth - inner :]]
            widths = [self._width(level, levels) for level in levels]
            if sum(widths) + GAP * len(widths) <= room:
                break
        else:
            levels = list(range(depth))
            widths = [self._width(level, levels) for level in levels]
        return levels, widths

    def _width(self, level: int, levels: list[int]) -> float:
        drawn = [cell.drawn for line in self.lines if (cell := self._cell(line, level, levels))]
        if level == 0:  # whatever these numbers are this time, the twin must have the same columns
            drawn = [f"{_HIGHEST}…"]
        return max(66.0, *(measure(number, SIZE, mono=True) + 42 for number in drawn))

    @staticmethod
    def _cell(line: PidLine, level: int, levels: list[int]) -> PidCell | None:
        """What a row has in the column of a level; of those left out, only its own number."""
        if level != ELIDED:
            return line.cells[level] if level < len(line.cells) else None
        own = len(line.cells) - 1
        at = levels.index(ELIDED)
        after = levels[at + 1] if at + 1 < len(levels) else own + 1
        return line.cells[own] if at <= own < after else None

    def _passes(self, line: PidLine, column: int) -> bool:
        """Whether a row goes on to the right of a column."""
        last = self.levels[column]
        if last == ELIDED:
            last = self.levels[column + 1] - 1
        return len(line.cells) - 1 > last

    def _elided(self) -> int:
        return (max(self.levels) + 1) - (len(self.levels) - 1) if ELIDED in self.levels else 0

    def _heads(self) -> list[str]:
        elided = f"… {self._elided()} more"
        return [elided if level == ELIDED else f"level {level}" for level in self.levels]

    def _drawn(self, line: PidLine, column: int) -> Cell:
        """What a row has in a column: a number, or a sign that it goes on to the right."""
        level = self.levels[column]
        cell, passes = self._cell(line, level, self.levels), self._passes(line, column)
        elided = level == ELIDED and passes and not cell

        def draw(canvas: Canvas, space: Space) -> None:
            x, y, width, _ = space
            if passes:
                canvas.line(x + width - 6, y, x + width + GAP + 6, y, TREE_LINE)
            if cell:
                _draw_cell(canvas, cell, space)
            elif elided:
                canvas.text(space.middle, y, "…", SIZE, anchor="middle", fill=SOFT_INK)

        if cell is None:
            return Cell("…" if elided else "", draw)
        fill, edge = tint(COLOUR, 0.06 if column == 0 else 0.16), tint(COLOUR, 0.45)
        band = Band((cell.letter, cell.ns), fill, edge) if level != ELIDED else None
        return Cell(f"{cell.letter} {cell.told}", draw, band)


def _draw_cell(canvas: Canvas, cell: PidCell, space: Space) -> None:
    """One number, with the letter of its namespace before it; a process's own is filled."""
    x, y, width, height = space
    ink = INK
    if cell.own:
        ink = ink_on(COLOUR)
        canvas.rect(x + 4, y - height / 2 + 4, width - 8, height - 8, fill=COLOUR, radius=5,
                    stroke=INK if cell.first else COLOUR, line=2.2)  # fmt: skip
    canvas.text(x + 11, y, cell.letter, 11, mono=True, fill=ink if cell.own else SOFT_INK)
    canvas.text(x + width - 12, y, cell.drawn, SIZE, anchor="end", mono=True, bold=cell.own,
                fill=ink)  # fmt: skip


def _samples(canvas: Canvas, y: float, lines: list[PidLine], width: float) -> float:
    """What the two kinds of filled cells mean, for those that occur; returns the y below."""
    shown = [cell for line in lines for cell in line.cells]
    x = float(MARGIN)
    for cell, meaning in (
        (PidCell(0, "B", "7", "7", True, False), "its own number, by getpid()"),
        (PidCell(0, "B", "1", "1", True, True), "with an edge: number 1, its namespace's init"),
    ):
        if any(one.own and one.first == cell.first for one in shown):
            taken = 74 + measure(meaning, 12) + 16
            if x > MARGIN and x + taken > width - MARGIN:
                x, y = float(MARGIN), y + 28
            _draw_cell(canvas, cell, Space(x, y, 66, 27))
            canvas.text(x + 74, y, meaning, 12, fill=SOFT_INK)
            x += taken
    return y + 24
