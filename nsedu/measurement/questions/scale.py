"""What a namespace more takes, and what a look takes, with 1, 10, 100 and 1000 of them standing.

*create*: unshare(2) in a fresh child, beside a null call, as in `create`.  Meanwhile one process
holds others of the type by descriptors, which costs least: it makes one after the other,
and opens each.  They are made for every sample, and none stands for longer, or else a sample of
ten would be one of a thousand in truth.  So there are but a hundred network namespaces: a thousand
take half a second to make, and more than that until a worker of the kernel has taken them down.
That is waited for, as the dead slow down whatever runs beside.

*look*: `nsedu.snapshot("machine")` with a number of processes, each in a UTS namespace of its own;
the null operation is the look at as many that have none.  *deep look*: the same with deep=True, and
the namespaces are held by descriptors of one process; the null operation finds as many descriptors
of one namespace.  Both looks are taken from a PID namespace with a /proc of its own, and see
nothing else.  The one that counts is the second, for the first finds no process in the kernel's
caches.

Other namespaces of this machine stand as well, and other processes: x is what was added.
"""

from __future__ import annotations

import os
import resource
import time
from functools import partial

from nsedu.agent import first_process
from nsedu.kernel import namespace_types, syscalls
from nsedu.measurement.sampler import kernel_memory
from nsedu.measurement.sampler.operations import (
    Operation,
    PreparedProcess,
    Unmet,
    alternating,
    ensure_can_unshare,
    in_child,
    libc,
    own_user_namespace,
    timed,
    warm_caches,
)
from nsedu.measurement.sampler.process_pool import ProcessPool, enter_pid_namespace

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack

    from nsedu.measurement.sampler.operations import Sample

TITLE = "What a namespace more takes, and a look at them, by how many stand"
ROUNDS = 15
PARTS = 1
FIRST_COUNTS = True
LEVELS = {"uts": (1, 10, 100, 1000), "net": (1, 10, 100)}
_SPARE = 30  # descriptors for other things
_LOOKED_AT = "uts"


def _count(level: int) -> str:
    return f"{level} namespace{'s' if level > 1 else ''}"


def operations(stack: ExitStack) -> list[Operation | Unmet]:
    """Creation and both kinds of looks, at each of `LEVELS`."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    creations = [(name, level) for name, levels in LEVELS.items() for level in levels]
    calls: list[Callable[[], object]] = [partial(create_at, *creation) for creation in creations]
    maker = stack.enter_context(PreparedProcess(_begin_to_make, *calls))
    found: list[Operation | Unmet] = []
    for which, (name, level) in enumerate(creations):
        label = f"create {name}, {_count(level)}"
        sample = partial(maker.call, which)
        found.append(_held(label, sample, f"create {name}", level, most))
    levels = LEVELS[_LOOKED_AT]
    looks = [
        partial(look, level, name)
        for look in (plain_snapshot, deep_snapshot)
        for level in levels
        for name in (_LOOKED_AT, "")
    ]
    looker = stack.enter_context(PreparedProcess(begin_snapshots, *looks))
    turns: Iterator[Callable[[], float]] = (partial(looker.call, i) for i in range(len(looks)))
    samples = iter([alternating(own, null) for own, null in zip(turns, turns, strict=True)])
    for level in levels:
        found.append(Operation(f"look, {_count(level)}", next(samples), "look", level))
    for level in levels:
        found.append(_held(f"deep look, {_count(level)}", next(samples), "deep look", level, most))
    return found


def _held(
    label: str, sample: Callable[[], Sample], series: str, level: int, most: int
) -> Operation | Unmet:
    if level + _SPARE > most:
        return Unmet(
            label,
            f"a process may have {most} descriptors open here (RLIMIT_NOFILE), which are too few to"
            f" hold {level} namespaces: raise the hard limit (ulimit -Hn, as root).",
        )
    return Operation(label, sample, series, level)


def _begin_to_make() -> None:
    ensure_can_unshare()
    _allow_descriptors()


def _allow_descriptors() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def hold(count: int, name: str, flags: int) -> list[int]:
    """Make namespaces one after the other, and hold each; of no flags, hold the same each time."""
    held: list[int] = []
    try:
        for _ in range(count):
            syscalls.unshare(flags)
            held.append(os.open(f"/proc/self/ns/{name}", os.O_RDONLY))
    except OSError as error:
        _let_go(held)
        raise first_process.StepFailed(
            f"unshare {name}", error.errno or 0, str(error.filename)
        ) from None
    return held


def _let_go(held: list[int]) -> None:
    for fd in held:
        os.close(fd)


def create_at(name: str, level: int) -> Sample:
    """Make one more where this number is held, in µs."""
    flags = int(namespace_types.get(name).flag)

    def inside() -> Sample:
        warm_caches(flags)
        return timed(libc.unshare, flags, name=f"unshare {name}")

    back = kernel_memory.MemoryBaseline(kernel_memory.slabs)
    held = hold(level, name, flags)
    try:
        return in_child(inside)
    finally:
        _let_go(held)
        if name == "net" and level == max(LEVELS["net"]):
            back.wait()


_pool: list[ProcessPool] = []  # the one of the process that looks


def begin_snapshots() -> None:
    """Prepare the process that takes the snapshots."""
    _allow_descriptors()
    own_user_namespace()  # root, too, is to see nothing but this
    enter_pid_namespace("mnt")
    first_process.prepare(first_process.Plan(types=["mnt", "pid"]))
    import nsedu.observe.snapshot  # noqa: F401 - now, not while the clock runs

    _pool.append(ProcessPool(max(LEVELS[_LOOKED_AT])))


def plain_snapshot(level: int, name: str) -> float:
    """A plain snapshot with this number of processes, in µs."""
    pool = _pool[0]
    try:
        pool.grow(level, name)
        return second_snapshot(deep=False)
    finally:
        pool.end()


def deep_snapshot(level: int, name: str) -> float:
    """A deep snapshot with this number of descriptors, in µs."""
    held = hold(level, _LOOKED_AT, int(namespace_types.get(name).flag) if name else 0)
    try:
        return second_snapshot(deep=True)
    finally:
        _let_go(held)


def second_snapshot(deep: bool) -> float:
    """The second of two snapshots, in µs: the first one imports and compiles."""
    from nsedu.observe.snapshot import snapshot

    start = 0
    for _ in ("first", "second"):
        start = time.perf_counter_ns()
        snapshot("machine", deep)
    return (time.perf_counter_ns() - start) / 1000
