"""Growth curves: points with intervals, and the straight line through what namespaces cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy

from nsedu.draw.style import CHART, MARGIN, NEUTRAL, SOFT_INK, okabe_ito
from nsedu.draw.svg import Canvas, fit, wrap
from nsedu.measurement.charts import marks
from nsedu.measurement.charts.axis import Axis, draw_x, draw_y
from nsedu.measurement.charts.panels import Entry, Panel
from nsedu.measurement.units import counted, interval, quantity, scale

if TYPE_CHECKING:
    from nsedu.measurement.measure import Result

MAX_COLUMNS = 3
LEFT, RIGHT, GAP, FOOT = 62.0, 8.0, 26.0, 52.0
HALF_BOX = 7.0
"""Half the width of the box of an interval, in px."""
MIN_LOG_RATIO = 50.0
"""The x axis is logarithmic if its largest value is at least this many times the smallest."""


def draw(canvas: Canvas, y: float, panels: Sequence[Panel], result: Result) -> float:
    """Curves beside and below each other; returns the y below them."""
    columns = 2 if len(panels) in (2, 4) else min(len(panels), MAX_COLUMNS)
    width = (CHART - 2 * MARGIN - GAP * (columns - 1)) / columns
    height = {1: 300.0, 2: 240.0}.get(columns, 200.0)
    for start in range(0, len(panels), columns):
        line = panels[start : start + columns]
        sentences = [wrap(_growth(panel, result), 12, width) for panel in line]
        top = y + 24 + 17 * max(map(len, sentences)) + 18
        for column, (panel, lines) in enumerate(zip(line, sentences, strict=True)):
            x = MARGIN + column * (width + GAP)
            canvas.text(x, y + 8, fit(panel.series, 13, width), 13, bold=True)
            for down, text in enumerate(lines):
                canvas.text(x, y + 28 + 17 * down, text, 12, fill=SOFT_INK)
            _curve(canvas, x, top, width, height, panel, result)
        y = top + height + FOOT
    return y


def _growth(panel: Panel, result: Result) -> str:
    """What each step adds, or that this may be chance."""
    value, low, high = result.slope(panel.entries[0].row.series)
    _, step = panel.step
    has_null = any(entry.row.null > 0 for entry in panel.entries)
    above = " above the null operation" if has_null else ""
    if low <= 0 <= high:
        largest = max(-low, high)
        _, lowest, highest = interval(largest, low, high, panel.unit)
        _, sign = scale(largest, panel.unit)
        between = f"{lowest} to {highest} {sign} for each {step}"
        return f"no growth{above} that can be told from chance ({between})"
    added, lowest, highest = interval(value, low, high, panel.unit)
    return f"each {step} adds {added} ({lowest} to {highest}){above}"


def _curve(
    canvas: Canvas, x: float, y: float, width: float, height: float, panel: Panel, result: Result
) -> None:
    entries = sorted(panel.entries, key=lambda entry: entry.x)
    xs = [entry.x for entry in entries]
    left, right, bottom = x + LEFT, x + width - RIGHT, y + height
    x_axis = _x_axis(xs, left, right)
    y_axis = _y_axis(entries, bottom, y, x_axis.log)
    colour = okabe_ito.get(panel.series, NEUTRAL)
    draw_x(canvas, x_axis, x_axis.counts(xs), y, bottom)
    draw_y(canvas, y_axis, y_axis.figures(panel.unit, most=6), left, right)
    _lines(canvas, entries, result, x_axis, y_axis, colour)
    for entry in entries:
        marks.row(canvas, entry, colour, y_axis, x_axis.px(entry.x), HALF_BOX, upright=True)
    noun, _ = panel.step
    canvas.text((left + right) / 2, bottom + 32, noun, 12, anchor="middle", fill=SOFT_INK)
    outliers = [value for entry in entries for value in entry.outliers]
    beyond = [value for value in outliers if not y_axis.low <= value <= y_axis.high]
    if beyond:
        worst = quantity(max(beyond, key=abs), panel.unit)
        text = f"△ {counted(len(beyond), 'outlier')} off the axis, as far as {worst}"
        canvas.text(x, y - 13, text, 11, fill=SOFT_INK)


def _x_axis(xs: Sequence[float], left: float, right: float) -> Axis:
    low, high = min(xs), max(xs)
    if low > 0 and high / low >= MIN_LOG_RATIO:
        return Axis(low / 1.25, high * 1.25, left, right, log=True)
    padding = (high - low) * 0.04
    return Axis(low - padding, high + padding, left, right, log=False)


def _y_axis(entries: Sequence[Entry], bottom: float, top: float, log_x: bool) -> Axis:
    """The axis of figures; a linear one begins at 0: growth is not to look larger than it is."""
    figures = [value for entry in entries for value in entry.figures]
    medians = [entry.row.median for entry in entries]
    if log_x and min(medians) > 0 and max(medians) / min(medians) >= MIN_LOG_RATIO / 5:
        low, high = min(value for value in figures if value > 0), max(figures)
        return Axis(low / 1.3, high * 1.3, bottom, top, log=True)
    low, high = min(0.0, *figures), max(0.0, *figures)
    padding = (high - low) * 0.05 or 1.0
    return Axis(low - padding * (low < 0), high + padding, bottom, top, log=False)


def _lines(
    canvas: Canvas, entries: Sequence[Entry], result: Result, x_axis: Axis, y_axis: Axis,
    colour: str,
) -> None:  # fmt: skip
    """The fitted line, and below it that of the null operation: what is between is the growth."""
    xs = numpy.array([entry.x for entry in entries], dtype=float)
    space = numpy.geomspace if x_axis.log else numpy.linspace
    fine = space(xs[0], xs[-1], 65)
    slope = result.slope(entries[0].row.series).value
    above = numpy.mean([entry.row.above for entry in entries]) + slope * (fine - xs.mean())
    null = numpy.polynomial.Polynomial.fit(xs, [entry.row.null for entry in entries], 1)(fine)

    def points(values: numpy.ndarray, shown: numpy.ndarray) -> list[marks.Point]:
        pairs = zip(fine[shown], values[shown], strict=True)
        return [(x_axis.px(x), y_axis.px(y)) for x, y in pairs]

    total = null + above
    shown = (total >= y_axis.low) & (null >= y_axis.low)
    if any(entry.row.null > 0 for entry in entries) and shown.any():
        marks.above_null(canvas, points(total, shown), points(null, shown), colour)
    shown = (total >= y_axis.low) & (total <= y_axis.high)
    if shown.any():
        marks.fit(canvas, points(total, shown), colour)
