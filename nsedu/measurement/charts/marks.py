"""The marks of a row; the key below a chart shows the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nsedu.draw.style import INK, NEUTRAL, PANEL, SOFT_INK, tint
from nsedu.draw.svg import Canvas
from nsedu.measurement.charts.axis import Axis
from nsedu.measurement.charts.panels import Entry

Point = tuple[float, float]
"""x and y on the canvas, in px."""

_DIAMOND = ((0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0))
_TRIANGLES = {
    "<": ((-1.0, 0.0), (1.0, -1.0), (1.0, 1.0)), ">": ((1.0, 0.0), (-1.0, -1.0), (-1.0, 1.0)),
    "^": ((0.0, -1.0), (1.0, 1.0), (-1.0, 1.0)), "v": ((0.0, 1.0), (1.0, -1.0), (-1.0, -1.0)),
}  # fmt: skip


def row(
    canvas: Canvas, entry: Entry, colour: str, axis: Axis, place: float, half: float, upright: bool
) -> None:
    """All marks of a row.

    Args:
        canvas: where they are drawn.
        entry: the row.
        colour: of its median and interval.
        axis: of its figures.
        place: where on the other axis, in px.
        half: half the width of its interval there, in px.
        upright: whether figures are on the y axis.
    """

    def point(figure: float, aside: float = 0) -> Point:
        across, along = place + aside, axis.px(figure)
        return (across, along) if upright else (along, across)

    row, far = entry.row, entry.outliers
    below, above = ("v", "^") if upright else ("<", ">")
    outliers(canvas, [point(value) for value in far if axis.low <= value <= axis.high])
    if any(value < axis.low for value in far):
        outliers(canvas, [point(axis.low)], below)
    if any(value > axis.high for value in far):
        outliers(canvas, [point(axis.high)], above)
    if row.high > axis.low:
        interval(canvas, point(row.low, -half), point(row.high, half), colour)
    spread(canvas, point(row.p5), point(row.p95))
    if row.null > max(axis.low, 0):
        null(canvas, point(row.null))
    median(canvas, point(row.median), colour, "o" if row.median >= axis.low else below)


def median(canvas: Canvas, point: Point, colour: str = NEUTRAL, mark: str = "o") -> None:
    """The dot of a row; another mark, which is left open, where the axis does not reach it."""
    canvas.path(_shape(mark, point, 4), INK, fill=colour if mark == "o" else PANEL)


def interval(canvas: Canvas, one: Point, other: Point, colour: str = NEUTRAL) -> None:
    """The interval of a median, behind its dot: a box between two opposite corners."""
    corners = [one, (one[0], other[1]), other, (other[0], one[1])]
    canvas.path(f"{line(corners)}Z", SOFT_INK, 0.8, fill=tint(colour, 0.45))


def spread(canvas: Canvas, one: Point, other: Point) -> None:
    """A line between the ends of nine samples in ten."""
    canvas.path(line([one, other]), SOFT_INK, 1.5)


def null(canvas: Canvas, point: Point) -> None:
    """The median of a null operation."""
    canvas.path(_shape("D", point, 4.2), SOFT_INK, 1.2, fill=PANEL)


def outliers(canvas: Canvas, points: Sequence[Point], mark: str = "o") -> None:
    """Samples far from all others, as one shape."""
    if points:
        shapes = "".join(_shape(mark, point, 2.2) for point in points)
        canvas.path(shapes, SOFT_INK, 0.8, opacity=0.6)


def fit(canvas: Canvas, points: Iterable[Point], colour: str = NEUTRAL) -> None:
    """The fitted line of a curve."""
    canvas.path(line(points), colour, 2)


def above_null(
    canvas: Canvas, points: Sequence[Point], nulls: Sequence[Point], colour: str = NEUTRAL
) -> None:
    """The fitted line of the null operation, and the area between it and that of the curve."""
    canvas.path(f"{line([*points, *reversed(nulls)])}Z", "none", fill=tint(colour, 0.15))
    canvas.path(line(nulls), SOFT_INK, 1, dashed=True)


def line(points: Iterable[Point]) -> str:
    """A line through points, in the path language of SVG."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _shape(mark: str, point: Point, radius: float) -> str:
    x, y = point
    if mark == "o":
        arc = f"a{radius:g} {radius:g} 0 1 0"
        return f"M{x - radius:.1f} {y:.1f}{arc} {2 * radius:g} 0{arc} {-2 * radius:g} 0Z"
    corners = _DIAMOND if mark == "D" else _TRIANGLES[mark]
    return line((x + right * radius, y + down * radius) for right, down in corners) + "Z"
