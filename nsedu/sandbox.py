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

from nsedu import cgroups, client, errors, explain, joining, nstypes, plan, wire
from nsedu.errors import NamespaceError
from nsedu.procfs import pid_of
from nsedu.roles import roles
from nsedu.running import Runner

_serial = itertools.count(1)
_nameless = itertools.count(1)
_END_GRACE = 3.0  # seconds for an orderly end, and again for the maker to say that it was one


class Namespace(NamedTuple):
    """One namespace that a sandbox is in.

    Attributes:
        type: one of the eight names.
        ns: inode number, its identity while it lives.
        origin: "new" (made for this sandbox), "joined" (another sandbox's) or "inherited".
    """

    type: str
    ns: int
    origin: str

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
        user: True maps your own id to 0 inside; "range" maps the ids granted in /etc/subuid too;
            False makes no user namespace unless named (root only).
        boottime, monotonic: offsets of the two clocks in seconds (need "time").
        limits: any of {"pids": processes, "memory": bytes, "cpu": cores}, held by a control group
            that is made for the sandbox and removed with it (cgroups(7)); swap counts as memory.
        timeout: seconds allowed for making it, and for each `run` and `call` in it.

    Attributes:
        pid: pid of its first process, as the notebook sees it.

    Raises:
        NamespaceError: a step was refused; it says which, by which rule, and what to do.
        TypeError, ValueError: an argument is wrong; nothing has been created.
    """

    _id: str

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
        joined = joining.joins(join, types)
        new = plan.new_types(types, user, joined)
        plan.check(new, joined, hostname, boottime, monotonic, timeout)
        checked = cgroups.check_limits(limits)
        serial = next(_serial)
        self.name = str(name) if name is not None else f"box{next(_nameless)}"
        self.timeout = timeout
        self._outer = outer
        self._new, self._joined = frozenset(new), dict(joined)
        self._owner = os.getpid()
        self.pid = self._pidfd = -1
        # Also the name of its control group; that of a sandbox inside begins with it.
        self._id = f"{outer._id}.{serial}" if outer else f"nsedu-{self._owner}-{serial}"
        self._inner: weakref.WeakSet[Sandbox] = weakref.WeakSet()
        self._namespaces: dict[str, Namespace] | None = None
        self._agent = outer._agent if outer is not None else client.agent()
        groups: dict[Runner | int, list[str]] = {}
        for kind, whom in joined.items():
            groups.setdefault(whom, []).append(kind)
        message = {
            "op": "make",
            "plan": {
                "range": user == "range",
                "id": self._id,
                "limits": checked,
                "types": new,
                "join": list(groups.values()),
                "joined": list(joined),
                "hostname": hostname,
                "boottime": boottime,
                "monotonic": monotonic,
                "name": self.name,
            },
        }
        self._server = outer._require()._control if outer is not None else self._agent.socket
        with contextlib.ExitStack() as stack, client.room("start"):
            pidfds = [joining.pidfd_of(whom, stack) for whom in groups]
            self._control = self._make(message, pidfds, timeout)
        self._finalizer = weakref.finalize(
            self, _let_go, self._owner, self._control, self._pidfd, self.pid, self._server, self._id
        )
        if outer is not None:
            outer._inner.add(self)

    def _make(self, message: dict[str, Any], fds: list[int], timeout: float) -> socket.socket:
        """Ask for the sandbox and wait until it stands; sets `pid`."""
        deadline = time.monotonic() + timeout
        try:
            control = client.request(self._server, message, fds)
        except ConnectionError:
            raise client.gone("start", self._maker()) from None
        try:
            # Its maker sends a pidfd as soon as the process exists, the process itself says when
            # it is ready; which of them comes first is open.
            heard: set[str] = set()
            while not {"born", "ready"} <= heard:
                word, fds = self._hear(control, deadline)
                heard |= word.keys()
                if "failed" in word:
                    raise explain.error(word, depth=_depth(self._outer))
                if "born" in word:
                    self._pidfd = fds[0]
                    self.pid = pid_of(self._pidfd)
                    self._introduce()
        except BaseException as error:
            control.close()
            gone = isinstance(error, NamespaceError) and error.errno == errno.ESRCH
            _have_it_ended(self._server, self._id, self._pidfd, force=not gone)
            if self._pidfd >= 0:
                os.close(self._pidfd)
                roles.pop(self.pid, None)
            raise
        return control

    def _introduce(self) -> None:
        """Tell the pictures what it is called."""
        roles[self.pid] = f'sandbox "{self.name}"'

    def _hear(self, control: socket.socket, deadline: float) -> tuple[dict[str, Any], list[int]]:
        if not client.wait(control.fileno(), deadline - time.monotonic()):
            raise client.no_answer("start", self.timeout, repr(self))
        received = wire.receive(control)
        if received is None:
            raise client.gone("start", f"the first process of {self!r}")
        return received

    def _maker(self) -> str:
        return repr(self._outer) if self._outer is not None else "the agent"

    def _require(self) -> Sandbox:
        """This sandbox, if it can be used.

        Raises:
            NamespaceError: it was closed, or has died.
        """
        if self._owner != os.getpid():
            reason = errors.Reason(
                "a sandbox belongs to the process that made it, and this is a fork of that", "",
                "make a sandbox of its own in the forked process",
            )  # fmt: skip
        elif not self._finalizer.alive:
            reason = errors.Reason(
                f'sandbox "{self.name}" has been closed, and with it all it held', "",
                "make a new one, or do this before closing it",
            )  # fmt: skip
        elif client.wait(self._pidfd, 0):
            raise client.gone("use the sandbox", f'the first process of sandbox "{self.name}"')
        else:
            return self
        raise NamespaceError("use the sandbox", errno.EBADF, repr(self), reason)

    @property
    def namespaces(self) -> dict[str, Namespace]:
        """Type name → `Namespace`, for the types this kernel has, in catalogue order."""
        if self._namespaces is None:
            self._require()
            found = {}
            for kind in nstypes.NAMES:
                with contextlib.suppress(FileNotFoundError):
                    text = os.readlink(f"/proc/{self.pid}/ns/{kind}")
                    origin = "new" if kind in self._new else (
                        "joined" if kind in self._joined else "inherited"
                    )  # fmt: skip
                    found[kind] = Namespace(kind, int(text[len(kind) + 2 : -1]), origin)
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
        return Sandbox(*types, **options, _outer=self._require())

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


def _let_go(
    owner: int, control: socket.socket, pidfd: int, pid: int, server: socket.socket, identity: str
) -> None:
    """What closing a sandbox is, and also what happens when it is forgotten."""
    if owner == os.getpid():  # a fork of the notebook only drops its copies
        ended = client.wait(pidfd, 0)
        with contextlib.suppress(OSError):
            control.shutdown(socket.SHUT_RDWR)  # a fork of this process may have it open, too
        if not ended:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGCONT)
            ended = client.wait(pidfd, _END_GRACE)
        _have_it_ended(server, identity, pidfd, force=not ended)
    control.close()
    os.close(pidfd)
    roles.pop(pid, None)


def _have_it_ended(server: socket.socket, identity: str, pidfd: int, *, force: bool) -> None:
    """Have the maker reap a first process and remove its groups, killing it if need be."""
    try:
        reply = client.request(server, {"op": "end", "id": identity, "force": force})
        client.wait(reply.fileno(), _END_GRACE)
        reply.close()
    except OSError:  # its maker has gone
        if force and pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def _depth(box: Sandbox | None) -> int:
    """How many user or pid namespaces, whichever are more, a sandbox is below the notebook."""
    count = {"user": 0, "pid": 0}
    while box is not None:
        for kind in count:
            count[kind] += kind in box._new
        box = box._outer
    return max(count.values())
