"""Who is in the namespaces of a sandbox, found and ended from the notebook.

A sandbox without a pid namespace leaves orphans when it is killed, which the server that made it
ends.  Where that has been killed as well, only the notebook still knows of them.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable

from nsedu.errors.namespace_error import own_pid
from nsedu.kernel import nsfs_ioctls
from nsedu.kernel.bounded_waits import KILLED, readable


def namespaces(pid: int, types: Iterable[str]) -> dict[str, int]:
    """Type → id of a process's namespaces, as far as they can be read (NS_GET_ID, Linux 6.18).

    Not their inode numbers: when the last process has left one, the next namespace of anybody's may
    get the number.  An older kernel has no ids, and nobody is known by this then.
    """
    found = {}
    for kind in types:
        with contextlib.suppress(OSError):
            fd = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                found[kind] = nsfs_ioctls.ns_get_id(fd)
            finally:
                os.close(fd)
    return found


def end(own: dict[str, int]) -> None:
    """Kill whoever is in one of these namespaces, and wait for their end.

    Args:
        own: type → id, of namespaces that nobody else was meant to be in.
    """
    for _ in range(10):  # who is just being born is found the next time
        if not own or not any([_end(name, own) for name in os.listdir("/proc")]):
            break


def _end(name: str, own: dict[str, int]) -> bool:
    if not name.isdigit() or int(name) == own_pid():
        return False
    try:
        pidfd = os.pidfd_open(int(name))
    except OSError:
        return False
    try:
        there = any(namespaces(int(name), [kind]).get(kind) == id for kind, id in own.items())
        if there:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                readable(pidfd, KILLED)
        return there
    finally:
        os.close(pidfd)
