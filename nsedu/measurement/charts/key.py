"""The key below a chart: what its marks mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nsedu.draw.style import CHART, MARGIN, SOFT_INK
from nsedu.draw.svg import Canvas, measure
from nsedu.measurement.charts import marks
from nsedu.measurement.charts.panels import Entry

MARK_WIDTH, LINE = 30.0, 18.0

Mark = Callable[[Canvas, float, float], None]
"""Draws a mark with its middle at x, y."""


def draw(canvas: Canvas, y: float, entries: Sequence[Entry], curves: bool, off_axis: bool) -> float:
    """The marks that a chart has, with their meaning; returns the y below them.

    Args:
        canvas: where they are drawn.
        y: where they begin.
        entries: all rows of the chart.
        curves: whether there are curves in it.
        off_axis: whether it has a median that its log axis does not reach.
    """
    x, y = float(MARGIN), y + 8
    for mark, meaning in _marks(entries, curves, off_axis):
        width = MARK_WIDTH + measure(meaning, 11)
        if x > MARGIN and x + width > CHART - MARGIN:
            x, y = float(MARGIN), y + LINE
        mark(canvas, x + 10, y)
        canvas.text(x + MARK_WIDTH - 4, y, meaning, 11, fill=SOFT_INK)
        x += width + 8
    return y + LINE


def _marks(entries: Sequence[Entry], curves: bool, off_axis: bool) -> list[tuple[Mark, str]]:
    has_null = any(entry.row.null > 0 for entry in entries)
    shown: list[tuple[Mark, str]] = [
        (lambda canvas, x, y: marks.median(canvas, (x, y)), "median"),
        (_interval, "its 95 % interval"),
        (_spread, "nine samples in ten"),
    ]
    if any(entry.outliers for entry in entries):
        outlier = "outlier, counted like any other"
        shown.append((lambda canvas, x, y: marks.outliers(canvas, [(x, y)]), outlier))
    if off_axis:
        shown.append((_off_axis, "not above 0, left of the axis"))
    if has_null:
        shown.append((lambda canvas, x, y: marks.null(canvas, (x, y)), "null operation"))
    if curves and has_null:
        shown.append((_above_null, "fitted lines; what is above the null operation lies between"))
    elif curves:
        shown.append((_fit, "fitted"))
    return shown


def _interval(canvas: Canvas, x: float, y: float) -> None:
    marks.interval(canvas, (x - 5, y - 6), (x + 5, y + 6))


def _spread(canvas: Canvas, x: float, y: float) -> None:
    marks.spread(canvas, (x - 10, y), (x + 10, y))


def _off_axis(canvas: Canvas, x: float, y: float) -> None:
    marks.median(canvas, (x, y), mark="<")


def _fit(canvas: Canvas, x: float, y: float) -> None:
    marks.fit(canvas, [(x - 10, y + 4), (x + 10, y - 5)])


def _above_null(canvas: Canvas, x: float, y: float) -> None:
    line = [(x - 10, y + 4), (x + 10, y - 5)]
    marks.above_null(canvas, line, [(x - 10, y + 5), (x + 10, y + 3)])
    marks.fit(canvas, line)
