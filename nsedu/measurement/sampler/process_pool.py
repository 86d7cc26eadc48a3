"""Many namespaces at once, each of them kept by a process that does nothing else.

A process that shares its maker's memory and open files, and has a kilobyte of that memory as its
stack, takes the kernel some 15 µs to make.  All it does is pause(2).
"""

from __future__ import annotations

import ctypes
import os
import signal

from nsedu.agent import first_process
from nsedu.kernel import namespace_types, syscalls
from nsedu.measurement.sampler import kernel_memory
from nsedu.measurement.sampler.operations import continue_in_child, ensure_can_unshare, libc

_SHARED = 0x100 | 0x400 | 17  # CLONE_VM | CLONE_FILES | SIGCHLD, <linux/sched.h>
_STACK = 1024  # bytes
_PAUSE = ctypes.cast(libc.pause, ctypes.c_void_p)


def enter_pid_namespace(*types: str) -> None:
    """Move into new namespaces of these types and a PID namespace, as its first process.

    Should that one be killed, the kernel kills its processes along with it (pid_namespaces(7)).

    Raises:
        StepFailed: a step was refused.
    """
    ensure_can_unshare()
    _unshare(*types, "pid")
    continue_in_child()


def _unshare(*types: str) -> None:
    for name in types:
        try:
            syscalls.unshare(namespace_types.get(name).flag)
        except OSError as error:
            step, number = f"unshare {name}", error.errno or 0
            raise first_process.StepFailed(step, number, str(error.filename)) from None


class ProcessPool:
    """Processes that stand by.  Their maker must be the first one of a PID namespace (`shelter`).

    Args:
        room: how many there can be at once.
    """

    def __init__(self, room: int) -> None:
        self.pids: list[int] = []
        self._stacks = ctypes.create_string_buffer(room * _STACK)

    def grow(self, count: int, name: str = "") -> None:
        """Have this number more, each with a namespace of this type of its own, or none of its own.

        Raises:
            StepFailed: the kernel refused one.
            ValueError: the machine does not allow that many.
        """
        flag = int(namespace_types.get(name).flag) if name else 0
        # clone(2) has no room for CLONE_NEWTIME.  Who shares the maker's memory stays in its time
        # namespace anyway, and keeps the one that is meant for children.
        before = libc.unshare if name == "time" else libc.getpid
        flags = ctypes.c_int(_SHARED | (0 if name == "time" else flag))
        base = ctypes.addressof(self._stacks)
        if len(self.pids) + count > len(self._stacks) // _STACK:
            raise ValueError(f"there is no room for {count} more")
        for number in range(len(self.pids) + 1, len(self.pids) + count + 1):
            top = ctypes.c_void_p((base + number * _STACK) & ~15)
            pid = -1 if before(flag) == -1 else libc.clone(_PAUSE, top, flags, None)
            if pid == -1:
                step = f"unshare {name}" if name else "fork"
                raise first_process.StepFailed(step, ctypes.get_errno(), "clone(2)")
            self.pids.append(pid)

    def end(self) -> None:
        """End them all, and wait until they have ended."""
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        for pid in self.pids:
            os.waitpid(pid, 0)
        self.pids.clear()


def growth(name: str, count: int) -> list[tuple[str, float, int]]:
    """Make namespaces, and see which slab caches have more objects in use; root only.

    Args:
        name: the namespace type.
        count: how many; a tenth of them are made before anything is counted.

    Returns:
        Cache, objects for each namespace, bytes of an object; what processes need is taken off.

    Raises:
        StepFailed: the kernel refused a namespace.
        PermissionError: this is not root.
    """
    pool = ProcessPool(3 * count + 10)
    looks = []
    back = kernel_memory.MemoryBaseline(kernel_memory.objects)
    try:
        pool.grow(count // 10 + 1, name)
        for kind in (None, "", name):
            if kind is not None:
                pool.grow(count, kind)
            kernel_memory.settle()
            looks.append(kernel_memory.caches())
    finally:
        pool.end()
        back.wait()
    start, without, own = looks
    found = []
    for cache, (objects, size) in own.items():
        before, between = (look.get(cache, (0, size))[0] for look in (start, without))
        found.append((cache, ((objects - between) - (between - before)) / count, size))
    return found
