"""Programs that a learner starts beside the sandboxes: as an ordinary user, and none outlives.

The course promises that nothing it does can be noticed on the host.  A sandbox keeps that promise
by its namespaces; a cell that makes its namespaces by hand has none at first, and a forgotten
unshare would set the host's own name.  So its process first becomes an ordinary user, if it was
root: no capabilities (capabilities(7)), and a user id that owns nothing, for files such as those of
/proc/sys obey their owner without any capability.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from nsedu import child, client, syscalls
from nsedu.errors import NamespaceError, Reason
from nsedu.running import Runner

ORDINARY_ID = 65521
"""Neither a person's nor a daemon's: Debian and systemd leave 65520 to 65533 unused.

65534 will not do, for in a user namespace it means "not mapped" (user_namespaces(7)).
"""

_START = (
    "import sys; sys.path[:] = {path!r} + sys.path;"
    " from nsedu.cells.ordinary import main; main({program!r})"
)
_CAP_SETGID, _CAP_SETUID = 6, 7  # <linux/capability.h>
_CAPABILITIES = 64  # capabilities, more than any kernel has; the loop ends at the first unknown


class Beside(Runner):
    """Runs programs as children of the agent, in the notebook's own namespaces.

    Raises:
        NamespaceError: the agent could not be started.
    """

    timeout: float = 30

    def __init__(self) -> None:
        self._agent = client.agent()
        self._control = self._agent.socket

    def _require(self) -> Beside:
        return self

    def __repr__(self) -> str:
        return "the agent"

    def execute(
        self, program: str, request: dict[str, Any], sinks: list[Callable[[bytes], Any]],
        timeout: float | None, what: str,
    ) -> int:  # fmt: skip
        """Have a function of this package run as an ordinary user, in a process of its own.

        Args:
            program: "module:function", called with the request; what it starts is waited for.
            request: plain data; "cwd" and "path" are added.  "imports", pairs of a module and the
                names wanted from it, are imported before, for root's Python may lie where an
                ordinary user cannot read.
            sinks: what to do with its standard output and error, and with its descriptor 3.
            timeout: seconds until all of it is killed; None for 30.
            what: the command, for errors.

        Returns:
            The exit status, negative for a signal.

        Raises:
            CommandTimedOut: it ran too long.
            NamespaceError: it could not be started, or could not become an ordinary user's.
        """
        _check_root()
        with contextlib.suppress(FileNotFoundError):  # a directory removed under the notebook
            request = {"cwd": os.getcwd(), **request}
        start = _START.format(path=[client.ROOT], program=program)
        argv = [sys.executable, "-I", "-S", "-u", "-X", "utf8", "-c", start]
        message = {"op": "run", "argv": argv}
        text = json.dumps({"path": [*sys.path, client.ROOT], **request})
        return self._execute(what, message, text, sinks, timeout)


def _check_root() -> None:
    """Refuse to be root without the capabilities to become someone else.

    Raises:
        NamespaceError: it is so.
    """
    needed = 1 << _CAP_SETGID | 1 << _CAP_SETUID
    if os.geteuid() != 0 or syscalls.capget()[0] & needed == needed:
        return
    reason = Reason(
        "root needs CAP_SETUID and CAP_SETGID to become someone else (setresuid(2)), and as root a"
        " mistake in the cell could change the machine",
        f"effective capabilities {syscalls.capget()[0]:#x}",
        "run the notebook as an ordinary user, or give it the two capabilities",
    )
    step, call = "run the cell as an ordinary user", f"setresuid({ORDINARY_ID})"
    raise NamespaceError(step, errno.EPERM, call, reason)


def become_ordinary(streams: Sequence[int] = ()) -> None:
    """Give up every capability and, as root, the user id.

    Args:
        streams: descriptors of pipes that must stay openable by name, as /dev/stderr.

    Raises:
        OSError: EPERM, root without CAP_SETUID or CAP_SETGID.
    """
    if os.geteuid() == 0:
        try:
            for fd in streams:
                os.fchown(fd, ORDINARY_ID, ORDINARY_ID)
            os.setgroups([])
            os.setresgid(ORDINARY_ID, ORDINARY_ID, ORDINARY_ID)
            os.setresuid(ORDINARY_ID, ORDINARY_ID, ORDINARY_ID)
        except OSError as error:
            # Root of a user namespace without that id: an ordinary user already, to the host.
            if error.errno != errno.EINVAL:
                raise
            _drop_bounding()
    syscalls.capset(0, 0, 0)  # with the inheritable go the ambient ones
    # A change of ids takes /proc/self from its owner, who is to write its maps (proc(5)).
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)


def _drop_bounding() -> None:
    """Drop the bounding set, or uid 0 would have every capability again after an exec."""
    with contextlib.suppress(OSError):  # EINVAL: beyond the last; EPERM: no CAP_SETPCAP
        for capability in range(_CAPABILITIES):
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, capability)


class _Ended(BaseException):
    """The process that the agent started was killed: whatever still runs must go."""


def main(program: str) -> NoReturn:
    """As the process that the agent started: run `program` and wait for all it leaves.

    Three processes: this one leads the group that is killed on a timeout; the second, in a session
    of its own, is told of that by its parent's death and ends whatever the third has started.
    """
    with open(0, closefd=False) as file:
        request = json.load(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    child.close_others({3})  # above all the agent's own socket, by whose end others know its death
    sys.path[:] = request["path"]
    module, _, name = program.partition(":")
    function = getattr(__import__(f"nsedu.{module}", fromlist=[name]), name)
    for wanted, names in request.get("imports", []):
        with contextlib.suppress(Exception):  # the program will see for itself that it fails
            __import__(wanted, fromlist=names)
    with contextlib.suppress(KeyError, OSError):
        os.chdir(request["cwd"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    agent = os.getppid()
    become_ordinary((1, 2, 3))
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of ids had undone it
    if os.getppid() != agent:
        os._exit(1)
    parent = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        _keep(parent, lambda: function(request))
    _end_like(os.waitpid(keeper, 0)[1])


def _keep(parent: int, function: Callable[[], object]) -> NoReturn:
    """As the second process: run the function in the third, and leave nobody behind."""
    os.setsid()
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    status: int = signal.SIGKILL
    try:
        signal.signal(signal.SIGTERM, _on_end)
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            raise _Ended
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            function()
            os._exit(0)
        with contextlib.suppress(ChildProcessError):
            while True:
                ended, found = os.wait()
                status = found if ended == pid else status
    except _Ended:
        with contextlib.suppress(ChildProcessError):
            while True:
                for left in child.children_of_self():
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(left, signal.SIGKILL)
                os.wait()
    _end_like(status)


def _on_end(*_: object) -> None:
    raise _Ended


def _end_like(status: int) -> NoReturn:
    """End with the same exit status, or by the same signal."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
