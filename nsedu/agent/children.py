"""What a server knows of its children, and how nothing of them is left when they end.

A sandbox ends in order by itself: it kills and reaps everything below it.  One that was killed
leaves that to the server that made it.
"""

from __future__ import annotations

import contextlib
import enum
import os
import select
import signal
import socket
import time

from nsedu.agent import birth, commands, protocol, wire
from nsedu.kernel import bounded_waits, syscalls

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from typing import Any

    from nsedu.agent.lent_ids import Lender
    from nsedu.agent.limit_groups import LimitGroups

GRACE = 1.0  # seconds for the sandboxes inside to end by themselves
FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class ChildKind(enum.Enum):
    """What a child of a server is."""

    COMMAND = "a program or a function that was asked for"
    SANDBOX = "the first process of a sandbox"
    MAKER = "a fork of the server that makes such a process in others' namespaces"


class Child:
    """What a server knows of a child."""

    def __init__(self, kind: ChildKind, sock: socket.socket, identity: str = "") -> None:
        self.kind, self.identity = kind, identity
        self.sock = sock  # a command's reply socket, or our end of a sandbox's life line
        self.control: socket.socket | None = None  # of a maker: where to announce the birth
        self.word: socket.socket | None = None  # of a maker: where it says whom it begot
        self.types: list[str] = []  # the new ones, if it shares its pid namespace
        self.own: list[tuple[str, int]] = []  # type and descriptor, see child.namespaces_of

    def kill_members(self) -> None:
        """End who is left in the namespaces of a sandbox that shared its pid namespace."""
        commands.kill_members(self.own)

    def close(self) -> None:
        """Let go of its socket and its namespaces."""
        self.sock.close()
        for _, fd in self.own:
            os.close(fd)
        self.own.clear()


