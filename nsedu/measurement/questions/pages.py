"""What a page of memory takes, by the control group that it is charged to.

The first time that a process touches a page, the kernel finds memory for it (a page fault).  If the
process is in a control group of the memory controller, the page is charged to the group, and to
each group above it.  The root of all groups is charged for nothing: a process that is moved there
is what the others are compared with, where this process may move one (cgroups(7)).

Each sample touches 256 pages of 4 KiB, in order, and gives them back afterwards; what is given is
the time of one.  The null operation touches the same pages once more: they are there already, so it
is the writing alone.  No process comes anywhere near its limit: what is measured is the counting.
At the limit the kernel looks for something to take back first, and that has no figure of its own.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from functools import partial

from nsedu.agent import birth, cgroups
from nsedu.agent.limit_groups import LimitGroups
from nsedu.errors import process_facts
from nsedu.measurement.sampler.operations import Operation, PreparedProcess, Unmet, libc

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from nsedu.measurement.sampler.operations import Sample

TITLE = "What a page of memory takes, by the control group that it is charged to"
ROUNDS = 200
PARTS = 1

PAGES = 256
"""How many are touched for a sample."""
LIMIT = 1 << 30
"""Bytes, of the group with a limit."""

_PATIENCE = 5.0  # seconds until the group is empty, once its process has been told to end
_INITIAL = 0xEFFFFFFB  # of the first control group namespace, PROC_CGROUP_INIT_INO


def operations(stack: ExitStack) -> list[Operation | Unmet]:
    """A process that is charged for nothing, one where this process is, one in a new group."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the first has most interrupts
    groups = LimitGroups()
    stack.callback(groups.remove_all, _PATIENCE)
    places: dict[str, Callable[[int], object]] = {
        "charged to no group": _charge_nothing,
        "charged to your group": lambda _: None,
        "charged to a group with a limit": partial(_limit, stack, groups),
    }
    found: list[Operation | Unmet] = []
    for place, move in places.items():
        name = f"page, {place}"
        stand = stack.enter_context(PreparedProcess(map_pages, touch_pages))
        try:
            move(stand.pid)
        except OSError as error:
            failed = birth.step("cgroup", error)
            found.append(Unmet(name, process_facts.failure(failed.step, failed.errno, failed.call)))
        except LookupError as reason:
            found.append(Unmet(name, str(reason)))
        else:
            found.append(Operation(name, stand.call, unit="ns"))
    return found


def _charge_nothing(pid: int) -> None:
    """Move a process to the root of all groups.

    Raises:
        LookupError: it cannot be seen from here; says so.
        OSError: the process may not be moved there.
    """
    where = cgroups.controllers().get("memory")
    if where is None or os.stat("/proc/self/ns/cgroup").st_ino != _INITIAL:
        raise LookupError(
            "the root of all control groups, which nothing is charged to, cannot be seen from here:"
            " run this as root, and in no container."
        )
    cgroups.move(pid, [where.mount])


def _limit(stack: ExitStack, groups: LimitGroups, pid: int) -> None:
    pidfd = os.pidfd_open(pid)
    try:
        held = groups.hold(f"nsedu-{os.getpid()}-pages", "", {"memory": LIMIT}, pidfd)
    finally:
        os.close(pidfd)
    stack.callback(groups.on_end, held)


# What follows is the state of the process whose memory it is.
_memory: list[mmap.mmap] = []


def map_pages() -> None:
    """Get the memory whose pages are touched, none of it used yet."""
    memory = mmap.mmap(-1, PAGES * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)  # or it would be one page of 2 MiB
    _memory.append(memory)


def touch_pages() -> Sample:
    """Touch each page once, in µs for one, and give them back."""
    memory, clock = _memory[0], time.perf_counter_ns
    start = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
    size = ctypes.c_size_t(len(memory))
    began = clock()
    libc.memset(start, 1, size)
    touched = clock()
    libc.memset(start, 1, size)
    again = clock()
    memory.madvise(mmap.MADV_DONTNEED)
    return (touched - began) / PAGES, (again - touched) / PAGES
