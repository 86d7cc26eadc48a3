"""Take a snapshot: read processes and namespaces from the kernel into plain records."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import threading
from collections.abc import Iterator

from nsedu import procfs
from nsedu.observe.discovery import Discovery
from nsedu.observe.scan import scan
from nsedu.records import Process, Snapshot
from nsedu.roles import roles

__all__ = ["looking", "roles", "snapshot"]

looking = threading.RLock()
"""Held by whoever looks.  What one look sends into a sandbox is not for another thread to see."""

os.register_at_fork(after_in_child=looking._at_fork_reinit)  # type: ignore[attr-defined]


def snapshot(scope: str | int = "mine", deep: bool = False) -> Snapshot:
    """Look at processes and their namespaces.

    Args:
        scope: "mine" for this process and everything below it, "machine" for every process in
            sight, or a pid for that process and everything below it.
        deep: whether to look also for namespaces that are kept alive by threads, open descriptors,
            bind mounts and sockets, and for mount namespaces that nothing visible keeps.

    Returns:
        A `Snapshot`.  What the reader was not allowed to read is counted in its ``unread``.

    Raises:
        TypeError: ``scope`` is neither a word nor a number.
        ValueError: ``scope`` is another word, or a number below 1.
        ProcessLookupError: there is no process with that pid.
        FileNotFoundError: /proc is not mounted.
    """
    check_scope(scope)
    if not os.path.lexists("/proc/self"):
        raise FileNotFoundError(
            errno.ENOENT, "no /proc is mounted; mount -t proc proc /proc does it"
        )
    with looking:
        return _look(scope, deep)


def _look(scope: str | int, deep: bool) -> Snapshot:
    with without_collecting():
        if scope == "machine":
            pids = procfs.all_pids()
        else:  # our own pid is what this /proc calls it, which a sandbox may know by another number
            pids = procfs.family(int(os.readlink("/proc/self") if scope == "mine" else scope))
        discovery = Discovery()
        processes = tree_order(scan(pids, discovery))
        if deep:
            from nsedu.observe import (  # which need sockets and processes of their own
                holders,
                mounted,
            )

            holders.look(discovery, processes.values())
            mounted.look(discovery, processes.values(), everywhere=scope == "machine")
        namespaces = discovery.namespaces(list(processes))
        return Snapshot(processes, namespaces, str(scope), bool(deep), discovery.unread)


@contextlib.contextmanager
def without_collecting() -> Iterator[None]:
    """Collect no garbage meanwhile: amid so many new records there would be nothing to free."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def check_scope(scope: object) -> None:
    """Raise the TypeError or ValueError of `snapshot` if the scope is none."""
    accepted = '"mine", "machine" or the pid of a process'
    if isinstance(scope, bool) or not isinstance(scope, str | int):
        raise TypeError(f"scope must be {accepted}, not {type(scope).__name__}.")
    if scope not in ("mine", "machine") and (isinstance(scope, str) or scope < 1):
        raise ValueError(f"scope must be {accepted}, not {scope!r}.")


def tree_order(processes: dict[int, Process]) -> dict[int, Process]:
    """The same processes, parents before their children and siblings by pid."""
    children: dict[int, list[int]] = {}
    ordered: dict[int, Process] = {}
    todo = []
    for pid in sorted(processes, reverse=True):
        ppid = processes[pid].ppid
        if ppid in processes:
            children.setdefault(ppid, []).append(pid)
        else:
            todo.append(pid)
    while todo:
        pid = todo.pop()
        ordered[pid] = processes[pid]
        if pid in children:
            todo += children[pid]
    # Parents change while we look, so two processes may each seem to be below the other.
    return ordered | processes if len(ordered) < len(processes) else ordered
