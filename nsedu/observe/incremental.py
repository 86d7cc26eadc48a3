"""Look again and again, and pay each time for little more than what has changed.

A whole look costs some 55 µs for each process, so a thousand of them once a second would take a
twentieth of a core.  But to list /proc costs 1 µs for each, and tells who has come and who has
gone; only what a process does to itself (unshare, setns, exec) must be asked for one by one.  So
the known ones are read again in turn, as many as a budget of time allows, those of interest first.

No process is taken for another one: the directory of another process has another inode number, and
its stat file another start time.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator

from nsedu.errors.namespace_error import own_pid
from nsedu.kernel import interrupts
from nsedu.kernel.procfs import VANISHED, parse_stat, read
from nsedu.observe import proc_options
from nsedu.observe.namespace_graph import NamespaceGraph
from nsedu.observe.proc_options import HIDDEN
from nsedu.observe.process_scan import MAY_NOT, scan
from nsedu.observe.records import Process, Snapshot
from nsedu.observe.snapshot import check_scope, looking, tree_order, without_collecting
from nsedu.sandbox.process_labels import unseen

BUDGET = 0.03
"""Seconds of a look for reading again what is known: some 500 processes, two or three at least."""
BURST = 0.12
"""Seconds of a look for what is new; what is left waits for the next one."""
_CHUNK = 32


class Watch:
    """One scope, looked at again and again.

    Args:
        scope: "mine", "machine" or a pid, as of `nsedu.snapshot`; that process and no later one.

    Attributes:
        scope: the same.
        started: pid → start time as its stat file has it, of all that the last look found.

    Raises:
        TypeError, ValueError: it is no scope.
    """

    def __init__(self, scope: str | int = "mine") -> None:
        check_scope(scope)
        self.scope = scope
        self.started: dict[int, bytes] = {}
        self._discovery = NamespaceGraph()
        self._listed: dict[int, int] = {}  # pid → inode number of its directory
        self._parents: dict[int, int] = {}  # of everyone in sight, whether in scope or not
        self._processes: dict[int, Process] = {}
        self._hidden: set[int] = set()
        self._turn: dict[int, None] = {}  # who was read longest ago comes first
        self._own: set[int] = set()  # this process and all below it, as of the last look
        self._root = b""  # when the process of the scope was born
        self._last: Snapshot | None = None

    @interrupts.whole
    def look(self, first: Iterable[int] = ()) -> Snapshot:
        """Look once more.

        Args:
            first: pids of interest, which are read again in any case.

        Returns:
            The very same `Snapshot` as before if nothing has changed, as far as was looked; one
            without processes when the process of the scope has ended.

        Raises:
            ProcessLookupError: at the first look there is no such process.
        """
        with looking, without_collecting():
            return self._look(first)

    def _look(self, first: Iterable[int]) -> Snapshot:
        listed = _list()
        fresh = {pid for pid, inode in listed.items() if self._listed.get(pid) != inode}
        gone = self._listed.keys() - listed.keys()
        orphans = [
            pid for pid, p in self._processes.items() if p.ppid in gone or p.ppid in fresh
        ]  # fmt: skip
        self._listed = listed
        self._hidden &= listed.keys() - fresh
        scope = self._scope(listed, fresh, gone)
        left = [pid for pid in self._processes if pid not in scope]
        for pid in left:
            self._forget(pid)
        known = self._processes.keys()
        again = [p for p in (*(fresh & known), *orphans, *first) if p in known]
        changed = self._read(dict.fromkeys(again)) or bool(left)
        changed |= self._in_turn(set(again))
        if changed:  # numbers of namespaces that have gone may be those of others now
            self._discovery.only(self._processes.values())
        new = sorted(scope - known - self._hidden)
        changed |= self._read(new, BURST if self._last else None)
        if changed or self._last is None:
            self._last = self._snapshot()
        return self._last

    def _scope(self, listed: dict[int, int], fresh: set[int], gone: set[int]) -> set[int]:
        """The processes in scope now, by what each says of its parent."""
        for pid in gone:
            self._parents.pop(pid, None)
        if self.scope == "machine":
            return set(listed)
        for pid, parent in list(self._parents.items()):
            if parent in gone or parent in fresh:
                fresh = fresh | {pid}
        for pid in fresh:
            try:
                self._parents[pid] = parse_stat(read(f"/proc/{pid}/stat"))[1]
            except VANISHED:
                self._parents.pop(pid, None)
        root = own_pid() if self.scope == "mine" else int(self.scope)
        try:
            start = parse_stat(read(f"/proc/{root}/stat"))[4]
        except VANISHED:
            start = b""
        if self._last is None:
            self._root = start
            if not start:
                raise ProcessLookupError(errno.ESRCH, f"there is no process {root} to look at")
        return _family(root, self._parents) if start and start == self._root else set()

    def _in_turn(self, done: set[int]) -> bool:
        """Read known processes again while the budget lasts: own and others, half of it each."""
        queue = [pid for pid in self._turn if pid not in done]
        own = [pid for pid in queue if pid in self._own]
        others = [pid for pid in queue if pid not in self._own]
        changed = self._read(own, BUDGET / 2 if others else BUDGET)
        return self._read(others, BUDGET / 2 if own else BUDGET) or changed

    def _read(self, pids: Iterable[int], seconds: float | None = None) -> bool:
        """Read processes, new or again, for so long; returns whether anything is other now."""
        began, changed = time.monotonic(), False
        for chunk in _chunks(list(pids)):
            started: dict[int, bytes] = {}
            self._discovery.unread.pop(HIDDEN, None)
            found = scan(chunk, self._discovery, started)
            hidden = HIDDEN in self._discovery.unread
            for pid in chunk:
                process = found.get(pid)
                if process is None:
                    changed |= self._processes.get(pid) is not None
                    self._forget(pid)
                    if hidden and os.path.exists(f"/proc/{pid}"):
                        self._hidden.add(pid)
                    continue
                same = self.started.get(pid) == started[pid]
                changed |= not same or self._processes.get(pid) != process
                self._processes[pid], self.started[pid] = process, started[pid]
                self._parents[pid] = process.ppid
                self._turn.pop(pid, None)
                self._turn[pid] = None
            if seconds is not None and time.monotonic() - began > seconds:
                break
        return changed

    def _forget(self, pid: int) -> None:
        self._processes.pop(pid, None)
        self.started.pop(pid, None)
        self._turn.pop(pid, None)

    def _snapshot(self) -> Snapshot:
        processes = tree_order(self._processes)
        parents = {pid: process.ppid for pid, process in processes.items()}
        self._own = _family(own_pid(), parents)
        self._discovery.only(processes.values())
        namespaces = self._discovery.namespaces(list(processes))
        unread = dict(self._discovery.unread)
        counts = {MAY_NOT: sum(not p.links for p in processes.values()), HIDDEN: len(self._hidden)}
        unread |= {reason: number for reason, number in counts.items() if number}
        unread = dict.fromkeys(proc_options.unseen(), 0) | unread
        return Snapshot(processes, namespaces, str(self.scope), False, unread)


def _list() -> dict[int, int]:
    """Everyone in /proc: pid → inode number of the directory.

    The kernel may forget a directory of which it has read and give it another number later, so a
    new number only says that the process must be read again.
    """
    with os.scandir("/proc") as entries:
        listed = {int(entry.name): entry.inode() for entry in entries if entry.name.isdigit()}
    return {pid: inode for pid, inode in listed.items() if pid not in unseen}


def _family(root: int, parents: dict[int, int]) -> set[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found, todo = {root}, [root]
    while todo:
        below = [pid for pid in children.get(todo.pop(), ()) if pid not in found]
        found.update(below)
        todo += below
    return found


def _chunks(pids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(pids), _CHUNK):
        yield pids[start : start + _CHUNK]
