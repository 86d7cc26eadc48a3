"""What else keeps namespaces alive, process by process: threads, open descriptors, sockets."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable

from nsedu.kernel import syscalls
from nsedu.kernel.namespace_files import key_of_descriptor, parse_link
from nsedu.kernel.namespace_types import LINKS
from nsedu.kernel.proc_net import by_inode
from nsedu.kernel.procfs import DIRECTORY, VANISHED, is_ending
from nsedu.observe.namespace_graph import NamespaceGraph
from nsedu.observe.records import Process

MAY_NOT = "threads and open files of a process that the reader may not inspect"

_LISTABLE = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def add_references(graph: NamespaceGraph, processes: Iterable[Process]) -> None:
    """Find what the threads, descriptors and sockets of these processes keep alive."""
    processes = list(processes)
    sockets = _Sockets(graph, processes)
    for process in processes:
        if not process.links:
            graph.count_unreadable(MAY_NOT)
            continue
        try:
            numbers, found = _open_files(graph, process)
            if process.threads > 1:
                found += _threads(graph, process, numbers)
            if found:
                sockets.add(process, found)
        except VANISHED:
            continue
        except PermissionError:  # its user has changed meanwhile, or it is ending
            if not is_ending(process.pid):
                graph.count_unreadable(MAY_NOT)


def _open_files(graph: NamespaceGraph, process: Process) -> tuple[list[str], list[tuple[str, str]]]:
    try:
        return _descriptors(graph, process.pid, f"/proc/{process.pid}/fd")
    except PermissionError:
        if "mnt" in process.links:
            raise
        return [], []  # one that has ended has none, but its directory belongs to root now


def _descriptors(
    graph: NamespaceGraph, pid: int, path: str
) -> tuple[list[str], list[tuple[str, str]]]:
    """Note the open namespace files; returns all numbers in use, and sockets as (number, link)."""
    directory = os.open(path, _LISTABLE)
    try:
        numbers = os.listdir(directory)
        sockets = []
        readlink = os.readlink
        for number in numbers:
            try:
                text = readlink(number, dir_fd=directory)
            except VANISHED:
                continue
            if text.startswith("socket:"):
                sockets.append((number, text))
            elif (key := key_of_descriptor(os.fsencode(text), number, directory)) is not None:
                graph.add_file(f"{path}/{number}", key)
                graph.pin(key, "fd", pid, number)
            elif text.endswith("/net/tun"):  # no socket, but there is one inside
                sockets.append((number, ""))
        return numbers, sockets
    finally:
        os.close(directory)


def _threads(graph: NamespaceGraph, process: Process, numbers: list[str]) -> list[tuple[str, str]]:
    sockets: list[tuple[str, str]] = []
    for thread in os.listdir(f"/proc/{process.pid}/task"):
        if int(thread) == process.pid:
            continue
        here = f"/proc/{process.pid}/task/{thread}"
        try:
            _links_of_thread(graph, process, thread, here)
            # Threads share one table, unless one gave it up (CLONE_FILES of unshare(2)) or the
            # first thread has ended; then the numbers in use tell them apart.
            if os.listdir(f"{here}/fd") != numbers:
                sockets += _descriptors(graph, process.pid, f"{here}/fd")[1]
        except VANISHED:
            continue
    return sockets


def _links_of_thread(graph: NamespaceGraph, process: Process, thread: str, here: str) -> None:
    directory = os.open(f"{here}/ns", DIRECTORY)
    try:
        for link in LINKS:
            try:
                key = parse_link(os.readlink(link.encode(), dir_fd=directory))
            except VANISHED:
                continue
            if key is None or process.links.get(link) == key[1]:
                continue
            if link == "mnt":
                graph.processes_by_mount_ns.setdefault(key[1], []).append(here)
            graph.add_link(link, key, directory)
            graph.pin(key, "thread", process.pid, thread)
    finally:
        os.close(directory)


class _Sockets:
    """A socket stays in the network namespace it was made in, wherever its holder goes."""

    def __init__(self, graph: NamespaceGraph, processes: list[Process]) -> None:
        self.graph = graph
        self.homes: dict[str, int | None] = {}  # by link text, which has the socket's inode in it
        self.lists: dict[int, set[str]] = {}
        self.nets = {p.links["net"]: p.pid for p in reversed(processes) if "net" in p.links}
        self.reachable = os.readlink("/proc/self") == str(os.getpid())

    def add(self, process: Process, sockets: list[tuple[str, str]]) -> None:
        if not self.reachable:
            self.graph.count_unreadable(
                "sockets, since this /proc is that of another pid namespace"
            )
            return
        try:
            pidfd = os.pidfd_open(process.pid)
        except OSError:  # gone, or a kernel before 5.3
            return
        try:
            for number, text in sockets:
                name = text or f"{process.pid}/{number}"
                if name not in self.homes:
                    self.homes[name] = self._home(process, pidfd, int(number), text)
                home = self.homes[name]
                if home is not None and home != process.links.get("net"):
                    self.graph.pin(("net", home), "socket", process.pid, number)
        finally:
            os.close(pidfd)

    def _home(self, process: Process, pidfd: int, number: int, text: str) -> int | None:
        """The network namespace of a socket; None when it may not be asked."""
        copy = home = -1
        try:
            copy = syscalls.pidfd_getfd(pidfd, number)
            home = syscalls.socket_netns(copy)
            ns = os.fstat(home).st_ino
            self.graph.query_parents(home, ("net", ns))
            return ns
        except OSError as error:
            if error.errno in (errno.EBADF, errno.ESRCH):  # closed or gone meanwhile
                return None
            # Not permitted: not to touch that process, or not to ask about a namespace that another
            # user owns. But a process in a network namespace may read what sockets it has.
            listed = self._listed_in(process.links.get("net"), text[8:-1])
            if listed is None:
                self.graph.count_unreadable(
                    "network namespaces of sockets that the reader may not ask"
                )
            return listed
        finally:
            for fd in (copy, home):
                if fd >= 0:
                    os.close(fd)

    def _listed_in(self, own: int | None, inode: str) -> int | None:
        """The network namespace in whose lists a socket is: its process's own, or another."""
        for ns in sorted(self.nets, key=lambda ns: ns != own):
            if inode in self._list(ns):
                return ns
        return None

    def _list(self, ns: int) -> set[str]:
        if ns not in self.lists:
            self.lists[ns] = set()
            with contextlib.suppress(OSError):  # the process has gone
                self.lists[ns].update(inode for inode, _, _ in by_inode(self.nets[ns]))
        return self.lists[ns]
