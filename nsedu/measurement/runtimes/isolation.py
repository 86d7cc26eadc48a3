"""The room in which runtimes are run that would leave traces on this machine.

It is a mount namespace, mostly with a PID namespace, for an ordinary user in a user namespace.
What is written to /run or /dev/shm there, mounted or left running ends with the room, and the room
with the process that asked for it, even if that is killed.  Control groups alone reach beyond it:
`without_new_groups` removes those.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence

from nsedu.agent import cgroups, first_process
from nsedu.kernel import id_maps, namespace_types, syscalls
from nsedu.measurement.runtimes import programs, runtimes
from nsedu.measurement.runtimes.runtimes import ROOM, TREE
from nsedu.measurement.sampler.cleanup import cleanup_on_exit
from nsedu.measurement.sampler.operations import continue_in_child, fork, own_user_namespace


def enter(types: tuple[str, ...]) -> None:
    """Bring the calling process into a room, or its child as first process, and furnish it.

    Args:
        types: the room's namespaces: "mnt", and "pid" for those that work there.

    Raises:
        StepFailed: a step was refused.
    """
    rootless = os.geteuid() != 0
    if rootless:
        _wide_user_namespace()
    try:
        syscalls.unshare(namespace_types.flags(types))
    except OSError as error:
        raise first_process.StepFailed("unshare mnt", error.errno or 0, "unshare(2)") from None
    if "pid" in types:
        continue_in_child()
    first_process.prepare(first_process.Plan(types=types))
    # Where both versions of cgroups are mounted crun refuses to work, so the second is hidden.
    for place in ("/run", "/dev/shm", "/sys/fs/cgroup/unified"):
        if os.path.isdir(place):
            syscalls.mount("tmpfs", place, "tmpfs", syscalls.MS_NOSUID)
    os.makedirs(f"{ROOM}/lxc")
    runtimes.lay_out(TREE)
    _write("bundle/config.json", json.dumps(runtimes.oci(rootless)))
    _write("lxc.conf", runtimes.lxc())
    os.environ.update(HOME=ROOM, XDG_RUNTIME_DIR=ROOM, TMPDIR=ROOM)


def run(words: Sequence[str]) -> float | str:
    """What a program took from start to exit, in µs, or a sentence on why it did not work.

    In a room with a PID namespace, what it left running has ended, too, when this returns.
    """
    try:
        return programs.run(words)
    except OSError as error:
        return str(error)
    finally:
        _reap()


@contextlib.contextmanager
def without_new_groups(names: Sequence[str]) -> Iterator[None]:
    """Remove the control groups of these names that are there after the block, but not before.

    Args:
        names: of groups in the caller's own group, or at the top of a hierarchy.
    """
    groups = [
        group
        for _, where in cgroups.hierarchies()
        for top in sorted({"", where.path.rstrip("/")})
        for name in names
        if not os.path.exists(group := f"{where.mount}{top}/{name}")
    ]

    def remove() -> None:
        # Whoever is in one may be about to end: a room's processes do so a little after the room.
        deadline = time.monotonic() + 2
        while cgroups.remove(groups) and time.monotonic() < deadline:
            time.sleep(0.005)

    with cleanup_on_exit(remove):
        yield


def _wide_user_namespace() -> None:
    """Enter a user namespace with all the ids that are granted to us: podman wants several."""
    uid = os.geteuid()
    if not id_maps.grants("/etc/subuid", uid) or not shutil.which("newuidmap"):
        return own_user_namespace()
    plan = first_process.Plan(wide=True, uid=uid, gid=os.getegid())
    pid = int(os.readlink("/proc/self"))
    read, write = os.pipe()
    helper = fork()
    if helper == 0:
        try:
            os.close(write)
            os.read(read, 1)
            try:
                first_process.write_maps(pid, plan)
            except first_process.StepFailed:
                first_process.write_maps(pid, plan._replace(wide=False))
        finally:
            os._exit(0)
    os.close(read)
    try:
        syscalls.unshare(namespace_types.get("user").flag)
    except OSError as error:
        raise first_process.StepFailed("unshare user", error.errno or 0, "unshare(2)") from None
    finally:
        os.close(write)
        os.waitpid(helper, 0)


def _reap() -> None:
    """Wait for what a runtime left running: podman's conmon(8) ends a little after it."""
    deadline = time.monotonic() + 1
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.001)


def _write(name: str, text: str) -> None:
    with open(f"{ROOM}/{name}", "w", encoding="utf-8") as file:
        file.write(text)
