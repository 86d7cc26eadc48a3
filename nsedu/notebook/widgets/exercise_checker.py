"""Who looks whether exercises are solved: one look at the kernel for all cards that are seen."""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol

from nsedu.learning.exercises.model import Exercise, Verdict, judge, world
from nsedu.notebook.widgets.polling import VISIBLE_FOR, beat
from nsedu.observe.snapshot import looking

CHECK_PAUSE_FACTOR = 4
"""A check rests for at least so many times what it took: most take far less than a millisecond."""

RETRY_AFTER = 5.0
"""Seconds after which a check that raised is tried again."""


class Card(Protocol):
    """What has a lamp."""

    exercise: Exercise

    def judge(self, verdict: Verdict) -> None:
        """Told what the check says."""

    def show_check_error(self, error: Exception) -> None:
        """Told that the check raised."""

    def ask(self) -> None:
        """Ask its views whether they are still seen."""


class ExerciseChecker:
    """Checks the exercises of all cards; see `nsedu.notebook.widgets.polling.Pollable`."""

    interval = 0.4

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[Card, float] = {}
        self._due: dict[Card, float] = {}

    def watch(self, card: Card) -> None:
        """Look for this card for a lease's time; again to go on."""
        with self._lock:
            self._until[card] = time.monotonic() + VISIBLE_FOR
            beat.watch(self)

    def leave(self, card: Card) -> None:
        """Look no more for this card."""
        if card not in self._until:  # without a lock, as `Poller.leave`
            return
        with self._lock:
            self._until.pop(card, None)
            self._due.pop(card, None)
            if not self._until:
                beat.leave(self)

    def look(self) -> None:
        """Check every exercise that is due, each against the same world."""
        now = time.monotonic()
        cards = [card for card in self._watched(now) if self._due.get(card, 0) <= now]
        if not cards:
            return
        with looking:
            try:
                here = world()
            except Exception as error:
                for card in cards:
                    self._puzzle(card, error)
                return
            for card in cards:
                self._check(card, here)

    def ask(self) -> None:
        """Ask all cards whether they are still seen."""
        for card in self._watched(time.monotonic()):
            card.ask()

    def failed(self, error: Exception) -> None:
        """Nothing to do: what a check raises is told to its card, and tried again."""

    def _check(self, card: Card, here: Any) -> None:
        began = time.monotonic()
        try:
            verdict = judge(card.exercise, here)
        except Exception as error:
            self._puzzle(card, error)
            return
        card.judge(verdict)
        now = time.monotonic()
        self._wait(card, now + CHECK_PAUSE_FACTOR * (now - began))

    def _puzzle(self, card: Card, error: Exception) -> None:
        card.show_check_error(error)
        self._wait(card, time.monotonic() + RETRY_AFTER)

    def _wait(self, card: Card, until: float) -> None:
        with self._lock:
            if card in self._until:
                self._due[card] = until

    def _watched(self, now: float) -> list[Card]:
        """The cards that are seen; those of which nobody has heard for long are forgotten."""
        with self._lock:
            for card in [card for card, until in self._until.items() if until < now]:
                del self._until[card]
                self._due.pop(card, None)
            return list(self._until)


lamps = ExerciseChecker()
"""The one of this process."""
