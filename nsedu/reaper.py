"""What a server knows of its children, and how nothing of them is left when they end.

A sandbox ends in order by itself: it kills and reaps everything below it, then leaves and removes
its control groups.  One that was killed leaves that to the server that made it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import time

from nsedu import birth, cgroups, child, syscalls, wire

TYPE_CHECKING = False  # see agent.py, "Light"
if TYPE_CHECKING:
    from typing import Any

_GRACE = 1.0  # seconds for the sandboxes inside to end by themselves
FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Child:
    """What a server knows of a child; "command", "sandbox", or "maker" of a sandbox."""

    def __init__(self, kind: str, sock: socket.socket, identity: str = "") -> None:
        self.kind, self.identity = kind, identity
        self.sock = sock  # a command's reply socket, or our end of a sandbox's life line
        self.limits: dict[str, int | float] = {}
        self.born = 0  # of a maker: the pid of the sandbox
        self.control: socket.socket | None = None  # of a maker: where to announce the birth
        self.own: list[tuple[str, int]] = []  # type and descriptor, see child.tell_members

    def listen(self) -> None:
        """Read what has been said on a sandbox's life line."""
        with contextlib.suppress(OSError):
            while (received := wire.receive(self.sock, socket.MSG_DONTWAIT)) is not None:
                self.born = received[0].get("born", self.born)
                self.own += zip(received[0].get("own", ()), received[1], strict=False)

    def end_members(self) -> None:
        """End who is left in the namespaces of a sandbox that shared its pid namespace."""
        self.listen()
        child.end_members(self.own)
        self.sock.close()


