"""Dots and intervals on a log axis: a row for each operation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.ticker import NullFormatter, NullLocator

from nsedu.draw.style import CHART, MARGIN, RULE, SOFT_INK
from nsedu.draw.svg import Canvas, fit, measure
from nsedu.measurement.charts import svg_renderer, ticks
from nsedu.measurement.charts.panels import NULL, Entry, Panel
from nsedu.measurement.units import counted, number, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW, CROWDED_ROW, CROWD = 25.0, 18.0, 25
"""Height of a row in px; of each when there are more than so many."""
HEAD, FOOT, APART = 24.0, 30.0, 10.0
WIDEST_NAME = 330.0
FIGURE, TIMES = 80.0, 104.0
RIGHT = CHART - MARGIN - FIGURE - TIMES
LEAST_SPAN = 8.0
"""An axis reaches over at least such a factor, lest a small difference look large."""


def draw(canvas: Canvas, y: float, panels: Sequence[Panel]) -> float:
    """Panels below each other, those of one unit on the same axis; returns the y below them."""
    names = [measure(e.label, 12, mono=True) for p in panels for e in p.entries]
    left = MARGIN + min(max(names), WIDEST_NAME) + 20
    pitch = ROW if len(names) <= CROWD else CROWDED_ROW
    for unit in dict.fromkeys(panel.unit for panel in panels):
        alike = [panel for panel in panels if panel.unit == unit]
        reach = _reach([entry for panel in alike for entry in panel.entries])
        for panel in alike:
            if panel is panels[0]:
                canvas.text(RIGHT + FIGURE, y + 8, "median", 11, anchor="end", fill=SOFT_INK)
            y = _panel(canvas, y, left, panel, pitch, reach, last=panel is alike[-1])
            y += FOOT if panel is alike[-1] else APART
        beyond = sum(value <= 0 for p in alike for e in p.entries for value in e.far)
        if beyond and reach[0] > 0:
            text = f"{counted(beyond, 'outlier')} not above 0, and so left of the axis"
            canvas.text(left, y, text, 11, fill=SOFT_INK)
            y += 20
    return y


def off_axis(panels: Sequence[Panel]) -> bool:
    """Whether a median is not above 0, while others of its unit are, which have a log axis."""
    signs = {(panel.unit, entry.row.median > 0) for panel in panels for entry in panel.entries}
    return any({(unit, True), (unit, False)} <= signs for unit, _ in signs)


def _panel(
    canvas: Canvas, y: float, left: float, panel: Panel, pitch: float,
    reach: tuple[float, float], last: bool,
) -> float:  # fmt: skip
    canvas.text(MARGIN, y + 8, fit(panel.series, 13, left + 200), 13, bold=True)
    if panel.reference:
        against = f"× {panel.reference.label}"
        if measure(against, 11) > TIMES - 6:
            against = "relative"  # to the row that has "1 ×"
        canvas.text(CHART - MARGIN, y + 8, against, 11, anchor="end", fill=SOFT_INK)
    y += HEAD
    height = pitch * len(panel.entries)
    entries = _sorted(panel)
    for index, entry in enumerate(entries):
        middle = y + (index + 0.5) * pitch
        name = fit(entry.label, 12, left - MARGIN - 8, mono=True)
        canvas.line(left, middle, RIGHT, middle, RULE)
        canvas.text(MARGIN, middle, name, 12, mono=True, bold=entry.label != NULL)
        said = quantity(entry.row.median, panel.unit)
        canvas.text(RIGHT + FIGURE, middle, said, 12, anchor="end")
        times = panel.times(entry)
        if times is not None:
            said = f"{'1' if entry is panel.reference else number(times)} ×"
            said = said if math.isfinite(times) else "–"
            canvas.text(CHART - MARGIN, middle, said, 12, anchor="end", fill=SOFT_INK)
    with svg_renderer.axes(canvas, left, y, RIGHT - left, height) as axes:
        axes.set(xlim=reach, ylim=(height, 0), yticks=())
        if reach[0] > 0:
            axes.set_xscale("log")
        ticks.figures(axes.xaxis, panel.unit, *reach, most=9)
        if not last:  # it has the ticks of all
            axes.xaxis.set_major_formatter(NullFormatter())
            axes.xaxis.set_minor_locator(NullLocator())
            axes.tick_params(length=0)
        for index, entry in enumerate(entries):
            _mark(axes, (index + 0.5) * pitch, pitch, entry, reach)
    return y + height


def _sorted(panel: Panel) -> list[Entry]:
    """The null operation's row, then from the best to the worst: a rate is better if higher."""
    way = -1 if panel.unit.endswith("/s") else 1
    return sorted(panel.entries, key=lambda e: (e.label != NULL, way * e.row.median))


def _reach(entries: Sequence[Entry]) -> tuple[float, float]:
    """From where to where the axis goes; the lower end is above 0 if any figure is."""
    kinds = ("median", "low", "high", "p5", "p95", "null")
    seen = [getattr(e.row, kind) for e in entries for kind in kinds]
    seen += [value for e in entries for value in e.far]
    positive = [value for value in seen if value > 0]
    if not any(e.row.median > 0 for e in entries):
        low, high = min(seen), max(seen)
        room = (high - low) / 20 or 1.0
        return min(low - room, -room), max(high, 0) + room
    low, high = min(positive), max(positive)
    room = max(math.log(high / low) * 0.04, (math.log(LEAST_SPAN) - math.log(high / low)) / 2)
    return low * math.exp(-room), high * math.exp(room)


def _mark(axes: Axes, y: float, pitch: float, entry: Entry, reach: tuple[float, float]) -> None:
    row, colour, edge = entry.row, entry.colour, reach[0]
    low, high, p5, p95 = (max(v, edge) for v in (row.low, row.high, row.p5, row.p95))
    far = [value for value in entry.far if value >= edge]
    svg_renderer.faint(axes, far, [y] * len(far))
    svg_renderer.spread(axes, [p5, p95], [y, y])
    if row.null > 0:
        svg_renderer.null(axes, row.null, y)
    if row.high > edge:
        svg_renderer.box(axes, (low, high), (y - pitch * 0.28, y + pitch * 0.28), colour)
    svg_renderer.median(axes, max(row.median, edge), y, colour, "o" if row.median >= edge else "<")
