"""Take a snapshot: read processes and namespaces from the kernel into plain records."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from collections.abc import Iterator

from nsedu.errors.namespace_error import another_proc, own_pid
from nsedu.kernel import interrupts, procfs
from nsedu.observe import proc_options
from nsedu.observe.namespace_graph import NamespaceGraph
from nsedu.observe.process_scan import scan
from nsedu.observe.records import Process, Snapshot
from nsedu.sandbox.process_labels import roles, unseen
from nsedu.suggestions import nearest

__all__ = ["looking", "roles", "snapshot"]

looking = threading.RLock()
"""Held during a snapshot.  What one sends into a sandbox is not for another thread to see."""

os.register_at_fork(after_in_child=looking._at_fork_reinit)  # type: ignore[attr-defined]


@interrupts.whole
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
        NamespaceError: /proc is not mounted; or it is that of another pid namespace, in which this
            process has no number, or a number that is given means another process.
    """
    check_scope(scope)
    check_proc(numbered=isinstance(scope, int))
    return look(scope, deep)


def check_proc(numbered: bool = True) -> None:
    """Raise the NamespaceError of who cannot look, because /proc is not that of its pid namespace.

    Args:
        numbered: whether a process is named by its number.
    """
    own = own_pid()
    if numbered and own != os.getpid():
        raise another_proc()


def look(scope: str | int, deep: bool = False) -> Snapshot:
    """The same without these checks; a pid is one that /proc here calls a process by."""
    with looking:
        return _look(scope, deep)


def _look(scope: str | int, deep: bool) -> Snapshot:
    with without_collecting():
        if scope == "machine":
            pids = procfs.all_pids()
        else:  # our own pid is what this /proc calls it, which a sandbox may know by another number
            pids = procfs.family(own_pid() if scope == "mine" else int(scope))
        pids = [pid for pid in pids if pid not in unseen]
        if not deep:
            graph = NamespaceGraph()
            processes = tree_order(scan(pids, graph))
        else:
            from nsedu.kernel import netnsid
            from nsedu.observe import bind_mounts, references

            with netnsid.asking() as answer:
                graph = NamespaceGraph(answer)
                processes = tree_order(scan(pids, graph))
                references.add_references(graph, processes.values())
                bind_mounts.add_bind_mounts(
                    graph, processes.values(), everywhere=scope == "machine"
                )
        namespaces = graph.namespaces(list(processes))
        unread = dict.fromkeys(proc_options.unseen(), 0) | graph.unread
        return Snapshot(processes, namespaces, str(scope), bool(deep), unread)


@contextlib.contextmanager
def without_collecting() -> Iterator[None]:
    """Collect no garbage meanwhile: amid that many new records there would be nothing to free."""
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
        raise TypeError(f"scope must be {accepted}, not {scope!r:.80}.")
    if scope not in ("mine", "machine") and (isinstance(scope, str) or scope < 1):
        what = f"scope must be {accepted}, not {scope!r:.80}"
        close = nearest(scope, ("mine", "machine"))
        raise ValueError(f"{what}; did you mean {close!r}?" if close else f"{what}.")


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
