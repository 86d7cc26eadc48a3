"""Exercises: a task, hints, a check of the kernel's state, a solution, and plausible wrong answers.

A check looks at the world, never at what the learner typed: it finds the state whether it was made
in a notebook cell, with ``%%inside``, or by hand in a terminal, as long as the process still runs.
"""

from __future__ import annotations

import sys
from typing import Any

from nsedu import front
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
from nsedu.snapshot import looking

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
    exercise = find(id)
    with looking:
        return exercise.check(world())


def check(id: str) -> bool:
    """Check an exercise against the kernel's state: print what was found, return if it is solved.

    A solved one counts as progress, unless a program ran the cell: a test, a converter.

    Raises:
        ValueError: there is no such exercise.
    """
    result = verdict(id)
    print(result)
    cards = sys.modules.get("nsedu.widgets.exercise")
    shown = cards is not None and cards.tell(result)
    if result.solved and not shown and not front.unattended():
        from nsedu.solved import record

        record(id)
    return result.solved


def exercise(id: str, hints: int = 0) -> None:
    """Show an exercise: its task, and as many of its hints as asked for, from vague to exact.

    In JupyterLab it is a card with a lamp, which turns green as soon as the kernel's state is
    right, however that came about. Elsewhere it is printed, and `check` tells.

    Raises:
        ValueError: there is no such exercise, or `hints` is not from 0 to the number it has.
    """
    found = find(id)
    if isinstance(hints, bool) or not isinstance(hints, int) or not 0 <= hints <= len(found.hints):
        raise ValueError(f"hints must be a number from 0 to {len(found.hints)}, not {hints!r}.")
    lines = [f"{found.id} · {found.title}", found.task]
    lines += [f"hint {number}: {hint}" for number, hint in enumerate(found.hints[:hints], 1)]
    if not hints:
        lines.append(f"(hints: nsedu.exercise({id!r}, hints=1) to {len(found.hints)})")
    front.show("\n".join(lines), lambda: _card(found, hints))


def _card(exercise: Exercise, hints: int) -> Any:
    from nsedu.widgets.exercise import card

    return card(exercise, hints)
