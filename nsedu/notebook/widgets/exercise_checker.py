"""Who looks whether exercises are solved: one look at the kernel for all cards that are seen."""

from __future__ import annotations

import time
from typing import Protocol

from nsedu.learning.exercises.model import Exercise, Verdict, World, judge, world
from nsedu.notebook.widgets.polling import Pollable, beat
from nsedu.observe.snapshot import looking

CHECK_PAUSE_FACTOR = 4
"""A check rests for at least so many times what it took: most take far less than a millisecond."""

RETRY_AFTER = 5.0
"""Seconds after which a check that raised is tried again."""


class Card(Pollable, Protocol):
    """What has a lamp."""

    exercise: Exercise

    check_due: float
    """When its exercise may be checked again, by the monotonic clock."""

    def judge(self, verdict: Verdict) -> None:
        """Told what the check says."""

    def failed(self, error: Exception) -> None:
        """Told that the check raised."""


class ExerciseChecker:
    """Checks the exercises of all cards; see `nsedu.notebook.widgets.polling.Group`."""

    interval = 0.4

    def look_for(self, watched: list[Card]) -> None:
        """Check every exercise that is due, each against the same world."""
        now = time.monotonic()
        due = [card for card in watched if card.check_due <= now]
        if not due:
            return
        with looking:
            try:
                here = world()
            except Exception as error:
                for card in due:
                    _put_off(card, error)
                return
            for card in due:
                if card in beat.watched_until:  # it may have been left while the kernel was read
                    _check(card, here)


def _check(card: Card, here: World) -> None:
    began = time.monotonic()
    try:
        verdict = judge(card.exercise, here)
    except Exception as error:
        _put_off(card, error)
        return
    card.judge(verdict)
    now = time.monotonic()
    card.check_due = now + CHECK_PAUSE_FACTOR * (now - began)


def _put_off(card: Card, error: Exception) -> None:
    card.failed(error)
    card.check_due = time.monotonic() + RETRY_AFTER


lamps = ExerciseChecker()
"""The one of this process."""
