"""What an eye sees of a drawing: how well each of its texts can be read on what lies behind it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import NamedTuple

from nsedu.draw.style import contrast, dark, dark_ink

SVG = "{http://www.w3.org/2000/svg}"


class Seen(NamedTuple):
    """A text, its colour, and that of what lies behind it."""

    text: str
    ink: str
    ground: str

    def ratio(self, dark_theme: bool) -> float:
        """The contrast, in one theme or the other."""
        if dark_theme:
            return contrast(dark_ink(self.ink), dark(self.ground))
        return contrast(self.ink, self.ground)


def texts(svg: str) -> Iterator[Seen]:
    """Every text of a drawing; what lies behind it is the rectangle drawn last at its place."""
    drawn: list[tuple[float, float, float, float, str]] = []
    for shape in ET.fromstring(svg):
        x, y = float(shape.get("x", 0)), float(shape.get("y", 0))
        if shape.tag == f"{SVG}rect" and shape.get("fill") != "none":
            wide, high = float(shape.attrib["width"]), float(shape.attrib["height"])
            drawn.append((x, y, x + wide, y + high, shape.attrib["fill"]))
        elif shape.tag == f"{SVG}text" and (shape.text or "").strip():
            y -= 0.36 * float(shape.attrib["font-size"])
            grounds = [g for left, top, right, low, g in drawn
                       if left <= x <= right and top <= y <= low]  # fmt: skip
            yield Seen(shape.text or "", shape.attrib["fill"], grounds[-1])


def pictures(html: str) -> list[str]:
    """The drawings in a piece of a page."""
    return re.findall(r"<svg\b.*?</svg>", html, re.DOTALL)
