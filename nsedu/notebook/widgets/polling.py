"""One thread that looks again and again, for everything that somebody is watching.

It is a thread and not a task of the kernel's event loop, because a learner's cell holds that loop
for as long as it runs, and a lamp is to turn green meanwhile.  It ends when nobody watches.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from typing import Any, Protocol

VISIBLE_FOR = 20.0
"""Seconds for which a view counts as watched unless it says so again; a dead browser is silent."""

PING_AFTER = 8.0
"""Seconds after which it is asked to say so again."""

MIN_PAUSE_FACTOR = 20
"""A look is followed by a pause of at least so many times the processor time that it took here.

That is at most 5 % of a core.  Waiting does not count: a busy machine need not make a lamp late.
"""


class Pollable(Protocol):
    """What the beat calls."""

    interval: float
    """Seconds from one look to the next, if looks are quick."""

    def look(self) -> None:
        """Look once; called in the beat's own thread."""

    def ask(self) -> None:
        """Ask whoever watches to say so again, by `Poller.watch`."""

    def failed(self, error: Exception) -> None:
        """Told when a look raised; there will be no other until somebody watches anew."""


class Group(Protocol):
    """What looks for several at once."""

    interval: float
    """As of `Pollable`."""

    def look_for(self, watched: list[Any]) -> None:
        """Look once for all of its group that are watched; called in the beat's own thread."""


class Poller:
    """Calls every watched looker, or the group that it is of, at its interval.

    Attributes:
        changed: holds the lock of all that follows; notified when any of it is changed.
        watched_until: when each watched looker is forgotten (time.monotonic(3), s).
        due_at: when a group, or a looker that looks for itself, is called next.
        thread: what calls them; None while nothing is watched.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.watched_until: dict[Pollable, float] = {}
        self._ask: dict[Pollable, float] = {}
        self._group: dict[Pollable, Any] = {}  # a group, or a looker that looks for itself
        self.due_at: dict[Any, float] = {}
        self.thread: threading.Thread | None = None

    def watch(self, looker: Pollable, group: Group | None = None) -> None:
        """Look for this one, now and for a lease's time; again to go on.

        Args:
            looker: what is watched.
            group: who looks for it and others at once; itself unless given.
        """
        with self.changed:
            now = time.monotonic()
            self.watched_until[looker], self._ask[looker] = now + VISIBLE_FOR, now + PING_AFTER
            self._group[looker] = group or looker
            self.due_at.setdefault(self._group[looker], now)
            if self.thread is None:
                thread = threading.Thread(target=self._run, name="nsedu beat", daemon=True)
                thread.start()
                self.thread = thread
            self.changed.notify()

    def leave(self, looker: Pollable) -> None:
        """Look no more for this one; one that is not watched is none the worse for it."""
        # No lock for that one: a widget leaves when Python collects it, and that may be in any
        # thread at any time, in ours before it has started, while `watch` waits for it.
        if looker not in self.watched_until:
            return
        with self.changed:
            self._forget(looker)
            self.changed.notify()

    def stop(self, seconds: float = 5) -> None:
        """Look no more for anyone, and wait for a look that is under way."""
        with self.changed:
            for looker in list(self.watched_until):
                self._forget(looker)
            self.changed.notify()
            thread = self.thread
        if thread is not None:
            thread.join(seconds)

    def _forget(self, looker: Pollable) -> None:
        for known in (self.watched_until, self._ask):
            known.pop(looker, None)
        group = self._group.pop(looker, None)
        if group not in self._group.values():
            self.due_at.pop(group, None)

    def _run(self) -> None:
        while (due := self._next()) is not None:
            began = time.thread_time()
            with self.changed:
                watched = [looker for looker, group in self._group.items() if group is due]
            if not watched:  # it has just been left
                continue
            try:
                for looker in watched:
                    if self._asks(looker, time.monotonic()):
                        looker.ask()
                if due in watched:
                    due.look()
                else:
                    due.look_for(watched)
            except Exception as error:
                for looker in watched:
                    self.leave(looker)
                    looker.failed(error)
            pause = max(due.interval, MIN_PAUSE_FACTOR * (time.thread_time() - began))
            with self.changed:
                if due in self.due_at:
                    self.due_at[due] = time.monotonic() + pause

    def _asks(self, looker: Pollable, now: float) -> bool:
        with self.changed:
            if self._ask.get(looker, now) >= now:
                return False
            self._ask[looker] = now + PING_AFTER
            return True

    def _next(self) -> Any:
        """Wait for who is due, a looker or a group; None, and no thread, when nobody watches."""
        with self.changed:
            while True:
                now = time.monotonic()
                for looker in [who for who, until in self.watched_until.items() if until < now]:
                    self._forget(looker)
                if not self.due_at:
                    self.thread = None
                    return None
                due = min(self.due_at, key=self.due_at.__getitem__)
                if self.due_at[due] <= now:
                    return due
                self.changed.wait(self.due_at[due] - now)


beat = Poller()
"""The one of this process."""

atexit.register(beat.stop)  # before the agent goes, which a look might start again


def _in_forked_child() -> None:
    # The thread does not exist here, and its lock may have been held.
    beat.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_in_forked_child)
