"""The grid that two pictures share: a row per process, a column per namespace type."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from nsedu.draw.labels import centre, columns, pad
from nsedu.draw.matrix_cell import Cell, draw_cell, edge, pale
from nsedu.draw.process_rows import Row
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
from nsedu.kernel.namespace_types import CATALOGUE, NAMES

NAME_SIZE, CELL_SIZE = 13.0, 13.0
HEAD = 34
MOST_ROWS = 160
"""How many rows are drawn; what is cut is said."""


class Line(NamedTuple):
    """One row of the grid.

    Attributes:
        row: its place in the forest.
        cells: one for each type; none in a row that stands for several unlike processes.
        mark: "+" for a process that came, "−" for one that went, "" for one that stayed.
    """

    row: Row
    cells: tuple[Cell, ...]
    mark: str = ""


def text_rows(lines: list[Line]) -> list[str]:
    """The grid as text, under its heading."""
    left = max([26, *(columns(line.row.label) for line in lines)]) + 2
    words = [[cell.word for cell in line.cells] for line in lines]
    widths = [max(map(len, column)) for column in zip(NAMES, *words, strict=True)]
    out = [pad("process", left) + " ".join(map(pad, NAMES, widths)).rstrip()]
    for line, row in zip(lines, words, strict=True):
        out.append(pad(line.row.label, left) + " ".join(map(centre, row, widths)).rstrip())
    return out


class Sheet:
    """The measures of a grid, and how it is drawn."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.row = 25.0 if len(lines) <= 40 else 21.0
        longest = max((len(c.word) for line in lines for c in line.cells), default=1)
        self.pitch = max(50.0, measure("x" * longest, CELL_SIZE, mono=True) + 18)
        room = WIDEST - 2 * MARGIN - 8 * self.pitch - 16
        marks = 18.0 if any(line.mark for line in lines) else 0.0
        deepest = max((line.row.depth for line in lines), default=0)
        self.indent = min(18.0, (room - 110) / max(1, deepest))
        self.start = MARGIN + marks
        names = max(
            (
                measure(line.row.node.label, NAME_SIZE, mono=True) + line.row.depth * self.indent
                for line in lines
            ),
            default=0.0,
        )
        self.names = min(room, max(170.0, names + marks))
        self.left = MARGIN + self.names + 16
        self.width = max(620.0, self.left + 8 * self.pitch + MARGIN)
        self.pitch += (self.width - MARGIN - self.left - 8 * self.pitch) / 8

    def draw(self, canvas: Canvas, y: float) -> float:
        """Draw heading and rows; returns the y below them."""
        self._heading(canvas, y)
        top = y + HEAD
        for index, line in enumerate(self.lines):
            middle = top + (index + 0.5) * self.row
            canvas.line(MARGIN, top + index * self.row, self.width - MARGIN,
                        top + index * self.row, RULE)  # fmt: skip
            self._name(canvas, line, middle)
        depths = [line.row.depth for line in self.lines]
        draw_branches(canvas, depths, self.start, top, self.row, self.indent)
        for column in range(len(CATALOGUE)):
            self._bands(canvas, column, top)
        for index, line in enumerate(self.lines):
            for column, cell in enumerate(line.cells):
                centre = self.left + (column + 0.5) * self.pitch
                draw_cell(canvas, NAMES[column], cell, centre, top + (index + 0.5) * self.row,
                          self.pitch - 10, self.row - 4)  # fmt: skip
        return top + len(self.lines) * self.row + 18

    def _heading(self, canvas: Canvas, y: float) -> None:
        canvas.text(MARGIN, y + 12, "process", 12, fill=SOFT_INK)
        for column, name in enumerate(NAMES):
            centre = self.left + (column + 0.5) * self.pitch
            canvas.text(centre, y + 12, name, 12, anchor="middle", mono=True, bold=True)
            canvas.rect(centre - (self.pitch - 10) / 2, y + 23, self.pitch - 10, 5,
                        fill=okabe_ito[name], radius=2)  # fmt: skip

    def _name(self, canvas: Canvas, line: Line, y: float) -> None:
        x = self.start + line.row.depth * self.indent
        room = self.left - 12 - x
        label = fit(line.row.node.label, NAME_SIZE, room, mono=True)
        quiet = line.row.node.more or line.mark == "−"
        canvas.text(x, y, label, NAME_SIZE, mono=True, bold=bool(line.row.node.process.role)
                    and not line.row.node.more, fill=SOFT_INK if quiet else INK,
                    struck=line.mark == "−")  # fmt: skip
        if line.mark:
            canvas.rect(MARGIN - 2, y - 7, 14, 14, fill=INK if line.mark == "+" else PANEL,
                        stroke=INK, radius=7)  # fmt: skip
            canvas.text(MARGIN + 5, y, line.mark, 12, anchor="middle", bold=True,
                        fill=ink_on(INK) if line.mark == "+" else INK)  # fmt: skip

    def _bands(self, canvas: Canvas, column: int, top: float) -> None:
        colour, x = okabe_ito[NAMES[column]], self.left + column * self.pitch + 5
        cells = [line.cells[column] if line.cells else None for line in self.lines]
        first = 0
        for (band, home), run in groupby(cells, lambda c: (c and c.band, bool(c and c.home))):
            number = len(list(run))
            if band is not None:
                canvas.rect(x, top + first * self.row + 1.5, self.pitch - 10,
                            number * self.row - 3, radius=6, fill=tint(colour, pale(home)),
                            stroke=tint(colour, edge(home)))  # fmt: skip
            first += number


def draw_branches(
    canvas: Canvas, depths: list[int], start: float, top: float, row: float, indent: float
) -> None:
    """The lines of a tree, before the names of its rows.

    Args:
        canvas: where to draw.
        depths: of each row, from top to bottom.
        start: x of a root's name.
        top: y of the upper edge of the first row.
        row: height of a row.
        indent: from a name to those below it.
    """
    reach, stem = indent * 0.55, indent * 0.28
    ends: list[float] = []  # for each level, the y down to which its stem is drawn
    for index, depth in enumerate(depths):
        y = top + (index + 0.5) * row
        ends[depth:] = [y + 9]
        if depth:
            x = start + (depth - 1) * indent + stem
            canvas.path(f"M{x:.1f} {ends[depth - 1]:.1f}V{y:.1f}h{reach:.1f}", TREE_LINE)
            ends[depth - 1] = y
