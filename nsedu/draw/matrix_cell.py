"""One cell of the grid: how a process stands to one namespace type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from nsedu.draw.labels import Letters
from nsedu.draw.style import INK, MARGIN, PANEL, SOFT_INK, TREE_LINE, ink_on, okabe_ito, tint
from nsedu.draw.svg import Canvas, measure
from nsedu.kernel.namespace_types import CATALOGUE, NsType
from nsedu.observe.records import Process


class Cell(NamedTuple):
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

    def row(self, process: Process, parent: Process | None) -> tuple[Cell, ...]:
        """The cells of one process, in the order of the catalogue."""
        return tuple(self._cell(t, process, parent) for t in CATALOGUE)

    def _cell(self, type: NsType, process: Process, parent: Process | None) -> Cell:
        ns = process.links.get(type.name)
        if ns is None and type.name not in self._links:
            return Cell("–", "absent")
        if ns is None:
            return Cell("∅", "left") if process.zombie else Cell("?", "unread")
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
        return Cell(self._letters.of(type.name, ns), look, ns, home, self.onward(type, process))

    def onward(self, type: NsType, process: Process) -> str:
        """The mark of a process whose children will live elsewhere, else ""."""
        link = type.links[-1]
        ns = process.links.get(link)
        if link == type.name or link not in self._links or ns == process.links.get(type.name):
            return ""
        if "mnt" not in process.links:  # it has ended, and starts nothing
            return ""
        return "▸" + self._letters.of(type.name, ns)


def notes(cells: Iterable[Cell]) -> Iterator[str]:
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


def _onward(cells: list[Cell]) -> Iterator[str]:
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
    cells: Iterable[Cell],
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
        cell = Cell(letter, look, home=look == "apart")
        chip = 40 if look == "moved" else 28
        taken = chip + 6 + measure(meaning, 12) + 8
        if x > MARGIN and x + taken > width - MARGIN:
            x, y = float(MARGIN), y + 22
        if look in ("same", "apart"):
            canvas.rect(x, y - 8, chip, 16, fill=tint(colour, pale(cell.home)),
                        stroke=tint(colour, edge(cell.home)), radius=5)  # fmt: skip
        draw_cell(canvas, _SAMPLE_TYPE, cell, x + chip / 2, y, chip, 17, size=11)
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


def draw_cell(
    canvas: Canvas,
    type: str,
    cell: Cell,
    x: float,
    y: float,
    width: float,
    height: float,
    size: float = 13,
) -> None:
    """One cell around the point (x, y); the band that runs through it is drawn before."""
    colour = okabe_ito[type]
    left, top = x - width / 2, y - height / 2
    ink = SOFT_INK if cell.home and not cell.onward else INK
    if cell.look in ("new", "moved"):
        ink = ink_on(colour)
        canvas.rect(left, top, width, height, fill=colour, radius=5)
    elif cell.look == "other":
        canvas.rect(left + 1, top + 1, width - 2, height - 2, fill=tint(colour, pale(cell.home)),
                    stroke=INK, line=1.6, radius=5)  # fmt: skip
        ink = INK
    elif cell.look in ("unread", "left", "gone"):
        canvas.rect(left + 1, top + 1, width - 2, height - 2, fill=PANEL, stroke=TREE_LINE,
                    radius=5, dashed=True)  # fmt: skip
        ink = SOFT_INK
    bold = cell.look in ("new", "moved", "other") or bool(cell.onward)
    word = cell.letter + cell.onward
    canvas.text(x, y, word, size, anchor="middle", mono=True, bold=bold, fill=ink)
