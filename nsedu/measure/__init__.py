"""Measurements: a small process takes the samples, and this side sums them up.

The small process is `nsedu.sampling`; medians and intervals are in `statistics`, the answer in
`result`, the machine that gave it in `machine`.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from nsedu import explain
from nsedu.client import ROOT, environment
from nsedu.measure.machine import record
from nsedu.measure.result import Measured, Result
from nsedu.sampling import QUESTIONS
from nsedu.sampling.operations import unpacked

__all__ = ["QUESTIONS", "Result", "measure"]

MOST_ROUNDS = 100_000
DEFAULT_BUDGET = 20  # seconds
_SOON = 5  # seconds: who waits no longer needs no bar of progress
_START = (
    "import sys; sys.path[:] = {path!r}; from nsedu.sampling.worker import main;"
    " main({question!r}, {repeat}, {budget})"
)


def measure(question: str, repeat: int | None = None, budget: float | None = None) -> Result:
    """Measure the answer to a question on this machine.

    Every operation is sampled once in every round, in turn with all others, and each sample has one
    of a null operation beside it.  An operation that this machine cannot do is left out, and the
    result says which and why.

    Args:
        question: one of `QUESTIONS`.
        repeat: how many rounds, from 1 to 100 000; as many as suit the question unless given.
        budget: seconds after which no further round begins; three rounds are taken in any case.
            Unless either is given, 20.

    Returns:
        A `Result`: a chart in a notebook, a table when printed, `rows` for pandas, `to_json`.

    Raises:
        TypeError, ValueError: there is no such question, or an argument is out of bounds.
        NamespaceError: nothing at all could be measured; it says why.
    """
    if question not in QUESTIONS:
        raise ValueError(f"there is no question {question!r}; ask any of: {', '.join(QUESTIONS)}.")
    if repeat is not None and (
        isinstance(repeat, bool) or not isinstance(repeat, int) or not 1 <= repeat <= MOST_ROUNDS
    ):
        raise ValueError(f"repeat must be a number from 1 to 100 000, not {repeat!r}.")
    if budget is not None and (not isinstance(budget, (int, float)) or budget <= 0):
        raise ValueError(f"budget must be a number of seconds above 0, not {budget!r}.")
    if repeat is None and budget is None:
        budget = DEFAULT_BUDGET
    code = _START.format(path=[ROOT, *sys.path], question=question, repeat=repeat, budget=budget)
    about = record()
    with _small_process(code) as lines:
        opening = next(lines)
        if "failed" in opening:
            raise explain.error(opening)
        silent = budget is not None and budget <= _SOON
        rounds = _rounds(lines, question, opening["rounds"], silent)
    described = opening["operations"]
    measured = tuple(
        Measured(*named, *zip(*taken, strict=True))
        for named, taken in zip(described, zip(*rounds, strict=True), strict=True)
    )
    unmet = {name: _sentence(reason) for name, reason in opening["unmet"]}
    return Result(question, opening["title"], about, measured, unmet)


def _sentence(reason: str | dict[str, Any]) -> str:
    """Why an operation could not be measured, on one line."""
    if isinstance(reason, str):
        return reason
    return " ".join(str(explain.error(reason)).split())


def _rounds(lines: Iterator[dict[str, Any]], question: str, total: int, silent: bool) -> list[Any]:
    """The rounds as they come, with a bar of progress that goes when it is full."""
    from tqdm.auto import tqdm

    rounds: list[Any] = []
    with tqdm(
        desc=question, total=total, unit="round", leave=False, disable=silent, delay=1
    ) as bar:
        for line in lines:
            rounds += line["rounds"]
            bar.update(len(line["rounds"]))
    return rounds


@contextlib.contextmanager
def _small_process(code: str) -> Iterator[Iterator[dict[str, Any]]]:
    """What the worker says; however the block ends, the worker is gone after."""
    worker = subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", code], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, start_new_session=True, env=environment(),
    )  # fmt: skip
    assert worker.stdout is not None
    try:
        yield _messages(worker)
    finally:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)  # it takes down what it has built, and ends
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(5)
            worker.kill()
            worker.wait()
        worker.stdout.close()


def _messages(worker: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """What the worker says until it has ended well.

    Raises:
        RuntimeError: it has died; what it said of that stands on the standard error.
    """
    assert worker.stdout is not None
    while (message := unpacked(worker.stdout)) is not None:
        yield message
    if status := worker.wait():
        raise RuntimeError(f"the process that takes the samples has died (status {status}).")
