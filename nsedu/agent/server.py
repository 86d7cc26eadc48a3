"""The loop of the agent and of every sandbox's first process: requests in, children out."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
from functools import partial

from nsedu.agent import birth, commands, first_process, protocol, wire
from nsedu.agent.children import GRACE, Child, ChildKind, Children, say_ended
from nsedu.agent.first_process import Plan
from nsedu.agent.limit_groups import LimitGroups
from nsedu.kernel import bounded_waits, syscalls

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from nsedu.agent.lent_ids import Lender


class Server:
    """One process's loop: requests in, children out.

    Args:
        control: the socket to the notebook; its end is our end.
        life: the life line to the server that made this process; None for the agent.
        watched: a pidfd whose readiness is our end too; -1 for none.
        lender: gives sandboxes ids that are nobody's; None where they get this process's own.
    """

    def __init__(
        self, control: socket.socket, life: socket.socket | None = None, watched: int = -1,
        lender: Lender | None = None,
    ) -> None:  # fmt: skip
        self.control, self.life, self.watched, self.lender = control, life, watched, lender
        self.poll = select.poll()
        self.limits = LimitGroups()  # the agent's; a sandbox has none to hold
        self.unlimited: dict[str, socket.socket] = {}  # sandbox → who waits for its groups' end
        self.children = Children(self.poll, self.limits, life is not None, lender)
        fds = control.fileno(), self.children.wake, life.fileno() if life else -1, watched
        for fd in fds:
            if fd >= 0:
                self.poll.register(fd, select.POLLIN)

    def serve(self) -> None:
        """Answer requests until the notebook, or whoever made this process, has gone."""
        while True:
            for fd, _ in self.poll.poll(self.limits.patience()):
                try:
                    if self._on_event(fd):
                        return
                except Exception as error:  # of ours; what others run here must not end by it
                    with contextlib.suppress(OSError):
                        os.write(2, f"nsedu: this is a bug of nsedu: {error!r}\n".encode())
            self.limits.remove_ended()
            self._say_unlimited()

    def _on_event(self, fd: int) -> bool:
        """Deal with a descriptor that is ready; True at our end."""
        if fd == self.children.wake:
            return self.children.on_signals()
        if fd == self.control.fileno():
            try:
                request = wire.receive(self.control)
            except OSError:  # no descriptor left for the reply socket: its end is the reply
                return False
            if request is None:
                return True
            self._on_request(*request)
        elif fd in self.children.replies:
            self.children.on_command_socket(fd)
        elif fd in self.children.settling:
            self.children.on_settled(fd)
        elif self.limits.watches(fd):
            self.poll.unregister(fd)
            self.limits.on_end(fd)
        # Whoever made us has gone; or else a command's socket, closed at an earlier event.
        return fd == self.watched or (self.life is not None and fd == self.life.fileno())

    def _on_request(self, message: dict[str, Any], fds: list[int]) -> None:
        reply = socket.socket(fileno=fds.pop(0))
        try:
            if message["op"] == "make":
                self._make(message, reply, fds)
            elif message["op"] == "end":
                self.children.end_sandbox(message, reply)
            elif message["op"] == "limit":
                self._limit(message, reply, fds[0])
            elif message["op"] == "delegate":
                self.limits.delegate(message["id"])
            elif message["op"] == "unlimit":
                self.unlimited[message["id"]] = reply
            else:
                self._run(message, reply, fds)
        except OSError as error:
            birth.report(reply, birth.step(message["op"], error))
        except Exception as error:
            birth.report(reply, first_process.StepFailed("answer", errno.EPROTO, repr(error)))
        finally:
            for fd in fds:
                os.close(fd)

    def _run(self, message: dict[str, Any], reply: socket.socket, fds: list[int]) -> None:
        if message["op"] == "call":
            commands.load_cloudpickle(message["path"])
            pid = os.fork()
            if pid == 0:
                commands.exec_function(message["path"], message["python"], reply, fds)
        else:
            pid = commands.start_command(message, fds)
        self.children.add_command(pid, reply)
        if message.get("pidfd"):
            pidfd = os.pidfd_open(pid)
            with contextlib.suppress(OSError):
                protocol.say(reply, "started", fds=[pidfd])
            os.close(pidfd)

    def _limit(self, message: dict[str, Any], reply: socket.socket, pidfd: int) -> None:
        try:
            held = self.limits.hold(message["id"], message["outer"], message["limits"], pidfd)
        except OSError as refused:
            birth.report(reply, birth.step("cgroup", refused))
        else:
            self.poll.register(held, select.POLLIN)
            with contextlib.suppress(OSError):
                protocol.say(reply, "limited", self.limits.keeper)
        reply.close()

    def _make(self, message: dict[str, Any], reply: socket.socket, joins: list[int]) -> None:
        own = {"uid": os.geteuid(), "gid": os.getegid(), "lent": 0, "server": os.getpid()}
        plan = Plan(**{**message["plan"], **own})
        lender = self.lender
        if lender is not None and "user" in plan.types and not lender.window.singles[1]:
            refused = first_process.StepFailed("lend", errno.EPERM, "setresuid()")
            return birth.report(reply, refused)
        new_user = "user" in plan.types and "user" not in plan.joined
        if lender is not None and new_user and plan.wide:
            uid, lent = lender.block(plan.id)
            plan = plan._replace(uid=uid, lent=lent)
        own_user = "user" in plan.types or "user" in plan.joined
        life, theirs = wire.pair()
        word = saying = None
        if joins:
            word, saying = wire.pair()
            wire.ask_for_senders(word)
        # A sandbox that stays root's lends ids in its turn.
        live = partial(_run_first_process, plan, reply, theirs, lender, own_user)
        try:
            # What joins others' namespaces must first be inside their user namespace, so a fork of
            # ours goes in and lets the sandbox be born there, as our child (CLONE_PARENT).
            pid = os.fork() if joins else first_process.clone(plan)
        except (OSError, first_process.StepFailed) as refused:
            birth.report(reply, birth.step("fork", refused))
            return
        if pid == 0 and saying is not None:
            birth.clone_in_joined_namespaces(plan, reply, theirs, saying, joins, live, lender)
        if pid == 0:
            live(None)
        theirs.close()
        record = Child(ChildKind.MAKER if joins else ChildKind.SANDBOX, life, plan.id)
        self.children.by_pid[pid] = record
        if word is not None and saying is not None:
            # The notebook hears of the birth when the maker has gone, not to see it about.
            saying.close()
            record.control, record.word = reply, word
            record.types = list(plan.types) if "pid" in plan.joined else []
        else:
            birth.write_id_maps(reply, pid, plan, lender, None)
            birth.send_pidfd(reply, pid)
            reply.close()

    def _say_unlimited(self) -> None:
        """Say of which sandboxes the control groups have been removed, to whoever asked."""
        for sandbox in [name for name in self.unlimited if not self.limits.exist(name)]:
            say_ended(self.unlimited.pop(sandbox))

    def end_everything(self, abandoned: bool = False) -> bool:
        """Kill and reap everything below this process, and remove the control groups it has made.

        Args:
            abandoned: as of `Children.end_all`, as is what is returned.
        """
        keeper = self.limits.keeper
        seen_all = self.children.end_all(abandoned)
        self.limits.remove_all(GRACE)
        self._say_unlimited()
        if not self.limits.keeper and keeper in commands.children_of_self():  # nothing is left
            with contextlib.suppress(ChildProcessError, TimeoutError):
                bounded_waits.reap(keeper, GRACE)
        return seen_all


def _run_first_process(
    plan: Plan, control: socket.socket, life: socket.socket, lender: Lender | None,
    own_user: bool, proc: int | None,
) -> NoReturn:  # fmt: skip
    """As the sandbox's first process: prepare, serve, end everything."""
    kept = {control.fileno(), life.fileno(), *([] if proc is None else [proc])}
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        os.dup2(0, 2)  # /dev/null; the inside could take the notebook's terminal from us otherwise
        if plan.limits:
            commands.close_others(kept)  # or there were no end of file
            birth.await_limits(control, life)
        first_process.prepare(plan, proc)
        if proc is not None:
            os.close(proc)
            proc = None
        if lender is not None and "user" in plan.types and "user" not in plan.joined:
            # Or the life line of a maker that is killed before it writes the map had no end here.
            commands.close_others({control.fileno(), life.fileno()})
            first_process.become_root(maker=life.fileno())
        # As any process: or /proc/PID would stay root's, and nobody else could look (proc(5)).
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
        first_process.name_process(plan.name)
        if "pid" in plan.joined and plan.types:
            commands.settle_in(life)
        with contextlib.suppress(OSError):  # the notebook has gone: to serve will end at once
            control.send(protocol.READY)  # the rest is done while the notebook hears of it
        commands.close_others({control.fileno(), life.fileno()})
        me = Server(control, life, lender=None if own_user else lender)
        try:
            me.serve()
        finally:
            seen_all = me.end_everything(abandoned=bounded_waits.readable(life.fileno(), 0))
        status = 0 if seen_all else 1
    except (OSError, first_process.StepFailed) as refused:
        birth.report(control, birth.step("start", refused), proc)
    finally:
        os._exit(status)