class Reaper:
    """The children of the agent, or of a sandbox's first process, and their end.

    Args:
        inner: whether this is a sandbox's first process, and not the agent.
        groups: control groups this process is in → where to go when it leaves and removes them.
    """

    def __init__(self, inner: bool, groups: dict[str, str]) -> None:
        self.inner, self.cgroups = inner, groups
        self.children: dict[int, Child] = {}
        self.replies: dict[int, int] = {}  # descriptor of a command's reply socket → its pid
        self.waiting: dict[int, socket.socket] = {}  # sandbox → who waits for its end
        self.condemned: set[int] = set()
        self.lost: list[tuple[Child, socket.socket | None]] = []  # killed, and who waits for that
        self.stale: list[str] = []  # control groups that somebody was still in
        self.sweep_due = False
        self.poll = select.poll()
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        self.wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        if not inner:  # a sandbox has the handlers from its agent
            for number in (signal.SIGCHLD, *FORWARDED):
                signal.signal(number, lambda *_: None)

    def end_sandbox(self, message: dict[str, Any], reply: socket.socket) -> None:
        """Say when a sandbox and all it left have ended; kill it first, if "force" is asked."""
        for pid, record in self.children.items():
            if record.identity == message["id"]:
                self.waiting[pid] = reply
                if message["force"]:
                    os.kill(pid, signal.SIGKILL)
                return
        for number, (record, _) in enumerate(self.lost):
            if record.identity == message["id"]:
                self.lost[number] = record, reply
                return
        _say_ended(reply)

    def forget_reply(self, fd: int) -> None:
        """Listen no more to the reply socket of a command."""
        if self.replies.pop(fd, None) is not None:
            self.poll.unregister(fd)

    def on_signals(self) -> bool:
        """Reap, and pass other signals on to the children; True if it is the agent's end."""
        try:
            numbers = set(os.read(self.wake, 4096))
        except BlockingIOError:
            return False
        if signal.SIGCHLD in numbers:
            self._reap()
        numbers.discard(signal.SIGCHLD)
        if signal.SIGTERM in numbers and not self.inner:
            return True
        for number in numbers:
            for pid, record in self.children.items():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    (os.killpg if record.kind == "command" else os.kill)(pid, number)
        return False

    def _reap(self) -> None:
        abrupt = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid = 0
            if pid == 0:
                break
            abrupt = self._bury(pid, status) or abrupt
        if abrupt or self.sweep_due:
            self._sweep()
        if self.lost and not self.condemned and not self.sweep_due:
            self._clear()

    def _bury(self, pid: int, status: int) -> bool:
        """Note the end of one child; True if it may have left orphans behind."""
        record = self.children.pop(pid, None)
        if record is None:
            again = pid in self.condemned
            self.condemned.discard(pid)
            return again
        if record.kind == "command":
            self.forget_reply(record.sock.fileno())
            with contextlib.suppress(OSError):
                wire.send(record.sock, {"exit": os.waitstatus_to_exitcode(status)})
            record.sock.close()
            return False
        if record.kind == "maker" and status == 0:
            if self._adopt(record, pid):
                return False
            status = 1  # what it begot has died already, nobody saw how
        if record.control is not None:
            record.control.close()
        waiting = self.waiting.pop(pid, None)
        if status or record.limits:  # its groups cannot be removed before its orphans have ended
            self.lost.append((record, waiting))
        elif waiting is not None:
            _say_ended(waiting)
        if status:
            record.end_members()
        record.sock.close()
        return status != 0

    def _clear(self) -> None:
        """Remove what groups the lost sandboxes and those inside them had, and say so."""
        labels = [record.identity for record, _ in self.lost]
        self.stale = cgroups.remove([*self.stale, *cgroups.named(labels, self.cgroups)])
        for _, waiting in self.lost:
            if waiting is not None:
                _say_ended(waiting)
        self.lost = []

    def _adopt(self, record: Child, maker: int) -> bool:
        """The maker has gone; the sandbox it begot is our child, its pid is in the life line."""
        record.listen()
        try:
            if not record.born or os.waitpid(record.born, os.WNOHANG)[0]:
                return False
        except ChildProcessError:
            return False  # died and was reaped before its maker
        record.kind = "sandbox"
        self.children[record.born] = record
        if record.control is not None:
            birth.announce(record.control, record.born)
            record.control.close()
        if maker in self.waiting:
            self.waiting[record.born] = self.waiting.pop(maker)
        self.grant(record)
        return True

    def grant(self, record: Child) -> None:
        """Make the control groups of a sandbox that has been born, which waits for them.

        Not before: if this process is killed, there must be somebody who knows of them.
        """
        if not record.limits:
            return
        answer: dict[str, Any]
        try:
            answer = {"groups": cgroups.create(record.identity, record.limits, self.cgroups)}
        except OSError as refused:
            answer = {"errno": refused.errno or errno.EIO, "call": str(refused.filename)}
        with contextlib.suppress(OSError):
            wire.send(record.sock, answer)

    def _sweep(self) -> None:
        """End what a sandbox without a pid namespace left to us when it was killed.

        A sandbox whose maker still lives is not known yet, so the orphans wait for its end.
        """
        if any(record.kind == "maker" for record in self.children.values()):
            self.sweep_due = True
            return
        self.sweep_due = False
        for pid, directory in child.children_of_self().items():
            if pid not in self.children and (not self.inner or child.elsewhere(directory)):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
                    self.condemned.add(pid)

    def end_everything(self) -> bool:
        """Kill and reap everything below this process, then leave and remove its control groups.

        Returns:
            False where this /proc does not show our orphans: whoever made us must end them.
        """
        self._let_sandboxes_end()
        init = self.inner and os.getpid() == 1
        seen_all = True
        while True:
            pids: list[int] = []
            if init:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(-1, signal.SIGKILL)
            else:
                pids = list(child.children_of_self() or self.children)
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            try:
                pid, _ = os.waitpid(-1, 0 if init or pids else os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                seen_all = False
                break
            record = self.children.pop(pid, None)
            if record is not None and record.identity:
                record.end_members()
                self.lost.append((record, self.waiting.get(pid)))
        if self.lost or self.stale:
            self._clear()
        if self.cgroups:
            with contextlib.suppress(OSError):
                cgroups.enter(self.cgroups.values())
            cgroups.remove(self.cgroups)
        return seen_all

    def _let_sandboxes_end(self) -> None:
        """Give sandboxes a moment to end in order: they alone know all of their orphans."""
        deadline = time.monotonic() + _GRACE
        for record in self.children.values():
            if record.identity:
                with contextlib.suppress(OSError):
                    record.sock.shutdown(socket.SHUT_WR)  # what it says is still heard
        while any(record.identity for record in self.children.values()):
            if not select.select([self.wake], [], [], max(0, deadline - time.monotonic()))[0]:
                break
            self.on_signals()


def _say_ended(waiting: socket.socket) -> None:
    with contextlib.suppress(OSError):
        wire.send(waiting, {"ended": True})
    waiting.close()
