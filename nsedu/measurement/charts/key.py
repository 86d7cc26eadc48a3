"""What the marks of a chart mean: the line of them below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nsedu.draw.style import CHART, INK, MARGIN, NEUTRAL, PANEL, SOFT_INK, tint
from nsedu.draw.svg import Canvas, measure
from nsedu.measurement.charts.panels import Entry

Mark = Callable[[Canvas, float, float], None]
ROOM = 30.0


def legend(canvas: Canvas, y: float, entries: Sequence[Entry], grown: bool, off: bool) -> float:
    """The marks that a chart has, with their meaning; returns the y below them.

    Args:
        canvas: where they are drawn.
        y: where they begin.
        entries: all rows of the chart.
        grown: whether there are curves in it.
        off: whether it has a median that its log axis does not reach.
    """
    null = any(entry.row.null > 0 for entry in entries)
    marks: list[tuple[Mark, str]] = [
        (_median, "median"), (_interval, "its 95 % interval"), (_spread, "nine samples in ten"),
    ]  # fmt: skip
    if any(entry.far for entry in entries):
        marks.append((_outlier, "outlier, counted like any other"))
    if off:
        marks.append((_beyond, "not above 0, left of the axis"))
    if null:
        marks.append((_null, "null operation"))
    if grown:
        fitted = "fitted lines; what is above the null operation lies between"
        marks.append((_above, fitted) if null else (_fit, "fitted"))
    x, y = float(MARGIN), y + 8
    for draw, word in marks:
        width = ROOM + measure(word, 11)
        if x > MARGIN and x + width > CHART - MARGIN:
            x, y = float(MARGIN), y + 18
        draw(canvas, x + 10, y)
        canvas.text(x + ROOM - 4, y, word, 11, fill=SOFT_INK)
        x += width + 8
    return y + 18


def _median(canvas: Canvas, x: float, y: float) -> None:
    canvas.rect(x - 4, y - 4, 8, 8, fill=NEUTRAL, stroke=INK, radius=4)


def _interval(canvas: Canvas, x: float, y: float) -> None:
    fill = tint(NEUTRAL, 0.45)
    canvas.rect(x - 5, y - 6, 10, 12, fill=fill, stroke=SOFT_INK, line=0.8)


def _spread(canvas: Canvas, x: float, y: float) -> None:
    canvas.path(f"M{x - 10:.1f} {y:.1f}h20", SOFT_INK, 1.5)


def _outlier(canvas: Canvas, x: float, y: float) -> None:
    canvas.rect(x - 2.2, y - 2.2, 4.5, 4.5, stroke=SOFT_INK, line=0.8, radius=2.2)


def _null(canvas: Canvas, x: float, y: float) -> None:
    canvas.path(f"M{x:.1f} {y - 4.2:.1f}l4.2 4.2l-4.2 4.2l-4.2 -4.2Z", SOFT_INK, 1.2, fill=PANEL)


def _beyond(canvas: Canvas, x: float, y: float) -> None:
    canvas.path(f"M{x - 4:.1f} {y:.1f}l8 -4v8Z", INK, 1, fill=PANEL)


def _fit(canvas: Canvas, x: float, y: float) -> None:
    canvas.path(f"M{x - 10:.1f} {y + 3:.1f}l20 -6", NEUTRAL, 2)


def _above(canvas: Canvas, x: float, y: float) -> None:
    fill = tint(NEUTRAL, 0.2)
    canvas.path(f"M{x - 10:.1f} {y + 4:.1f}l20 -9v8l-20 2Z", "none", fill=fill)
    canvas.path(f"M{x - 10:.1f} {y + 5:.1f}l20 -2", SOFT_INK, 1, dashed=True)
    _fit(canvas, x, y)
