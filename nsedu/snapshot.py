"""Take a snapshot: read processes and namespaces from the kernel into plain records."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable

from nsedu import procfs
from nsedu.discovery import Discovery
from nsedu.nstypes import LINKS
from nsedu.records import Process, Snapshot
from nsedu.roles import own_role, roles

__all__ = ["roles", "snapshot"]


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
    _check(scope)
    collecting = gc.isenabled()
    gc.disable()  # a collection amid so many new records would find nothing to free
    try:
        own = int(os.readlink("/proc/self"))  # our pid as this /proc has it
        if scope == "machine":
            pids = procfs.all_pids()
        else:
            pids = procfs.family(own if scope == "mine" else int(scope))
        discovery = Discovery()
        processes = _tree_order(_read(pids, own, discovery))
        namespaces = discovery.namespaces(list(processes))
        return Snapshot(processes, namespaces, str(scope), bool(deep), discovery.unread)
    finally:
        if collecting:
            gc.enable()


def _check(scope: object) -> None:
    accepted = '"mine", "machine" or the pid of a process'
    if isinstance(scope, bool) or not isinstance(scope, str | int):
        raise TypeError(f"scope must be {accepted}, not {type(scope).__name__}.")
    if scope not in ("mine", "machine") and (isinstance(scope, str) or scope < 1):
        raise ValueError(f"scope must be {accepted}, not {scope!r}.")


def _read(pids: Iterable[int], own: int, discovery: Discovery) -> dict[int, Process]:
    # This loop is most of the cost of a look, hence one directory per process, everything else
    # relative to it, and the nine words of a record given by position.
    processes: dict[int, Process] = {}
    home = _pid_namespace_of_proc()
    readlink, names = os.readlink, [link.encode() for link in LINKS]
    for pid in pids:
        try:
            directory = os.open(f"/proc/{pid}/ns", procfs.DIRECTORY)
        except procfs.VANISHED:
            continue
        except PermissionError:
            discovery.miss("processes hidden by the hidepid option of /proc")
            continue
        try:
            stat = procfs.parse_stat(procfs.read("../stat", directory))
            uid = os.stat("..", dir_fd=directory).st_uid
            command = b"" if stat.kernel else procfs.read("../cmdline", directory)
            try:
                texts = tuple([readlink(name, dir_fd=directory) for name in names])
            except OSError:
                texts = _link_by_link(names, directory, discovery)
            links = discovery.meet(pid, texts, directory) if texts else {}
            if links.get("pid") == home:
                nspid: tuple[int, ...] = (pid,)
            else:
                nspid = procfs.parse_nspid(procfs.read("../status", directory))
        except procfs.VANISHED:
            continue
        finally:
            os.close(directory)
        processes[pid] = Process(
            pid, stat.ppid, stat.name, procfs.parse_command(command), uid, nspid, stat.threads,
            links, own_role() if pid == own else roles.of(pid, stat.start),
        )  # fmt: skip
    return processes


def _link_by_link(names: list[bytes], directory: int, discovery: Discovery) -> tuple[bytes, ...]:
    # A process that has ended but was not waited for has few links left, one that unshared pid has
    # no pid_for_children before its first child, and an old kernel lacks some types.
    texts = []
    for name in names:
        try:
            texts.append(os.readlink(name, dir_fd=directory))
        except procfs.VANISHED:
            texts.append(b"")
        except PermissionError:
            discovery.miss("links of a process that the reader may not inspect")
            return ()
    return tuple(texts)


def _pid_namespace_of_proc() -> int | None:
    """The pid namespace whose numbers this /proc shows; None when the reader is not in it."""
    if len(procfs.parse_nspid(procfs.read("/proc/self/status"))) == 1:
        return os.stat("/proc/self/ns/pid").st_ino
    return None


def _tree_order(processes: dict[int, Process]) -> dict[int, Process]:
    children: dict[int, list[int]] = {}
    for pid, process in processes.items():
        children.setdefault(process.ppid, []).append(pid)
    todo = [pid for pid, process in processes.items() if process.ppid not in processes]
    todo.sort(reverse=True)
    ordered: dict[int, Process] = {}
    while todo:
        pid = todo.pop()
        ordered[pid] = processes[pid]
        if pid in children:
            todo += sorted(children[pid], reverse=True)
    # Parents change while we look, so two processes may each seem to be below the other.
    return ordered | {pid: processes[pid] for pid in processes.keys() - ordered.keys()}
