"""An axis: where its figures are, and its ticks: ``10 µs``, ``1 ms``, ``256 KiB``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from matplotlib.ticker import LogLocator, MaxNLocator

from nsedu.draw.style import RULE, SOFT_INK, TREE_LINE
from nsedu.draw.svg import Canvas
from nsedu.measurement.units import scale, tick

ROUND = (1, 2, 5, 10)
SHORT = 200
"""A log axis whose ends differ by less than this factor has ticks at 2 and 5, too."""
LABEL_SIZE, LABEL_WIDTH = 11, 32.0
"""Font size of a tick's label; width kept free for a number, in px."""
MAJOR, MINOR = 3.5, 2.0
"""Lengths of ticks, in px."""

Ticks = dict[float, str]
"""Where they are → their labels, "" for a minor one."""


class Axis(NamedTuple):
    """A direction of a chart.

    Attributes:
        low, high: the figures at its ends.
        start, end: where these are on the canvas, in px: x or y.
        log: whether it is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool

    def px(self, value: float) -> float:
        """Where a figure is; one beyond an end is at that end."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def figures(self, unit: str, most: int) -> Ticks:
        """About `most` ticks for figures of a unit."""
        if self.log:
            return self._by_factors(unit, most)
        largest = max(self.high, -self.low)
        divisor, _ = scale(largest, unit)
        locator = MaxNLocator(most, steps=ROUND)
        steps = locator.tick_values(self.low / divisor, self.high / divisor)
        at = self._inside(step * divisor for step in steps)
        return {value: tick(value, unit, largest) for value in at}

    def _by_factors(self, unit: str, most: int) -> Ticks:
        base, multiples, minor = 10, [1], list(range(2, 10))
        if unit == "KiB":  # a thousand of which is no round number
            base, minor = 2, []
        elif self.high / self.low < SHORT:
            multiples, minor = [1, 2, 5], []
        major = LogLocator(base, multiples, numticks=most).tick_values(self.low, self.high)
        ticks = {value: tick(value, unit) for value in self._inside(major)}
        if minor:
            between = LogLocator(base, minor, numticks=most).tick_values(self.low, self.high)
            ticks |= dict.fromkeys(self._inside(between), "")
        return ticks

    def counts(self, at: list[float]) -> Ticks:
        """Ticks for whole numbers: on a log axis `at` these, as far as there is room."""
        shown: list[float] = []
        if self.log:
            for value in sorted(at, reverse=True):
                if not shown or self.px(shown[-1]) - self.px(value) > LABEL_WIDTH:
                    shown.append(value)
        else:
            most = max(3, int((self.end - self.start) / 60))
            locator = MaxNLocator(most, steps=ROUND, integer=True)
            shown = self._inside(locator.tick_values(self.low, self.high))
        return {value: f"{value:,.6g}".replace(",", " ") for value in shown}

    def _inside(self, values: Iterable[float]) -> list[float]:
        return [float(value) for value in values if self.low <= value <= self.high]


def draw_x(
    canvas: Canvas, axis: Axis, ticks: Ticks, top: float, bottom: float, labelled: bool = True
) -> None:
    """The rules of an x axis from top to bottom, and below them its ticks and their labels."""
    at = {axis.px(value): label for value, label in ticks.items()}
    _lines(canvas, [f"M{x:.1f} {bottom:.1f}V{top:.1f}" for x in at if at[x]], RULE, 1)
    if not labelled:
        return
    lengths = {x: MAJOR if at[x] else MINOR for x in at}
    _lines(canvas, [f"M{x:.1f} {bottom:.1f}v{lengths[x]}" for x in at], TREE_LINE, 0.8)
    for x, label in at.items():
        if label:
            canvas.text(x, bottom + 13, label, LABEL_SIZE, anchor="middle", fill=SOFT_INK)


def draw_y(canvas: Canvas, axis: Axis, ticks: Ticks, left: float, right: float) -> None:
    """The rules of a y axis from left to right, and left of them its ticks and their labels."""
    at = {axis.px(value): label for value, label in ticks.items()}
    _lines(canvas, [f"M{left:.1f} {y:.1f}H{right:.1f}" for y in at if at[y]], RULE, 1)
    lengths = {y: MAJOR if at[y] else MINOR for y in at}
    _lines(canvas, [f"M{left:.1f} {y:.1f}h{-lengths[y]}" for y in at], TREE_LINE, 0.8)
    for y, label in at.items():
        if label:
            canvas.text(left - 7.5, y, label, LABEL_SIZE, anchor="end", fill=SOFT_INK)


def _lines(canvas: Canvas, lines: list[str], colour: str, width: float) -> None:
    if lines:
        canvas.path("".join(lines), colour, width)
