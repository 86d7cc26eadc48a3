"""Rows of cells in columns, as lines of text and as a drawing; with the lines of a tree, if any."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import accumulate, groupby
from typing import Any, NamedTuple

from nsedu.draw.labels import centre, columns, pad
from nsedu.draw.style import MARGIN, RULE, TREE_LINE
from nsedu.draw.svg import Canvas, fit


class Space(NamedTuple):
    """Where a cell is drawn: the x of its left edge, the y of its middle, its width and height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """The x of its middle."""
        return self.x + self.width / 2


Draw = Callable[[Canvas, Space], None]


def _nothing(canvas: Canvas, space: Space) -> None:
    """Draw no cell."""


class Band(NamedTuple):
    """What lies behind cells one below the other that have the same: a colour and an edge."""

    key: Hashable
    fill: str
    edge: str


class Cell(NamedTuple):
    """A cell.

    Attributes:
        text: what the text version says; a line break starts another line of the same row.
        draw: how it is drawn.
        band: what lies behind it.
        centred: whether the text stands in the middle of its column.
    """

    text: str = ""
    draw: Draw = _nothing
    band: Band | None = None
    centred: bool = False


class Line(NamedTuple):
    """A row.

    Attributes:
        cells: for the columns from left to right; the last ones may be missing.
        depth: its level in a tree; the first cell is indented by it.
        height: how high it is, px; 0 for as high as the others.
        below: how much is left free below it, px.
        rule: whether a line is drawn below it.
    """

    cells: Sequence[Cell]
    depth: int = 0
    height: float = 0.0
    below: float = 0.0
    rule: bool = False


class Column(NamedTuple):
    """A column.

    Attributes:
        width: px in the drawing.
        after: px that are left free behind it.
        least: characters that it has at least in the text version.
        gap: blanks behind it there.
        most: characters up to which the text version aligns what comes next.
    """

    width: float = 0.0
    after: float = 0.0
    least: int = 0
    gap: int = 2
    most: int = 10000


class Rows:
    """Rows and how they are laid out.

    Args:
        columns: from left to right.
        lines: from top to bottom, the heading among them.
        row: how high a row is, px.
        indent: from a name to those below it in the tree, px.
        left: x of the first column.
        least: how wide the picture is at least, px.

    Attributes:
        width: of the picture, px.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        lines: Sequence[Line],
        row: float = 25.0,
        *,
        indent: float = 18.0,
        left: float = MARGIN,
        least: float = 0.0,
    ) -> None:
        self.columns, self.lines, self.row, self.indent = columns, lines, row, indent
        self.lefts = list(accumulate((c.width + c.after for c in columns), initial=float(left)))
        self.width = max(least, self.lefts[-1] + MARGIN)

    def text(self) -> list[str]:
        """The rows as text, each column as wide as its widest cell."""
        split = [[cell.text.split("\n") for cell in line.cells] for line in self.lines]
        widths = [column.least for column in self.columns]
        for line in split:
            for index, parts in enumerate(line):
                widths[index] = max([widths[index], *map(columns, parts)])
        out = []
        for row, line in zip(self.lines, split, strict=True):
            for number in range(max(map(len, line))):
                found = ""
                for cell, parts, most, column in zip(
                    row.cells, line, widths, self.columns, strict=False
                ):
                    part, width = "".join(parts[number : number + 1]), min(most, column.most)
                    part = centre(part, width) if cell.centred else part
                    found += pad(part, width + column.gap)
                out.append(found.rstrip())
        return out

    def draw(self, canvas: Canvas, y: float) -> float:
        """Draw the rows; returns the y below them."""
        heights = ((line.height or self.row) + line.below for line in self.lines)
        tops = list(accumulate(heights, initial=y))
        for line, bottom in zip(self.lines, tops[1:], strict=True):
            if line.rule:
                canvas.line(MARGIN, bottom, self.width - MARGIN, bottom, RULE)
        for index in range(len(self.columns)):
            self._bands(canvas, index, tops)
        middles = []
        for line, top in zip(self.lines, tops, strict=False):
            height = line.height or self.row
            middles.append(top + height / 2)
            aside = line.depth * self.indent
            for cell, column, x in zip(line.cells, self.columns, self.lefts, strict=False):
                cell.draw(canvas, Space(x + aside, middles[-1], column.width - aside, height))
                aside = 0.0
        self._branches(canvas, middles)
        return tops[-1]

    def _branches(self, canvas: Canvas, middles: list[float]) -> None:
        """The lines of the tree, before the names."""
        ends: list[float] = []  # for each level, the y down to which its stem is drawn
        for line, y in zip(self.lines, middles, strict=True):
            depth, indent = line.depth, self.indent
            ends[depth:] = [y + 9]
            if depth:
                x = self.lefts[0] + (depth - 1 + 0.28) * indent
                top, reach = ends[depth - 1], 0.55 * indent
                canvas.path(f"M{x:.1f} {top:.1f}V{y:.1f}h{reach:.1f}", TREE_LINE)
                ends[depth - 1] = y

    def _bands(self, canvas: Canvas, column: int, tops: list[float]) -> None:
        found = [line.cells[column].band if column < len(line.cells) else None
                 for line in self.lines]  # fmt: skip
        x, width, first = self.lefts[column], self.columns[column].width, 0
        for band, run in groupby(found):
            last = first + len(list(run))
            if band is not None:
                canvas.rect(x, tops[first] + 1.5, width, tops[last] - tops[first] - 3,
                            radius=6, fill=band.fill, stroke=band.edge)  # fmt: skip
            first = last


def table(lines: Sequence[Sequence[str]], **column: int) -> list[str]:
    """Words as text, one column like the other; see `Column`."""
    number = max(map(len, lines), default=1)
    rows = [Line(list(map(Cell, line))) for line in lines]
    return Rows([Column(**column)] * number, rows).text()


def words(
    text: str,
    size: float = 12,
    *,
    drawn: str | None = None,
    anchor: str = "start",
    mono: bool = False,
    **look: Any,
) -> Cell:
    """A cell of words, in the drawing cut to the width of its column, or `drawn` in their place."""

    def draw(canvas: Canvas, space: Space) -> None:
        x = space.x + {"start": 0.0, "middle": space.width / 2, "end": space.width}[anchor]
        shown = fit(text if drawn is None else drawn, size, space.width, mono)
        canvas.text(x, space.y, shown, size, anchor=anchor, mono=mono, **look)

    return Cell(text, draw)
