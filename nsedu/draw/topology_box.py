"""One network namespace as a box: its rows of links, bridges as bars, routes and rules below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nsedu.draw.style import INK, MONO_ADVANCE, SANS_ADVANCE, SOFT_INK, WIDEST, okabe_ito, tint
from nsedu.draw.svg import Canvas, measure, wrap

COLOUR = okabe_ito["net"]
PAD, LINE, INDENT, HANG = 12.0, 18.0, 14.0, 10.0
HEAD_SIZE, WHERE_SIZE, LINK_SIZE, WORDS_SIZE, RULE_SIZE = 13.0, 10.0, 12.0, 11.5, 10.5
WORDS_WIDTH, RULE_WIDTH = 230.0, 360.0
"""What is said in words, or a rule of a firewall, makes a box no wider than this."""


@dataclass(frozen=True)
class Row:
    """A line of a box.

    Attributes:
        name: what comes first.
        short: what is drawn behind it.
        whole: what the text twin says instead of both, if that differs.
        depth: 1 for what belongs to the row above it.
        kind: "link", "bridge", "words", or "rule" for what a program's own text says.
        links: the names of the links that it stands for.
    """

    name: str
    short: str
    whole: str = ""
    depth: int = 0
    kind: str = "words"
    links: tuple[str, ...] = ()

    @property
    def drawn(self) -> str:
        """The row as it is drawn."""
        return f"{self.name} {self.short}".strip()

    @property
    def text(self) -> str:
        """The row in the text twin."""
        return self.whole or self.drawn

    @property
    def mono(self) -> bool:
        """Whether it is drawn in a monospace font."""
        return self.kind != "words"

    @property
    def size(self) -> float:
        """Of its font, in px."""
        return {"words": WORDS_SIZE, "rule": RULE_SIZE}.get(self.kind, LINK_SIZE)


@dataclass(frozen=True)
class Box:
    """A network namespace: its key, name, identity, who is in it, and its rows."""

    key: int
    name: str
    where: str
    members: str
    rows: Sequence[Row]


def wanted(box: Box) -> float:
    """The width in px at which no link needs a second line."""
    most = {"words": WORDS_WIDTH, "rule": RULE_WIDTH}
    widths = [
        min(most.get(row.kind, WIDEST), measure(row.drawn, row.size, row.mono) + row.depth * INDENT)
        for row in box.rows
    ]
    heads = [
        measure(box.name, HEAD_SIZE, mono=True),
        measure(box.where, WHERE_SIZE, mono=True),
        min(WORDS_WIDTH, measure(box.members, HEAD_SIZE)),
    ]
    return max([*widths, *heads]) + 2 * PAD + HANG + 2


class PlacedBox:
    """A box whose lines are broken for a width in px; its corner `x`, `y` is set later.

    Attributes:
        height: in px.
        column: which it is in, counted from the left.
    """

    x = y = 0.0
    column = 0

    def __init__(self, box: Box, width: float) -> None:
        self.box, self.width = box, width
        within = width - 2 * PAD
        self._head = pieces(box.name, HEAD_SIZE, within, mono=True)
        self._who = pieces(box.members, HEAD_SIZE, within)
        self._rows = [self._broken(row, within) for row in box.rows]
        self._ports: list[float] = []
        down = PAD + 8 + LINE * (len(self._head) + len(self._who) + 1)
        for row, lines in zip(box.rows, self._rows, strict=True):
            down += 6 if self._apart(row) else 0
            self._ports.append(down)
            down += LINE * len(lines)
        self.height = down - LINE / 2 + PAD

    def port(self, row: int) -> float:
        """The y at which a cable to the row ends."""
        return self.y + self._ports[row]

    def _broken(self, row: Row, within: float) -> list[str]:
        return pieces(row.drawn, row.size, within - row.depth * INDENT - HANG, row.mono)

    def _apart(self, row: Row) -> bool:
        """Whether it is the first that is no link, below a line."""
        rest = (other for other in self.box.rows if other.kind not in ("link", "bridge"))
        return row is next(rest, None)

    def draw(self, canvas: Canvas) -> None:
        """Draw it at its place."""
        x, y = self.x, self.y + PAD + 5
        canvas.rect(x, self.y, self.width, self.height, fill=tint(COLOUR, 0.08), stroke=COLOUR,
                    line=1.8, radius=8)  # fmt: skip
        for lines, mono in ((self._head, True), (self._who, False)):
            for line in lines:
                canvas.text(x + PAD, y, line, HEAD_SIZE, bold=True, mono=mono)
                y += LINE
        canvas.text(x + PAD, y - 2, self.box.where, WHERE_SIZE, mono=True, fill=SOFT_INK)
        for index, (row, lines) in enumerate(zip(self.box.rows, self._rows, strict=True)):
            self._draw_row(canvas, row, lines, self.port(index))

    def _draw_row(self, canvas: Canvas, row: Row, lines: list[str], y: float) -> None:
        left, right = self.x + PAD + row.depth * INDENT, self.x + self.width - PAD
        if self._apart(row):
            canvas.line(self.x + PAD, y - LINE / 2 - 3, right, y - LINE / 2 - 3, tint(COLOUR, 0.5))
        if row.kind == "bridge":  # a bar, into which its ports are plugged
            high, across = LINE * len(lines), self.width - 10
            canvas.rect(self.x + 5, y - 9, across, high, fill=tint(COLOUR, 0.5), radius=3)
        if row.depth:
            canvas.line(left - 6, y - LINE / 2, left - 6, y, SOFT_INK)
            canvas.line(left - 6, y, left - 2, y, SOFT_INK)
        x = left
        for index, line in enumerate(lines):
            if row.mono and row.name and not index and line.startswith(row.name):
                canvas.text(x, y, row.name, row.size, mono=True, bold=True)
                x, line = x + measure(row.name, row.size, mono=True), line[len(row.name) :]
            canvas.text(x, y, line, row.size, mono=row.mono, fill=INK if row.mono else SOFT_INK)
            x, y = left + HANG, y + LINE


def pieces(text: str, size: float, width: float, mono: bool = False) -> list[str]:
    """The text in lines that fit, broken at blanks, or anywhere in a word that is too long."""
    lines: list[str] = []
    most = max(4, int(width / (size * (MONO_ADVANCE if mono else SANS_ADVANCE))))
    for line in wrap(text, size * MONO_ADVANCE / SANS_ADVANCE if mono else size, width):
        while len(line) > most:
            lines.append(line[:most])
            line = "  " + line[most:]
        lines.append(line)
    return lines
