"""Measurements: small processes take the samples, and this side sums them up.

A small process is `sampler.worker`; medians and intervals are in `statistics`, the answer in
`result`, the machine that gave it in `machine`.  Most questions are put to several processes, one
after the other: each has memory of its own in places of its own, and comes at another moment, as
another run would.  What lies between their medians is what an interval is made of.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from nsedu.agent import helper
from nsedu.errors import explain, namespace_error
from nsedu.kernel import bounded_waits, interrupts
from nsedu.measurement.machine import record, stolen
from nsedu.measurement.questions import QUESTIONS
from nsedu.measurement.result import Measured, Result
from nsedu.measurement.sampler.packets import DIED, unpacked
from nsedu.sandbox import agent_client, plan
from nsedu.sandbox.agent_client import ROOT, environment
from nsedu.suggestions import no_such

__all__ = ["QUESTIONS", "Result", "measure"]

MOST_ROUNDS = 100_000
_SILENCE = 120.0  # seconds for the longest sample: a virtual machine that will not boot
DEFAULT_BUDGET = 20  # seconds
_SOON = 5  # seconds: who waits no longer needs no bar of progress


@interrupts.whole
def measure(question: str, repeat: int | None = None, budget: float | None = None) -> Result:
    """Measure the answer to a question on this machine.

    Every operation is sampled once in every round, in turn with all others, and each sample has one
    of a null operation beside it.  The rounds are shared out among several processes, one after the
    other, unless the question or so few rounds allow for one only; the result says which it was.
    An operation that this machine cannot do is left out, and the result says which and why.

    Args:
        question: one of `QUESTIONS`.
        repeat: how many rounds, from 1 to 100 000; as many as suit the question unless given.
        budget: seconds after which no further round begins; each process takes three rounds in any
            case.  Unless either is given, 20.

    Returns:
        A `Result`: a chart in a notebook, a table when printed, `rows` for pandas, `to_json`.

    Raises:
        TypeError, ValueError: there is no such question, or an argument is out of bounds.
        NamespaceError: nothing at all could be measured; it says why.
    """
    if not isinstance(question, str) or question not in QUESTIONS:
        what = f"there is no question {question!r:.80}"
        raise ValueError(no_such(what, question, QUESTIONS, accepted="; ask any of"))
    if repeat is not None and (
        isinstance(repeat, bool) or not isinstance(repeat, int) or not 1 <= repeat <= MOST_ROUNDS
    ):
        raise ValueError(f"repeat must be a number from 1 to 100 000, not {repeat!r}.")
    if budget is not None:
        budget = plan.seconds(budget, "budget")
    if repeat is None and budget is None:
        budget = DEFAULT_BUDGET
    about = record()
    ticks = stolen()
    opening: dict[str, Any] = {}
    parts: list[Part] = []
    with _progress(question, silent=budget is not None and budget <= _SOON) as bar:
        while not parts or len(parts) < opening["parts"]:
            command = helper.python_command(
                "nsedu.measurement.sampler.worker:main",
                question, repeat, budget, os.getpid(), len(parts), path=[ROOT, *sys.path],
            )  # fmt: skip
            with _small_process(command) as lines:
                said = next(lines)
                if "failed" in said:
                    raise explain.error(said)
                opening = opening or said
                bar.total = opening["rounds"]
                parts.append(Part(said, _rounds(lines, bar)))
    unmet = {name: _sentence(reason) for part in parts for name, reason in part.opening["unmet"]}
    measured, lengths = merged(parts)
    about["steal"] = stolen(ticks)
    return Result(question, opening["title"], about, measured, unmet, lengths)


class Part(NamedTuple):
    """What one small process has said: its opening, and its rounds."""

    opening: dict[str, Any]
    rounds: list[Any]


def merged(parts: list[Part]) -> tuple[tuple[Measured, ...], tuple[int, ...]]:
    """The samples of all processes, of the operations that none was refused; rounds of each."""
    described = [tuple(named) for named in parts[0].opening["operations"]]
    columns = []
    for part in parts:
        operations = (tuple(named) for named in part.opening["operations"])
        columns.append(dict(zip(operations, zip(*part.rounds, strict=True), strict=True)))
    measured = []
    for named in described:
        if all(named in column for column in columns):
            taken = [sample for column in columns for sample in column[named]]
            measured.append(Measured(*named, *zip(*taken, strict=True)))
    lengths = tuple(len(part.rounds) for part in parts) if measured else ()
    return tuple(measured), lengths


def _sentence(reason: str | dict[str, Any]) -> str:
    """Why an operation could not be measured, on one line."""
    if isinstance(reason, str):
        return reason
    return " ".join(str(explain.error(reason)).split())


def _progress(question: str, silent: bool) -> Any:
    """A bar of progress that goes when it is full; TQDM_DISABLE=1 does without, as ever."""
    from tqdm.auto import tqdm

    never = {"disable": True} if silent else {}  # False would not let the environment decide
    return tqdm(desc=question, total=0, unit="round", leave=False, delay=1, **never)


def _rounds(lines: Iterator[dict[str, Any]], bar: Any) -> list[Any]:
    """The rounds of one process, as they come."""
    rounds: list[Any] = []
    for line in lines:
        rounds += line["rounds"]
        bar.update(len(line["rounds"]))
    return rounds


@contextlib.contextmanager
def _small_process(command: list[str]) -> Iterator[Iterator[dict[str, Any]]]:
    """What the worker says; however the block ends, the worker is gone after."""
    worker = helper.start(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
        env=environment(),
    )  # fmt: skip
    assert worker.stdout is not None
    try:
        yield _messages(worker)
    finally:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)  # it takes down what it has built, and ends
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(5)
        helper.end(worker)


def _messages(worker: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """What the worker says until it has ended well.

    Raises:
        NamespaceError: it has said nothing for too long, has failed, or was killed.
    """
    assert worker.stdout is not None
    while True:
        with interrupts.awaiting():
            heard = bounded_waits.readable(worker.stdout.fileno(), _SILENCE)
        if not heard:
            raise agent_client.timed_out("measure", _SILENCE, "the process that takes the samples")
        if (message := unpacked(worker.stdout)) is None:
            break
        yield message
    status = worker.wait(bounded_waits.KILLED)
    if status < 0:
        reason = namespace_error.Reason(
            "the process that takes the samples was killed, and what it had made ended with it",
            signal.Signals(-status).name, "measure again",
        )  # fmt: skip
        raise namespace_error.NamespaceError("measure", errno.ESRCH, "measure()", reason)
    if status == DIED:
        reason = namespace_error.Reason(
            "a process that was being measured was killed, or gave no answer", "", "measure again"
        )
        raise namespace_error.NamespaceError("measure", errno.ESRCH, "measure()", reason)
    if status:
        reason = namespace_error.Reason(
            "the process that takes the samples has failed, mostly for want of processes or files",
            f"exit status {status}; what it said stands on the standard error",
            "close sandboxes, or end processes of yours, and measure again",
        )  # fmt: skip
        raise namespace_error.NamespaceError("measure", errno.ECHILD, "measure()", reason)
