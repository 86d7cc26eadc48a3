"""Exercises: a task, hints, a check of the kernel's state, a solution, and plausible wrong answers.

A check looks at the world, never at what the learner typed: it finds the state whether it was made
in a notebook cell, with ``%%inside``, or by hand in a terminal, as long as the process still runs.
"""

from __future__ import annotations

from nsedu.learning.exercises import (
    cgroup,
    cost,
    ipc,
    kernel,
    link,
    mnt,
    net,
    pid,
    time,
    user,
    uts,
)
from nsedu.learning.exercises.model import Exercise, Verdict, judge, world
from nsedu.observe.snapshot import looking
from nsedu.suggestions import no_such

__all__ = ["EXERCISES", "Exercise", "Verdict", "find", "verdict"]

_CHAPTERS = (link, uts, user, mnt, pid, ipc, net, cgroup, time, kernel, cost)
EXERCISES: dict[str, Exercise] = {e.id: e for chapter in _CHAPTERS for e in chapter.EXERCISES}
"""Every exercise by its id, in the order of the course."""


def find(id: str) -> Exercise:
    """The exercise with this id.

    Raises:
        ValueError: there is none; the message lists them.
    """
    if not isinstance(id, str) or id not in EXERCISES:
        raise ValueError(no_such(f"there is no exercise {id!r:.80}", id, EXERCISES))
    return EXERCISES[id]


def verdict(id: str, *, everywhere: bool = True) -> Verdict:
    """Look at the kernel's state and say whether an exercise is solved, and what was found.

    Args:
        id: the exercise.
        everywhere: whether to look also for what the notebook no longer sees; see `judge`.

    Raises:
        ValueError: there is no such exercise.
    """
    exercise = find(id)
    with looking:
        return judge(exercise, world(), everywhere=everywhere)
