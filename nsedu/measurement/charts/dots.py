"""Dots and intervals on a log axis: a row for each operation."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nsedu.draw.style import CHART, MARGIN, RULE, SOFT_INK
from nsedu.draw.svg import Canvas, fit, measure
from nsedu.measurement.charts import marks
from nsedu.measurement.charts.axis import Axis, draw_x
from nsedu.measurement.charts.panels import NULL, Entry, Panel
from nsedu.measurement.units import counted, number, quantity

ROW, NARROW_ROW, MAX_WIDE_ROWS = 25.0, 18.0, 25
"""Height of a row in px; its height in a chart with more rows than this."""
HEAD, FOOT, GAP = 24.0, 30.0, 10.0
MAX_NAME_WIDTH = 330.0
MEDIAN_WIDTH, TIMES_WIDTH = 80.0, 104.0
RIGHT = CHART - MARGIN - MEDIAN_WIDTH - TIMES_WIDTH
MIN_SPAN = 8.0
"""The ends of an axis differ by at least this factor, lest a small difference look large."""


def draw(canvas: Canvas, y: float, panels: Sequence[Panel]) -> float:
    """Panels below each other, those of one unit on the same axis; returns the y below them."""
    names = [measure(e.label, 12, mono=True) for p in panels for e in p.entries]
    left = MARGIN + min(max(names), MAX_NAME_WIDTH) + 20
    pitch = ROW if len(names) <= MAX_WIDE_ROWS else NARROW_ROW
    canvas.text(RIGHT + MEDIAN_WIDTH, y + 8, "median", 11, anchor="end", fill=SOFT_INK)
    for unit in dict.fromkeys(panel.unit for panel in panels):
        alike = [panel for panel in panels if panel.unit == unit]
        entries = [entry for panel in alike for entry in panel.entries]
        low, high = _limits(entries)
        axis = Axis(low, high, left, RIGHT, log=low > 0)
        for panel in alike:
            _names_and_figures(canvas, y, left, panel, pitch)
            is_last = panel is alike[-1]
            # The last panel of a unit has the ticks of all.
            y = _marks(canvas, y + HEAD, panel, pitch, axis, labelled=is_last)
            y += FOOT if is_last else GAP
        beyond = sum(value <= 0 for entry in entries for value in entry.outliers)
        if beyond and axis.log:
            text = f"{counted(beyond, 'outlier')} not above 0, and so left of the axis"
            canvas.text(left, y, text, 11, fill=SOFT_INK)
            y += 20
    return y


def off_axis(panels: Sequence[Panel]) -> bool:
    """Whether a median is not above 0, while others of its unit are, which have a log axis."""
    signs = {(panel.unit, entry.row.median > 0) for panel in panels for entry in panel.entries}
    return any({(unit, True), (unit, False)} <= signs for unit, _ in signs)


def _names_and_figures(canvas: Canvas, y: float, left: float, panel: Panel, pitch: float) -> None:
    """All of a panel that is text: left of its axis, and right of it."""
    canvas.text(MARGIN, y + 8, fit(panel.series, 13, left + 200), 13, bold=True)
    if panel.reference:
        reference = f"× {panel.reference.label}"
        if measure(reference, 11) > TIMES_WIDTH - 6:
            reference = "relative"  # to the row that has "1 ×"
        canvas.text(CHART - MARGIN, y + 8, reference, 11, anchor="end", fill=SOFT_INK)
    for index, entry in enumerate(_sorted(panel)):
        middle = y + HEAD + (index + 0.5) * pitch
        name = fit(entry.label, 12, left - MARGIN - 8, mono=True)
        median = quantity(entry.row.median, panel.unit)
        canvas.line(left, middle, RIGHT, middle, RULE)
        canvas.text(MARGIN, middle, name, 12, mono=True, bold=entry.label != NULL)
        canvas.text(RIGHT + MEDIAN_WIDTH, middle, median, 12, anchor="end")
        times = panel.times(entry)
        if times is not None:
            text = f"{'1' if entry is panel.reference else number(times)} ×"
            text = text if math.isfinite(times) else "–"
            canvas.text(CHART - MARGIN, middle, text, 12, anchor="end", fill=SOFT_INK)


def _marks(
    canvas: Canvas, y: float, panel: Panel, pitch: float, axis: Axis, labelled: bool
) -> float:
    """The axis of a panel and what is on it; returns the y below its rows."""
    bottom = y + pitch * len(panel.entries)
    draw_x(canvas, axis, axis.figures(panel.unit, most=9), y, bottom, labelled)
    for index, entry in enumerate(_sorted(panel)):
        middle = y + (index + 0.5) * pitch
        marks.row(canvas, entry, entry.colour, axis, middle, 0.28 * pitch, upright=False)
    return bottom


def _sorted(panel: Panel) -> list[Entry]:
    """The null operation's row, then from the best to the worst: a rate is better if higher."""
    sign = -1 if panel.unit.endswith("/s") else 1
    return sorted(panel.entries, key=lambda e: (e.label != NULL, sign * e.row.median))


def _limits(entries: Sequence[Entry]) -> tuple[float, float]:
    """The ends of the axis; the lower one is above 0 if any median is."""
    figures = [value for entry in entries for value in (*entry.figures, *entry.outliers)]
    if not any(entry.row.median > 0 for entry in entries):
        low, high = min(figures), max(figures)
        padding = (high - low) / 20 or 1.0
        return min(low - padding, -padding), max(high, 0) + padding
    positive = [value for value in figures if value > 0]
    low, high = min(positive), max(positive)
    span = math.log(high / low)
    padding = max(span * 0.04, (math.log(MIN_SPAN) - span) / 2)
    return low * math.exp(-padding), high * math.exp(padding)
