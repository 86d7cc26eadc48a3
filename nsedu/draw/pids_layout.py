"""Ladders: a row per process, its number in each pid namespace from left to right; the measures."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from nsedu.draw.labels import columns, pad
from nsedu.draw.matrix_layout import draw_branches
from nsedu.draw.process_rows import Row
from nsedu.draw.style import INK, MARGIN, RULE, SOFT_INK, TREE_LINE, WIDEST, ink_on, okabe_ito, tint
from nsedu.draw.svg import Canvas, fit, measure

COLOUR = okabe_ito["pid"]
SIZE, GAP = 13.0, 16.0
"""Font size; px between two columns."""
LEAST_NAMES, MOST_NAMES, LEAST_INDENT = 190.0, 300.0, 4.0
"""What the names get at least, and at most if that costs columns; px for a level of the tree."""
_HIGHEST = 4194304  # a pid is below this, proc_sys_kernel(5)
ELIDED = -1
"""In place of a level: the column that stands for all levels that are left out."""


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


class Line(NamedTuple):
    """A row of the picture: its place in the forest, and its numbers by level."""

    row: Row
    rungs: tuple[PidCell, ...]


class Sheet:
    """The measures of a ladder; how it is told and drawn."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines
        self.row = 27.0 if len(lines) <= 40 else 22.0
        least = max(LEAST_NAMES, min(MOST_NAMES, self._names(LEAST_INDENT)))
        depth = max((len(line.rungs) for line in lines), default=0)
        self.levels, self.widths = self._choose(depth, WIDEST - 2 * MARGIN - least)
        taken = sum(self.widths) + GAP * len(self.widths)
        room = WIDEST - 2 * MARGIN - taken
        deepest = max((line.row.depth for line in lines), default=0)
        self.indent = min(18.0, max(LEAST_INDENT, (room - 130) / max(1, deepest)))
        self.left = MARGIN + min(room, max(LEAST_NAMES, self._names(self.indent)))
        self.width = max(640.0, self.left + taken + MARGIN)

    def _names(self, indent: float) -> float:
        """How wide the names are, when each level of the tree takes `indent` px."""
        return max(
            (
                measure(line.row.node.label, SIZE, mono=True) + line.row.depth * indent + 10
                for line in self.lines
            ),
            default=0.0,
        )

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
        drawn = [rung.drawn for line in self.lines if (rung := self._rung(line, level, levels))]
        if level == 0:  # whatever these numbers are this time, the twin must have the same columns
            drawn = [f"{_HIGHEST}…"]
        return max(66.0, *(measure(number, SIZE, mono=True) + 42 for number in drawn))

    @staticmethod
    def _rung(line: Line, level: int, levels: list[int]) -> PidCell | None:
        """What a row has in the column of a level; of those left out, only its own number."""
        if level != ELIDED:
            return line.rungs[level] if level < len(line.rungs) else None
        own = len(line.rungs) - 1
        at = levels.index(ELIDED)
        after = levels[at + 1] if at + 1 < len(levels) else own + 1
        return line.rungs[own] if at <= own < after else None

    def _passes(self, line: Line, column: int) -> bool:
        """Whether a row goes on to the right of a column."""
        last = self.levels[column]
        if last == ELIDED:
            last = self.levels[column + 1] - 1
        return len(line.rungs) - 1 > last

    def _elided(self) -> int:
        return (max(self.levels) + 1) - (len(self.levels) - 1) if ELIDED in self.levels else 0

    def _heads(self) -> list[str]:
        elided = f"… {self._elided()} more"
        return [elided if level == ELIDED else f"level {level}" for level in self.levels]

    def text(self) -> list[str]:
        """The ladder as text, under its heading."""
        names = max([26, *(columns(line.row.label) for line in self.lines)]) + 2
        words = [self._heads()]
        for line in self.lines:
            row = []
            for column, level in enumerate(self.levels):
                rung = self._rung(line, level, self.levels)
                word = f"{rung.letter} {rung.told}" if rung else ""
                row.append(word or ("…" if level == ELIDED and self._passes(line, column) else ""))
            words.append(row)
        widths = [max(map(columns, cells)) + 3 for cells in zip(*words, strict=True)]
        labels = ["process", *(line.row.label for line in self.lines)]
        return [
            (pad(label, names) + "".join(map(pad, cells, widths))).rstrip()
            for label, cells in zip(labels, words, strict=True)
        ]

    def draw(self, canvas: Canvas, y: float) -> float:
        """Draw heading and rows; returns the y below them."""
        canvas.text(MARGIN, y + 12, "process", 12, fill=SOFT_INK)
        lefts = []
        x = self.left
        for head, width in zip(self._heads(), self.widths, strict=True):
            canvas.text(x + width / 2, y + 12, head, 12, anchor="middle", mono=True, bold=True)
            lefts.append(x)
            x += width + GAP
        top = y + 26
        for index, line in enumerate(self.lines):
            at = top + index * self.row
            canvas.line(MARGIN, at, self.width - MARGIN, at, RULE)
            self._name(canvas, line, at + self.row / 2)
        draw_branches(canvas, [line.row.depth for line in self.lines], MARGIN, top, self.row,
                      self.indent)  # fmt: skip
        for column, x in enumerate(lefts):
            self._bands(canvas, column, x, top)
        for index, line in enumerate(self.lines):
            self._rungs(canvas, line, lefts, top + (index + 0.5) * self.row)
        return top + len(self.lines) * self.row + 20

    def _name(self, canvas: Canvas, line: Line, y: float) -> None:
        node, x = line.row.node, MARGIN + line.row.depth * self.indent
        label = fit(node.label, SIZE, self.left - 8 - x, mono=True)
        canvas.text(x, y, label, SIZE, mono=True, bold=bool(node.process.role) and not node.more,
                    fill=SOFT_INK if node.more else INK)  # fmt: skip

    def _bands(self, canvas: Canvas, column: int, x: float, top: float) -> None:
        """A band behind the rows that one namespace sees."""
        found = [self._rung(line, self.levels[column], self.levels) for line in self.lines]
        first = 0
        for name, run in groupby(found, lambda rung: rung and (rung.letter, rung.ns)):
            number = len(list(run))
            if name is not None and self.levels[column] != ELIDED:
                canvas.rect(x, top + first * self.row + 1.5, self.widths[column],
                            number * self.row - 3, radius=7, stroke=tint(COLOUR, 0.45),
                            fill=tint(COLOUR, 0.06 if column == 0 else 0.16))  # fmt: skip
            first += number

    def _rungs(self, canvas: Canvas, line: Line, lefts: list[float], y: float) -> None:
        for column, (x, width) in enumerate(zip(lefts, self.widths, strict=True)):
            rung = self._rung(line, self.levels[column], self.levels)
            if self._passes(line, column):
                canvas.line(x + width - 6, y, x + width + GAP + 6, y, TREE_LINE)
            if rung:
                draw_rung(canvas, rung, x, y, width, self.row)
            elif self.levels[column] == ELIDED and self._passes(line, column):
                canvas.text(x + width / 2, y, "…", SIZE, anchor="middle", fill=SOFT_INK)


