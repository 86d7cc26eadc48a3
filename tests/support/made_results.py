"""Results made up for tests: nothing was measured."""

from __future__ import annotations

from nsedu.measurement.result import Measured, Result

MACHINE = {
    "kernel": "6.1.0", "build": "#1 SMP", "machine": "x86_64", "cpu": "A Processor", "cores": 2,
    "governor": "none", "virtual": "no", "load": 0.5, "cgroup": "2", "clocksource": "tsc",
    "clock_ns": 20, "date": "2026-01-01T00:00:00+00:00",
}  # fmt: skip

NEAR = (9.0, 10.0, 11.0)


def result(question: str = "create", factor: float = 1, **samples: list[float]) -> Result:
    """A result with these samples (name → µs), each times `factor`, beside a null of 1 µs."""
    samples = samples or {"none": [1.0, 1.0, 1.0], "uts": [4.0, 5.0, 6.0], "net": [390, 400, 410]}
    measured = tuple(
        Measured(name, "", None, "us", tuple(v * factor for v in values), (1.0,) * len(values))
        for name, values in samples.items()
    )
    return Result(question, "What it takes", MACHINE, measured, {})


def curve() -> Result:
    """A result that grows: 10 µs and 2 more for each step, beside a null of 10 µs."""
    measured = tuple(
        Measured(f"depth {x}", "fork", x, "us", tuple(y + 2 * x for y in NEAR), (10.0,) * 3)
        for x in (0, 1, 10)
    )
    return Result("fork", "What a fork takes", MACHINE, measured, {"depth 31": "too deep."})
