"""Are the intervals honest?  The same operation under two names, and one made 10 % slower."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from nsedu.measure.statistics import Estimate, ratio
from nsedu.sampling import create
from nsedu.sampling.operations import Operation
from nsedu.sampling.worker import rounds_of

if TYPE_CHECKING:
    from nsedu.sampling.operations import Sample

REPEATS = 200
ROUNDS = 80


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


def main() -> None:
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
