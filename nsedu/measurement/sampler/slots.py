"""Places that one process at a time can have: who is next must wait for what the last one had.

Which place it is, a limit says: where user.max_net_namespaces is 1 (namespaces(7)), unshare(2) of a
network namespace fails until the kernel counts the old one no more.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import time
from functools import partial

from nsedu.agent import first_process
from nsedu.kernel import namespace_types, syscalls
from nsedu.measurement.sampler.operations import WARM, fork, libc

PATIENCE = 2.0
"""Seconds after which a namespace that is still there is an error."""

_PR_SET_TIMERSLACK = 29  # <linux/prctl.h>

_EXITED, _FREED, _PID, _ERRNO = range(4)


class Slot:
    """A slot for a process with namespaces of its own; the first one fills it at once.

    Args:
        name: the type, or "all".
        flags: the CLONE_NEW* flags.  0 is the null operation: what must be free is a pipe that the
            last process had, and everything else is done in the same way.

    Raises:
        StepFailed: the kernel refused the namespace.
    """

    def __init__(self, name: str, flags: int) -> None:
        self.name, self.flags = name, flags
        self.pid = self.order = self._life = 0
        self._words = (ctypes.c_longlong * 4).from_buffer(mmap.mmap(-1, mmap.PAGESIZE))
        self.change()

    def change(self) -> tuple[float, float]:
        """Have the process there exit, and the next one sit down.

        Returns:
            How long after the exit it was reaped, and its namespace seen gone, both in µs.

        Raises:
            StepFailed: the kernel refused the next one, or has kept the last for `PATIENCE`.
        """
        self._words[:] = [0] * 4
        order, life, (here, there) = os.pipe(), os.pipe(), socket.socketpair()
        os.set_blocking(life[0], False)
        successor = fork()
        if successor == 0:
            here.close()
            self._succeed(order, there)
        os.close(order[0])
        os.close(life[1])
        there.close()
        reaped = looked = 0
        if self.pid and here.recv(1):
            os.write(self.order, b"!")
            os.waitpid(self.pid, 0)
            reaped = time.perf_counter_ns()
            here.send(b"!")
            looked = self.look()
            os.close(self.order)
            os.close(self._life)
        os.waitpid(successor, 0)
        here.recv(1)  # the next one is in it, or has failed to be
        here.close()
        exited, seen, self.pid, number = self._words
        self.order, self._life = order[1], life[0]
        if number == errno.ETIMEDOUT:
            raise late(self.name)
        if number:
            kind = self.name if self.name in namespace_types.BY_NAME else "user"
            raise first_process.StepFailed(f"unshare {kind}", number, "unshare(2)")
        self.prepare()
        return (reaped - exited) / 1000, ((looked or seen) - exited) / 1000

    def prepare(self) -> None:
        """Called when a process has sat down."""

    def look(self) -> int:
        """Called when it has been reaped: when its namespace was seen gone, 0 for not at all."""
        return 0

    def _succeed(self, order: tuple[int, int], there: socket.socket) -> None:
        """In a new process: wait for the place and sit there, until told to exit."""
        try:
            os.close(order[1])  # it ends with the only process that can tell it to
            if self.pid:
                self._words[_FREED] = self._wait(there)
            else:
                syscalls.unshare(self.flags)
            # A child is in the new PID and time namespaces, too; and it has not waited.
            pid = syscalls.clone(syscalls.CLONE_PARENT)
            if pid:
                self._words[_PID] = pid
            else:
                there.send(b"!")
                os.read(order[0], 1)
                self._words[_EXITED] = time.perf_counter_ns()
        except OSError as error:
            self._words[_ERRNO] = error.errno or errno.EIO
        finally:
            os._exit(0)

    def _wait(self, there: socket.socket) -> int:
        """When told that the place has been left, try until it is free; when that was, in ns."""
        clock, sleep = time.perf_counter_ns, time.sleep
        attempt = partial(libc.read, self._life, ctypes.create_string_buffer(1), 1)
        if self.flags:
            attempt = partial(libc.unshare, self.flags)
        syscalls.prctl(_PR_SET_TIMERSLACK, 1)
        for _ in range(WARM):
            attempt()
        there.send(b"!")
        there.recv(1)
        now = clock()
        while attempt() == -1:
            number = ctypes.get_errno()
            if number not in (errno.ENOSPC, errno.EAGAIN):
                raise OSError(number, os.strerror(number))
            since = (now - self._words[_EXITED]) / 1e9
            if since > PATIENCE:
                raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            sleep(since / 64)
            now = clock()
        return now


def late(name: str) -> first_process.StepFailed:
    """The error for a namespace that will not go."""
    step = f"see the old {name} namespace gone within {PATIENCE:.0f} s"
    return first_process.StepFailed(step, errno.ETIMEDOUT, "unshare(2)")


taken: list[Slot] = []
"""The seats of this process."""
