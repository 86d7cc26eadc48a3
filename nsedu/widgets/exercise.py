"""The card of an exercise: its task, a lamp that tells when it is solved, hints, and the time."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import traitlets

from nsedu import solved as ledger
from nsedu.exercises.model import Exercise, Verdict
from nsedu.widgets.lamps import lamps
from nsedu.widgets.live import Live, script, style

_STANDS = "what solved it still stands; end that, and begin anew."


class ExerciseWidget(Live):
    """What JupyterLab shows of an exercise; one for each, however often it is shown.

    Attributes:
        label: its id.
        title: a few words.
        task: what to bring about.
        hints: those that were asked for, in order.
        count: how many there are.
        found: what the last check found, a sentence.
        solved: whether it is solved; once it is, nobody looks any more.
        began: when it was first shown, in ms since 1970.
        seconds: how long it took, once it is solved.
        before: the day on which it was solved for the first time, in another notebook; or "".
        directory: of the notebook, for a terminal.
    """

    _esm = script("exercise")
    _css = style("exercise")
    label = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    task = traitlets.Unicode().tag(sync=True)
    hints: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    count = traitlets.Int().tag(sync=True)
    found = traitlets.Unicode().tag(sync=True)
    solved = traitlets.Bool().tag(sync=True)
    began = traitlets.Float().tag(sync=True)
    seconds = traitlets.Int().tag(sync=True)
    before = traitlets.Unicode().tag(sync=True)
    directory = traitlets.Unicode().tag(sync=True)

    def __init__(self, exercise: Exercise) -> None:
        self.exercise = exercise
        self._lock = threading.RLock()  # messages, cells and the beat come in threads of their own
        self._stands = False  # whether it was begun anew while what solved it was still there
        entry = ledger.all_solved().get(exercise.id)
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

    def judge(self, verdict: Verdict) -> None:
        """Show what a check says, and remember it if that solves the exercise."""
        with self._lock:
            if self.solved:
                return
            self._stands = self._stands and verdict.solved
            with self.hold_sync():
                self.found = _STANDS if self._stands else verdict.found
                if verdict.solved and not self._stands:
                    self.seconds = int(time.time() - self.began / 1000)
                    self.solved = True
            if not self.solved:
                return
        lamps.leave(self)
        ledger.record(self.exercise.id, self.seconds, len(self.hints))

    def puzzled(self, error: Exception) -> None:
        """Say that the check raised; it will be tried again."""
        with self._lock:
            self.found = f"the check failed, and will be tried again: {_sentence(error)}"

    def message(self, content: dict[str, Any]) -> None:
        """A press of a button: the next hint, or begin anew."""
        if content.get("press") == "hint":
            self.show_hints(len(self.hints) + 1)
        elif content.get("press") == "again":
            with self._lock, self.hold_sync():
                self.solved, self.found, self.hints = False, "", []
                self.began = time.time() * 1000
                self._stands = True
            self.attend()

    def attend(self) -> None:
        """Look, or look no more, together with the other cards."""
        if self._views and not self.solved:
            lamps.watch(self)
        else:
            lamps.leave(self)

    def close(self) -> None:
        """Look no more, and take the card off the page."""
        lamps.leave(self)
        super().close()


_cards: dict[str, ExerciseWidget] = {}


def card(exercise: Exercise, hints: int) -> ExerciseWidget:
    """The card of an exercise in this kernel, with so many of its hints open at least."""
    found = _cards.get(exercise.id)
    if found is None or found.comm is None:  # none yet, or all widgets were closed
        found = _cards[exercise.id] = ExerciseWidget(exercise)
    found.show_hints(hints)
    return found


def tell(verdict: Verdict) -> bool:
    """Show a verdict on the card of its exercise; False if there is no such card."""
    found = _cards.get(verdict.id)
    if found is not None:
        found.judge(verdict)
    return found is not None


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
