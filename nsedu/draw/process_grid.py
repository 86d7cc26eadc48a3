"""The grid that two pictures share: a row per process, a column per namespace type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from nsedu.draw.labels import Letters
from nsedu.draw.process_rows import Row, name_cell, names_width
from nsedu.draw.rows import Band, Cell, Column, Line, Rows, Space, words
from nsedu.draw.style import (
    INK,
    MARGIN,
    PANEL,
    SOFT_INK,
    TREE_LINE,
    WIDEST,
    ink_on,
    okabe_ito,
    tint,
)
from nsedu.draw.svg import Canvas, measure
from nsedu.kernel.namespace_types import CATALOGUE, NAMES, NsType
from nsedu.observe.records import Process

SIZE, GAP = 13.0, 10.0
MOST_ROWS = 160
"""So many rows are drawn; what is cut is said."""


class TypeCell(NamedTuple):
    """How a process stands to one namespace type.

    Attributes:
        letter: the letter of its namespace.
        look: "same" (as the parent's), "new" (first met in this row), "other" (not the parent's,
            but met above), "apart" (no parent to compare with), "unread", "left" (a zombie is in
            none), "absent" (the kernel has no such type), "moved" or "gone".
        band: the namespace whose band runs through this cell, None for none.
        home: whether it is the namespace of the first row.
        onward: "▸" and a letter if its children will live elsewhere, else "".
    """

    letter: str
    look: str
    band: int | None = None
    home: bool = False
    onward: str = ""

    @property
    def word(self) -> str:
        """The cell as text."""
        return ("·" if self.look == "same" else self.letter) + self.onward


class Cells:
    """Makes the cells of row after row, remembering what was met above.

    Args:
        letters: the letters of all namespaces concerned.
        processes: all processes concerned.
    """

    def __init__(self, letters: Letters, processes: Iterable[Process]) -> None:
        self._letters = letters
        self._home: dict[str, int] = {}
        self._met: set[tuple[str, int]] = set()
        self._links = {link for process in processes for link in process.links}

    def row(self, process: Process, parent: Process | None) -> tuple[TypeCell, ...]:
        """The cells of one process, in the order of the catalogue."""
        return tuple(self._cell(t, process, parent) for t in CATALOGUE)

    def _cell(self, type: NsType, process: Process, parent: Process | None) -> TypeCell:
        ns = process.links.get(type.name)
        if ns is None and type.name not in self._links:
            return TypeCell("–", "absent")
        if ns is None:
            return TypeCell("∅", "left") if process.zombie else TypeCell("?", "unread")
        above = parent.links.get(type.name) if parent else None
        first = (type.name, ns) not in self._met
        self._met.add((type.name, ns))
        home = self._home.setdefault(type.name, ns) == ns
        if ns == above:
            look = "same"
        elif first and not home:
            look = "new"
        else:
            look = "apart" if above is None else "other"
        return TypeCell(self._letters.of(type.name, ns), look, ns, home, self.onward(type, process))

    def onward(self, type: NsType, process: Process) -> str:
        """The mark of a process whose children will live elsewhere, else ""."""
        link = type.links[-1]
        ns = process.links.get(link)
        if link == type.name or link not in self._links or ns == process.links.get(type.name):
            return ""
        if "mnt" not in process.links:  # it has ended, and starts nothing
            return ""
        return "▸" + self._letters.of(type.name, ns)


class GridLine(NamedTuple):
    """One row of the grid.

    Attributes:
        row: its place in the forest.
        cells: one for each type; none in a row that stands for several unlike processes.
        mark: "+" for a process that came, "−" for one that went, "" for one that stayed.
    """

    row: Row
    cells: tuple[TypeCell, ...]
    mark: str = ""


def grid(lines: list[GridLine]) -> Rows:
    """The rows, under a heading that names the types."""
    longest = max((len(cell.word) for line in lines for cell in line.cells), default=1)
    pitch = max(50.0, measure("x" * longest, SIZE, mono=True) + 18)
    room = WIDEST - 2 * MARGIN - 8 * pitch - 16
    marks = 18.0 if any(line.mark for line in lines) else 0.0
    deepest = max((line.row.depth for line in lines), default=0)
    indent = min(18.0, (room - 110) / max(1, deepest))
    names = min(room, max(170.0, names_width((line.row for line in lines), indent) + marks))
    pitch = max(pitch, (620 - 2 * MARGIN - names - 16) / 8)
    first = Column(names + 4 - marks, 12, least=26)
    heads = [Cell(name, partial(_draw_head, name)) for name in NAMES]
    head = Line([words("process", fill=SOFT_INK), *heads], 0, 24, 10, rule=True)
    body = [
        Line([_name(line), *map(_type_cell, NAMES, line.cells)], line.row.depth, rule=True)
        for line in lines
    ]
    return Rows(
        [first] + [Column(pitch - GAP, GAP, gap=1)] * 8,
        [head, *body],
        25.0 if len(lines) <= 40 else 21.0,
        indent=indent,
        left=MARGIN + marks,
    )


def _draw_head(type: str, canvas: Canvas, space: Space) -> None:
    canvas.text(space.middle, space.y, type, 12, anchor="middle", mono=True, bold=True)
    canvas.rect(space.x, space.y + 11, space.width, 5, fill=okabe_ito[type], radius=2)


def _name(line: GridLine) -> Cell:
    name, came = name_cell(line.row, gone=line.mark == "−"), line.mark == "+"

    def draw(canvas: Canvas, space: Space) -> None:
        name.draw(canvas, space)
        fill, ink, y = INK if came else PANEL, ink_on(INK) if came else INK, space.y
        canvas.rect(MARGIN - 2, y - 7, 14, 14, fill=fill, stroke=INK, radius=7)
        canvas.text(MARGIN + 5, y, line.mark, 12, anchor="middle", bold=True, fill=ink)

    return name._replace(draw=draw) if line.mark else name


def _type_cell(type: str, cell: TypeCell) -> Cell:
    colour, band = okabe_ito[type], None
    if cell.band is not None:
        strong = pale(cell.home), edge(cell.home)
        band = Band(cell.band, *(tint(colour, strength) for strength in strong))

    def draw(canvas: Canvas, space: Space) -> None:
        draw_cell(canvas, type, cell, space._replace(height=space.height - 4))

    return Cell(cell.word, draw, band, centred=True)


def notes(cells: Iterable[TypeCell]) -> Iterator[str]:
    """What the signs in the cells mean, for those that occur."""
    found = list(cells)
    if any(cell.look == "same" for cell in found):
        yield "· same as the parent row"
    yield from _onward(found)
    if any(cell.look == "unread" for cell in found):
        yield "? not readable"
    if any(cell.look == "left" for cell in found):
        yield f"∅ {_LEFT}"
    if any(cell.look == "absent" for cell in found):
        yield "– this kernel has no namespaces of the type"


_LEFT = "a zombie: it has ended, so it is in none; its parent has yet to reap it"


def _onward(cells: list[TypeCell]) -> Iterator[str]:
    known = sorted({cell.onward for cell in cells} - {"", "▸?"}, key=lambda word: (len(word), word))
    if known:
        yield f"{known[0]} the processes it starts from now on live in {known[0][1:]}"
    if any(cell.onward == "▸?" for cell in cells):
        yield "▸? the next process it starts will be the first in a new namespace"


MEANINGS = {
    "apart": "the first row's",
    "same": "the parent row's",
    "new": "first met in this row",
    "other": "not the parent row's, but met above",
    "unread": "not readable",
    "left": _LEFT,
    "absent": "not in this kernel",
}
_SAMPLE_TYPE = "net"


def samples(
    canvas: Canvas,
    y: float,
    width: float,
    cells: Iterable[TypeCell],
    meanings: Mapping[str, str] = MEANINGS,
) -> float:
    """A sample of each look that occurs, with its meaning; returns the y below."""
    found = list(cells)
    looks = {cell.look for cell in found} - {"same", "apart"}
    if any(cell.home for cell in found):
        looks.add("apart")
    if any(cell.look in ("same", "apart") and not cell.home for cell in found):
        looks.add("same")
    colour, x = okabe_ito[_SAMPLE_TYPE], float(MARGIN)
    for look, meaning in meanings.items():
        if look not in looks:
            continue
        letter = {"apart": "A", "unread": "?", "left": "∅", "absent": "–", "moved": "A→B"}.get(
            look, "B"
        )
        cell = TypeCell(letter, look, home=look == "apart")
        chip = 40 if look == "moved" else 28
        taken = chip + 6 + measure(meaning, 12) + 8
        if x > MARGIN and x + taken > width - MARGIN:
            x, y = float(MARGIN), y + 22
        if look in ("same", "apart"):
            canvas.rect(x, y - 8, chip, 16, fill=tint(colour, pale(cell.home)),
                        stroke=tint(colour, edge(cell.home)), radius=5)  # fmt: skip
        draw_cell(canvas, _SAMPLE_TYPE, cell, Space(x, y, chip, 17), size=11)
        canvas.text(x + chip + 6, y, meaning, 12, fill=SOFT_INK)
        x += taken
    y += 24
    for line in _onward(found):
        canvas.text(MARGIN, y, line, 12, fill=SOFT_INK)
        y += 20
    return y


def pale(home: bool) -> float:
    """How strong the colour of an inherited namespace is: the first row's own recedes."""
    return 0.1 if home else 0.32


