"""Growth curves: points with intervals, and the straight line through what namespaces cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy

from nsedu.draw.style import CHART, MARGIN, NEUTRAL, SOFT_INK, okabe_ito, tint
from nsedu.draw.svg import Canvas, fit, wrap
from nsedu.measurement.charts import svg_renderer, ticks
from nsedu.measurement.charts.panels import Entry, Panel
from nsedu.measurement.units import counted, interval, quantity, scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nsedu.measurement.measure import Result

MOST_ABREAST = 3
LEFT, GAP, FOOT = 62.0, 26.0, 52.0
LOG_FROM = 50.0
"""An axis is a logarithmic one if its largest value is so many times the smallest."""


def draw(canvas: Canvas, y: float, panels: Sequence[Panel], result: Result) -> float:
    """Curves beside and below each other; returns the y below them."""
    abreast = 2 if len(panels) in (2, 4) else min(len(panels), MOST_ABREAST)
    width = (CHART - 2 * MARGIN - GAP * (abreast - 1)) / abreast
    height = {1: 300.0, 2: 240.0}.get(abreast, 200.0)
    for start in range(0, len(panels), abreast):
        beside = panels[start : start + abreast]
        said = [wrap(_words(panel, result), 12, width) for panel in beside]
        top = y + 24 + 17 * max(map(len, said)) + 18
        for number, (panel, lines) in enumerate(zip(beside, said, strict=True)):
            x = MARGIN + number * (width + GAP)
            canvas.text(x, y + 8, fit(panel.series, 13, width), 13, bold=True)
            for down, line in enumerate(lines):
                canvas.text(x, y + 28 + 17 * down, line, 12, fill=SOFT_INK)
            _curve(canvas, x, top, width, height, panel, result)
        y = top + height + FOOT
    return y


def _words(panel: Panel, result: Result) -> str:
    """What each step adds, or that this cannot be told from chance."""
    value, low, high = result.slope(panel.entries[0].row.series)
    _, step = panel.step
    null = any(entry.row.null > 0 for entry in panel.entries)
    above = " above the null operation" if null else ""
    if low <= 0 <= high:
        far = max(-low, high)
        _, lowest, highest = interval(far, low, high, panel.unit)
        _, sign = scale(far, panel.unit)
        between = f"{lowest} to {highest} {sign} for each {step}"
        return f"no growth{above} that can be told from chance ({between})"
    added, lowest, highest = interval(value, low, high, panel.unit)
    return f"each {step} adds {added} ({lowest} to {highest}){above}"


def _curve(
    canvas: Canvas, x: float, y: float, width: float, height: float, panel: Panel, result: Result
) -> None:
    entries = sorted(panel.entries, key=lambda entry: entry.x)
    xs = [entry.x for entry in entries]
    log_x = min(xs) > 0 and max(xs) / min(xs) >= LOG_FROM
    low, high, log_y = _reach(entries, log_x)
    colour = okabe_ito.get(panel.series, NEUTRAL)
    with svg_renderer.axes(canvas, x + LEFT, y, width - LEFT - 8, height) as axes:
        if log_x:
            axes.set_xscale("log")
            axes.set_xlim(min(xs) / 1.25, max(xs) * 1.25)
        else:
            room = (max(xs) - min(xs)) * 0.04
            axes.set_xlim(min(xs) - room, max(xs) + room)
        if log_y:
            axes.set_yscale("log")
        axes.set_ylim(low, high)
        ticks.figures(axes.yaxis, panel.unit, low, high, most=6)
        ticks.counts(axes.xaxis, xs, width - LEFT - 8)
        _lines(axes, entries, result, low, log_x, colour)
        for entry in entries:
            _point(axes, entry, low, high, colour)
    noun, _ = panel.step
    middle = x + LEFT + (width - LEFT - 8) / 2
    canvas.text(middle, y + height + 32, noun, 12, anchor="middle", fill=SOFT_INK)
    beyond = [value for entry in entries for value in entry.far if not low <= value <= high]
    if beyond:
        worst = quantity(max(beyond, key=abs), panel.unit)
        text = f"△ {counted(len(beyond), 'outlier')} off the axis, as far as {worst}"
        canvas.text(x, y - 13, text, 11, fill=SOFT_INK)


def _reach(entries: Sequence[Entry], log_x: bool) -> tuple[float, float, bool]:
    """From where to where the axis of figures goes, and whether it is logarithmic.

    A straight axis begins at 0: growth is not to look larger than it is.
    """
    kinds = ("median", "low", "high", "p5", "p95", "null")
    seen = [getattr(entry.row, kind) for entry in entries for kind in kinds]
    medians = [entry.row.median for entry in entries]
    positive = [value for value in seen if value > 0]
    if log_x and min(medians) > 0 and max(medians) / min(medians) >= LOG_FROM / 5:
        return min(positive) / 1.3, max(positive) * 1.3, True
    low, high = min(0.0, *seen), max(0.0, *seen)
    room = (high - low) * 0.05 or 1.0
    return low - room * (low < 0), high + room, False


def _lines(
    axes: Axes, entries: Sequence[Entry], result: Result, low: float, log_x: bool, colour: str
) -> None:
    """The fitted line, and below it that of the null operation: what is between grows as said."""
    xs = numpy.array([entry.x for entry in entries], dtype=float)
    space = numpy.geomspace if log_x else numpy.linspace
    fine = space(xs[0], xs[-1], 65)
    slope = result.slope(entries[0].row.series).value
    above = numpy.mean([entry.row.above for entry in entries]) + slope * (fine - xs.mean())
    null = numpy.polynomial.Polynomial.fit(xs, [entry.row.null for entry in entries], 1)(fine)
    shown = (null + above >= low) & (null >= low)
    if any(entry.row.null > 0 for entry in entries):
        axes.fill_between(
            fine[shown], null[shown], (null + above)[shown],
            facecolor=tint(colour, 0.15), edgecolor="none", linewidth=0,
        )  # fmt: skip
        axes.plot(fine[shown], null[shown], color=SOFT_INK, linewidth=1, linestyle="--")
    shown = null + above >= low
    axes.plot(fine[shown], (null + above)[shown], color=colour, linewidth=2)


def _point(axes: Axes, entry: Entry, low: float, high: float, colour: str) -> None:
    row, x = entry.row, entry.x
    far = [value for value in entry.far if low <= value <= high]
    svg_renderer.faint(axes, [x] * len(far), far)
    if any(value > high for value in entry.far):
        svg_renderer.faint(axes, [x], [high], "^")
    if any(value < low for value in entry.far):
        svg_renderer.faint(axes, [x], [low], "v")
    svg_renderer.spread(axes, [x, x], [max(row.p5, low), max(row.p95, low)])
    if row.null >= low and row.null > 0:
        svg_renderer.null(axes, x, row.null)
    if row.high > low:
        middle, _ = axes.transData.transform((x, high))
        beside = axes.transData.inverted().transform([(middle - 7, 0), (middle + 7, 0)])
        svg_renderer.box(axes, (beside[0][0], beside[1][0]), (max(row.low, low), row.high), colour)
    svg_renderer.median(axes, x, max(row.median, low), colour, "o" if row.median >= low else "v")
