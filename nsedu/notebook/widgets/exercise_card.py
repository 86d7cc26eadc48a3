"""The card of an exercise: its task, a lamp that tells when it is solved, hints, and the time."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import traitlets

from nsedu.learning import progress_store
from nsedu.learning.exercises.model import Exercise, Verdict
from nsedu.notebook.widgets.base import Live, script, style
from nsedu.notebook.widgets.exercise_checker import lamps
from nsedu.notebook.widgets.polling import beat
from nsedu.printable import clean

_ON_ITS_WAY = 5.0  # seconds that a page may take to show a card
_STANDS = "what solved it still stands; end that, and begin anew."


class ExerciseWidget(Live):
    """What JupyterLab shows of an exercise; one for each, however often it is shown.

    Attributes:
        label: its id.
        title: a few words.
        task: what to bring about.
        hints: those that were asked for, in order.
        count: how many there are.
        solution: one way to solve it, once it was asked for; or "".
        found: what the last check found, a sentence.
        solved: whether it is solved; once it is, nobody looks any more.
        began: when it was first shown, in ms since 1970.
        seconds: how long it took, once it is solved.
        before: the day on which it was solved for the first time, in another notebook; or "".
        directory: of the notebook, for a terminal.
        demo: whether it only shows how exercises work; solving it is no progress then.
    """

    _esm = script("exercise_card")
    _css = style("exercise_card")
    group = lamps
    label = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    task = traitlets.Unicode().tag(sync=True)
    hints: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    count = traitlets.Int().tag(sync=True)
    solution = traitlets.Unicode().tag(sync=True)
    found = traitlets.Unicode().tag(sync=True)
    solved = traitlets.Bool().tag(sync=True)
    began = traitlets.Float().tag(sync=True)
    seconds = traitlets.Int().tag(sync=True)
    before = traitlets.Unicode().tag(sync=True)
    directory = traitlets.Unicode().tag(sync=True)
    demo = traitlets.Bool().tag(sync=True)

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise
        self.check_due = 0.0
        self._lock = threading.RLock()  # messages, cells and the beat come in threads of their own
        self._already_solved = (
            False  # whether it was begun anew while what solved it was still there
        )
        self._places: set[str] = set()  # views of it on a page
        self._coming = 0.0  # until when a view is on its way, by the monotonic clock
        self._cell = ""  # the cell that showed it last
        entry = progress_store.all_solved().get(exercise.id)
        super().__init__(
            label=exercise.id,
            title=exercise.title,
            task=exercise.task,
            count=len(exercise.hints),
            began=time.time() * 1000,
            before=entry.solved[:10] if entry else "",
            directory=os.getcwd(),
        )

    def show_hints(self, count: int) -> None:
        """Show the first so many hints; those that are open stay so."""
        with self._lock:
            if count > len(self.hints):
                self.hints = list(self.exercise.hints[:count])

    def show_solution(self) -> None:
        """Show one way to solve it."""
        self.solution = self.exercise.one_way

    def judge(self, verdict: Verdict) -> None:
        """Show what a check says, and remember it if that solves the exercise."""
        with self._lock:
            if self.solved:
                return
            self._already_solved = self._already_solved and verdict.solved
            with self.hold_sync():
                self.found = _STANDS if self._already_solved else clean(verdict.found)
                if verdict.solved and not self._already_solved:
                    self.seconds = int(time.time() - self.began / 1000)
                    self.solved = True
            if not self.solved:
                return
        beat.leave(self)
        if not self.demo:
            progress_store.record(self.exercise.id, self.seconds, len(self.hints))

    def failed(self, error: Exception) -> None:
        """Say that the check raised; it will be tried again."""
        with self._lock:
            self.found = f"the check failed, and will be tried again: {_sentence(error)}"

    def show_again(self) -> None:
        """Remember which cell shows it; its view comes soon."""
        self._cell, self._coming = _request(), time.monotonic() + _ON_ITS_WAY

    def on_the_page(self) -> bool:
        """Whether a page shows it, or will in a moment."""
        return bool(self._places) or time.monotonic() < self._coming

    def shown_by_this_cell(self) -> bool:
        """Whether the cell that runs has shown it."""
        return self._cell == _request()

    def message(self, content: dict[str, Any]) -> None:
        """A view that came or went; or a press: the next hint, the solution, or begin anew."""
        if "there" in content:
            self._coming = 0.0
            (self._places.add if content["there"] else self._places.discard)(content["view"])
        elif content.get("press") == "hint":
            self.show_hints(len(self.hints) + 1)
        elif content.get("press") == "solution":
            self.show_solution()
        elif content.get("press") == "again":
            with self._lock, self.hold_sync():
                self.solved, self.found, self.hints, self.solution = False, "", [], ""
                self.began = time.time() * 1000
                self._already_solved = True
            self.update_polling()

    def wanted(self) -> bool:
        """Not when it is solved."""
        return not self.solved


cards_of: dict[str, ExerciseWidget] = {}


def card(
    exercise: Exercise, hints: int, solution: bool = False, demo: bool = False
) -> ExerciseWidget:
    """The card of an exercise in this kernel, with so many of its hints open at least."""
    found = cards_of.get(exercise.id)
    if found is None or found.comm is None:  # none yet, or all widgets were closed
        found = cards_of[exercise.id] = ExerciseWidget(exercise)
    found.show_hints(hints)
    if solution:
        found.show_solution()
    found.demo = demo
    found.show_again()
    return found


def tell(verdict: Verdict) -> ExerciseWidget | None:
    """Show a verdict on the card of its exercise; returns that if it is on the page, or None."""
    found = cards_of.get(verdict.id)
    if found is None or found.comm is None or not found.on_the_page():
        return None
    found.judge(verdict)
    return found


def _request() -> str:
    """What the front end calls the run of a cell that is under way, or "" outside of one."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    parent = kernel.get_parent("shell") if kernel is not None else {}
    return str(parent.get("header", {}).get("msg_id", ""))


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
