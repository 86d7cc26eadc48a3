"""The loop of the agent and of every sandbox's first process: requests in, children out."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from functools import partial
from typing import Any, NoReturn

from nsedu import birth, build, cgroups, child, syscalls, wire

FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Child:
    """What a server knows of a child; "command", "sandbox", "helper", or "maker" of a sandbox."""

    def __init__(self, kind: str, sock: socket.socket, identity: str = "") -> None:
        self.kind, self.identity = kind, identity
        self.sock = sock  # a command's reply socket, or our end of a sandbox's life line
        self.cgroups: dict[str, str] = {}


class Server:
    """One process's loop: requests in, children out.

    Args:
        control: the socket to the notebook; its end is our end.
        life: the life line to the server that made this process; None for the agent.
        watched: a pidfd whose readiness is our end too; -1 for none.
        groups: control groups this process is in → where to go when it leaves and removes them.
    """

    def __init__(
        self, control: socket.socket, life: socket.socket | None = None, watched: int = -1,
        groups: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.control, self.life, self.watched = control, life, watched
        self.cgroups = groups or {}
        self.children: dict[int, Child] = {}
        self.replies: dict[int, int] = {}  # descriptor of a command's reply socket → its pid
        self.waiting: dict[int, socket.socket] = {}  # sandbox → who waits for its end
        self.condemned: set[int] = set()
        self.lost: list[tuple[Child, socket.socket | None]] = []  # killed, and who waits for that
        self.sweep_due = False
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        self.wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        if life is None:  # a sandbox has the handlers from its agent
            for number in (signal.SIGCHLD, *FORWARDED):
                signal.signal(number, lambda *_: None)
        self.poll = select.poll()
        for fd in (control.fileno(), self.wake, life.fileno() if life else -1, watched):
            if fd >= 0:
                self.poll.register(fd, select.POLLIN)

    def serve(self) -> None:
        """Answer requests until the notebook, or whoever made this process, has gone."""
        makers = (self.life.fileno() if self.life is not None else -1, self.watched)
        while True:
            for fd, _ in self.poll.poll():
                if fd == self.wake:
                    if self._on_signals():
                        return
                elif fd == self.control.fileno():
                    try:
                        request = wire.receive(self.control)
                    except OSError:  # no descriptor left for the reply socket: its end is the reply
                        continue
                    if request is None:
                        return
                    self._on_request(*request)
                elif fd in self.replies:
                    self._on_command_socket(fd)
                elif fd in makers:  # whoever made us has gone
                    return
                # else: a command's socket, closed while an earlier event was dealt with

    # Requests

    def _on_request(self, message: dict[str, Any], fds: list[int]) -> None:
        reply = socket.socket(fileno=fds.pop(0))
        try:
            if message["op"] == "make":
                self._make(message, reply, fds)
            elif message["op"] == "end":
                self._end_sandbox(message, reply)
            else:
                self._run(message, reply, fds)
        except OSError as error:
            birth.report(reply, birth.step(message["op"], error))
        finally:
            for fd in fds:
                os.close(fd)

    def _run(self, message: dict[str, Any], reply: socket.socket, fds: list[int]) -> None:
        if message["op"] == "call":
            child.load_cloudpickle(message["path"])
            pid = os.fork()
            if pid == 0:
                child.become_call(message["path"], reply, fds)
        else:
            pid = child.start_command(message, fds)
        self.children[pid] = Child("command", reply)
        self.replies[reply.fileno()] = pid
        self.poll.register(reply.fileno(), select.POLLIN)
        if message.get("pidfd"):
            pidfd = os.pidfd_open(pid)
            with contextlib.suppress(OSError):
                wire.send(reply, {"started": True}, [pidfd])
            os.close(pidfd)

    def _on_command_socket(self, fd: int) -> None:
        pid = self.replies[fd]
        request = wire.receive(self.children[pid].sock)
        number = request[0]["kill"] if request else signal.SIGKILL
        with contextlib.suppress(ProcessLookupError, PermissionError):
            try:
                os.killpg(pid, number)
            except ProcessLookupError:  # a call that has not become a group of its own yet
                os.kill(pid, number)
        if request is None:
            self._forget_reply(fd)

    def _forget_reply(self, fd: int) -> None:
        if self.replies.pop(fd, None) is not None:
            self.poll.unregister(fd)

    def _make(self, message: dict[str, Any], reply: socket.socket, joins: list[int]) -> None:
        plan = message["plan"]
        try:
            plan["cgroups"] = cgroups.create(message["id"], message["limits"], self.cgroups)
        except OSError as refused:
            birth.report(reply, birth.step("cgroup", refused))
            return
        plan["uid"], plan["gid"] = os.geteuid(), os.getegid()
        life, theirs = wire.pair()
        maps = socket.socketpair() if message["range"] else None
        live = partial(_live, plan, reply, theirs, maps)
        try:
            # What joins others' namespaces must first be inside their user namespace, so a fork of
            # ours goes in and lets the sandbox be born there, as our child (CLONE_PARENT).
            pid = os.fork() if joins else build.clone(plan)
        except (OSError, build.StepFailed) as refused:
            cgroups.remove(plan["cgroups"])
            birth.report(reply, birth.step("fork", refused))
            return
        if pid == 0 and joins:
            birth.beget(plan, reply, theirs, joins, maps, live)
        if pid == 0:
            live()
        if not joins:
            birth.announce(reply, pid)
            if maps is not None:
                helper = birth.write_maps(pid, plan, maps)
                self.children[helper] = Child("helper", maps[0])
        theirs.close()
        reply.close()
        record = Child("maker" if joins else "sandbox", life, message["id"])
        record.cgroups = plan["cgroups"]
        self.children[pid] = record

    def _end_sandbox(self, message: dict[str, Any], reply: socket.socket) -> None:
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
        wire.send(reply, {"ended": True})

    # Children

    def _on_signals(self) -> bool:
        try:
            numbers = set(os.read(self.wake, 4096))
        except BlockingIOError:
            return False
        if signal.SIGCHLD in numbers:
            self._reap()
        numbers.discard(signal.SIGCHLD)
        if signal.SIGTERM in numbers and self.life is None:
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
            self._clear(self.lost)
            self.lost = []

    def _bury(self, pid: int, status: int) -> bool:
        """Note the end of one child; True if it may have left orphans behind."""
        record = self.children.pop(pid, None)
        if record is None:
            again = pid in self.condemned
            self.condemned.discard(pid)
            return again
        if record.kind == "command":
            self._forget_reply(record.sock.fileno())
            with contextlib.suppress(OSError):
                wire.send(record.sock, {"exit": os.waitstatus_to_exitcode(status)})
            record.sock.close()
            return False
        if record.kind == "maker" and status == 0 and self._adopt(record, pid):
            return False
        record.sock.close()
        waiting = self.waiting.pop(pid, None)
        if record.kind == "helper":
            return False
        if status:  # killed: its groups cannot be removed before its orphans have ended
            self.lost.append((record, waiting))
            return True
        self._clear([(record, waiting)], orderly=True)
        return False

    def _clear(
        self, ended: list[tuple[Child, socket.socket | None]], orderly: bool = False
    ) -> None:
        """Remove the groups of ended sandboxes, and say so to who waits for that.

        One that ended in order has removed those of the sandboxes inside it.
        """
        inner = [] if orderly else cgroups.below([record.identity for record, _ in ended])
        for record, waiting in ended:
            cgroups.remove([*record.cgroups, *inner])
            if waiting is not None:
                with contextlib.suppress(OSError):
                    wire.send(waiting, {"ended": True})

    def _adopt(self, record: Child, maker: int) -> bool:
        """The maker has gone; the sandbox it begot is our child, its pid is in the life line."""
        message = wire.receive(record.sock, socket.MSG_DONTWAIT)
        assert message is not None
        pid = message[0]["born"]
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return False
        except ChildProcessError:
            return False  # died and was reaped before its maker
        record.kind = "sandbox"
        self.children[pid] = record
        if maker in self.waiting:
            self.waiting[pid] = self.waiting.pop(maker)
        return True

    def _sweep(self) -> None:
        """End what a sandbox without a pid namespace left to us when it was killed.

        A sandbox whose maker still lives is not known yet, so the orphans wait for its end.
        """
        if any(record.kind == "maker" for record in self.children.values()):
            self.sweep_due = True
            return
        self.sweep_due = False
        for pid, directory in child.children_of_self().items():
            if pid not in self.children and (self.life is None or child.elsewhere(directory)):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
                    self.condemned.add(pid)

    def end_everything(self) -> bool:
        """Kill and reap everything below this process, then leave and remove its control groups.

        Returns:
            False where this /proc does not show our orphans: whoever made us must end them.
        """
        init = self.life is not None and os.getpid() == 1
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
                self.lost.append((record, self.waiting.get(pid)))
        if self.lost:
            self._clear(self.lost)
        if self.cgroups:
            with contextlib.suppress(OSError):
                cgroups.enter(self.cgroups.values())
            cgroups.remove(self.cgroups)
        return seen_all


def _live(
    plan: dict[str, Any], control: socket.socket, life: socket.socket, maps: birth.Pair | None
) -> NoReturn:
    """As the sandbox's first process: prepare, serve, end everything."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        if maps is not None:
            maps[0].close()  # so that the end of who writes the maps is an end of file here
        build.prepare(plan, maps[1] if maps else None)
        build.name_process(plan["name"])
        wire.send(control, {"ready": True})  # the rest is done while the notebook hears of it
        child.close_others({control.fileno(), life.fileno()})
        me = Server(control, life, groups=plan["cgroups"])
        try:
            me.serve()
        finally:
            seen_all = me.end_everything()
        status = 0 if seen_all else 1
    except build.StepFailed as refused:
        birth.report(control, refused)
    finally:
        os._exit(status)
