"""What mounts keep alive: namespace files bound in any mount namespace that can be reached.

That includes mount namespaces without a process: one held by a descriptor or a mount alone, and
those that only the kernel's own list shows (NS_MNT_GET_NEXT of ioctl_nsfs(2), Linux 6.12).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from nsedu.kernel import syscalls
from nsedu.kernel.mountinfo import namespace_mounts
from nsedu.kernel.namespace_files import Key, open_file, parse_link
from nsedu.kernel.procfs import VANISHED, read
from nsedu.observe.mount_namespace_reader import MountNamespaceReader
from nsedu.observe.namespace_graph import NamespaceGraph
from nsedu.observe.records import Process


def add_bind_mounts(graph: NamespaceGraph, processes: Iterable[Process], everywhere: bool) -> None:
    """Find the namespaces that mounts keep alive.

    Args:
        graph: what takes note of them, and of what may not be read.
        processes: the processes through which to look into their mount namespaces; threads that
            have one of their own stand in ``graph.processes_by_mount_ns`` already.
        everywhere: whether to ask the kernel for mount namespaces that nothing else led to.
    """
    for process in processes:
        if "mnt" in process.links:
            here = f"/proc/{process.pid}"
            graph.processes_by_mount_ns.setdefault(process.links["mnt"], []).append(here)
    mounts = _Mounts(graph)
    try:
        for ns in list(graph.processes_by_mount_ns):
            mounts.seen(ns)
        mounts.held_by_descriptors()
        mounts.visit()
        if everywhere:
            mounts.scan_kernel_list()
    finally:
        mounts.scout.close()


class _Mounts:
    def __init__(self, graph: NamespaceGraph) -> None:
        self.graph = graph
        self.scout = MountNamespaceReader()
        self.noted: set[Key] = set()
        self.todo: list[tuple[int, Key]] = []  # open mount namespaces that no process is in

    def seen(self, ns: int) -> None:
        """Look into a mount namespace through the processes in it."""
        known: set[int] = set()
        for here in self._viewpoints(ns):
            try:
                table = read(f"{here}/mountinfo")
            except VANISHED:
                continue
            except OSError:
                self.graph.count_unreadable("mount tables that the reader may not read")
                continue
            pid = int(here.split("/")[2])
            for mount in namespace_mounts(table):
                if mount.id not in known:
                    known.add(mount.id)
                    self._bound(mount.root, f"{here}/root{mount.target}", pid, mount.target)

    def _viewpoints(self, ns: int) -> list[str]:
        # A process sees the mounts below its root directory; one whose root is that of the
        # namespace sees them all.
        by_root: dict[str, str] = {}
        for here in self.graph.processes_by_mount_ns[ns]:
            try:
                root = os.readlink(f"{here}/root")
            except VANISHED:
                continue
            except OSError:
                root = ""
            if root == "/":
                return [here]
            by_root.setdefault(root, here)
        return list(by_root.values())

    def _bound(self, root: str, path: str, pid: int | None, detail: str) -> None:
        key = parse_link(os.fsencode(root))
        if key is None:
            return
        self.graph.pin(key, "bind", pid, detail)
        if self.graph.is_known(key) and (
            key[0] != "mnt" or key[1] in self.graph.processes_by_mount_ns
        ):
            return
        try:
            fd = open_file(path, key)
        except OSError as error:
            if pid is not None and not os.path.exists(f"/proc/{pid}"):
                return
            covered = error.errno in (errno.ESTALE, errno.ENOENT)
            why = "covered by another mount" if covered else "that the reader may not open"
            self.graph.count_unreadable(f"mounted namespace files {why}")
            return
        try:
            self.graph.query_parents(fd, key)
            self._note(fd, key)
        finally:
            os.close(fd)

    def held_by_descriptors(self) -> None:
        """Note the mount namespaces that open descriptors led to."""
        for key, found in self.graph.found.items():
            if key[0] != "mnt" or key[1] in self.graph.processes_by_mount_ns or key in self.noted:
                continue
            for pin in found.pins:
                if pin.kind != "fd":
                    continue
                try:
                    fd = open_file(f"/proc/{pin.pid}/fd/{pin.detail}", key)
                except OSError:
                    continue
                self._note(fd, key)
                os.close(fd)
                break

    def scan_kernel_list(self) -> None:
        """Ask the kernel for the mount namespaces before and after ours."""
        for step in (syscalls.ns_mnt_get_prev, syscalls.ns_mnt_get_next):
            fd = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            try:
                while True:
                    following = step(fd)
                    os.close(fd)
                    fd = following
                    key = ("mnt", os.fstat(fd).st_ino)
                    self.graph.query_parents(fd, key)
                    self.graph.listed.add(key)
                    self._note(fd, key)
                    self.visit()
            except OSError as error:
                if error.errno == errno.EPERM:
                    self.graph.count_unreadable(
                        "the kernel's list of mount namespaces, which is for root"
                    )
                    return
                if error.errno not in (errno.ENOENT, errno.ENOTTY):  # its end; an old kernel
                    raise
            finally:
                os.close(fd)

    def _note(self, fd: int, key: Key) -> None:
        """Remember a mount namespace to look into, unless a process lets us see it."""
        if (
            key[0] == "mnt"
            and key not in self.noted
            and key[1] not in self.graph.processes_by_mount_ns
        ):
            self.noted.add(key)
            self.todo.append((os.dup(fd), key))

    def visit(self) -> None:
        """Look into the mount namespaces noted, and those that are mounted in them, and so on."""
        while self.todo:
            fd, key = self.todo.pop()
            try:
                self._enter(fd, key)
            finally:
                os.close(fd)

    def _enter(self, fd: int, key: Key) -> None:
        try:
            for root, target, mounted in self.scout.look(fd):
                path = f"/proc/self/fd/{mounted}" if mounted >= 0 else ""
                self._bound(root, path, None, f"mnt:[{key[1]}]{target}")
        except OSError as error:
            self.graph.count_unreadable(
                f"mount namespaces without a process ({error.strerror or error})"
            )
