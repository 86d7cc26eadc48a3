"""Colours, fonts and sizes of the pictures, and what keeps text readable on a colour."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nsedu.kernel.namespace_types import CATALOGUE

okabe_ito: dict[str, str] = {t.name: t.colour for t in CATALOGUE}
"""The colour of each namespace type; the eight are the palette of Okabe and Ito."""

INK = "#1A1A1A"
SOFT_INK = "#5A5A5A"
RULE = "#E4E4E0"
TREE_LINE = "#9A9A96"
PANEL = "#FFFFFF"
PANEL_EDGE = "#D4D4D0"
NEUTRAL = "#5B6770"
"""The colour of what is no namespace type."""
SHARED = okabe_ito["mnt"]
"""What counts of shared namespaces are shaded with: the darker, the more."""

SANS = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
MONO_ADVANCE = 0.61
"""Width of a character over the font size; the widest of the monospace fonts named."""
SANS_ADVANCE = 0.58
"""The same for running text: a generous mean, since the viewer's font is unknown."""

WIDEST = 820
"""No picture is wider than this, in px: it fits beside JupyterLab's file browser, at 1280 px."""
CHART = WIDEST
"""How wide a chart is, in px."""
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
    """Black or white, whichever is easier to read on ``colour``.

    Where it is the other one in a dark theme, because ``colour`` becomes another, it is a black or
    white that `dark_ink` tells from those that stay.
    """
    light = _readable(colour)
    return light if light == _readable(dark(colour)) else _TURNING[light]


def tint(colour: str, strength: float) -> str:
    """``colour`` thinned with white; a strength of 1 leaves it, 0 gives white."""
    return _hex(255 - (255 - part) * strength for part in _parts(colour))


def dark(colour: str) -> str:
    """What the colour of a shape becomes in a dark theme.

    A tint is thinned with the dark of the page instead of white, a grey is as far from that dark as
    it was from white, and the palette stays as it is, its black excepted.
    """
    if colour.upper() in _STAYS:
        return colour
    parts = _parts(colour)
    if max(parts) - min(parts) <= _GREYISH:
        return _hex(_NIGHT + (255 - part) * (_MOON - _NIGHT) / 255 for part in parts)
    base, strength = min((_thinned(parts, base) for base in map(_parts, _STAYS)), key=_error(parts))
    return _hex(_NIGHT + (part - _NIGHT) * strength for part in base)


def dark_ink(colour: str) -> str:
    """What the colour of a text becomes in a dark theme; pure black and white stay (`ink_on`)."""
    if colour in _TURNING.values():
        return _WHITE if colour == _TURNING[_BLACK] else _BLACK
    return colour if colour.upper() in (_BLACK, _WHITE) else dark(colour)


def _readable(colour: str) -> str:
    return max((_BLACK, _WHITE), key=lambda ink: contrast(ink, colour))


def _parts(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _thinned(parts: list[int], base: list[int]) -> tuple[list[int], float]:
    """The strength at which a tint of ``base`` is most like a colour, and ``base`` itself."""
    thinned, full = ([255 - part for part in colour] for colour in (parts, base))
    along = sum(one * other for one, other in zip(thinned, full, strict=True))
    return base, along / sum(part * part for part in full)


def _error(parts: list[int]) -> Callable[[tuple[list[int], float]], float]:
    """How far a colour is from a tint."""
    return lambda tint: sum(
        (255 - (255 - part) * tint[1] - own) ** 2 for part, own in zip(tint[0], parts, strict=True)
    )


def _hex(parts: Iterable[float]) -> str:
    return "#" + "".join(f"{round(part):02X}" for part in parts)


_BLACK, _WHITE = "#000000", "#FFFFFF"
_TURNING = {_BLACK: "#010101", _WHITE: "#FEFEFE"}
_NIGHT, _MOON = 0x11, 0xF4
"""The dark of JupyterLab's page, and what black becomes there."""
_GREYISH = 4
_STAYS = sorted({NEUTRAL, *map(str.upper, okabe_ito.values())} - {_BLACK})
