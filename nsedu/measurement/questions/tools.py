"""What namespaces cost as people get them: from the start of a tool to its exit, for `true` inside.

Each tool is started by posix_spawn(3), without a shell, and waited for; the null operation is
`true` by itself, started and waited for in the same way by the same process.  A tool is a program
of its own, and executes `true` when it has done its work; `env` does that and nothing else, so that
one can see how much of a tool is this.  All that change the
root file system get the same one, and `runtimes` has the words of each.  Our own sandbox is asked
of an agent that runs already, as in a notebook: made, `true` run in it, closed.

A tool that has just run finds its files and the kernel's code in the caches.  One that follows a
slow one does not, and takes up to a tenth more; so the quick ones are run a few times untimed
before each sample.  That is how hyperfine(1) measures, too.

The tools do not all do the same.  `unshare` with all its options and our sandbox make all eight
types; bwrap all but time; runc, crun, LXC and systemd-nspawn neither time nor, for root, user;
podman, as called here, not cgroup either; firejail mnt, UTS, IPC and PID.  runc, crun, LXC and
systemd-nspawn also make control groups for root.  And what is above `true` is not all namespaces:
firejail sleeps for 20 ms before it waits for its child, and systemd-nspawn spends four fifths of
its time on compiling seccomp filters (SYSTEMD_SECCOMP=0 shows it).
"""

from __future__ import annotations

import contextlib
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from nsedu.kernel import namespace_types
from nsedu.measurement.runtimes import isolation, programs
from nsedu.measurement.runtimes.runtimes import DOCKER, NAME, RUNTIMES, TRUE, Runtime, lay_out
from nsedu.measurement.sampler.cleanup import cleanup_on_exit
from nsedu.measurement.sampler.operations import (
    Operation,
    PreparedProcess,
    Refused,
    Unmet,
    alternating,
)
from nsedu.sandbox import agent_client
from nsedu.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from nsedu.measurement.sampler.operations import Sample

TITLE = "What it takes to run true in namespaces, from start to exit"
ROUNDS = 100
PARTS = 1
QUICK = 30_000.0
"""What takes less is run a few times untimed before each sample, in µs."""
REHEARSALS = 3


def operations(stack: ExitStack) -> list[Operation | Unmet]:
    """One for each tool, and our own sandbox among them."""
    found: list[Operation | Unmet] = [_operation("Sandbox, all eight", _sandbox, _true)]
    stack.callback(agent_client.shutdown)
    lacking = {runtime.name: runtime.lacking() for runtime in RUNTIMES}
    usable = [runtime for runtime in RUNTIMES if not lacking[runtime.name]]
    leaves = [name for runtime in usable for name in runtime.leaves]
    stack.enter_context(isolation.without_new_groups(leaves))
    for types in dict.fromkeys(runtime.room for runtime in usable):
        some = [runtime for runtime in usable if runtime.room == types]
        found += in_sandbox(stack, some, types) if types else map(_direct, some)
    found += [Unmet(name, reason) for name, reason in lacking.items() if reason]
    try:
        stack.enter_context(docker_image())
    except OSError as error:
        found.append(Unmet(DOCKER.name, str(error)))
    else:
        found.append(_direct(DOCKER))
    return found


_true = partial(programs.run, [TRUE])


def _operation(name: str, tool: Callable[[], float], true: Callable[[], float]) -> Operation:
    """A tool and `true`, rehearsed just before if that takes no time to speak of."""
    pair = alternating(tool, true)
    last = QUICK

    def sample() -> Sample:
        nonlocal last
        if last < QUICK:
            for _ in range(REHEARSALS):
                tool()
                true()
        last, null = pair()
        return last, null

    return Operation(name, sample)


def _sandbox() -> float:
    start = time.perf_counter_ns()
    with Sandbox(*namespace_types.NAMES) as box:
        box.run([TRUE])
    return (time.perf_counter_ns() - start) / 1000


def _direct(runtime: Runtime) -> Operation:
    return _operation(runtime.name, partial(programs.run, runtime.command([TRUE])), _true)


def in_sandbox(
    stack: ExitStack, usable: list[Runtime], types: tuple[str, ...]
) -> list[Operation] | list[Unmet]:
    """The runtimes that must be started inside a sandbox of these types, each with its null."""
    words = [*(runtime.command([TRUE]) for runtime in usable), [TRUE]]
    enter = partial(isolation.enter, types)
    try:
        stand = stack.enter_context(
            PreparedProcess(enter, *(partial(isolation.run, each) for each in words))
        )
    except Refused as refused:
        return [Unmet(runtime.name, refused.message) for runtime in usable]
    true = partial(_ask, stand, len(usable))
    return [
        _operation(runtime.name, partial(_ask, stand, which), true)
        for which, runtime in enumerate(usable)
    ]


def _ask(stand: PreparedProcess, which: int) -> float:
    taken: float | str = stand.call(which)
    if isinstance(taken, str):
        raise OSError(taken)
    return taken


@contextlib.contextmanager
def docker_image() -> Iterator[None]:
    """Docker's image with the same root file system; gone afterwards, however this process ends.

    Raises:
        OSError: a sentence on why there can be none.
    """
    if reason := DOCKER.lacking():
        raise OSError(reason)
    if programs.ended(programs.start(["docker", "version"])):
        raise OSError(
            f"Docker's engine does not answer ({programs.last_words()}): start it, and make sure"
            " that you may use it."
        )
    with tempfile.TemporaryFile() as archive, tempfile.TemporaryDirectory() as top:
        lay_out(top)
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(top, "")
        archive.seek(0)
        if programs.ended(programs.start(["docker", "import", "-", NAME], archive.fileno())):
            raise OSError(f"docker import was refused: {programs.last_words()}")
    with cleanup_on_exit(partial(programs.run, ["docker", "rmi", "--force", NAME])):
        yield
