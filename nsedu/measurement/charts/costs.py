"""What a measurement found: dots with their intervals, or curves where a question grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nsedu.draw.labels import columns, pad
from nsedu.draw.picture import Picture
from nsedu.draw.style import CHART, MARGIN, SOFT_INK
from nsedu.draw.svg import Canvas, wrap
from nsedu.measurement.charts.panels import Entry, Panel, panels
from nsedu.measurement.units import interval, number, quantity
from nsedu.printable import clean

if TYPE_CHECKING:
    from nsedu.measurement.measure import Result

MAX_NAME = 36
"""Names are padded up to this width, in columns."""
MAX_REFERENCE = 20
"""A longer name is not repeated in the lines of other rows, in columns."""


def costs(result: Result) -> Picture:
    """The chart of a measurement.

    In the text version, every figure that differs from run to run follows a "≈", and no word
    depends on one: tests/sanitize.cfg takes the figures out; the rest is the same in every run.

    Args:
        result: what `nsedu.measure` returned, or `nsedu.measure.Result.load`.
    """
    from nsedu.measurement.charts import curves, dots, key  # they import matplotlib

    found = panels(result)
    dotted = [panel for panel in found if not panel.is_curve]
    curved = [panel for panel in found if panel.is_curve]
    unmet = [f"not measured: {clean(n)}: {clean(why)}" for n, why in result.unmet.items()]
    below = clean(result.below)
    text = [clean(result.title), *_text(result, found), *unmet, f"machine: {below}"]

    canvas = Canvas()
    y = canvas.heading(result.title, [] if found else ["nothing could be measured"], CHART)
    if dotted:
        y = dots.draw(canvas, y, dotted)
    if curved:
        y = curves.draw(canvas, y, curved, result)
    if found:
        entries = [entry for panel in found for entry in panel.entries]
        y = key.draw(canvas, y, entries, curves=bool(curved), off_axis=dots.off_axis(dotted))
    for note in [*unmet, below]:
        for line in wrap(note[:1].upper() + note[1:], 12, CHART - 2 * MARGIN):
            canvas.text(MARGIN, y + 6, line, 12, fill=SOFT_INK)
            y += 17
    return canvas.picture(result.title, text, CHART, y + 12)


def _text(result: Result, found: list[Panel]) -> Iterator[str]:
    """A line for each row, in the order of the question: an order by figures may change."""
    for panel in found:
        if panel.is_curve:
            yield _curve(result, panel)
            continue
        if panel.series:
            yield f"{panel.series}:"
        indent = "  " if panel.series else ""
        width = min(MAX_NAME, max(columns(entry.label) for entry in panel.entries))
        for entry in panel.entries:
            row = entry.row
            median, low, high = interval(row.median, row.low, row.high, panel.unit)
            yield (
                f"{indent}{pad(entry.label, width)}  ≈ {median} (≈ {low} to ≈ {high})"
                f"{_compared(panel, entry)}; null ≈ {quantity(row.null, panel.unit)};"
                f" at most ≈ {quantity(row.worst, panel.unit)}, ≈ {row.outliers} outliers"
            )


def _compared(panel: Panel, entry: Entry) -> str:
    """How many times another row's figure this one is."""
    times, other = panel.times(entry), panel.reference
    if times is None or other is None or entry is other:
        return ""
    name = other.label if columns(other.label) <= MAX_REFERENCE else "the first row's"
    return f", ≈ {number(times)} times {name}"


def _curve(result: Result, panel: Panel) -> str:
    """A curve in a line: where it begins and ends, and what each step adds."""
    entries = sorted(panel.entries, key=lambda entry: entry.x)
    first, last = entries[0], entries[-1]
    unit = panel.unit
    added, low, high = interval(*result.slope(first.row.series), unit)
    name = f"{panel.series}: " if panel.series else ""
    outliers = sum(entry.row.outliers for entry in entries)
    worst = max(entry.row.worst for entry in entries)
    return (
        f"{name}from ≈ {quantity(first.row.median, unit)} ({first.label})"
        f" to ≈ {quantity(last.row.median, unit)} ({last.label}),"
        f" null from ≈ {quantity(first.row.null, unit)} to ≈ {quantity(last.row.null, unit)};"
        f" each {panel.step[1]} adds ≈ {added} (≈ {low} to ≈ {high}) above null;"
        f" at most ≈ {quantity(worst, unit)}, ≈ {outliers} outliers"
    )
