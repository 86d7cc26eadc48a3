"""What a fork takes by the depth of PID namespaces: a process gets a number in every one of them.

At each depth there is a process that forks, and waits for the child, which ends at once.  The null
operation is the same in a process with as many forefathers, but without their namespaces: each
forefather makes a fork dearer, too, for the kernel remembers from whom memory may still be shared.
A vfork copies no memory, so there the numbers are nearly all there is to do.
"""

from __future__ import annotations

import os
import time
from functools import partial

from nsedu.agent import first_process
from nsedu.kernel import syscalls
from nsedu.kernel.namespace_types import CloneFlag
from nsedu.measurement.sampler.operations import (
    Operation,
    PreparedProcess,
    alternating,
    continue_in_child,
    ensure_can_unshare,
    libc,
    vfork,
)

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from contextlib import ExitStack

TITLE = "What a fork takes, by the depth of PID namespaces"
ROUNDS = 300
PARTS = 1
DEPTHS = (0, 1, 2, 5, 10, 15, 20, 25, 30)


def operations(stack: ExitStack) -> list[Operation]:
    """One for each of `DEPTHS`."""
    found = []
    for depth in DEPTHS:
        inside = stack.enter_context(
            PreparedProcess(partial(down, depth, CloneFlag.NEWPID), *BIRTHS)
        )
        beside = stack.enter_context(PreparedProcess(partial(down, depth, 0), *BIRTHS))
        for which, series in enumerate(("fork", "vfork")):
            sample = alternating(partial(inside.call, which), partial(beside.call, which))
            found.append(Operation(f"{series} at depth {depth}", sample, series, depth))
    return found


def down(depth: int, flag: int) -> None:
    """Fork this often, and return in the last child; each with unshare(2) of a flag first."""
    ensure_can_unshare()
    for _ in range(depth):
        try:
            syscalls.unshare(flag)
        except OSError as error:
            raise first_process.StepFailed("unshare pid", error.errno or 0, "unshare(2)") from None
        continue_in_child()


def _fork() -> float:
    start = time.perf_counter_ns()
    pid = syscalls.clone(0, alone=True)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return (time.perf_counter_ns() - start) / 1000


def _vfork() -> float:
    start = time.perf_counter_ns()
    vfork(libc.getpid)
    return (time.perf_counter_ns() - start) / 1000


BIRTHS = (_fork, _vfork)
