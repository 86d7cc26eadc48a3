"""What the check of each exercise takes while its solution stands, and the look that all share."""

from __future__ import annotations

import contextlib
import os
import statistics
import time

import nsedu as ns
from nsedu.learning.exercises import EXERCISES, Exercise
from nsedu.learning.exercises.model import world
from nsedu.requirements import missing

BOUND = 10  # ms that a check may take
ROUNDS = 30


def taken(exercise: Exercise) -> list[tuple[float, float]]:
    """Milliseconds of a look, and of the check that is the first to ask about what it found."""
    pairs = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        here = world(os.getpid())
        middle = time.perf_counter()
        assert exercise.check(here).solved, exercise.id
        pairs.append(((middle - start) * 1000, (time.perf_counter() - middle) * 1000))
    return pairs[1:]  # the first may have started the helper


def main() -> None:
    absent = missing(sorted({need for e in EXERCISES.values() for need in e.needs}))
    medians = {}
    for exercise in EXERCISES.values():
        if absent.keys() & set(exercise.needs):
            continue
        with contextlib.contextmanager(exercise.solution)():
            looks, checks = zip(*taken(exercise), strict=True)
        medians[exercise.id] = statistics.median(checks)
        print(
            f"{exercise.id:10} check {medians[exercise.id]:7.2f} ms"
            f"   (1 in 10 below {sorted(checks)[ROUNDS // 10]:6.2f} ms)"
            f"   look {statistics.median(looks):7.2f} ms"
        )
    slow = [name for name, median in medians.items() if median > BOUND]
    print(f"{len(medians)} checks; above {BOUND} ms: {', '.join(slow) or 'none'}")
    ns.shutdown()


if __name__ == "__main__":
    main()
