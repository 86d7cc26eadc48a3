"""The loop of the agent and of every sandbox's first process: requests in, children out."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from functools import partial

from nsedu import birth, build, child, wire
from nsedu.reaper import Child, Reaper

TYPE_CHECKING = False  # see agent.py, "Light"
if TYPE_CHECKING:
    from typing import Any, NoReturn


class Server(Reaper):
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
        super().__init__(life is not None, groups or {})
        self.control, self.life, self.watched = control, life, watched
        for fd in (control.fileno(), self.wake, life.fileno() if life else -1, watched):
            if fd >= 0:
                self.poll.register(fd, select.POLLIN)

    def serve(self) -> None:
        """Answer requests until the notebook, or whoever made this process, has gone."""
        makers = (self.life.fileno() if self.life is not None else -1, self.watched)
        while True:
            for fd, _ in self.poll.poll():
                if fd == self.wake:
                    if self.on_signals():
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

    def _on_request(self, message: dict[str, Any], fds: list[int]) -> None:
        reply = socket.socket(fileno=fds.pop(0))
        try:
            if message["op"] == "make":
                self._make(message, reply, fds)
            elif message["op"] == "end":
                self.end_sandbox(message, reply)
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
            self.forget_reply(fd)

    def _make(self, message: dict[str, Any], reply: socket.socket, joins: list[int]) -> None:
        plan = message["plan"]
        plan["uid"], plan["gid"] = os.geteuid(), os.getegid()
        life, theirs = wire.pair()
        live = partial(_live, plan, reply, theirs)
        try:
            # What joins others' namespaces must first be inside their user namespace, so a fork of
            # ours goes in and lets the sandbox be born there, as our child (CLONE_PARENT).
            pid = os.fork() if joins else build.clone(plan)
        except (OSError, build.StepFailed) as refused:
            birth.report(reply, birth.step("fork", refused))
            return
        if pid == 0 and joins:
            birth.beget(plan, reply, theirs, joins, live)
        if pid == 0:
            live()
        theirs.close()
        record = Child("maker" if joins else "sandbox", life, plan["id"])
        record.limits = plan["limits"]
        self.children[pid] = record
        if joins:  # the notebook hears of the birth when the maker has gone, not to see it about
            record.control = reply
        else:
            birth.settle(reply, pid, plan)
            birth.announce(reply, pid)
            reply.close()
            self.grant(record)


def _live(plan: dict[str, Any], control: socket.socket, life: socket.socket) -> NoReturn:
    """As the sandbox's first process: prepare, serve, end everything."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        plan["cgroups"] = {}
        if plan["limits"]:
            child.close_others({control.fileno(), life.fileno()})  # or there were no end of file
            plan["cgroups"] = birth.await_groups(plan["id"], life)
        build.prepare(plan)
        build.name_process(plan["name"])
        if "pid" in plan["joined"]:
            child.tell_members(life, plan["types"])
        control.send(wire.READY)  # the rest is done while the notebook hears of it
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
