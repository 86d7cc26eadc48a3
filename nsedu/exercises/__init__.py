"""Exercises: a task, hints, a check of the kernel's state, a solution, and plausible wrong answers.

A check looks at the world, never at what the learner typed: it finds the state whether it was made
in a notebook cell, with ``%%inside``, or by hand in a terminal, as long as the process still runs.
"""

from __future__ import annotations

from nsedu.exercises import (  # one module a chapter
    cgroup,
    cost,
    ipc,
    kernel,
    mnt,
    net,
    pid,
    time,
    user,
    uts,
)
from nsedu.exercises.model import Exercise, Verdict, world

__all__ = ["EXERCISES", "Exercise", "Verdict", "check", "exercise", "verdict"]

_CHAPTERS = (uts, user, mnt, pid, ipc, net, cgroup, time, kernel, cost)
EXERCISES: dict[str, Exercise] = {e.id: e for chapter in _CHAPTERS for e in chapter.EXERCISES}
"""Every exercise by its id, in the order of the course."""


def find(id: str) -> Exercise:
    """The exercise with this id.

    Raises:
        ValueError: there is none; the message lists them.
    """
    if id not in EXERCISES:
        raise ValueError(f"there is no exercise {id!r}; there are: {', '.join(EXERCISES)}.")
    return EXERCISES[id]


def verdict(id: str) -> Verdict:
    """Look at the kernel's state and say whether an exercise is solved, and what was found.

    Raises:
        ValueError: there is no such exercise.
    """
    return find(id).check(world())


def check(id: str) -> bool:
    """Check an exercise against the kernel's state: print what was found, return if it is solved.

    Raises:
        ValueError: there is no such exercise.
    """
    result = verdict(id)
    print(result)
    return result.solved


def exercise(id: str, hints: int = 0) -> None:
    """Print an exercise: its task, and as many of its hints as asked for, from vague to exact.

    Raises:
        ValueError: there is no such exercise, or `hints` is not from 0 to the number it has.
    """
    found = find(id)
    if isinstance(hints, bool) or not isinstance(hints, int) or not 0 <= hints <= len(found.hints):
        raise ValueError(f"hints must be a number from 0 to {len(found.hints)}, not {hints!r}.")
    print(f"{found.id} · {found.title}\n{found.task}")
    for number, hint in enumerate(found.hints[:hints], 1):
        print(f"hint {number}: {hint}")
    if not hints:
        print(f"(hints: nsedu.exercise({id!r}, hints=1) to {len(found.hints)})")
