"""What was measured, in words: three digits that mean something, in the unit that suits them."""

from __future__ import annotations

import math

TIME = ((1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"))
BYTES = ((1.0, "B"), (1024.0, "KiB"), (1024.0**2, "MiB"), (1024.0**3, "GiB"))
RATE = ((1e3, "kbit/s"), (1e6, "Mbit/s"), (1e9, "Gbit/s"))
UNITS = {"ns": (1.0, TIME), "us": (1e3, TIME), "KiB": (1024.0, BYTES), "Gbit/s": (1e9, RATE)}
"""Unit of a row → what one of it is, in the measure of the units that it may be told in."""


def number(value: float) -> str:
    """Three digits, without an exponent; a dash for what is no number."""
    if not math.isfinite(value):
        return "–"
    rounded = float(f"{value:.3g}")
    decimals = 0 if abs(rounded) >= 100 else 1 if abs(rounded) >= 10 else 2
    text = f"{rounded:.{decimals}f}".replace("-", "−")
    return text if text.strip("−0.") else "0"


def scale(value: float, unit: str) -> tuple[float, str]:
    """What to divide values like this one by, and the sign of the unit they are in then."""
    one, steps = UNITS.get(unit, (1.0, ((1.0, unit),)))
    if value == 0:
        return 1, next(sign for step, sign in steps if step == one)
    reached = [step for step in steps if float(f"{abs(value) * one / step[0]:.3g}") >= 1]
    step, sign = reached[-1] if reached else steps[0]
    return step / one, sign


def quantity(value: float, unit: str) -> str:
    """A figure with its unit: ``397 µs``."""
    divisor, sign = scale(value, unit)
    return f"{number(value / divisor)} {sign}"


def interval(value: float, low: float, high: float, unit: str) -> tuple[str, str, str]:
    """A figure with its unit, and the ends of its interval in the same unit, without it."""
    divisor, sign = scale(value, unit)
    return f"{number(value / divisor)} {sign}", number(low / divisor), number(high / divisor)


def tick(value: float, unit: str, like: float | None = None) -> str:
    """The same at the tick of an axis: ``10 µs``, or ``0.01 ms`` if it is told like 1 ms is."""
    divisor, sign = scale(value if like is None else like, unit)
    return f"{value / divisor:.6g} {sign}".replace("-", "−") if value else "0"


def counted(number: int, noun: str) -> str:
    """So many of a thing."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
