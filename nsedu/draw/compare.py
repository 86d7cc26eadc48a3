"""Two processes side by side, link by link."""

from __future__ import annotations

from nsedu.draw.diff import verdict
from nsedu.draw.labels import call, centre, columns, identity, letter, pad
from nsedu.draw.picture import Picture
from nsedu.draw.style import INK, MARGIN, PANEL, SOFT_INK, TREE_LINE, ink_on, okabe_ito, tint
from nsedu.draw.svg import Canvas, fit
from nsedu.kernel.namespace_types import LINKS, TYPE_OF_LINK
from nsedu.observe.records import Process

WIDTH = 720.0
LINK_COLUMN, BOX, GAP, ROW = 170.0, 228.0, 54.0, 31.0


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
    text = [*_text(one, other, links), result]

    canvas = Canvas()
    y = canvas.heading(title, [result + "."], WIDTH)
    left = MARGIN + LINK_COLUMN
    for x, process in ((left, one), (left + BOX + GAP, other)):
        name = fit(call(process), 13, BOX, mono=True)
        canvas.text(x + BOX / 2, y + 8, name, 13, anchor="middle", mono=True, bold=True)
    y += 28
    for link in links:
        _row(canvas, y + ROW / 2, link, one.links.get(link), other.links.get(link))
        y += ROW
    return canvas.picture(title, text, WIDTH, y + MARGIN - 4)


def _words(link: str, one: int | None, other: int | None) -> tuple[str, str, str]:
    """The letters at both sides and the sign between them."""
    if one is None or other is None:
        return "?" if one is None else "A", "?", "?" if other is None else "A"
    return ("A", "=", "A") if one == other else ("A", "≠", letter(1))


def _text(one: Process, other: Process, links: list[str]) -> list[str]:
    names = call(one), call(other)
    widths = [max(7, columns(name)) for name in names]
    out = [pad("link", 18) + "   ".join(map(centre, names, widths)).rstrip()]
    for link in links:
        ends = one.links.get(link), other.links.get(link)
        left, sign, right = _words(link, *ends)
        places = [identity(TYPE_OF_LINK[link], ns) for ns in dict.fromkeys(ends) if ns is not None]
        row = f"{centre(left, widths[0])} {sign} {centre(right, widths[1])}"
        out.append(pad(link, 18) + row + "  " + "  ".join(places))
    return out


def _row(canvas: Canvas, y: float, link: str, one: int | None, other: int | None) -> None:
    type = TYPE_OF_LINK[link]
    colour, left, right = okabe_ito[type], MARGIN + LINK_COLUMN, MARGIN + LINK_COLUMN + BOX + GAP
    words = _words(link, one, other)
    canvas.rect(MARGIN, y - 8, 5, 16, fill=colour, radius=2)
    canvas.text(MARGIN + 14, y, link, 13, mono=True, bold=link == type)
    if words[1] == "=":
        width = right + BOX - left
        canvas.rect(left, y - 12, width, 24, fill=tint(colour, 0.15), stroke=tint(colour, 0.5),
                    radius=6)  # fmt: skip
    for x, ns, word, strong in ((left, one, words[0], False), (right, other, words[2], True)):
        fill = colour if strong else tint(colour, 0.32)
        if ns is None:
            canvas.rect(x, y - 12, BOX, 24, fill=PANEL, stroke=TREE_LINE, radius=6, dashed=True)
        elif words[1] != "=":
            canvas.rect(x, y - 12, BOX, 24, fill=fill, stroke=colour, radius=6)
        ink = ink_on(fill) if words[1] == "≠" else INK
        place = "not known" if ns is None else identity(type, ns)
        canvas.text(x + 16, y, word, 13, anchor="middle", mono=True, bold=True, fill=ink)
        canvas.text(x + 36, y, place, 12, mono=True, fill=SOFT_INK if ns is None else ink)
    canvas.text(right - GAP / 2, y, words[1], 17, anchor="middle", bold=True)
