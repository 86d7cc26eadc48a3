"""Waits that have an end: for a descriptor, and for a child, which is killed in the end.

Light, for the agent and the processes that are measured import it.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import time

KILLED = 5.0
"""Seconds that a killed process may take to end: more only in an uninterruptible sleep."""

_NAP = 0.005  # seconds between two looks, where there is no descriptor left to wait on


def readable(fd: int, seconds: float) -> bool:
    """Wait until a descriptor is readable or at its end; False if it is neither in time."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(0, seconds) * 1000))


def reap(pid: int, seconds: float, group: bool = False) -> int:
    """Wait for the end of a child, and kill it when that takes too long.

    Args:
        pid: the child, as this process sees it.
        seconds: until it is killed.
        group: whether to kill its whole process group, which it leads.

    Returns:
        Its wait status; that of SIGKILL also where another part of the program has reaped it.

    Raises:
        TimeoutError: it did not end although it was killed.
    """
    for patience in (seconds, KILLED):
        if (status := _ended(pid, patience)) is not None:
            return status
        try:
            (os.killpg if group else os.kill)(pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(pid, signal.SIGKILL)  # it has not become a group's leader
    raise TimeoutError(errno.ETIMEDOUT, "it did not end although it was killed", f"waitpid({pid})")


def _ended(pid: int, seconds: float) -> int | None:
    deadline = time.monotonic() + seconds
    try:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return signal.SIGKILL
        except OSError:
            while not (found := os.waitpid(pid, os.WNOHANG))[0] and time.monotonic() < deadline:
                time.sleep(_NAP)
        else:
            try:
                readable(pidfd, seconds)
            finally:
                os.close(pidfd)
            found = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # reaped, or SIGCHLD is ignored
        return signal.SIGKILL
    return found[1] if found[0] else None