def draw_rung(canvas: Canvas, rung: PidCell, x: float, y: float, width: float, row: float) -> None:
    """One number, with the letter of its namespace before it; a process's own is filled."""
    ink = INK
    if rung.own:
        ink = ink_on(COLOUR)
        canvas.rect(x + 4, y - row / 2 + 4, width - 8, row - 8, fill=COLOUR, radius=5,
                    stroke=INK if rung.first else COLOUR, line=2.2)  # fmt: skip
    canvas.text(x + 11, y, rung.letter, 11, mono=True, fill=ink if rung.own else SOFT_INK)
    canvas.text(x + width - 12, y, rung.drawn, SIZE, anchor="end", mono=True, bold=rung.own,
                fill=ink)  # fmt: skip


def samples(canvas: Canvas, y: float, sheet: Sheet) -> float:
    """What the two kinds of filled cells mean, for those that occur; returns the y below."""
    shown = [rung for line in sheet.lines for rung in line.rungs]
    x = float(MARGIN)
    for rung, meaning in (
        (PidCell(0, "B", "7", "7", True, False), "its own number, by getpid()"),
        (PidCell(0, "B", "1", "1", True, True), "with an edge: number 1, its namespace's init"),
    ):
        if any(one.own and one.first == rung.first for one in shown):
            taken = 74 + measure(meaning, 12) + 16
            if x > MARGIN and x + taken > sheet.width - MARGIN:
                x, y = float(MARGIN), y + 28
            draw_rung(canvas, rung, x, y, 66, 27)
            canvas.text(x + 74, y, meaning, 12, fill=SOFT_INK)
            x += taken
    return y + 24
