"""The plain look at every process: who it is, and its ten links.

This loop is most of what a look costs, and nearly all of it is the kernel's own time.  So: one
directory descriptor per process with everything else relative to it, byte strings for paths, the
processes grouped by what their links say, and no call that could be spared.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from nsedu.kernel.namespace_types import LINKS
from nsedu.kernel.procfs import (
    DIRECTORY,
    PF_KTHREAD,
    READ,
    VANISHED,
    own_pid,
    parse_command,
    parse_nspid,
    parse_stat,
    read,
)
from nsedu.observe.namespace_graph import NamespaceGraph
from nsedu.observe.proc_options import HIDDEN
from nsedu.observe.records import Process
from nsedu.sandbox.process_labels import own_role, roles

MAY_NOT = "links of a process that the reader may not inspect"

_NAMES = [link.encode() for link in LINKS]


def scan(
    pids: Iterable[int], graph: NamespaceGraph, started: dict[int, bytes] | None = None
) -> dict[int, Process]:
    """Read processes into records, and their links into ``graph``.

    A process that ends meanwhile is left out.

    Args:
        pids: the processes to read.
        graph: what takes note of namespaces, and of what may not be read.
        started: where to note when each was born, as its stat file has it: a pid is used again,
            but not with the same start time.
    """
    processes: dict[int, Process] = {}
    home = _pid_namespace_of_proc()
    groups = graph.groups
    open_, read_, readlink, stat, close = os.open, os.read, os.readlink, os.stat, os.close
    for pid in pids:
        try:
            directory = open_(f"/proc/{pid}/ns", DIRECTORY)
        except VANISHED:
            continue
        except PermissionError:
            graph.count_unreadable(HIDDEN)
            continue
        try:
            try:
                texts = tuple([readlink(name, dir_fd=directory) for name in _NAMES])
            except OSError:
                texts = _link_by_link(directory, graph)
            fd = open_(b"../stat", READ, dir_fd=directory)
            try:
                name, ppid, flags, threads, start, zombie = parse_stat(read_(fd, 1024))
            finally:
                close(fd)
            # The owner of this directory, unlike that of the files in it, is always the effective
            # uid (proc_pid(5)), and it is cheaper to have than the status file.
            uid = stat(b"..", dir_fd=directory).st_uid
            command = "" if flags & PF_KTHREAD else _command(directory)
            group = groups.get(texts) or graph.add_group(texts, directory)
            links = group.links
            if links.get("pid") == home:
                nspid: tuple[int, ...] = (pid,)
            else:
                nspid = parse_nspid(read(b"../status", directory))
        except VANISHED:
            continue
        finally:
            close(directory)
        group.pids.append(pid)
        if started is not None:
            started[pid] = start
        role = roles.of(pid, start) if pid in roles else ""
        processes[pid] = Process(pid, ppid, name, command, uid, nspid, threads, links, role, zombie)
    own = own_pid()
    if own in processes:
        processes[own] = processes[own]._replace(role=own_role())
    return processes


def _command(directory: int) -> str:
    fd = os.open(b"../cmdline", READ, dir_fd=directory)
    try:
        line = os.read(fd, 4096)
    finally:
        os.close(fd)
    return parse_command(read(b"../cmdline", directory) if len(line) == 4096 else line)


def _link_by_link(directory: int, graph: NamespaceGraph) -> tuple[bytes, ...]:
    # A process that has ended but was not waited for has few links left, one that unshared pid has
    # no pid_for_children before its first child, and an old kernel lacks some types.
    texts = []
    for name in _NAMES:
        try:
            texts.append(os.readlink(name, dir_fd=directory))
        except VANISHED:
            texts.append(b"")
        except PermissionError:
            read(b"../stat", directory)  # of one that has vanished they say EACCES, this says ESRCH
            graph.count_unreadable(MAY_NOT)
            return (b"",) * len(_NAMES)
    return tuple(texts)


def _pid_namespace_of_proc() -> int | None:
    """The pid namespace whose numbers this /proc shows; None when the reader is not in it."""
    if len(parse_nspid(read("/proc/self/status"))) == 1:
        return os.stat("/proc/self/ns/pid").st_ino
    return None
