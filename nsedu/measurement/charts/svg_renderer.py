"""Where matplotlib meets a `Canvas`: axes as it lays them out, in the looks of all other pictures.

matplotlib's own SVG comes with a style sheet for the whole page and with references by id, and is
set in fonts that it has to find first.  So this is a backend of its own (see
matplotlib.backends.backend_template): what it is told to draw, it puts on the canvas.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.style
import numpy
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from nsedu.draw.style import INK, PANEL, RULE, SOFT_INK, TREE_LINE, tint
from nsedu.draw.svg import Canvas, measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICK_SIZE = 11
_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
_MIDDLES = {"top": 0.5, "bottom": -0.5, "baseline": -0.36}
"""How far below its place the middle of a text is, in its size; 0 for any other alignment."""


@contextlib.contextmanager
def axes(canvas: Canvas, x: float, y: float, width: float, height: float) -> Iterator[Axes]:
    """Axes whose inside has this place on the canvas; what is on them at the end, is drawn there.

    Whatever the user has set as the style of their own plots does not count meanwhile.
    """
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")
        plot = figure.add_axes((0, 0, 1, 1), facecolor="none")
        plot.set_axisbelow(True)
        for spine in plot.spines.values():
            spine.set_visible(False)
        plot.tick_params(
            which="both", color=TREE_LINE, labelcolor=SOFT_INK, labelsize=TICK_SIZE, pad=4
        )
        plot.tick_params(which="minor", length=2)
        plot.grid(True, which="major", color=RULE, linewidth=1)
        yield plot
        figure.draw(Renderer(canvas, x, y, width, height))


def median(axes: Axes, x: float, y: float, colour: str, mark: str = "o") -> None:
    """The dot of a row; another mark, which is left open, where the axis does not reach it."""
    axes.plot(
        [x], [y], mark, markersize=8, markerfacecolor=colour if mark == "o" else PANEL,
        markeredgecolor=INK, markeredgewidth=1, clip_on=False, zorder=4,
    )  # fmt: skip


def box(axes: Axes, across: tuple[float, float], down: tuple[float, float], colour: str) -> None:
    """The interval of a median; it lies behind its dot."""
    (left, right), (top, bottom) = across, down
    axes.fill(
        [left, right, right, left], [top, top, bottom, bottom], facecolor=tint(colour, 0.45),
        edgecolor=SOFT_INK, linewidth=0.8, clip_on=False, zorder=3,
    )  # fmt: skip


def spread(axes: Axes, xs: Sequence[float], ys: Sequence[float]) -> None:
    """Between which nine samples in ten are."""
    axes.plot(xs, ys, color=SOFT_INK, linewidth=1.5, clip_on=False, zorder=3.3)


def null(axes: Axes, x: float, y: float) -> None:
    """The median of a null operation."""
    axes.plot(
        [x], [y], "D", markersize=6, markerfacecolor=PANEL, markeredgecolor=SOFT_INK,
        markeredgewidth=1.2, clip_on=False, zorder=3.6,
    )  # fmt: skip


def faint(axes: Axes, xs: Sequence[float], ys: Sequence[float], mark: str = "o") -> None:
    """Samples far from all others."""
    axes.plot(
        xs, ys, mark, markersize=4.5, markerfacecolor="none", markeredgecolor=SOFT_INK,
        markeredgewidth=0.8, alpha=0.6, clip_on=False,
    )  # fmt: skip


class Renderer(RendererBase):
    """Draws on a canvas, at a place there."""

    def __init__(self, canvas: Canvas, x: float, y: float, width: float, height: float) -> None:
        super().__init__()
        self._canvas, self._size = canvas, (width, height)
        self._place = Affine2D().scale(1, -1).translate(x, y + height)

    def get_canvas_width_height(self) -> tuple[float, float]:
        """The size of the figure in px."""
        return self._size

    def draw_path(
        self, gc: GraphicsContextBase, path: Path, transform: Any, rgbFace: Any = None
    ) -> None:
        """Lines and areas."""
        self._draw(gc, _data(path, transform + self._place), rgbFace)

    def draw_markers(
        self, gc: GraphicsContextBase, marker_path: Path, marker_trans: Any, path: Path,
        trans: Any, rgbFace: Any = None,
    ) -> None:  # fmt: skip
        """The same mark at many places, as one shape."""
        curved = (numpy.array(marker_path.codes) == Path.CURVE4).any()
        mark = _disc if curved else _data
        marks = []
        for vertices, _ in path.iter_segments(trans, simplify=False):
            placed = Affine2D().translate(*vertices[-2:]) + self._place
            marks.append(mark(marker_path, marker_trans + placed))
        self._draw(gc, "".join(marks), rgbFace)

    def draw_text(
        self, gc: GraphicsContextBase, x: float, y: float, s: str, prop: Any, angle: float,
        ismath: Any = False, mtext: Any = None,
    ) -> None:  # fmt: skip
        """A label; it is anchored where it was meant to be, since its width is only a guess."""
        size, anchor, down = prop.get_size_in_points(), "start", -0.36
        if mtext is not None:
            x, y = mtext.get_transform().transform(mtext.get_unitless_position())
            anchor = _ANCHORS[mtext.get_ha()]
            down = _MIDDLES.get(mtext.get_va(), 0)
        x, y = self._place.transform((x, y))
        fill = to_hex(gc.get_rgb())
        self._canvas.text(x, y + down * size, s, size, fill=fill, anchor=anchor)

    def get_text_width_height_descent(
        self, s: str, prop: Any, ismath: Any
    ) -> tuple[float, float, float]:
        """About how much room a label takes."""
        size = prop.get_size_in_points()
        return measure(s, size), size, 0.2 * size

    def _draw(self, gc: GraphicsContextBase, points: str, face: Any) -> None:
        edged = gc.get_linewidth() > 0 and gc.get_rgb()[3] > 0
        filled = face is not None and face[3] > 0
        if points and (edged or filled):
            self._canvas.path(
                points,
                to_hex(gc.get_rgb()) if edged else "none",
                gc.get_linewidth(),
                gc.get_dashes()[1] is not None,
                fill=to_hex(face) if filled else "none",
                faint=round(float(gc.get_rgb()[3] if edged else face[3]), 2),
            )


def _data(path: Path, transform: Any) -> str:
    """The path in the language of SVG, to a tenth of a px."""
    parts = []
    for vertices, code in path.iter_segments(transform, simplify=False):
        pairs = zip(vertices[::2], vertices[1::2], strict=True)
        points = " ".join(f"{x:.1f} {y:.1f}" for x, y in pairs)
        parts.append("Z" if code == Path.CLOSEPOLY else _LETTERS[code] + points)
    return "".join(parts)


def _disc(path: Path, transform: Any) -> str:
    """A mark with curves, which is a disc: two arcs say it in a fifth of the characters."""
    (left, one), (right, other) = (
        end(transform.transform(path.vertices), axis=0) for end in (numpy.min, numpy.max)
    )
    radius, middle = (right - left) / 2, (one + other) / 2
    arc = f"a{radius:.1f} {radius:.1f} 0 1 0"
    return f"M{left:.1f} {middle:.1f}{arc} {2 * radius:.1f} 0{arc} {-2 * radius:.1f} 0Z"
