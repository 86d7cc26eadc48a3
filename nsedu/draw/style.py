"""Colours, fonts and sizes of the pictures, and what keeps text readable on a colour."""

from __future__ import annotations

from nsedu.nstypes import CATALOGUE

okabe_ito: dict[str, str] = {t.name: t.colour for t in CATALOGUE}
"""The colour of each namespace type; the eight are the palette of Okabe and Ito."""

INK = "#1A1A1A"
SOFT_INK = "#5A5A5A"
RULE = "#E4E4E0"
TREE_LINE = "#9A9A96"
PANEL = "#FFFFFF"
PANEL_EDGE = "#D4D4D0"
SHARED = okabe_ito["mnt"]
"""What counts of shared namespaces are shaded with: the darker, the more."""

SANS = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
MONO_ADVANCE = 0.61
"""Width of a character over the font size; the widest of the monospace fonts named."""
SANS_ADVANCE = 0.58
"""The same for running text: a generous mean, since the viewer's font is unknown."""

WIDEST = 900
"""No picture is wider than this, in px: the width of a notebook's output."""
CHART = 840
"""How wide a chart is, in px: it fits beside JupyterLab's file browser."""
MARGIN = 20


def luminance(colour: str) -> float:
    """The relative luminance of ``#rrggbb``, from 0 (black) to 1 (white), as WCAG 2 has it."""

    def linear(part: str) -> float:
        value = int(part, 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(colour[i : i + 2]) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, from 1 to 21, as WCAG 2 has it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on ``colour``."""
    return max(("#000000", "#FFFFFF"), key=lambda ink: contrast(ink, colour))


def tint(colour: str, strength: float) -> str:
    """``colour`` thinned with white; a strength of 1 leaves it, 0 gives white."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * strength):02X}" for part in parts)