class Children:
    """The children of the agent, or of a sandbox's first process, and their end.

    Args:
        poll: where to register the sockets that children speak on.
        limits: whose keeper is a child, too, but none of these.
        inner: whether this is a sandbox's first process, and not the agent.
        lender: gives sandboxes ids that are nobody's; None where they get this process's own.
    """

    def __init__(
        self, poll: select.poll, limits: LimitGroups, inner: bool, lender: Lender | None = None
    ) -> None:
        self.poll, self.limits, self.inner, self.lender = poll, limits, inner, lender
        self.by_pid: dict[int, Child] = {}
        self.replies: dict[int, int] = {}  # descriptor of a command's reply socket → its pid
        self.settling: dict[int, int] = {}  # descriptor of a life line that will speak → its pid
        self.waiting: dict[int, socket.socket] = {}  # sandbox → who waits for its end
        self.killed_orphans: set[int] = set()
        self.crashed: list[tuple[Child, socket.socket | None]] = []  # and who waits for its end
        self.orphans_due = False
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        self.wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        if not inner:  # a sandbox has the handlers from its agent
            for number in (signal.SIGCHLD, *FORWARDED):
                signal.signal(number, lambda *_: None)

    def end_sandbox(self, message: dict[str, Any], reply: socket.socket) -> None:
        """Say when a sandbox and all it left have ended; kill it first, if "force" is asked."""
        for pid, record in self.by_pid.items():
            if record.identity == message["id"]:
                self.waiting[pid] = reply
                if message["force"]:
                    os.kill(pid, signal.SIGKILL)
                return
        for number, (record, _) in enumerate(self.crashed):
            if record.identity == message["id"]:
                self.crashed[number] = record, reply
                return
        say_ended(reply)

    def add_command(self, pid: int, reply: socket.socket) -> None:
        """Listen to the reply socket of a command that has been started."""
        self.by_pid[pid] = Child(ChildKind.COMMAND, reply)
        self.replies[reply.fileno()] = pid
        self.poll.register(reply.fileno(), select.POLLIN)

    def on_command_socket(self, fd: int) -> None:
        """Send a command the signal that is asked for, or kill it where nobody waits for it."""
        pid = self.replies[fd]
        request = wire.receive(self.by_pid[pid].sock)
        message, told = request or ({"kill": signal.SIGKILL}, [])
        number = message["kill"]
        with contextlib.suppress(OSError):  # it has gone, or has become another user's
            try:
                os.killpg(pid, number)
            except ProcessLookupError:  # a call that has not become a group of its own yet
                os.kill(pid, number)
        for end in told:
            os.close(end)
        if request is None:
            self.forget_reply(fd)

    def forget_reply(self, fd: int) -> None:
        """Listen no more to the reply socket of a command."""
        if self.replies.pop(fd, None) is not None:
            self.poll.unregister(fd)

    def on_settled(self, fd: int) -> None:
        """See which namespaces a first process is in, now that it says that it is in all of them.

        It is ended if it says anything else: somebody else speaks for it.
        """
        self.poll.unregister(fd)
        pid = self.settling.pop(fd)
        record = self.by_pid[pid]
        try:
            if protocol.hear(record.sock, "settled", flags=socket.MSG_DONTWAIT) is not None:
                record.own = commands.namespaces_of(pid, record.types)
                wire.send(record.sock, {"seen": True})
        except (OSError, protocol.Wrong):
            os.kill(pid, signal.SIGKILL)

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
            for pid, record in self.by_pid.items():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    (os.killpg if record.kind is ChildKind.COMMAND else os.kill)(pid, number)
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
            abrupt = self._on_exit(pid, status) or abrupt
        if abrupt or self.orphans_due:
            self._kill_orphans()
        if self.crashed and not self.killed_orphans and not self.orphans_due:
            self._report_crashed()

    def _on_exit(self, pid: int, status: int) -> bool:
        """Note the end of one child; True if it may have left orphans behind."""
        record = self.by_pid.pop(pid, None)
        if record is None:
            again = pid in self.killed_orphans
            self.killed_orphans.discard(pid)
            return again
        if record.kind is ChildKind.COMMAND:
            self.forget_reply(record.sock.fileno())
            with contextlib.suppress(OSError):
                protocol.say(record.sock, "exit", os.waitstatus_to_exitcode(status))
            record.sock.close()
            # The agent's commands end what they have started, unless they were killed together.
            return os.WIFSIGNALED(status) and not self.inner
        if record.word is not None:
            if self.register_joined(record, record.word, pid, status):
                return False
            status = 1  # what it begot has died already, nobody saw how
        if self.lender is not None:
            self.lender.take_back(record.identity)
        if self.settling.pop(record.sock.fileno(), None) is not None:
            self.poll.unregister(record.sock)
        if record.control is not None:
            record.control.close()
        waiting = self.waiting.pop(pid, None)
        if status:
            self.crashed.append((record, waiting))
        elif waiting is not None:
            say_ended(waiting)
        if status:
            record.kill_members()
        record.close()
        return status != 0

    def _report_crashed(self) -> None:
        """Say that the lost sandboxes, and what they left behind, have ended."""
        for _, waiting in self.crashed:
            if waiting is not None:
                say_ended(waiting)
        self.crashed = []

    def register_joined(self, record: Child, word: socket.socket, maker: int, status: int) -> bool:
        """The maker has gone; the sandbox it begot is our child, if it said its pid."""
        record.word = None
        try:
            heard = protocol.hear(
                word, "begot", flags=socket.MSG_DONTWAIT, senders={"begot": maker}
            )
            born = heard[1]["pid"] if heard is not None and status == 0 else 0
            known = born in self.by_pid or born == self.limits.keeper
            if not born or known or os.waitpid(born, os.WNOHANG)[0]:
                return False
        except (
            OSError,
            protocol.Wrong,
        ):  # nothing said, or it died and was reaped before its maker
            return False
        finally:
            word.close()
        record.kind = ChildKind.SANDBOX
        self.by_pid[born] = record
        if record.types:
            self.settling[record.sock.fileno()] = born
            self.poll.register(record.sock, select.POLLIN)
        if record.control is not None:
            birth.send_pidfd(record.control, born)
            record.control.close()
        if maker in self.waiting:
            self.waiting[born] = self.waiting.pop(maker)
        return True

    def _kill_orphans(self) -> None:
        """End what a sandbox without a pid namespace left to us when it was killed.

        A sandbox whose maker still lives is not known yet, so the orphans wait for its end.
        """
        if any(record.kind is ChildKind.MAKER for record in self.by_pid.values()):
            self.orphans_due = True
            return
        self.orphans_due = False
        for pid, directory in commands.children_of_self().items():
            if pid in self.by_pid or pid == self.limits.keeper:
                continue
            ours = not self.inner or commands.in_other_namespace(directory)
            if ours and self._end(pid, directory):
                self.killed_orphans.add(pid)

    def _end(self, pid: int, directory: str) -> bool:
        """Kill a child; False if it has ended, or is another user's.

        Who ends its own in order is only asked to, for this process may be killed before it knows
        of what that has started.
        """
        orderly = not self.inner and commands.ends_its_own(directory)
        try:
            os.kill(pid, signal.SIGTERM if orderly else signal.SIGKILL)
            os.kill(pid, signal.SIGCONT)  # which it may have been stopped to hear
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def end_all(self, abandoned: bool = False) -> bool:
        """Kill and reap everything below this process, but the keeper of control groups.

        Args:
            abandoned: whether the maker has gone, too, so that nobody would clean up after those
                who joined this pid namespace and die with it.

        Returns:
            False where this /proc does not show our orphans, or some do not end although they were
            killed: whoever made us must end them.
        """
        self._let_sandboxes_end()
        if abandoned and os.getpid() == 1:
            guests_end = time.monotonic() + GRACE
            while commands.guests() and time.monotonic() < guests_end:
                time.sleep(0.01)  # whose children they are not hears of their end no other way
        init = self.inner and os.getpid() == 1
        seen_all, keeper = True, self.limits.keeper
        deadline = time.monotonic() + bounded_waits.KILLED
        while True:
            pids: list[int] = []
            if init:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(-1, signal.SIGKILL)
            else:
                # The keeper goes last: it removes the groups if this process is killed meanwhile.
                pids = [pid for pid in commands.children_of_self() or self.by_pid if pid != keeper]
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                if keeper and not pids:
                    break
                left = deadline - time.monotonic()
                if (init or pids) and left > 0 and bounded_waits.readable(self.wake, left):
                    os.read(self.wake, 4096)  # of SIGCHLD: another has ended
                    continue
                seen_all = False
                break
            record = self.by_pid.pop(pid, None)
            if record is not None and record.identity:
                record.kill_members()
                self.crashed.append((record, self.waiting.get(pid)))
        self._report_crashed()
        return seen_all

    def _let_sandboxes_end(self) -> None:
        """Give who can end in order a moment to do so: they alone know all of their orphans."""
        deadline = time.monotonic() + GRACE
        ending = set()
        for pid, name in ({} if self.inner else commands.children_of_self()).items():
            if commands.ends_its_own(name) and self._end(pid, name):
                ending.add(pid)
        self.killed_orphans |= ending - self.by_pid.keys()
        for record in self.by_pid.values():
            if record.identity:
                with contextlib.suppress(OSError):
                    record.sock.shutdown(socket.SHUT_WR)  # what it says is still heard
        while self.killed_orphans or any(
            record.identity or pid in ending for pid, record in self.by_pid.items()
        ):
            if not select.select([self.wake], [], [], max(0, deadline - time.monotonic()))[0]:
                break
            self.on_signals()


def say_ended(waiting: socket.socket) -> None:
    """Say to who waits for it that a sandbox, or its control groups, have gone."""
    with contextlib.suppress(OSError):
        protocol.say(waiting, "ended")
    waiting.close()
