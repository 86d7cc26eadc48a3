"""What the mounts of a mount namespace cost: copied when it is made, and propagated to its peers.

unshare by mounts: one unshare(2) of the mount namespace, in a fresh child of a process whose
namespace holds that number of mounts: a tmpfs, the root, and bind mounts of its directories, all
private. The mounts that the machine began with are detached, and the others counted in
/proc/self/mountinfo.  The null operation is unshare(2) of nothing.  A rehearsal comes before each
sample, here and below: what others have done to the processor's caches is not the mounts' affair.

mount by peers, umount by peers: one mount(2) of a bind mount, and the umount2(2) of it, where so
many mount namespaces share what is mounted.  The null operation is the same in the same process at
a private mount.  Nobody lives in the other namespaces: each is kept by a file
descriptor, for propagation does not ask for processes, and these would take time of their own.
Before umount2(2) returns the kernel waits until no processor can still be looking at the mount (a
grace period of RCU): 15 µs or 3 ms, with peers or without, as the other processors please.
"""

from __future__ import annotations

import os
import time
from functools import partial

from nsedu.kernel import syscalls
from nsedu.kernel.namespace_types import CloneFlag
from nsedu.measurement.sampler import private_tmpfs
from nsedu.measurement.sampler.operations import (
    Operation,
    PreparedProcess,
    alternating,
    ensure_can_unshare,
    in_child,
    libc,
    timed,
    warm_caches,
)
from nsedu.measurement.sampler.private_tmpfs import step

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from nsedu.measurement.sampler.operations import Sample

TITLE = "What mounts cost: in a new mount namespace, and in those that share them"
ROUNDS = 200
MOUNTS = (10, 30, 100, 300, 1000)
PEERS = (1, 2, 5, 10, 20, 50)


def operations(stack: ExitStack) -> list[Operation]:
    """A curve over `MOUNTS`, and one over `PEERS`."""
    found = []
    for number in MOUNTS:
        stand = stack.enter_context(
            PreparedProcess(partial(fill, number), mount_count, partial(in_child, _unshare))
        )
        mounts = stand.call(0)
        name = f"unshare with {mounts} mounts"
        found.append(Operation(name, partial(stand.call, 1), "unshare by mounts", mounts))
    for peers in PEERS:
        stand = stack.enter_context(PreparedProcess(partial(share, peers), *CHANGES.values()))
        for which, call in enumerate(CHANGES):
            name = f"{call}, {peers} peer{'s' * (peers > 1)}"
            found.append(Operation(name, partial(stand.call, which), f"{call} by peers", peers))
    return found


open_files: dict[str, int] = {}
"""Of a stand: the /proc/self it had before it left the machine's mounts, and its mountinfo."""


def leave_the_mounts() -> None:
    """Move to a mount namespace with a single mount, an empty tmpfs.

    An ordinary user may not unmount what was copied from the machine's namespace, one by one, for
    it might cover something; but all of it together (mount_namespaces(7)).
    """
    ensure_can_unshare()
    private_tmpfs.enter()
    with step("pivot_root"):
        os.mkdir("old")
        syscalls.pivot_root(".", "old")
        os.chdir("/")
        open_files["self"] = os.open("/old/proc/self", os.O_PATH | os.O_CLOEXEC)
        at = open_files["self"]
        open_files["mountinfo"] = os.open("mountinfo", os.O_RDONLY | os.O_CLOEXEC, dir_fd=at)
        syscalls.umount2("/old", syscalls.MNT_DETACH)
        os.rmdir("old")


def fill(number: int) -> None:
    """Make a table with this number of mounts."""
    leave_the_mounts()
    with step("mount bind"):
        for place in map(str, range(1, number)):
            os.mkdir(place)
            syscalls.mount(place, place, None, syscalls.MS_BIND)


def mount_count() -> int:
    """How many mounts this process sees."""
    os.lseek(open_files["mountinfo"], 0, os.SEEK_SET)
    with open(open_files["mountinfo"], "rb", closefd=False) as file:
        return len(file.readlines())


def _unshare() -> Sample:
    warm_caches(CloneFlag.NEWNS)
    return timed(libc.unshare, CloneFlag.NEWNS, name="unshare mnt")


kept_fds: list[int] = []
"""Of a stand: the other mount namespaces in the peer group."""


def share(peers: int) -> None:
    """Make a shared mount with this number of peers, each in a mount namespace of its own."""
    leave_the_mounts()
    with step("mount bind"):
        for place in ("shared", "private"):
            os.makedirs(f"{place}/here")
            syscalls.mount(place, place, None, syscalls.MS_BIND)
            syscalls.mount("/", f"{place}/here", None, syscalls.MS_BIND)  # as it will be timed
            syscalls.umount2(f"{place}/here")
        syscalls.mount(None, "shared", None, syscalls.MS_SHARED)
    with step("unshare mnt"):
        for _ in range(peers - 1):
            kept_fds.append(
                os.open("ns/mnt", os.O_RDONLY | os.O_CLOEXEC, dir_fd=open_files["self"])
            )
            syscalls.unshare(CloneFlag.NEWNS)


def _change(place: bytes) -> tuple[float, float]:
    """Mount something there and unmount it; the times of both, in µs."""
    clock, mount, umount = time.perf_counter_ns, libc.mount, libc.umount2
    start = clock()
    mount(b"/", place, None, syscalls.MS_BIND, None)
    between = clock()
    umount(place, 0)
    return (between - start) / 1000, (clock() - between) / 1000


def _changing(which: int) -> Callable[[], Sample]:
    both = alternating(
        lambda: _change(b"/shared/here")[which], lambda: _change(b"/private/here")[which]
    )

    def sample() -> Sample:
        both()
        return both()

    return sample


CHANGES = {call: _changing(which) for which, call in enumerate(("mount", "umount"))}
