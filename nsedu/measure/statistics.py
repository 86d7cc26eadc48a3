"""From samples to a median with an honest interval."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_RESAMPLES = 1000


@dataclass(frozen=True)
class Timing:
    """What was measured of one operation, in µs.

    Attributes:
        name: the operation.
        median: the median of all samples; none is left out.
        low, high: the 95 % bootstrap interval of the median.
        n: how many samples.
    """

    name: str
    median: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Result:
    """The answer to a question: what machine gave it, and a `Timing` for each operation."""

    machine: dict[str, Any]
    results: tuple[Timing, ...]

    def to_json(self) -> str:
        """As one JSON object: "machine", "unit" ("us"), "results"."""
        rows = [asdict(timing) for timing in self.results]
        return json.dumps({"machine": self.machine, "unit": "us", "results": rows})

    def __repr__(self) -> str:
        lines = [f"{'':8} {'median':>9} {'95 % interval':>19}   n"]
        for t in self.results:
            lines.append(f"{t.name:8} {t.median:6.1f} µs {t.low:7.1f} – {t.high:7.1f} µs   {t.n}")
        return "\n".join([*lines, ", ".join(f"{k} {v}" for k, v in self.machine.items())])


def summarise(samples: Mapping[str, list[float]]) -> tuple[Timing, ...]:
    """Median and bootstrap interval for each operation's samples (µs).

    The resampling starts from a fixed seed: the same samples give the same interval.
    """
    import numpy

    random = numpy.random.default_rng(0)
    timings = []
    for name, values in samples.items():
        data = numpy.asarray(values)
        chosen = random.integers(0, len(data), (_RESAMPLES, len(data)))
        low, high = numpy.percentile(numpy.median(data[chosen], axis=1), [2.5, 97.5])
        middle = float(numpy.median(data))
        timings.append(Timing(name, middle, float(low), float(high), len(data)))
    return tuple(timings)


def machine() -> dict[str, Any]:
    """What a figure needs beside it to mean anything: kernel, processor, cores, load."""
    system = os.uname()
    model = ""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith(("model name", "Model")):
                model = line.partition(":")[2].strip()
                break
    return {
        "kernel": system.release,
        "machine": system.machine,
        "cpu": model or "unknown",
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
