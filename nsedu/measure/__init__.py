"""Measurements: one module per question, each giving a `Result` in the same shape."""

from __future__ import annotations

from collections.abc import Callable

from nsedu.measure.create import create
from nsedu.measure.statistics import Result

__all__ = ["QUESTIONS", "Result", "measure"]

QUESTIONS: dict[str, Callable[[int], Result]] = {"create": create}
"""What can be asked: name → function of the number of rounds."""


def measure(question: str, repeat: int = 300) -> Result:
    """Measure the answer to a question on this machine.

    Args:
        question: one of `QUESTIONS`; "create": the time of unshare(2) for each namespace type.
        repeat: rounds; in each, every operation is timed once, in turn.

    Raises:
        ValueError: there is no such question, or `repeat` is not from 1 to 100 000.
        NamespaceError: a namespace cannot be made here.
    """
    if question not in QUESTIONS:
        raise ValueError(f"there is no question {question!r}; ask any of: {', '.join(QUESTIONS)}.")
    if isinstance(repeat, bool) or not isinstance(repeat, int) or not 1 <= repeat <= 100_000:
        raise ValueError(f"repeat must be a number from 1 to 100 000, not {repeat!r}.")
    return QUESTIONS[question](repeat)
