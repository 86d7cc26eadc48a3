"""An exercise as a learner meets it: shown, begun, answered, checked."""

from __future__ import annotations

import sys
from typing import Any

from nsedu.learning import exercises
from nsedu.learning.exercises import Exercise, diagnosis, find
from nsedu.notebook import front_end


def check(id: str) -> bool:
    """Check an exercise against the kernel's state: print what was found, return if it is solved.

    A solved one counts as progress, unless a program ran the cell: a test, a converter. Where the
    card of the exercise is on the page, that says what was found, and goes on doing so: a second
    verdict below would soon be another one.

    Raises:
        ValueError: there is no such exercise.
    """
    result = exercises.verdict(id, everywhere=not front_end.unattended())
    cards = sys.modules.get("nsedu.notebook.widgets.exercise_card")
    card = cards.tell(result) if cards is not None else None
    if card is None:
        print(result)
    elif not card.shown_by_this_cell():
        print(f"{id}: its card has just been told, and says what was found.")
    if result.solved and card is None and id not in _demos and not front_end.unattended():
        from nsedu.learning.progress_store import record

        record(id)
    return result.solved


def broken(id: str) -> Any:
    """Make the sandbox of an exercise in which something is broken; again, to begin anew.

    It is there until it is made again, or the notebook ends.

    Returns:
        The `Sandbox`; a tuple of them where it has several.

    Raises:
        ValueError: there is no such exercise, or nothing is broken in it.
        NamespaceError: a sandbox could not be made.
    """
    boxes = diagnosis.make(find(id))
    return boxes[0] if len(boxes) == 1 else boxes


def answer(id: str, value: object) -> bool:
    """Answer an exercise that asks a question, and check it; see `check`.

    Raises:
        ValueError: there is no such exercise, or it asks no question.
    """
    if not find(id).asks:
        raise ValueError(f"{id} asks no question: its task says what to bring about.")
    diagnosis.say(id, value)
    return check(id)


_demos: set[str] = set()  # exercises that this kernel has shown as a demonstration


def exercise(id: str, hints: int = 0, solution: bool = False, *, demo: bool = False) -> None:
    """Show an exercise: its task, and as many of its hints as asked for, from vague to exact.

    In JupyterLab it is a card with a lamp, which turns green as soon as the kernel's state is
    right, however that came about. Elsewhere it is printed, and `check` tells.

    Args:
        id: the exercise.
        hints: how many of its hints to show.
        solution: whether to show one way to solve it, too.
        demo: whether it only shows how exercises work: in this notebook it is no progress then.

    Raises:
        ValueError: there is no such exercise, or `hints` is not from 0 to the number it has.
    """
    found = find(id)
    if isinstance(hints, bool) or not isinstance(hints, int) or not 0 <= hints <= len(found.hints):
        raise ValueError(f"hints must be a number from 0 to {len(found.hints)}, not {hints!r}.")
    lines = [f"{found.id} · {found.title}", front_end.wrapped(found.task)]
    lines += [
        front_end.wrapped(f"hint {number}: {hint}", "  ")
        for number, hint in enumerate(found.hints[:hints], 1)
    ]
    if solution:
        lines.append(f"one way: {found.one_way}")
    if not hints and not solution:
        lines.append(f"(hints: ns.exercise({id!r}, hints=1) to {len(found.hints)};")
        lines.append(f" one way to solve it: ns.exercise({id!r}, solution=True))")
    _demos.discard(id)
    if demo:
        _demos.add(id)
    front_end.show("\n".join(lines), lambda: _card(found, hints, solution, bool(demo)))


def _card(exercise: Exercise, hints: int, solution: bool, demo: bool) -> Any:
    from nsedu.notebook.widgets.exercise_card import card

    return card(exercise, hints, solution, demo)
