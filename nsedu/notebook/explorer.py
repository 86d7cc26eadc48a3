"""The live system as a view that goes on: `explore`, and what it says without a browser."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

from nsedu.kernel.namespace_types import NAMES
from nsedu.notebook import front_end
from nsedu.observe.incremental import Watch
from nsedu.observe.records import Change, Snapshot
from nsedu.sandbox.sandbox import Sandbox

_MOST = 16
"""So many namespaces of a type are named in the text form."""
_MANY = 500


class Explorer:
    """A look at processes and their namespaces that is renewed for as long as somebody watches.

    JupyterLab shows it as a view to walk through; anything else gets the text.  A cell whose last
    line it is shows it.

    Attributes:
        scope: what is looked at: "mine", "machine" or a pid.
        snapshot: the last look.
        started: pid → start time (clock ticks after boot), of the live processes in it.
        paused: whether it looks no more until `resume`.
        still: whether it shows a saved snapshot instead of the live system.
        marked: the look that later ones are compared with; None without.
        lock: to be held while several of these must agree.
    """

    def __init__(self, scope: str | int = "mine", saved: Snapshot | None = None) -> None:
        self.lock = threading.RLock()
        self.paused, self.still = False, saved is not None
        self.marked: Snapshot | None = None
        self._marked_started: dict[int, bytes] = {}
        self._widget: Any = None
        self.scope = scope
        self._watch = Watch(scope)
        self.snapshot = saved if saved is not None else self._watch.look()

    @property
    def started(self) -> dict[int, bytes]:
        """See `Explorer`."""
        return {} if self.still else self._watch.started

    def look(self, first: Iterable[int] = ()) -> Snapshot:
        """Look anew, unless it is paused or still; returns the last look.

        Args:
            first: pids that are read again in any case, while of others some may wait their turn.

        Raises:
            TypeError: ``first`` is no list of pids.
        """
        if not isinstance(first, Iterable):
            raise TypeError(f"first must be a list of pids, not {first!r:.80}.")
        with self.lock:
            if not self.paused and not self.still:
                self.snapshot = self._watch.look(first)
            return self.snapshot

    def look_at(self, scope: str | int) -> None:
        """Look live at another scope, or at the same again after a saved snapshot was shown.

        Raises:
            TypeError, ValueError: it is none; see `nsedu.snapshot`.
            ProcessLookupError: there is no such process (any more).
        """
        with self.lock:
            watch = Watch(scope)
            self.snapshot = watch.look()
            self.scope, self._watch = scope, watch
            self.still, self.paused, self.marked = False, False, None
        self._tell()

    def show(self, saved: Snapshot) -> None:
        """Show a saved snapshot; nothing is looked at until `look_at`.

        Raises:
            TypeError: it is no snapshot.
        """
        if not isinstance(saved, Snapshot):
            raise TypeError(f"saved must be a Snapshot, not {saved!r:.80}.")
        with self.lock:
            self.snapshot, self.still, self.marked = saved, True, None
        self._tell()

    def pause(self) -> None:
        """Look no more, and show what was seen last."""
        with self.lock:
            self.paused = True
        self._tell()

    def resume(self) -> None:
        """Look again."""
        with self.lock:
            self.paused = False
        self._tell()

    def mark(self) -> None:
        """Remember the last look, so that `changes` tells what has come, gone and moved since."""
        with self.lock:
            self.marked, self._marked_started = self.snapshot, dict(self.started)
        self._tell()

    def changes(self) -> list[Change]:
        """What has changed since `mark`; a pid that was used again is one gone and one new."""
        with self.lock:
            before, now = self.marked, self.snapshot
            if before is None:
                return []
            started = self.started
            others = {
                pid: process
                for pid, process in before.processes.items()
                if pid in now.processes and self._marked_started.get(pid) != started.get(pid)
            }
            kept = {pid: p for pid, p in before.processes.items() if pid not in others}
            gone = [Change("process", "gone", process) for process in others.values()]
            return gone + Snapshot(kept, before.namespaces, before.scope).diff(now)

    def close(self) -> None:
        """Look no more, and take the view off the page."""
        with self.lock:
            self.paused = True
            widget, self._widget = self._widget, None
        if widget is not None:
            widget.close()

    def _tell(self) -> None:
        if self._widget is not None:
            self._widget.refresh()

    def __repr__(self) -> str:
        return text_form(self.look())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if not front_end.interactive():
            return {"text/plain": repr(self)}
        from nsedu.notebook.widgets.explorer.widget import ExplorerWidget

        if self._widget is None:
            self._widget = ExplorerWidget(self)
        return front_end.bundle(_short_form(self.snapshot), self._widget)


def explore(what: str | int | Sandbox | Snapshot = "mine") -> Explorer:
    """Explore processes and namespaces, live: who lives where, and what comes and goes.

    In JupyterLab this is a view that is renewed once a second while it can be seen.  Elsewhere it
    is a text: the process tree, and for each type how many processes each namespace has.

    Args:
        what: "mine" (this notebook and everything below it), "machine", a pid, a sandbox, or a
            snapshot taken earlier, which is shown as it is.

    Raises:
        TypeError, ValueError: it is none of these; the message says what is accepted.
        ProcessLookupError: there is no process with that pid.
    """
    if isinstance(what, Snapshot):
        return Explorer(saved=what)
    if isinstance(what, bool) or not isinstance(what, str | int | Sandbox):
        raise TypeError(
            f'what must be "mine", "machine", a pid, a sandbox or a snapshot, not {what!r:.80}.'
        )
    return Explorer(what.pid if isinstance(what, Sandbox) else what)


def _short_form(snapshot: Snapshot) -> str:
    """The text beside the view; of many processes only how many, since it is hardly ever read."""
    number = len(snapshot.processes)
    if number <= _MANY:
        return text_form(snapshot)
    return f"Explorer of {number} processes in {len(snapshot.namespaces)} namespaces"


def text_form(snapshot: Snapshot) -> str:
    """The process tree, then a line for each namespace type: how many processes each has."""
    from nsedu.draw.labels import Letters
    from nsedu.draw.process_rows import build_trees, rows
    from nsedu.draw.tree import tree

    letters = Letters()
    letters.meet_all(snapshot, (row.node.process for row in rows(build_trees(snapshot.processes))))
    lines = [tree(snapshot).text, "how many processes each namespace has"]
    for type in NAMES:
        counts = Counter(process.links.get(type) for process in snapshot.processes.values())
        met = letters.of_type(type)
        words = [f"{letter} {counts[ns]}" for ns, letter in met.items()]
        more = f"  … {len(words) - _MOST} more" if len(words) > _MOST else ""
        lines.append(f"{type:7} " + ("  ".join(words[:_MOST]) + more or "none in sight"))
    return "\n".join(lines)
