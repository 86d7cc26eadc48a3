"""What clone3(2) takes with each CLONE_NEW* flag, from a small process and from one of 500 MB.

Timed is the call alone, in the parent: from before it until it has returned.  The child ends at
once, and is waited for outside the timing.  The null operation is the same call of the same process
without a new namespace.

A fork copies no memory, but the tables that say where it is: 8 bytes for each page of 4 KiB, here
128 000 of them.  Large pages would make that 250 (MADV_HUGEPAGE, or "always" in
/sys/kernel/mm/transparent_hugepage/enabled), so the 500 MB are of small ones, as most programs'
memory is.  A namespace does not copy any of it: what is above the null operation stays the same as
far as it can be told, only its part in the whole shrinks.

The child may be given the parent's processor before the call has returned, and the first things
that the parent writes to after it must be copied; both count in the null operation as well.  A fork
of the large process drives everything else out of the processor's caches, so from the small one
each is done twice, and the second counts.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import time
from contextlib import ExitStack, suppress
from functools import partial

from nsedu.agent import first_process
from nsedu.kernel import namespace_types
from nsedu.kernel.syscalls import SYS_clone3
from nsedu.measurement.sampler.operations import (
    WARM,
    Operation,
    PreparedProcess,
    Unmet,
    alternating,
    ensure_can_unshare,
    libc,
)

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsedu.measurement.sampler.operations import Sample

TITLE = "What clone3(2) takes, by namespace type and by the size of the process"
ROUNDS = 30
PARTS = 1
SIZE = 500 << 20
_SPARE = 2 * SIZE  # bytes that must be free first: what others have in memory stays there

FLAGS = {
    "none": 0,
    **{kind.name: int(kind.flag) for kind in namespace_types.CATALOGUE},
    "all": namespace_types.flags(namespace_types.NAMES),
}


def operations(stack: ExitStack) -> list[Operation | Unmet]:
    """Each of `FLAGS`, from both processes."""
    births = [partial(timed_clone, name, flags) for name, flags in FLAGS.items()]
    small = stack.enter_context(PreparedProcess(ensure_can_unshare, *births))
    found: list[Operation | Unmet] = [
        operation._replace(sample=partial(_second, operation.sample))
        for operation in _births(small, "a small process")
    ]
    try:
        if (free := available_memory()) < _SPARE:
            raise MemoryError(f"of {_SPARE >> 20} MB only {free >> 20} MB are free")
        large = stack.enter_context(PreparedProcess(grow, *births))
    except (MemoryError, RuntimeError) as error:
        what = f"a process of 500 MB cannot be had here ({error}): end what uses memory, or give"
        found.append(Unmet("from 500 MB", f"{what} the container more."))
    else:
        found += _births(large, "500 MB")
    return found


def _births(stand: PreparedProcess, size: str) -> list[Operation]:
    samples = [
        alternating(partial(stand.call, i), partial(stand.call, 0)) for i in range(len(FLAGS))
    ]
    named = zip(FLAGS, samples, strict=True)
    return [Operation(f"{name} from {size}", sample, f"from {size}") for name, sample in named]


def _second(sample: Callable[[], Sample]) -> Sample:
    """The second of two samples: the first meets what a large process has left of the caches."""
    sample()
    return sample()


def available_memory() -> int:
    """How many bytes can be had without taking them from anybody (proc_meminfo(5))."""
    with open("/proc/meminfo") as file:
        fields = dict(line.split(":") for line in file)
    return int(fields["MemAvailable"].split()[0]) << 10


_memory: list[mmap.mmap] = []  # what makes a process large, for as long as it lives


def grow() -> None:
    """Take 500 MB of memory, to be copied or shared at each birth."""
    # Should the memory of a container not suffice after all, this is the process to be killed.
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    memory = mmap.mmap(-1, SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # EINVAL: a kernel without large pages
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    for start in range(0, SIZE, mmap.PAGESIZE):
        memory[start] = 1
    _memory.append(memory)
    ensure_can_unshare()


_LENGTH = 88  # of struct clone_args, CLONE_ARGS_SIZE_VER2
_SIGCHLD = 17


def timed_clone(name: str, flags: int) -> float:
    """Time one clone3(2), in µs; the calls before it have no argument, and are refused at once."""
    words = struct.pack(f"{_LENGTH // 8}Q", flags, 0, 0, 0, _SIGCHLD, 0, 0, 0, 0, 0, 0)
    arguments = ctypes.create_string_buffer(words, _LENGTH)
    call, clock, number = libc.syscall, time.perf_counter_ns, ctypes.c_long(SYS_clone3)
    taken = pid = 0
    for length in [0] * WARM + [_LENGTH]:
        size = ctypes.c_size_t(length)
        start = clock()
        pid = call(number, arguments, size)
        if pid == 0:
            os._exit(0)
        taken = clock() - start
    if pid == -1:
        step = f"unshare {name}" if name in namespace_types.BY_NAME else "fork"
        raise first_process.StepFailed(step, ctypes.get_errno(), "clone3(2)")
    os.waitpid(pid, 0)
    return taken / 1000
