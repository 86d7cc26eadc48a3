"""A small builder of SVG: shapes in, one deterministic document out."""

from __future__ import annotations

import html
from collections.abc import Iterable

from nsedu.draw.labels import columns, shorten
from nsedu.draw.picture import Picture
from nsedu.draw.style import (
    INK,
    MARGIN,
    MONO,
    MONO_ADVANCE,
    PANEL,
    PANEL_EDGE,
    SANS,
    SANS_ADVANCE,
    SOFT_INK,
    tint,
)
from nsedu.printable import clean

CHIP = 20.0
"""How high a little box with a name is."""


def measure(text: str, size: float, mono: bool = False) -> float:
    """About how many px the text takes at a font size in px; rather more than less."""
    return columns(text) * size * (MONO_ADVANCE if mono else SANS_ADVANCE)


def fit(text: str, size: float, width: float, mono: bool = False) -> str:
    """The text, cut with an ellipsis so that it fits into ``width`` px."""
    return shorten(text, max(1, int(width / (size * (MONO_ADVANCE if mono else SANS_ADVANCE)))))


def wrap(text: str, size: float, width: float) -> list[str]:
    """The text in lines that fit into ``width`` px, broken at blanks."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and measure(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def chips(
    labels: Iterable[str], room: float, start: float = 0.0
) -> list[tuple[float, float, float, str]]:
    """Where names in little boxes go, side by side in as many lines as it takes.

    Args:
        labels: the names.
        room: px that a line has.
        start: px of the first line that are taken.

    Returns:
        For each the x and y of its upper left corner, its width, and the name, cut if it must be.
    """
    places, x, y = [], start, 0.0
    for label in labels:
        shown = fit(label, 12, room - 14, mono=True)
        width = measure(shown, 12, mono=True) + 14
        if x and x + width > room:
            x, y = 0.0, y + CHIP + 5
        places.append((x, y, width, shown))
        x += width + 6
    return places


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _escape(text: str) -> str:
    return html.escape(text, quote=False).replace('"', "&quot;")


class Canvas:
    """Where a picture is drawn; all lengths are px, y grows downwards."""

    def __init__(self) -> None:
        self._shapes: list[str] = []

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = "none",
        stroke: str = "none",
        line: float = 1,
        radius: float = 0,
        dashed: bool = False,
    ) -> None:
        """A rectangle; ``line`` is the width of its edge."""
        edge = "" if stroke == "none" else f' stroke="{stroke}" stroke-width="{_number(line)}"'
        self._shapes.append(
            f'<rect x="{_number(x)}" y="{_number(y)}" width="{_number(width)}"'
            f' height="{_number(height)}" rx="{_number(radius)}" fill="{fill}"{edge}'
            f"{_DASHES if dashed else ''}/>"
        )

    def path(
        self,
        points: str,
        stroke: str,
        line: float = 1,
        dashed: bool = False,
        *,
        fill: str = "none",
        opacity: float = 1,
    ) -> None:
        """A line, in the path language of SVG."""
        attribute = "" if opacity == 1 else f' opacity="{opacity:g}"'
        self._shapes.append(
            f'<path d="{points}" fill="{fill}" stroke="{stroke}" stroke-width="{_number(line)}"'
            f"{_DASHES if dashed else ''}{attribute}/>"
        )

    def line(self, x: float, y: float, to_x: float, to_y: float, stroke: str) -> None:
        """A straight line."""
        self.path(f"M{_number(x)} {_number(y)}L{_number(to_x)} {_number(to_y)}", stroke)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        fill: str = INK,
        anchor: str = "start",
        mono: bool = False,
        bold: bool = False,
        struck: bool = False,
    ) -> None:
        """One line of text; ``y`` is the middle of its capital letters."""
        self._shapes.append(
            f'<text x="{_number(x)}" y="{_number(y + size * 0.36)}" font-size="{_number(size)}"'
            f' font-family="{MONO if mono else SANS}" fill="{fill}"'
            + (f' text-anchor="{anchor}"' if anchor != "start" else "")
            + (' font-weight="700"' if bold else "")
            + (' text-decoration="line-through"' if struck else "")
            + f' xml:space="preserve">{_escape(clean(text))}</text>'
        )

    def chip(self, x: float, y: float, width: float, text: str, fill: str = PANEL) -> None:
        """A name in a little box, see `chips`."""
        self.rect(x, y, width, CHIP, fill=fill, stroke=tint(INK, 0.35), radius=5)
        self.text(x + 7, y + CHIP / 2, text, 12, mono=True)

    def heading(self, title: str, below: list[str], width: float) -> float:
        """The title of the picture and sentences under it; returns the y below them."""
        y = MARGIN + 8.0
        self.text(MARGIN, y, fit(title, 17, width - 2 * MARGIN), 16, bold=True)
        y += 22
        for sentence in below:
            sentence = sentence[:1].upper() + sentence[1:]
            for line in wrap(sentence, 12, width - 2 * MARGIN):
                self.text(MARGIN, y, line, 12, fill=SOFT_INK)
                y += 17
        return y + 4

    def footnotes(
        self, notes: Iterable[str], y: float, width: float, fill: str = SOFT_INK
    ) -> float:
        """Sentences below the picture, in lines that fit; returns the y below them."""
        for note in notes:
            for line in wrap(clean(note), 12, width - 2 * MARGIN):
                self.text(MARGIN, y, line, 12, fill=fill)
                y += 18
        return y

    def picture(self, title: str, lines: Iterable[str], width: float, height: float) -> Picture:
        """The finished picture, on a light panel of its own.

        Args:
            title: what it shows, in one line.
            lines: those of its text twin, which also becomes its description.
            width: of the whole picture.
            height: of the whole picture.
        """
        text = "\n".join(map(clean, lines))
        size = f"{_number(width)} {_number(height)}"
        across, down = size.split()
        panel = Canvas()
        panel.rect(
            0.5, 0.5, width - 1, height - 1, fill=PANEL, stroke=PANEL_EDGE, radius=8
        )  # light on its own, so that it reads on a dark page too
        shapes = "\n".join(panel._shapes + self._shapes)
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{across}" height="{down}"'
            f' viewBox="0 0 {size}">\n<title>{_escape(clean(title))}</title>\n'
            f"<desc>{_escape(text)}</desc>\n{shapes}\n</svg>"
        )
        return Picture(svg, text)


_DASHES = ' stroke-dasharray="4 3"'
