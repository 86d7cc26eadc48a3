"""What unshare(2) takes when the kernel was at the same thing just before, and when it was not.

A processor is quick with code and data that it has used lately: they are in its caches, and it
predicts the branches.  The same call is timed three ways, each in a fresh child:

* *warm*: a child that copies nothing has just made such a namespace on the same processor
  (`operations.rehearse`).  So it is in all other questions here.
* *plain*: the fork of the interpreter comes just before, which drives some of that out.
* *after 20 ms*: the process has slept before the call; meanwhile the processor did other things,
  or nothing, and its host may have given it to others.

The null operation is unshare(2) of nothing, in the same child and the same way: after a sleep of
its own.  Page faults are in none of the figures: each child has made the null call before.
"""

from __future__ import annotations

import contextlib
import time
from functools import partial

from nsedu.kernel import namespace_types
from nsedu.measurement.sampler.operations import (
    Operation,
    ensure_can_unshare,
    in_child,
    libc,
    timed,
    warm_caches,
)

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsedu.measurement.sampler.operations import Sample

TITLE = "What unshare(2) takes, warm and cold"
ROUNDS = 100
TYPES = ("uts", "net")
PAUSE = 0.02  # seconds
WAYS = ("warm", "plain", "after 20 ms")


def operations(_: contextlib.ExitStack) -> list[Operation]:
    """Each of `TYPES` in each of `WAYS`."""
    return [
        Operation(f"{name}, {way}", sampler_of(name, way), way) for way in WAYS for name in TYPES
    ]


def sampler_of(name: str, way: str) -> Callable[[], Sample]:
    """What makes a namespace of a type once, in one of `WAYS`, and times it."""
    flags = int(namespace_types.get(name).flag)
    step = f"unshare {name}"

    def inside() -> Sample:
        ensure_can_unshare()
        if way == "warm":
            warm_caches(flags)
        if way != "after 20 ms":
            return timed(libc.unshare, flags, name=step)
        timed(libc.unshare, 0)
        time.sleep(PAUSE)
        _, null = timed(libc.unshare, 0, warm=1)
        time.sleep(PAUSE)
        taken, _ = timed(libc.unshare, flags, name=step, warm=0)
        return taken, null

    return partial(in_child, inside)
