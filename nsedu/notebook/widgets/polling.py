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
    """Calls every watched looker, or the group that it is of, at its interval."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._until: dict[Pollable, float] = {}
        self._ask: dict[Pollable, float] = {}
        self._group: dict[Pollable, Any] = {}  # a group, or a looker that looks for itself
        self._due: dict[Any, float] = {}  # of a group, or of such a looker
        self._thread: threading.Thread | None = None

    def watch(self, looker: Pollable, group: Group | None = None) -> None:
        """Look for this one, now and for a lease's time; again to go on.

        Args:
            looker: what is watched.
            group: who looks for it and others at once; itself unless given.
        """
        with self._changed:
            now = time.monotonic()
            self._until[looker], self._ask[looker] = now + VISIBLE_FOR, now + PING_AFTER
            self._group[looker] = group or looker
            self._due.setdefault(self._group[looker], now)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="nsedu beat", daemon=True)
                thread.start()
                self._thread = thread
            self._changed.notify()

    def leave(self, looker: Pollable) -> None:
        """Look no more for this one; one that is not watched is none the worse for it."""
        # No lock for that one: a widget leaves when Python collects it, and that may be in any
        # thread at any time, in ours before it has started, while `watch` waits for it.
        if looker not in self._until:
            return
        with self._changed:
            self._forget(looker)
            self._changed.notify()

    def stop(self, seconds: float = 5) -> None:
        """Look no more for anyone, and wait for a look that is under way."""
        with self._changed:
            for looker in list(self._until):
                self._forget(looker)
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _forget(self, looker: Pollable) -> None:
        for known in (self._until, self._ask):
            known.pop(looker, None)
        group = self._group.pop(looker, None)
        if group not in self._group.values():
            self._due.pop(group, None)

    def _run(self) -> None:
        while (due := self._next()) is not None:
            began = time.thread_time()
            with self._changed:
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
            with self._changed:
                if due in self._due:
                    self._due[due] = time.monotonic() + pause

    def _asks(self, looker: Pollable, now: float) -> bool:
        with self._changed:
            if self._ask.get(looker, now) >= now:
                return False
            self._ask[looker] = now + PING_AFTER
            return True

    def _next(self) -> Any:
        """Wait for who is due, a looker or a group; None, and no thread, when nobody watches."""
        with self._changed:
            while True:
                now = time.monotonic()
                for looker in [who for who, until in self._until.items() if until < now]:
                    self._forget(looker)
                if not self._due:
                    self._thread = None
                    return None
                due = min(self._due, key=self._due.__getitem__)
                if self._due[due] <= now:
                    return due
                self._changed.wait(self._due[due] - now)


beat = Poller()
"""The one of this process."""

atexit.register(beat.stop)  # before the agent goes, which a look might start again


def _in_forked_child() -> None:
    # The thread does not exist here, and its lock may have been held.
    beat.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_in_forked_child)
