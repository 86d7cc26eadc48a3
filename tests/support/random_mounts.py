"""Mounts made at random in a sandbox, for tests to compare what several readers say of them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from hypothesis import strategies as st

from nsedu import Sandbox
from nsedu.kernel import syscalls

DIRECTORIES = ["/mnt", "/mnt/a", "/mnt/a/b", "/mnt/c", "/mnt/with blank"]
PROPAGATION = {
    "shared": syscalls.MS_SHARED,
    "slave": syscalls.MS_SLAVE,
    "private": syscalls.MS_PRIVATE,
    "unbindable": syscalls.MS_UNBINDABLE,
}
COPIES = ("unchanged", "slave", "shared", "private")

Step = tuple[str, str, str]

places = st.sampled_from(DIRECTORIES)
steps = st.lists(
    st.tuples(st.just("tmpfs"), places, places)
    | st.tuples(st.sampled_from(["bind", "rbind", "move"]), places, places)
    | st.tuples(st.sampled_from(["read-only", "umount"]), places, places)
    | st.tuples(st.sampled_from([*PROPAGATION]), places, places),
    max_size=10,
)


def mount_at_random(todo: list[Step]) -> None:
    """Inside, on a shared mount at /mnt: take the steps; what the kernel refuses has no effect."""
    syscalls.mount("ground", "/mnt", "tmpfs")
    syscalls.mount(None, "/mnt", None, syscalls.MS_SHARED)
    for what, one, two in todo:
        for directory in DIRECTORIES:
            with contextlib.suppress(OSError):
                os.makedirs(directory, exist_ok=True)
        with contextlib.suppress(OSError):
            if what == "tmpfs":
                syscalls.mount(f"from {one}", one, "tmpfs")
            elif what == "bind":
                syscalls.mount(one, two, None, syscalls.MS_BIND)
            elif what == "rbind":
                syscalls.mount(one, two, None, syscalls.MS_BIND | syscalls.MS_REC)
            elif what == "move":
                syscalls.mount(one, two, None, syscalls.MS_MOVE)
            elif what == "read-only":
                flags = syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY
                syscalls.mount(None, one, None, flags)
            elif what == "umount":
                syscalls.umount2(one, syscalls.MNT_DETACH)
            else:
                syscalls.mount(None, one, None, PROPAGATION[what])


@contextlib.contextmanager
def copied(box: Sandbox, propagation: str, name: str = "copy") -> Iterator[Sandbox]:
    """A sandbox in a copy of the mount namespace of another, in the same user namespace."""
    wait = ["sh", "-c", "echo; exec sleep 60"]
    with box.popen(["unshare", "--mount", f"--propagation={propagation}", *wait]) as process:
        process.stdout.readline()
        with Sandbox(join=process.pid, name=name) as copy:
            yield copy