def edge(home: bool) -> float:
    """How strong the colour of its edge is."""
    return 0.3 if home else 0.6


def draw_cell(canvas: Canvas, type: str, cell: TypeCell, space: Space, size: float = SIZE) -> None:
    """One cell; the band that runs through it is drawn before."""
    colour = okabe_ito[type]
    left, top = space.x, space.y - space.height / 2
    wide, tall = space.width, space.height
    ink = SOFT_INK if cell.home and not cell.onward else INK
    if cell.look in ("new", "moved"):
        ink = ink_on(colour)
        canvas.rect(left, top, wide, tall, fill=colour, radius=5)
    elif cell.look == "other":
        canvas.rect(left + 1, top + 1, wide - 2, tall - 2, fill=tint(colour, pale(cell.home)),
                    stroke=INK, line=1.6, radius=5)  # fmt: skip
        ink = INK
    elif cell.look in ("unread", "left", "gone"):
        canvas.rect(left + 1, top + 1, wide - 2, tall - 2, fill=PANEL, stroke=TREE_LINE,
                    radius=5, dashed=True)  # fmt: skip
        ink = SOFT_INK
    bold = cell.look in ("new", "moved", "other") or bool(cell.onward)
    word = cell.letter + cell.onward
    canvas.text(space.middle, space.y, word, size, anchor="middle", mono=True, bold=bold, fill=ink)
