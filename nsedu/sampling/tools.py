"""What namespaces cost as people get them: from the start of a tool to its exit, for `true` inside.

Each tool is started by posix_spawn(3), without a shell, and waited for; the null operation is
`true` by itself, started and waited for in the same way by the same process.  All that change the
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
import os
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from nsedu import client, nstypes
from nsedu.sampling import programs
from nsedu.sampling.operations import Operation, Refused, Stand, Unmet, fork, in_turns
from nsedu.sampling.room import Room
from nsedu.sampling.runtimes import DIRECT, DOCKER, IN_MOUNTS, IN_ROOM, NAME, TRUE, Runtime, lay_out
from nsedu.sandbox import Sandbox

if TYPE_CHECKING:
    from nsedu.sampling.operations import Sample

TITLE = "What it takes to run true in namespaces, from start to exit"
ROUNDS = 20
QUICK = 30_000.0
"""What takes less is run a few times untimed before each sample, in µs."""
REHEARSALS = 3


def operations(stack: ExitStack) -> list[Operation | Unmet]:
    """One for each tool, and our own sandbox among them."""
    found: list[Operation | Unmet] = [_operation("Sandbox, all eight", _sandbox, _true)]
    stack.callback(client.shutdown)
    found += [_direct(runtime) for runtime in DIRECT]
    found += _in_room(stack, IN_MOUNTS, "mnt")
    found += _in_room(stack, IN_ROOM, "mnt", "pid")
    try:
        stack.enter_context(_image())
    except OSError as error:
        found.append(Unmet(DOCKER.name, str(error)))
    else:
        found.append(_direct(DOCKER))
    return found


_true = partial(programs.run, [TRUE])


def _operation(name: str, tool: Callable[[], float], true: Callable[[], float]) -> Operation:
    """A tool and `true`, rehearsed just before if that takes no time to speak of."""
    pair = in_turns(tool, true)
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
    with Sandbox(*nstypes.NAMES) as box:
        box.run([TRUE])
    return (time.perf_counter_ns() - start) / 1000


def _direct(runtime: Runtime) -> Operation | Unmet:
    if reason := runtime.lacking():
        return Unmet(runtime.name, reason)
    return _operation(runtime.name, partial(programs.run, runtime.command([TRUE])), _true)


def _in_room(stack: ExitStack, runtimes: Sequence[Runtime], *types: str) -> list[Operation | Unmet]:
    reasons = {runtime.name: runtime.lacking() for runtime in runtimes}
    able = [runtime for runtime in runtimes if not reasons[runtime.name]]
    found: list[Operation | Unmet] = [Unmet(name, why) for name, why in reasons.items() if why]
    if not able:
        return found
    room = Room(types, [name for runtime in able for name in runtime.leaves])
    words = [*(runtime.command([TRUE]) for runtime in able), [TRUE]]
    try:
        stand = stack.enter_context(Stand(room.enter, *(partial(room.run, each) for each in words)))
    except Refused as refused:
        return [*found, *(Unmet(runtime.name, refused.message) for runtime in able)]
    true = partial(_ask, stand, len(able))
    return found + [
        _operation(runtime.name, partial(_ask, stand, which), true)
        for which, runtime in enumerate(able)
    ]


def _ask(stand: Stand, which: int) -> float:
    taken: float | str = stand.call(which)
    if isinstance(taken, str):
        raise OSError(taken)
    return taken


@contextlib.contextmanager
def _image() -> Iterator[None]:
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
    with _afterwards(["docker", "rmi", "--force", NAME]):
        yield


@contextlib.contextmanager
def _afterwards(words: list[str]) -> Iterator[None]:
    """Have a program run after the block, or when this process has been killed."""
    read, write = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            os.close(write)
            os.read(read, 1)  # the end of file: whoever has the other end has ended
            programs.run(words)
        finally:
            os._exit(0)
    os.close(read)
    try:
        yield
    finally:
        os.close(write)
        os.waitpid(pid, 0)
