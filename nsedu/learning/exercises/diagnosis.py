"""Exercises in which something is broken: find out what, and mend it or say it.

Such an exercise makes its sandboxes itself. Their first processes bear its id as their name, by
which a check finds them, also one from a terminal.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable, Collection, Iterable, Iterator

from nsedu.learning.exercises.model import Exercise, World
from nsedu.observe.records import Process
from nsedu.sandbox.sandbox import Sandbox

chance = random.SystemRandom()
"""What is broken must not be guessed: another thing each time, whatever seed a notebook sets."""

_made: dict[str, tuple[Sandbox, ...]] = {}
_said: dict[str, list[object]] = {}


def make(exercise: Exercise) -> tuple[Sandbox, ...]:
    """Make what is broken, in the place of what was made before.

    Raises:
        ValueError: nothing is broken in this exercise.
        NamespaceError: a sandbox could not be made.
    """
    if exercise.broken is None:
        raise ValueError(f"{exercise.id} has nothing broken: its task says what to bring about.")
    return _make(exercise.id, exercise.broken)


def _make(id: str, broken: Callable[[], tuple[Sandbox, ...]]) -> tuple[Sandbox, ...]:
    close(id)
    _made[id] = broken()
    return _made[id]


@contextlib.contextmanager
def begun(id: str, broken: Callable[[], tuple[Sandbox, ...]]) -> Iterator[tuple[Sandbox, ...]]:
    """What is broken, for as long as this lasts: for a solution and for wrong answers."""
    try:
        yield _make(id, broken)
    finally:
        close(id)


def close(id: str) -> None:
    """Close what was made for an exercise, and forget what was answered."""
    _said.pop(id, None)
    for box in _made.pop(id, ()):
        box.close()


def found(world: World, id: str, *names: str) -> list[Process]:
    """The first processes of an exercise's sandboxes of some names, as far as they still run.

    Another sandbox of this process, to which a learner gave such a name, is none of them.

    Args:
        world: where to look.
        id: the exercise.
        names: of its sandboxes, in the order wanted; its id unless given.
    """
    names = names or (id,)
    if id not in _made:  # in another process, as for a check in a terminal
        return [one for one in world.named(*names) if not one.role]
    by_pid = {process.pid: process for process in world.yours if not process.zombie}
    pids = {box.name: box.pid for box in _made[id]}
    return [by_pid[pids[name]] for name in names if pids.get(name) in by_pid]


def say(id: str, answer: object) -> None:
    """Remember an answer, for the check of its exercise, until that is made anew."""
    _said.setdefault(id, []).append(answer)


def said(id: str) -> object:
    """What was answered last since the exercise was made; None: nothing."""
    return (_said.get(id) or [None])[-1]


def choices(id: str, among: Collection[str], count: int) -> list[frozenset[str]]:
    """What was answered since the exercise was made, as far as it names this number of things.

    Where the first answer alone is to count, or guessing would lead there in the end, a check takes
    the first of these.

    Args:
        id: the exercise.
        among: what can be named; a sandbox is named by itself, too, if its name ends so.
        count: how many an answer must name.
    """
    if id not in _made:
        return []
    answers = (_named(answer, id) & set(among) for answer in _said.get(id, ()))
    return [frozenset(answer) for answer in answers if len(answer) == count]


def letters(answer: object, among: str) -> set[str]:
    """Which sandboxes an answer names: "ab", "a, b", ["a", "b"], or the sandboxes themselves.

    Args:
        answer: what was given.
        among: the letters in which the sandboxes' names end.

    Returns:
        The letters; none if it names anything else, or one twice.
    """
    parts = answer if isinstance(answer, list | tuple | set | frozenset) else [answer]
    found: list[str] = []
    for part in parts:
        text = part.name[-1:] if isinstance(part, Sandbox) else part
        if not isinstance(text, str):
            return set()
        found += text.replace(",", "").split()
    named = "".join(found)
    return set(named) if len(set(named)) == len(named) and set(named) <= set(among) else set()


def _named(answer: object, id: str) -> set[str]:
    """The words of an answer: "a and b", ["a", "b"], or the sandboxes themselves."""
    if isinstance(answer, Sandbox):
        answer = answer.name
    if isinstance(answer, str):
        return set(re.findall(r"\w+", answer.lower().replace(f"{id}-", "")))
    if isinstance(answer, Iterable):
        return {word for one in answer if one is not answer for word in _named(one, id)}
    return set()
