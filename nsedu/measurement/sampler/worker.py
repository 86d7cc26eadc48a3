"""The small process that takes the samples: rounds of all operations, in turn.

A B C, C A B, B A C: each round has an order of its own, so that a drift of the machine hits all
alike, and none always follows the most expensive one.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
import time

from nsedu.kernel import syscalls
from nsedu.measurement.sampler.operations import Died, Operation, Refused, Unmet
from nsedu.measurement.sampler.packets import DIED, packed

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from nsedu.measurement.sampler.operations import Sample

FEWEST = 3
"""Rounds that are taken however small the budget."""

PARTS = 5
"""Processes that share the rounds, unless the question has a `PARTS` of its own: by fewer, chance
decides how far they lie apart; by more, each would take but a few samples."""

_SILENCE = 0.5  # seconds
_PATIENCE = 3  # seconds


def main(question: str, repeat: int | None, budget: float | None, notebook: int, part: int) -> None:
    """For the process `notebook`: answer on standard output, one `packed` dictionary after another.

    This process is number `part` (from 0) of those that share the rounds and the budget.

    First {"title", "rounds", "parts", "operations", "unmet"}, where the rounds are those of all
    parts; then {"rounds": [((value, null), …), …]} as
    they come; or what `facts.failure` says alone, when nothing at all could be measured.
    """
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the notebook may ignore it
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != notebook:  # which has been killed meanwhile
        return
    start = time.monotonic()
    module = importlib.import_module(f"nsedu.measurement.questions.{question}")
    # Forks share this process's memory until someone writes to it; the collector writes everywhere.
    gc.collect()
    gc.freeze()
    gc.disable()
    with _unless_one_dies(), contextlib.ExitStack() as stack:
        try:
            found = module.operations(stack)
        except Refused as refused:
            return _send(refused.message)
        unmet = [entry for entry in found if isinstance(entry, Unmet)]
        able, first = _warm_up([entry for entry in found if isinstance(entry, Operation)], unmet)
        if not able and (refusals := [e.reason for e in unmet if isinstance(e.reason, dict)]):
            return _send(refusals[0])
        rounds = repeat or module.ROUNDS
        parts = parts_of(rounds, getattr(module, "PARTS", PARTS))
        described = [(o.name, o.series, o.x, o.unit) for o in able]
        missing = [tuple(entry) for entry in unmet]
        _send({"title": module.TITLE, "rounds": rounds, "parts": parts, "operations": described,
              "unmet": missing})  # fmt: skip
        if able:
            deadline = start + budget / parts if budget else None
            counts = getattr(module, "FIRST_COUNTS", False)
            own = rounds // parts + (part < rounds % parts)
            _send_rounds(rounds_of(able, own, deadline, [first] if counts else []))


@contextlib.contextmanager
def _unless_one_dies() -> Iterator[None]:
    """End with the exit status `DIED` if a process that is measured was killed in the block."""
    try:
        yield
    except Died:
        sys.exit(DIED)


def parts_of(rounds: int, most: int) -> int:
    """How many processes share this number of rounds: `most`, or one if each would take too few."""
    return most if rounds >= most * FEWEST else 1


def _end(*_: object) -> None:
    """Take everything down again; what does not let itself be taken down is killed with this."""
    signal.alarm(_PATIENCE)
    sys.exit(1)


def _send(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(packed(message))
    sys.stdout.buffer.flush()


def _warm_up(
    operations: list[Operation], unmet: list[Unmet]
) -> tuple[list[Operation], tuple[Sample, ...]]:
    """Take one sample of each, to warm the way; what is refused goes to the unmet."""
    able, samples = [], []
    for operation in operations:
        try:
            samples.append(tuple(operation.sample()))
        except Refused as refused:
            unmet.append(Unmet(operation.name, refused.message))
        except OSError as error:  # a NamespaceError is one, too
            unmet.append(Unmet(operation.name, " ".join(str(error).split())))
        else:
            able.append(operation)
    return able, tuple(samples)


def rounds_of(
    operations: list[Operation],
    rounds: int,
    deadline: float | None = None,
    taken: Sequence[tuple[Sample, ...]] = (),
) -> Iterator[tuple[Sample, ...]]:
    """Take the rounds: a sample of every operation in each, in the order of the operations.

    Args:
        operations: what is sampled.
        rounds: how many.
        deadline: when no further one begins, by time.monotonic(); `FEWEST` are taken in any case.
        taken: rounds that have been taken already and count.
    """
    yield from taken
    for number in range(len(taken), rounds):
        if deadline and number >= FEWEST and time.monotonic() > deadline:
            return
        # The hash of numbers is the same everywhere: an order that only looks like chance.
        order = sorted(range(len(operations)), key=lambda index: hash((number, index)))
        samples = {index: tuple(operations[index].sample()) for index in order}
        yield tuple(samples[index] for index in range(len(operations)))


def _send_rounds(rounds: Iterator[tuple[Sample, ...]]) -> None:
    """Tell of the rounds now and then, not each time: who listens takes a processor, too."""
    taken: list[tuple[Sample, ...]] = []
    told = time.monotonic()
    for samples in rounds:
        taken.append(samples)
        if time.monotonic() > told + _SILENCE:
            _send({"rounds": taken})
            taken, told = [], time.monotonic()
    _send({"rounds": taken})
