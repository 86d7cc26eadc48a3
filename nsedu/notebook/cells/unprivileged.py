"""Programs that a learner starts beside the sandboxes: as an ordinary user, and none outlives.

The course promises that nothing it does can be noticed on the host.  A sandbox keeps that promise
by its namespaces; a cell that makes its namespaces by hand has none at first, and a forgotten
unshare would set the host's own name.  So its process first becomes an ordinary user, if it was
root: no capabilities (capabilities(7)), and a user id that is lent to it and owns nothing, for
files such as those of /proc/sys obey their owner without any capability.
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

from nsedu.agent import commands, helper, lent_ids
from nsedu.errors import explain, process_facts
from nsedu.kernel import syscalls
from nsedu.sandbox import agent_client
from nsedu.sandbox.runner import Runner

_MAIN = "nsedu.notebook.cells.unprivileged:main"
_PATIENCE = 5  # seconds for what was killed to end
_HEARD = {signal.SIGTERM, signal.SIGCHLD}  # by who minds a fork; SIGTERM asks it to end
_CAPABILITIES = 64  # capabilities, more than any kernel has; the loop ends at the first unknown


class UnprivilegedRunner(Runner):
    """Runs programs as children of the agent, in the notebook's own namespaces.

    Raises:
        NamespaceError: the agent could not be started.
    """

    timeout: float = 30

    def __init__(self) -> None:
        self._agent = agent_client.agent()
        self._control = self._agent.socket
        self.root_uid = os.geteuid()

    def require_alive(self) -> UnprivilegedRunner:
        """This one: the agent that it is made with has just been asked for."""
        return self

    def __repr__(self) -> str:
        return "the agent"

    def run_function(
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
        window = agent_client.to_lend()
        if window == lent_ids.NOTHING:
            raise explain.error(process_facts.failure("lend", errno.EPERM, "setresuid()"))
        request = {"cells": window and window.cells, **request}
        with contextlib.suppress(FileNotFoundError):  # a directory removed under the notebook
            request = {"cwd": os.getcwd(), **request}
        argv = helper.python_command(_MAIN, program, unbuffered=True)
        message = {"op": "run", "argv": argv}
        agent = self._agent.process.pid
        text = json.dumps({"path": [*sys.path, agent_client.ROOT], "agent": agent, **request})
        return self.execute(what, message, text, sinks, timeout)


def drop_privileges(cells: Sequence[int] | None, streams: Sequence[int] = ()) -> None:
    """Give up every capability and, as root, the user id.

    Args:
        cells: the first of the ids that root lends and how many there are, each for the process of
            one pid; None for who is an ordinary user already, to the machine at least.
        streams: descriptors of pipes that must stay openable by name, as /dev/stderr.

    Raises:
        OSError: EPERM, root without CAP_SETUID or CAP_SETGID.
    """
    if cells is not None:
        first, count = cells
        own = first + os.getpid() % count
        for fd in streams:
            os.fchown(fd, own, own)
        os.setgroups([])
        os.setresgid(own, own, own)
        os.setresuid(own, own, own)
        syscalls.join_session_keyring()
    elif os.geteuid() == 0:
        _drop_bounding()
    syscalls.capset(0, 0, 0)  # with the inheritable go the ambient ones
    # A change of ids takes /proc/self from its owner, who is to write its maps (proc(5)).
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)


def _drop_bounding() -> None:
    """Drop the bounding set, or uid 0 would have every capability again after an exec."""
    with contextlib.suppress(OSError):  # EINVAL: beyond the last; EPERM: no CAP_SETPCAP
        for capability in range(_CAPABILITIES):
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, capability)


def main(program: str) -> NoReturn:
    """As the process that the agent started: run `program` and wait for all it leaves.

    Three processes: this one leads the group that is killed on a timeout; the second, in a session
    of its own, waits for whatever the third starts.  Each of the two ends what is left when its
    parent or its child is killed, so that of them and the agent any two may be.
    """
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    with open(0, closefd=False) as file:
        request = json.load(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    commands.close_others(
        {3}
    )  # above all the agent's own socket, by whose end others know its death
    sys.path[:] = request["path"]
    module, _, name = program.partition(":")
    function = getattr(__import__(f"nsedu.{module}", fromlist=[name]), name)
    for wanted, names in request.get("imports", []):
        with contextlib.suppress(Exception):  # the program will see for itself that it fails
            __import__(wanted, fromlist=names)
    with contextlib.suppress(KeyError, OSError):
        os.chdir(request["cwd"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    drop_privileges(request["cells"], (1, 2, 3))
    me = os.getpid()
    _mind(request["agent"], lambda: _wait(me, lambda: function(request)))


def _fork() -> int:
    try:
        return os.fork()
    except BlockingIOError:
        os.write(2, b"no further process may be started here (RLIMIT_NPROC, getrlimit(2)).\n")
        os._exit(1)


def _wait(parent: int, function: Callable[[], object]) -> NoReturn:
    os.setsid()
    _mind(parent, function, waits=True)


def _mind(parent: int, function: Callable[[], object], waits: bool = False) -> NoReturn:
    """Run a function in a fork, and leave nobody behind.

    Args:
        parent: whose end is the end of everything.
        function: what to run.
        waits: whether to wait for what the fork leaves when it ends, instead of killing it.
    """
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    for number in _HEARD:  # one that is ignored cannot be waited for; and see ends_its_own()
        signal.signal(number, lambda *_: None)
    # Blocked, and waited for: a handler that raised could be called anywhere, the clean-up too.
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGTERM)  # a change of ids had undone it
    status, pid = int(signal.SIGKILL), 0
    if os.getppid() == parent:
        pid = _fork()
        if pid == 0:
            for number in _HEARD:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HEARD)
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            function()
            os._exit(0)
        status = _await(pid, waits)
    signal.alarm(_PATIENCE)  # whose default is the end: what is killed may be slow to go
    with contextlib.suppress(ChildProcessError):
        while True:
            for left in commands.children_of_self():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    # The second ends its own in order; killed, it would leave them to this process,
                    # which may be killed itself before it has them.
                    minds = left == pid and not waits
                    os.kill(left, signal.SIGTERM if minds else signal.SIGKILL)
                    os.kill(left, signal.SIGCONT)
            os.wait()
    _exit_with(status)


def _await(pid: int, waits: bool) -> int:
    """Reap until a fork has ended, or every child has; or until SIGTERM asks for our end.

    Returns:
        The fork's wait status; that of a kill if it has not ended.
    """
    status: int = signal.SIGKILL
    while signal.sigwait(_HEARD) == signal.SIGCHLD:
        with contextlib.suppress(ChildProcessError):
            while (reaped := os.waitpid(-1, os.WNOHANG))[0]:
                if reaped[0] == pid:
                    status = reaped[1]
                    if not waits:
                        return status
            continue
        break  # there are none any more
    return status


def _exit_with(status: int) -> NoReturn:
    """End with the same exit status, or by the same signal."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
