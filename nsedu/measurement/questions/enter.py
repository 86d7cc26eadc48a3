"""What setns(2) takes: into each type by its file, and into all eight, one by one and by a pidfd.

The namespaces entered are those of a process that has all eight of its own.  It was made by one
that has all eight, too, and this outer one is entered first, by its pidfd and untimed: it owns what
is entered then, so that the user who runs this has the right to, and the kernel's code and data
have been in use just now (see `operations.rehearse`).

Each sample is taken in a fresh child of a small single-threaded process.  The null operation is
setns(2) of no file (-1), which the kernel refuses at once: the way there and back.  To enter what
one is in already would be no null operation, for the kernel does nearly the same work then.  Eight
in a row have a null operation each.

Entering a PID namespace moves only later children.  Entering a time namespace takes the page away
that the clock is read from, so the reading that ends the timing has to fetch it anew; who enters
one has to pay for that.
"""

from __future__ import annotations

import errno
import os
from functools import partial

from nsedu.agent import first_process
from nsedu.errors import process_facts
from nsedu.kernel import namespace_types, syscalls
from nsedu.measurement.sampler.operations import (
    Operation,
    PreparedProcess,
    Unmet,
    continue_in_child,
    in_child,
    libc,
    own_user_namespace,
    timed,
)

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from nsedu.measurement.sampler.operations import Sample

TITLE = "What setns(2) takes, by namespace type"
ROUNDS = 300


def operations(stack: ExitStack) -> list[Operation | Unmet]:
    """Each type, all of them one by one (the user namespace first), and all by one pidfd."""
    names = [name for name in namespace_types.NAMES if os.path.lexists(f"/proc/self/ns/{name}")]
    nest = stack.enter_context(PreparedProcess(partial(make_nest, names), lambda: nested_pids))
    around, target = (os.pidfd_open(pid) for pid in nest.call())
    inner = nest.call()[1]
    files = {name: os.open(f"/proc/{inner}/ns/{name}", os.O_RDONLY) for name in names}
    for fd in (around, target, *files.values()):
        stack.callback(os.close, fd)
    one = {name: (files[name], int(namespace_types.get(name).flag), name) for name in names}
    ways = {name: [step] for name, step in one.items()}
    ways["all, one by one"] = sorted(one.values(), key=lambda step: step[2] != "user")
    ways["all, by a pidfd"] = [(target, namespace_types.flags(names), "user")]
    join = partial(first_process.join, names, around)
    found: list[Operation | Unmet] = [
        Operation(way, _sampler(join, steps)) for way, steps in ways.items()
    ]
    for name in set(namespace_types.NAMES) - set(names):
        found.append(Unmet(name, process_facts.failure(f"setns {name}", errno.EINVAL, "setns(2)")))
    return found


def _sampler(join: Callable[[], None], steps: list[tuple[int, int, str]]) -> Callable[[], Sample]:
    """What takes the time of these calls in a row: descriptor, flags, and what is entered."""

    def inside() -> Sample:
        join()
        samples = [
            timed(libc.setns, fd, flags, nothing=(-1, 0), name=f"setns {name}")
            for fd, flags, name in steps
        ]
        return sum(taken for taken, _ in samples), sum(null for _, null in samples)

    return partial(in_child, inside)


nested_pids: list[int] = []
"""Of a process in all of the outer namespaces, and of one in the inner ones."""


def make_nest(names: list[str]) -> None:
    """Make two sets of namespaces, one in the other, with a process in each."""
    for _ in ("outer", "inner"):
        own_user_namespace()
        for name in names:
            if name != "user":
                try:
                    syscalls.unshare(namespace_types.get(name).flag)
                except OSError as error:
                    number, call = error.errno or 0, str(error.filename)
                    raise first_process.StepFailed(f"unshare {name}", number, call) from None
        continue_in_child()
        # As the /proc that was here before calls it.
        nested_pids.append(int(os.readlink("/proc/self")))
        continue_in_child()  # one waits here, in all of them
