"""What memory the kernel uses for a namespace of each type, and what of it is charged to its maker.

A pool of processes is made, each with a namespace of its own, and memory is read before and after;
then the same again without namespaces, which is what a process costs, and is taken off.  The null
operation is a third pool, without namespaces: what is left of that by the same subtraction is what
this way of measuring makes up.  Each pool goes first in turn.

Nobody ends between the first and the last figure, for the kernel frees much of a process and of a
namespace some time later.  What the first ones of any pool find ready, half-filled slabs above
all, others have taken before.  At the end all end, and their memory is waited for.  All of it
happens on one processor, as each has lists of free objects, and sums not yet told, of its own.

Memory is read in three ways:

* *charged*: what the memory controller has charged to the control group of this process, and what
  a limit of that group holds.  It is exact to the page for the whole pool.  But the kernel charges
  only what its source marks so (SLAB_ACCOUNT, GFP_KERNEL_ACCOUNT): half of what a network namespace
  takes is not, nor are the sysctl tables of an IPC namespace.
* *objects*: objects in use, cache by cache, each times its size (/proc/slabinfo, root only), and
  Percpu of /proc/meminfo.  Of the whole machine: what others do counts, too.  What is no object of
  a slab is not in it: a time namespace has a page of its own, where the vDSO reads its clocks.
* *slabs*: Slab and Percpu of /proc/meminfo, of the whole machine.  They grow by whole slabs of one
to
  eight pages, and not at all while there is room in those that are there.  So they say too little
  rather than too much, and are known to some KiB: nothing for the small ones, but enough to tell
  a network namespace from any other where the two better ways are closed.

What is measured is a namespace right after its making, in use: with its first process (pid),
without id maps (user), with a copy of each mount that this process sees (mnt), with a loopback that
is down (net), and with the nsproxy by which a process has it (72 bytes; not for user).
"""

from __future__ import annotations

import os
from functools import partial

from nsedu.kernel import namespace_types
from nsedu.measurement.sampler import kernel_memory
from nsedu.measurement.sampler.metrics import MetricGroup
from nsedu.measurement.sampler.operations import Operation, PreparedProcess, Unmet, libc
from nsedu.measurement.sampler.process_pool import ProcessPool, enter_pid_namespace

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from nsedu.measurement.sampler.operations import Sample

TITLE = "Kernel memory of a namespace, by type"
ROUNDS = 15
PARTS = 1
FIRST_COUNTS = True
COUNTS = {name: 30 if name == "net" else 100 for name in namespace_types.NAMES}
"""How many namespaces are in a pool."""

WAYS = ("charged", "objects", "slabs")
"""How memory is read."""

_FIRST = 100  # processes that find what others have left
_POOLS = ("without", "with", "null")
_UNMET = {
    "charged": (
        "no control group is charged for the kernel memory of this process: start the notebook in"
        " one that has the memory controller (systemd-run --user --scope -p Delegate=yes make lab)."
    ),
    "objects": "only root may read /proc/slabinfo: run this as root to see them.",
}


def operations(stack: ExitStack) -> list[Operation | Unmet]:
    """Each type in each of `WAYS` that there is here."""
    measures = [partial(measured, name) for name in namespace_types.NAMES]
    stand = stack.enter_context(PreparedProcess(_begin, *measures, lambda: list(readers)))
    groups = {
        name: MetricGroup(partial(stand.call, which))
        for which, name in enumerate(namespace_types.NAMES)
    }
    ways = stand.call(len(measures))
    found: list[Operation | Unmet] = []
    for way in WAYS:
        if way not in ways:
            found.append(Unmet(way, _UNMET[way]))
            continue
        for name, group in groups.items():
            sample = partial(group.figure, way)
            found.append(Operation(f"{name}, {way}", sample, way, None, "KiB"))
    return found


# What follows is the state of the process that makes the pools.
pools: list[ProcessPool] = []
readers: dict[str, Callable[[], float]] = {"slabs": kernel_memory.slabs}
turns = dict.fromkeys(namespace_types.NAMES, 0)


def _begin() -> None:
    enter_pid_namespace()
    os.sched_setaffinity(0, {libc.sched_getcpu()})
    pools.append(ProcessPool(_FIRST + 4 * max(COUNTS.values())))
    charge = kernel_memory.charge()
    if charge is not None and _is_charged(charge):
        readers["charged"] = charge
    if os.access("/proc/slabinfo", os.R_OK):
        readers["objects"] = kernel_memory.objects


def _is_charged(charge: Callable[[], float]) -> bool:
    """Whether the group is charged at all: the root of all groups never is."""
    before = charge()
    pools[0].grow(_FIRST)
    after = charge()
    pools[0].end()
    return after > before


def measured(name: str) -> dict[str, Sample]:
    """Way of reading → a sample, in KiB for one namespace."""
    pool, count, turn = pools[0], COUNTS[name], turns[name] % len(_POOLS)
    turns[name] += 1
    back = kernel_memory.MemoryBaseline(readers.get("charged", kernel_memory.slabs))
    grown = {}
    try:
        pool.grow(_FIRST)
        pool.grow(count // 4, name)
        last = _read()
        for which in _POOLS[turn:] + _POOLS[:turn]:
            pool.grow(count, name if which == "with" else "")
            now = _read()
            grown[which] = {way: (now[way] - last[way]) / count for way in now}
            last = now
    finally:
        pool.end()
        back.wait()
    without, own, null = (grown[which] for which in _POOLS)
    return {way: (own[way] - without[way], null[way] - without[way]) for way in without}


def _read() -> dict[str, float]:
    kernel_memory.settle()
    return {way: read() for way, read in readers.items()}
