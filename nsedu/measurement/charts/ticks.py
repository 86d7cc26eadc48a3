"""Where the ticks of an axis are, and what stands beside them: ``10 µs``, ``1 ms``, ``256 KiB``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from nsedu.measurement.units import scale, tick

if TYPE_CHECKING:
    from matplotlib.axis import Axis

ROUND = (1, 2, 5, 10)
SHORT = 200
"""A log axis that reaches over less than such a factor has ticks at 2 and 5, too."""

LABEL = 32.0
"""Room for the number at a tick, in px."""


def figures(axis: Axis, unit: str, low: float, high: float, most: int) -> None:
    """Ticks for figures of a unit, on an axis whose scale and ends are set."""
    if axis.get_scale() == "log":
        _by_factors(axis, unit, high / low < SHORT, most)
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, unit)))
        axis.set_minor_formatter(NullFormatter())
        return
    largest = max(high, -low)
    divisor, _ = scale(largest, unit)
    steps = MaxNLocator(most, steps=ROUND).tick_values(low / divisor, high / divisor)
    at = [step * divisor for step in steps]
    axis.set_major_locator(FixedLocator([value for value in at if low <= value <= high]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, unit, largest)))


def _by_factors(axis: Axis, unit: str, short: bool, most: int) -> None:
    axis.set_minor_locator(NullLocator())
    if unit == "KiB":  # a thousand of which is no round number
        axis.set_major_locator(LogLocator(2, numticks=most))
    elif short:
        axis.set_major_locator(LogLocator(10, (1, 2, 5), numticks=most))
    else:
        axis.set_major_locator(LogLocator(10, numticks=most))
        axis.set_minor_locator(LogLocator(10, range(2, 10), numticks=most))


def counts(axis: Axis, at: list[float], room: float) -> None:
    """Ticks for whole numbers, which are there `at` these, along an axis so many px long."""
    if axis.get_scale() == "log":
        axis.set_major_locator(FixedLocator(_apart(at, room)))
    else:
        axis.set_major_locator(MaxNLocator(max(3, int(room / 60)), steps=ROUND, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}".replace(",", " ")))
    axis.set_minor_locator(NullLocator())


def _apart(at: list[float], room: float) -> list[float]:
    """Those whose labels do not run into one another; the last is one of them."""
    decade = room / math.log10(max(at) / min(at))
    kept: list[float] = []
    for value in sorted(at, reverse=True):
        if not kept or decade * math.log10(kept[-1] / value) > LABEL:
            kept.append(value)
    return kept
