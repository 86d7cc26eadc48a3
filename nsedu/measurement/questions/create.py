"""What unshare(2) takes, for each namespace type and for all of them at once.

Each sample is taken in a fresh child of a small single-threaded process, for that is how namespaces
are made in earnest.  As an ordinary user the child is in a user namespace of its own first.
"""

from __future__ import annotations

import contextlib
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

TITLE = "What unshare(2) takes, by namespace type"
ROUNDS = 300


def operations(_: contextlib.ExitStack) -> list[Operation]:
    """The null call, each type by itself, and all eight in one call."""
    flags = {"none": 0, **{kind.name: int(kind.flag) for kind in namespace_types.CATALOGUE}}
    flags["all"] = namespace_types.flags(namespace_types.NAMES)
    return [Operation(name, _sampler(name, value)) for name, value in flags.items()]


def _sampler(name: str, flags: int) -> Callable[[], Sample]:
    def inside() -> Sample:
        ensure_can_unshare()
        step = f"unshare {name if name in namespace_types.BY_NAME else 'user'}"
        warm_caches(flags)
        return timed(libc.unshare, flags, name=step)

    return partial(in_child, inside)
