"""The control groups of a notebook's sandboxes, which the agent alone makes and removes.

Nobody inside ever writes a file of a control group: the first process of a sandbox waits while the
agent moves it into its group, and the agent removes the group when that process has ended.  If the
agent is killed, a keeper does: a fork of it that lives as long as there are groups.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time

from nsedu.agent import cgroups, commands
from nsedu.kernel import syscalls
from nsedu.kernel.procfs import pid_of

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import NoReturn

RETRY = 0.02  # seconds between attempts to remove a group that still has processes
_KEEPER_PATIENCE = 10.0  # seconds for what the agent has made to end, once it has


class LimitGroups:
    """The control groups that the agent has made."""

    def __init__(self) -> None:
        self._groups: dict[str, list[str]] = {}  # sandbox → its groups, while they exist
        self._ended: set[str] = set()  # sandboxes whose first process has ended
        self._watched: dict[int, str] = {}  # pidfd of a first process → sandbox
        self.keeper = 0  # its pid; 0 before there is one
        self._told = -1  # where it hears which sandboxes have groups

    def hold(self, sandbox: str, outer: str, limits: dict[str, int | float], pidfd: int) -> int:
        """Make the groups of a sandbox and move its first process into them.

        Args:
            sandbox: its identity, which the groups are named after.
            outer: the identity of the sandbox that it is inside, "" for none.
            limits: as of `nsedu.Sandbox`.
            pidfd: of the first process.

        Returns:
            A descriptor that becomes readable when the process ends: then call `on_end` with it.

        Raises:
            OSError: the groups cannot be made or entered; what was made is removed.
        """
        self._tell_keeper(sandbox)
        made: list[str] = []
        try:
            made = cgroups.create(sandbox, limits, self._groups.get(outer, ()))
            cgroups.move(pid_of(pidfd), made)
            watched = os.dup(pidfd)
        except OSError:
            cgroups.remove(made)
            if not self._groups:
                self._let_keeper_go()
            raise
        self._groups[sandbox] = made
        self._watched[watched] = sandbox
        return watched

    def delegate(self, sandbox: str) -> None:
        """Let root inside a sandbox have groups below its own, if it is another user than ours."""
        for pidfd, name in self._watched.items():
            if name == sandbox and (owner := os.stat(f"/proc/{pid_of(pidfd)}").st_uid):
                cgroups.delegate(self._groups[sandbox], owner)

    def watches(self, fd: int) -> bool:
        """Whether a descriptor is one that `hold` has returned."""
        return fd in self._watched

    def on_end(self, fd: int) -> None:
        """Remove the groups of the sandbox whose first process has ended, as soon as that goes."""
        self._ended.add(self._watched.pop(fd))
        os.close(fd)
        self.remove_ended()

    def remove_ended(self) -> bool:
        """Remove the groups of the sandboxes that have ended; True if some are still in use."""
        for sandbox in sorted(self._ended, reverse=True):  # the inner ones first
            inside = cgroups.named([sandbox])  # what was made in its name, for a process or two
            if not cgroups.remove([*self._groups[sandbox], *inside]):
                self._ended.discard(sandbox)
                del self._groups[sandbox]
                if not self._groups:
                    self._let_keeper_go()
        return bool(self._ended)

    def patience(self) -> float | None:
        """How long to wait before `remove_ended` is called again, in ms; None for ever."""
        return RETRY * 1000 if self._ended else None

    def exist(self, sandbox: str) -> bool:
        """Whether a sandbox still has groups."""
        return sandbox in self._groups

    def remove_all(self, seconds: float) -> None:
        """Remove every group, waiting at most so long for the processes in them to end."""
        self._ended.update(self._groups)
        deadline = time.monotonic() + seconds
        while self.remove_ended() and time.monotonic() < deadline:
            time.sleep(RETRY)

    def _let_keeper_go(self) -> None:
        os.close(self._told)
        self.keeper, self._told = 0, -1

    def _tell_keeper(self, sandbox: str) -> None:
        try:
            if self.keeper:
                os.write(self._told, f"{sandbox}\n".encode())
                return
        except BrokenPipeError:  # it was killed
            self._let_keeper_go()
        read, self._told = os.pipe2(os.O_CLOEXEC)
        self.keeper = os.fork()
        if self.keeper == 0:
            _keep(read)
        os.close(read)
        os.write(self._told, "".join(f"{name}\n" for name in (*self._groups, sandbox)).encode())


def _keep(told: int) -> NoReturn:
    """As the keeper: when the agent has ended, remove the groups that it may have left behind."""
    try:
        syscalls.set_name(b"nsedu-keeper")
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        commands.close_others({told})
        sandboxes = b""
        while data := os.read(told, 65536):
            sandboxes += data
        _remove_left(sandboxes.decode().split())
    finally:
        os._exit(0)


def _remove_left(sandboxes: Collection[str]) -> None:
    deadline = time.monotonic() + _KEEPER_PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if not cgroups.remove(cgroups.named(sandboxes)):
                return
        select.select([], [], [], RETRY)
