"""Are the intervals honest?  The same operation under two names, one made 10 % slower, two runs.

Of two runs of the same, each with an honest 95 % interval of its own, the median of one lies in the
interval of the other in 83 of 100 cases: both of them vary.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from nsedu.measurement.measure import Result, measure
from nsedu.measurement.questions import create
from nsedu.measurement.sampler.operations import Operation
from nsedu.measurement.sampler.worker import rounds_of
from nsedu.measurement.statistics import Estimate, median, ratio

if TYPE_CHECKING:
    from nsedu.measurement.sampler.operations import Sample

REPEATS = 200
ROUNDS = 80
PAIRS = 40
BUDGET = 1.0
"""Pairs of runs, and seconds for each run."""
ASKED = ("create", "enter", "syscall")


def compared(one: Callable[[], Sample], other: Callable[[], Sample]) -> Estimate:
    """The other's time over the one's, from rounds in which both take part."""
    taken = list(rounds_of([Operation("A", one), Operation("B", other)], ROUNDS))
    return ratio([b for _, (b, _) in taken], [a for (a, _), _ in taken])


def work(turns: int) -> Callable[[], Sample]:
    """An operation that does the same thing so many times over."""

    def sample() -> Sample:
        start = time.perf_counter_ns()
        for _ in range(turns):
            pass
        return (time.perf_counter_ns() - start) / 1000, 0.0

    return sample


def turns_of(microseconds: float) -> int:
    """How many turns take about so long here."""
    turns = 10_000
    best = min(work(turns)()[0] for _ in range(50))
    return round(turns * microseconds / best)


def inside(one: Estimate, other: Estimate) -> bool:
    """Whether the one's median lies in the other's interval."""
    return other.low <= one.value <= other.high


def share(found: list[bool]) -> str:
    """How many of these are true, in a hundred."""
    return f"{sum(found) / len(found):.0%}"


def between(question: str) -> str:
    """How often a median lies in the interval of another run: as it is told, and by a bootstrap."""
    told: list[bool] = []
    drawn: list[bool] = []
    for _ in range(PAIRS):
        pair: list[Result] = [measure(question, budget=BUDGET) for _ in range(2)]
        for row in pair[0].results:
            samples = [result.samples(row.name) for result in pair]
            by_parts = [median(s, r.parts) for s, r in zip(samples, pair, strict=True)]
            as_one = [median(s) for s in samples]
            for found, (one, other) in ((told, by_parts), (drawn, as_one)):
                found += [inside(one, other), inside(other, one)]
    return (
        f"{question}, {PAIRS} pairs of runs of {BUDGET:g} s: a median lies in the other's interval"
        f" in {share(told)} of {len(told)} cases; were each run taken for one process,"
        f" in {share(drawn)} (83 % is honest)"
    )


def main() -> None:
    for question in ASKED:
        print(between(question), flush=True)
    with ExitStack() as stack:
        uts = next(o.sample for o in create.operations(stack) if o.name == "uts")
        same = [compared(uts, uts) for _ in range(REPEATS)]
    wrong = sum(not found.low <= 1 <= found.high for found in same)
    width = sorted(found.high / found.low - 1 for found in same)[REPEATS // 2]
    print(
        f"unshare of uts against itself, {REPEATS} times {ROUNDS} rounds: the interval of the ratio"
        f" leaves 1 out in {wrong / REPEATS:.1%} (5 % is honest); it is {width:.0%} wide (median)"
    )
    turns = turns_of(500)
    slowed = [compared(work(turns), work(round(turns * 1.1))) for _ in range(REPEATS)]
    found = sum(estimate.low > 1 for estimate in slowed)
    middle = sorted(estimate.value for estimate in slowed)[REPEATS // 2]
    print(
        f"500 µs of work against 10 % more, {REPEATS} times {ROUNDS} rounds: found in"
        f" {found / REPEATS:.1%}; the median of the ratios is {middle:.3f}"
    )


if __name__ == "__main__":
    main()
