"""`Sandbox`: namespaces with a process in them, as the notebook holds it."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import signal
import socket
import time
import weakref
from collections.abc import Mapping
from typing import Any, NamedTuple

from nsedu.agent import cgroups, protocol, wire
from nsedu.agent.first_process import Plan
from nsedu.errors import explain, namespace_error
from nsedu.errors.namespace_error import NamespaceError
from nsedu.kernel import interrupts, namespace_types, procfs, syscalls
from nsedu.sandbox import agent_client, join_arguments, members, plan
from nsedu.sandbox.process_labels import roles
from nsedu.sandbox.runner import Runner

_serial = itertools.count(1)
_nameless = itertools.count(1)
_END_GRACE = 3.0  # seconds for an orderly end, and again for the maker to say that it was one


class Namespace(NamedTuple):
    """One namespace that a sandbox is in.

    Attributes:
        type: one of the eight names.
        ns: inode number, its identity while it lives.
        origin: "new" (made for this sandbox), "joined" (another sandbox's) or "inherited".
        id: the number that no other namespace gets until the next boot (Linux 6.18), or None.
    """

    type: str
    ns: int
    origin: str
    id: int | None = None

    @property
    def new(self) -> bool:
        """Whether it was made for this sandbox."""
        return self.origin == "new"

    def __str__(self) -> str:
        return f"{self.type}:[{self.ns}]"


class Sandbox(Runner):
    """New namespaces and a first process in them, which runs what you ask it to.

    No root is needed: unless ``user=False``, a user namespace comes first and gives the
    capabilities for the others (user_namespaces(7)).  Use it in a ``with`` block or call `close`;
    when it is forgotten, or the notebook's kernel ends in whatever way, everything in it ends too.

    Args:
        types: the namespace types to make, any of "mnt", "uts", "ipc", "pid", "net", "user",
            "cgroup", "time"; `nsedu.TYPES` is all eight.  With mnt, mounts made inside stay inside;
            with mnt and pid there is a fresh /proc, with mnt and net a fresh /sys; lo is up.
        name: what pictures and errors call it.
        hostname: its host name (needs "uts"); at most 64 bytes.
        join: another sandbox whose namespaces to enter, as far as ``types`` does not name them; or
            the pid of any process you may look at; or a mapping of type name → one of these.
        user: True maps your own id to 0 inside; "range" maps the ids granted in /etc/subuid too.
            Root lends it an id that is nobody's, or a block of them, so that root inside has no
            power outside.  False makes no user namespace unless named, and may join one that maps
            root's id (root only): what runs inside can then do to the machine whatever root can.
        boottime, monotonic: offsets of the two clocks in seconds (need "time").
        limits: any of {"pids": processes, "memory": bytes, "cpu": cores}, held by a control group
            that is made for the sandbox and removed with it (cgroups(7)); swap counts as memory.
        timeout: seconds allowed for making it, and for each `run` and `call` in it.

    Attributes:
        pid: pid of its first process, as the notebook sees it.
        root_uid: the user id that its first process has outside: who root inside is.

    Raises:
        NamespaceError: a step was refused; it says which, by which rule, and what to do.
        TypeError, ValueError: an argument is wrong; nothing has been created.
    """

    _id: str

    @interrupts.whole
    def __init__(
        self,
        *types: str,
        name: str | None = None,
        hostname: str | None = None,
        join: Sandbox | int | Mapping[str, Sandbox] | None = None,
        user: bool | str = True,
        boottime: float | None = None,
        monotonic: float | None = None,
        limits: Mapping[str, float] | None = None,
        timeout: float = 30,
        _outer: Sandbox | None = None,
    ) -> None:
        outer = _outer
        joined = join_arguments.joins(join, types)
        new = plan.new_types(types, user, joined)
        plan.check(new, joined, hostname, boottime, monotonic, timeout)
        checked = cgroups.check_limits(limits)
        serial = next(_serial)
        self.name = plan.name(name) if name is not None else f"box{next(_nameless)}"
        self.timeout = timeout
        self._outer = outer
        self._new, self._joined = frozenset(new), dict(joined)
        self._owner = os.getpid()
        self.pid = self._pidfd = -1
        # Also the name of its control group; that of a sandbox inside begins with it.
        self._id = f"{outer._id}.{serial}" if outer else f"nsedu-{self._owner}-{serial}"
        self._inner: weakref.WeakSet[Any] = weakref.WeakSet()  # what is closed with it
        self._namespaces: dict[str, Namespace] | None = None
        self._agent = outer._agent if outer is not None else agent_client.agent()
        groups: dict[Runner | int, list[str]] = {}
        for kind, whom in joined.items():
            groups.setdefault(whom, []).append(kind)
        wanted = Plan(
            id=self._id, name=self.name, types=new, join=list(groups.values()),
            joined=list(joined), wide=user == "range", as_root=user is False, hostname=hostname,
            boottime=boottime, monotonic=monotonic, limits=checked,
        )  # fmt: skip
        self._server = outer.require_alive()._control if outer is not None else self._agent.socket
        with contextlib.ExitStack() as stack, agent_client.explain_fd_limit("start"):
            pidfds = [join_arguments.pidfd_of(whom, stack) for whom in groups]
            self._control = self._create(wanted, pidfds, timeout)
        limiter = self._agent.socket if checked else None
        self._finalizer = weakref.finalize(
            self, _close, self._owner, self._control, self._pidfd, self.pid, self._server,
            self._id, self._own(), limiter,
        )  # fmt: skip
        self._delegate(limiter)
        if outer is not None:
            outer._inner.add(self)

    def _delegate(self, limiter: socket.socket | None) -> None:
        """Find out whose id root inside has, and have its control groups given to that."""
        try:
            self.root_uid = os.stat(f"/proc/{self.pid}").st_uid
            if limiter is not None and self.root_uid != os.geteuid():
                await_reply(limiter, {"op": "delegate", "id": self._id})
        except BaseException as error:
            self.close()
            if isinstance(error, FileNotFoundError):  # it was killed, and its maker has reaped it
                raise agent_client.peer_died("start", f"the first process of {self!r}") from None
            raise

    def _create(self, wanted: Plan, fds: list[int], timeout: float) -> socket.socket:
        """Ask for the sandbox and wait until it stands; sets `pid`."""
        deadline = time.monotonic() + timeout
        try:
            message = {"op": "make", "plan": wanted._asdict()}
            control = agent_client.request(self._server, message, fds)
        except ConnectionError:
            raise agent_client.peer_died("start", self._parent_name()) from None
        try:
            # Its maker sends a pidfd as soon as the process exists, the process itself says when
            # it is ready; which of them comes first is open.
            heard: set[str] = set()
            while heard != {"born", "ready"}:
                awaited = {"born", "ready"} - heard
                word, fields, fds = self._receive_event(control, awaited, deadline)
                heard.add(word)
                if word == "failed":
                    raise explain.error(explain.heard(fields), depth=_depth(self._outer))
                if word == "born":
                    self._pidfd = fds[0]
                    self.pid = agent_client.pid_of_child(
                        self._pidfd, self._outer.pid if self._outer else 0
                    )
                    self._register_label()
                    if wanted.limits:
                        self._limit(wanted.limits, control, deadline)
        except BaseException as error:
            if isinstance(error, protocol.Wrong):
                error = agent_client.untrue(repr(self), error)
            gone = isinstance(error, NamespaceError) and error.errno == errno.ESRCH
            with interrupts.held(closing=True):  # or the next one would leave a descriptor behind
                control.close()
                believed = self._pidfd if self.pid >= 0 else -1  # or it may be anybody's
                _request_end(self._server, self._id, believed, force=not gone)
                if self._pidfd >= 0:
                    os.close(self._pidfd)
                    roles.pop(self.pid, None)
            raise error from None
        return control

    def _own(self) -> dict[str, int]:
        """The namespaces by which orphans are known; none where they end with a pid namespace."""
        if "pid" in self._new or "pid" in self._joined:
            return {}
        return members.namespaces(self.pid, self._new)

    def _limit(self, limits: Mapping[str, float], control: socket.socket, deadline: float) -> None:
        """Have the agent put the first process, which waits for it, into its control group."""
        outer = self._outer._id if self._outer is not None else ""
        message = {"op": "limit", "id": self._id, "outer": outer, "limits": dict(limits)}
        try:
            reply = agent_client.request(self._agent.socket, message, [self._pidfd])
        except ConnectionError:
            raise agent_client.peer_died("cgroup", "the agent") from None
        with contextlib.closing(reply):
            word, fields, _ = self._receive_event(reply, {"limited"}, deadline)
        if word == "failed":
            raise explain.error(explain.heard(fields))
        with contextlib.suppress(ProcessLookupError):  # somebody has killed it already
            roles[procfs.pid_here(fields["keeper"])] = "keeper of control groups"
        with contextlib.suppress(OSError):  # that it has ended is heard next
            wire.send(control, {"op": "go on"})

    @property
    def agent_pid(self) -> int:
        """The pid of the agent, which makes a notebook's sandboxes, as this process sees it."""
        return self._agent.process.pid

    def _register_label(self) -> None:
        """Tell the pictures what it is called."""
        roles[self.pid] = f'sandbox "{self.name}"'

    def _receive_event(
        self, control: socket.socket, expected: set[str], deadline: float
    ) -> tuple[str, dict[str, Any], list[int]]:
        if not agent_client.wait_readable(control.fileno(), deadline - time.monotonic()):
            raise agent_client.timed_out("start", self.timeout, repr(self))
        # A sandbox that joins others' may be in the hands of who is there before it is born to us;
        # but the kernel tells whether it is the agent that speaks of the birth.
        senders = {} if self._outer else {"born": self._agent.process.pid}
        with agent_client.explain_fd_limit("start"):
            received = protocol.hear(control, *expected, "failed", senders=senders)
        if received is None:
            raise agent_client.peer_died("start", f"the first process of {self!r}")
        return received

    def _distrust(self, wrong: protocol.Wrong) -> NamespaceError:
        if agent_client.wait_readable(self._pidfd, 0):
            return agent_client.peer_died("use the sandbox", repr(self))
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self.close()
        return agent_client.untrue(repr(self), wrong)

    def _parent_name(self) -> str:
        return repr(self._outer) if self._outer is not None else "the agent"

    def require_alive(self) -> Sandbox:
        """This sandbox, if it can be used.

        Raises:
            NamespaceError: it was closed, or has died.
        """
        if self._owner != os.getpid():
            reason = namespace_error.Reason(
                "a sandbox belongs to the process that made it, and this is a fork of that", "",
                "make a sandbox of its own in the forked process",
            )  # fmt: skip
        elif not self._finalizer.alive:
            reason = namespace_error.Reason(
                f'sandbox "{self.name}" has been closed, and with it all it held', "",
                "make a new one, or do this before closing it",
            )  # fmt: skip
        elif agent_client.wait_readable(self._pidfd, 0):
            raise agent_client.peer_died(
                "use the sandbox", f'the first process of sandbox "{self.name}"'
            )
        else:
            return self
        raise NamespaceError("use the sandbox", errno.EBADF, repr(self), reason)

    @property
    def namespaces(self) -> dict[str, Namespace]:
        """Type name → `Namespace`, for the types this kernel has, in catalogue order."""
        if self._namespaces is None:
            self.require_alive()
            found = {}
            for kind in namespace_types.NAMES:
                with contextlib.suppress(FileNotFoundError):
                    file = syscalls.nsfd(self.pid, kind)
                    origin = "new" if kind in self._new else (
                        "joined" if kind in self._joined else "inherited"
                    )  # fmt: skip
                    number, id = os.fstat(file).st_ino, None
                    with contextlib.suppress(OSError):  # an older kernel
                        id = syscalls.ns_get_id(file)
                    os.close(file)
                    found[kind] = Namespace(kind, number, origin, id)
            self._namespaces = found
        return self._namespaces

    def sandbox(self, *types: str, **options: Any) -> Sandbox:
        """A sandbox inside this one, which ends with this one at the latest.

        Args:
            types: as of `Sandbox`.
            options: as of `Sandbox`.

        Raises:
            NamespaceError, TypeError, ValueError: as `Sandbox`.
        """
        return Sandbox(*types, **options, _outer=self.require_alive())

    def close(self) -> None:
        """End every process inside and wait until they are gone; calling it again does nothing."""
        if self._owner != os.getpid() or not self._finalizer.alive:
            return
        for inner in list(self._inner):
            inner.close()
        self._finalizer()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f'sandbox "{self.name}"'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from nsedu.sandbox import displays

        if not self._finalizer.alive:
            state = "closed, and all it held has ended"
        else:
            ended = self._owner == os.getpid() and agent_client.wait_readable(self._pidfd, 0)
            state = "its first process has ended, and all it held" if ended else "running"
        return displays.of_sandbox(self, state)


@interrupts.closing
def _close(
    owner: int, control: socket.socket, pidfd: int, pid: int, server: socket.socket, identity: str,
    own: dict[str, int], limiter: socket.socket | None,
) -> None:  # fmt: skip
    """What closing a sandbox is, and also what happens when it is forgotten."""
    if owner == os.getpid():  # a fork of the notebook only drops its copies
        ended = agent_client.wait_readable(pidfd, 0)
        with contextlib.suppress(OSError):
            control.shutdown(socket.SHUT_RDWR)  # a fork of this process may have it open, too
        if not ended:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGCONT)
            ended = agent_client.wait_readable(pidfd, _END_GRACE)
        if not _request_end(server, identity, pidfd, force=not ended):
            members.end(own)  # whoever had to has been killed together with its first process
        if limiter is not None:
            await_reply(limiter, {"op": "unlimit", "id": identity})
    control.close()
    os.close(pidfd)
    roles.pop(pid, None)


def _request_end(server: socket.socket, identity: str, pidfd: int, *, force: bool) -> bool:
    """Have the maker reap a first process, killing it if need be.

    Returns:
        False if there is no maker any more.
    """
    asked = await_reply(server, {"op": "end", "id": identity, "force": force})
    if not asked and force and pidfd >= 0:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    return asked


def await_reply(server: socket.socket, message: dict[str, Any]) -> bool:
    """Ask for something and wait until it has been done; False if nobody has said so.

    A server that was killed may still take a request, and dies before it reads it.
    """
    try:
        reply = agent_client.request(server, message)
    except OSError:
        return False
    with contextlib.closing(reply):
        agent_client.wait_readable(reply.fileno(), _END_GRACE)
        try:
            return protocol.hear(reply, "ended", flags=socket.MSG_DONTWAIT) is not None
        except (OSError, protocol.Wrong):  # there is no answer yet; or it is none
            return False


def _depth(box: Sandbox | None) -> int:
    """How many user or pid namespaces, whichever are more, a sandbox is below the notebook."""
    count = {"user": 0, "pid": 0}
    while box is not None:
        for kind in count:
            count[kind] += kind in box._new
        box = box._outer
    return max(count.values())
