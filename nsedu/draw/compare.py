"""Two processes side by side, link by link."""

from __future__ import annotations

from functools import partial

from nsedu.draw.diff import verdict
from nsedu.draw.labels import call, identity, letter
from nsedu.draw.picture import Picture
from nsedu.draw.rows import Cell, Column, Line, Rows, Space, words
from nsedu.draw.style import INK, MARGIN, PANEL, SOFT_INK, TREE_LINE, ink_on, okabe_ito, tint
from nsedu.draw.svg import Canvas
from nsedu.kernel.namespace_types import LINKS, TYPE_OF_LINK
from nsedu.observe.records import Process

WIDTH = 720.0
LINK, BOX, GAP, ROW = 170.0, 228.0, 54.0, 31.0
COLUMNS = (Column(LINK, least=18, gap=0), Column(BOX, least=7, gap=1), Column(GAP, least=1, gap=1),
           Column(BOX, least=7), Column())  # fmt: skip
"""The link, where it leads the one and the other with a sign between, and that in full as text."""


def compare(one: Process, other: Process) -> Picture:
    """Two processes side by side: for each link whether it leads both to the same namespace.

    Args:
        one: a process.
        other: another, or the same at another time.
    """
    links = [link for link in LINKS if link in one.links or link in other.links]
    both = [link for link in links if link in one.links and link in other.links]
    differing = [link for link in both if one.links[link] != other.links[link]]
    result = verdict(len(both) - len(differing), differing)
    if len(both) < len(links):
        result += f"; {len(links) - len(both)} known of one only"
    if not links:
        result = "the links of neither can be read"
    title = f"{call(one)} and {call(other)}, link by link"
    names = [
        words(call(process), 13, mono=True, bold=True, anchor="middle")._replace(centred=True)
        for process in (one, other)
    ]
    head = Line([Cell("link"), names[0], Cell(), names[1]], height=16, below=12)
    lines = [_line(link, one.links.get(link), other.links.get(link)) for link in links]
    sheet = Rows(COLUMNS, [head, *lines], ROW)

    canvas = Canvas()
    y = canvas.heading(title, [result + "."], WIDTH)
    y = sheet.draw(canvas, y) + MARGIN - 4
    return canvas.picture(title, [*sheet.text(), result], WIDTH, y)


def _letters(one: int | None, other: int | None) -> tuple[str, str, str]:
    """The letters at both sides and the sign between them."""
    if one is None or other is None:
        return "?" if one is None else "A", "?", "?" if other is None else "A"
    return ("A", "=", "A") if one == other else ("A", "≠", letter(1))


def _line(link: str, one: int | None, other: int | None) -> Line:
    type = TYPE_OF_LINK[link]
    left, sign, right = _letters(one, other)
    places = [identity(type, ns) for ns in dict.fromkeys((one, other)) if ns is not None]
    cells = [
        Cell(link, partial(_draw_link, link)),
        Cell(left, partial(_draw_box, type, one, left, sign, False), centred=True),
        words(sign, 17, bold=True, anchor="middle"),
        Cell(right, partial(_draw_box, type, other, right, sign, True), centred=True),
        Cell("  ".join(places)),
    ]
    return Line(cells)


def _draw_link(link: str, canvas: Canvas, space: Space) -> None:
    type = TYPE_OF_LINK[link]
    canvas.rect(space.x, space.y - 8, 5, 16, fill=okabe_ito[type], radius=2)
    canvas.text(space.x + 14, space.y, link, 13, mono=True, bold=link == type)


def _draw_box(
    type: str, ns: int | None, word: str, sign: str, second: bool, canvas: Canvas, space: Space
) -> None:
    """Where a link leads; one box for both sides if it is the same."""
    colour, (x, y, width, _) = okabe_ito[type], space
    fill, ink, top = colour if second else tint(colour, 0.32), INK, y - 12
    if ns is None:
        canvas.rect(x, top, width, 24, fill=PANEL, stroke=TREE_LINE, radius=6, dashed=True)
    elif sign != "=":
        canvas.rect(x, top, width, 24, fill=fill, stroke=colour, radius=6)
    elif not second:
        canvas.rect(x, top, 2 * width + GAP, 24, fill=tint(colour, 0.15),
                    stroke=tint(colour, 0.5), radius=6)  # fmt: skip
    if sign == "≠":
        ink = ink_on(fill)
    place = "not known" if ns is None else identity(type, ns)
    canvas.text(x + 16, y, word, 13, anchor="middle", mono=True, bold=True, fill=ink)
    canvas.text(x + 36, y, place, 12, mono=True, fill=SOFT_INK if ns is None else ink)
