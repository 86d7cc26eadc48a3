"""Running commands and Python functions by way of a sandbox's first process."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nsedu.agent import plain_data, protocol, wire
from nsedu.agent.python_inside import is_closed
from nsedu.errors import arguments
from nsedu.errors.namespace_error import NamespaceError
from nsedu.kernel import interrupts
from nsedu.sandbox import agent_client, output, plan, process


class Runner:
    """What a `nsedu.Sandbox` can do once it stands: run, popen, call."""

    timeout: float
    pid = 0  # of the process that starts what is run, and whose children it must be; 0: believe it
    _agent: agent_client.Agent
    _control: socket.socket
    _pidfd: int
    _new: frozenset[str]
    _joined: Mapping[str, Runner | int]
    root_uid: int

    def _give(self, *fds: int) -> None:
        """Give pipes to root inside, so that it can open them by name, as /dev/stdout."""
        if self.root_uid != os.geteuid():
            for fd in fds:
                os.fchown(fd, self.root_uid, -1)

    def require_alive(self) -> Any:
        """This object, if it can be used; raises NamespaceError when it cannot."""
        raise NotImplementedError

    def _distrust(self, wrong: protocol.Wrong) -> NamespaceError:
        """End what has sent a wrong message; returns the error that says so."""
        return agent_client.untrue(repr(self), wrong)

    @interrupts.whole
    def run(
        self,
        cmd: str | Sequence[str],
        *,
        input: str | None = None,
        check: bool = True,
        timeout: float | None = None,
        output_limit: int | None = output.KEPT,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside and wait for it; its output is in the result, as text.

        Args:
            cmd: a string for ``bash -euo pipefail -c``, as a cell of ``%%inside`` is, or a list to
                execute as it is.  So in ``"a; b; c"`` the first that fails ends the command, with
                its status; where that is not wanted, write ``a || true``, or begin with ``set +e``.
            input: its standard input; none unless given.
            check: raise when it ends with a status other than 0.
            timeout: seconds until its process group is killed; the sandbox's own unless given.
            output_limit: bytes of output and error together after which its process group is
                killed, for they are kept in memory; 64 MiB unless given, None for no limit.

        Raises:
            CommandFailed: (a subprocess.CalledProcessError) it ended with another status.
            CommandTimedOut: (a subprocess.TimeoutExpired) it ran too long and was killed.
            OutputTooLong: (a subprocess.CalledProcessError) it wrote too much and was killed.
            NamespaceError: it could not be started, or the sandbox is closed or dead.
        """
        argv = arguments.command(cmd)
        arguments.check_input(input)
        allowed = output.Allowance(cmd, output.check_limit(output_limit))
        out, err = bytearray(), bytearray()
        sinks: list[Callable[[bytes], Any]] = [allowed.sink(out.extend), allowed.sink(err.extend)]
        status = self.execute(cmd, {"op": "run", **program(argv)}, input, sinks, timeout)
        stdout, stderr = out.decode(errors="replace"), err.decode(errors="replace")
        if check and status:
            raise process.CommandFailed(status, cmd, stdout, stderr)
        return process.CompletedProcess(cmd, status, stdout, stderr)

    @interrupts.whole
    def execute(
        self, what: Any, message: dict[str, Any], input: str | None,
        sinks: list[Callable[[bytes], Any]], timeout: float | None, extra: Sequence[int] = (),
    ) -> int:  # fmt: skip
        """Send a request with standard streams; `sinks` get its output, error and further pipes."""
        self.require_alive()
        seconds = self.timeout if timeout is None else plan.seconds(timeout)
        message["env"] = process.environment(self._agent)
        with (
            contextlib.ExitStack() as theirs,
            contextlib.ExitStack() as ours,
            agent_client.explain_fd_limit("exec"),
        ):
            fds, reading = [_input(input)], {}
            theirs.callback(os.close, fds[0])
            for sink in sinks:
                read, write = os.pipe()
                ours.callback(os.close, read)
                theirs.callback(os.close, write)
                self._give(write)
                reading[read] = sink
                fds.append(write)
            try:
                reply = agent_client.request(self._control, message, [*fds[:3], *extra, *fds[3:]])
            except ConnectionError:
                raise agent_client.peer_died("use the sandbox", repr(self)) from None
            ours.pop_all()
        try:
            return process.wait_and_collect(reply, reading, seconds, what, repr(self))
        except protocol.Wrong as wrong:
            raise self._distrust(wrong) from None

    @interrupts.whole
    def popen(self, cmd: str | Sequence[str]) -> process.Process:
        """Start a long-running command inside; see `Process` for what can be done with it.

        A string is for ``bash -euo pipefail -c``, a list is executed as it is, as by `run`.

        Raises:
            NamespaceError: it could not be started, or the sandbox is closed or dead.
        """
        self.require_alive()
        message = {
            "op": "run", **program(arguments.command(cmd)), "pidfd": True,
            "env": process.environment(self._agent),
        }  # fmt: skip
        with (
            contextlib.ExitStack() as theirs,
            contextlib.ExitStack() as ours,
            agent_client.explain_fd_limit("exec"),
        ):
            pipes = []
            for _ in range(3):
                pipes.append(os.pipe())
                theirs.callback(os.close, pipes[-1][len(pipes) > 1])
                ours.callback(os.close, pipes[-1][len(pipes) == 1])
            (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr) = pipes
            self._give(stdin, stdout, stderr)
            try:
                reply = agent_client.request(self._control, message, [stdin, stdout, stderr])
            except ConnectionError:
                raise agent_client.peer_died("use the sandbox", repr(self)) from None
            ours.pop_all()
        ends = to_stdin, from_stdout, from_stderr
        return process.Process(cmd, reply, ends, self, self.timeout)

    @interrupts.whole
    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run a Python function inside, in a fork of the first process; returns what it returns.

        The function and its arguments travel by cloudpickle, so a function of the notebook will do.
        What it returns is plain data: numbers, strings, bytes, None, lists, tuples, dicts and sets
        of these, os.stat_result and the like, or an exception.  An exception of its own class comes
        back as one of the same name, derived from the nearest of Python's own.
        What it prints appears in the notebook as it comes.

        Raises:
            Exception: whatever the function raises, with a note of where; SystemExit and the like,
                which would end the notebook, as a `nsedu.agent.raised.RaisedInside`.
            TypeError: what it returned, or what the sandbox sent instead, is not plain data.
            CommandTimedOut: it ran longer than the sandbox's timeout and was killed.
            OutputTooLong: it printed more than 10 MiB and was killed.
            NamespaceError: the sandbox is closed or dead.
        """
        if not callable(function):
            raise TypeError(f"function must be callable, not {function!r}.")
        import cloudpickle

        try:
            pickled = cloudpickle.dumps((function, args, kwargs))
        except Exception as error:
            what = "function and its arguments must be what cloudpickle can send"
            raise TypeError(f"{what}: {error}") from None
        payload = wire.parcel(pickled)
        result = bytearray()
        path = [*sys.path, agent_client.ROOT]
        name = getattr(function, "__name__", repr(function))
        allowed = output.Allowance(f"{name}()", output.PRINTED, "Let it print less, or return it.")
        sinks = [output.show(stream, allowed) for stream in ("stdout", "stderr")]
        sinks.append(plain_data.collect(result, f"{name}() in {self!r}"))
        try:
            message = {"op": "call", "path": path, "python": PYTHON, "argv": [name]}
            status = self.execute(f"{name}()", message, None, sinks, None, [payload])
        finally:
            os.close(payload)
        if not result:
            raise process.CommandFailed(status, f"{name}()", "", "it ended without an answer")
        try:
            worked, value = plain_data.loads(result)
        except ValueError as error:
            raise TypeError(
                f"what {self!r} sent as the result of {name}() is none ({error}), so nothing of it"
                " was used; a program inside may have written it."
            ) from None
        if not worked:
            try:
                raise value
            finally:
                del value  # its traceback holds this frame, which would hold it and the sandbox
        return value


def program(argv: list[str]) -> dict[str, Any]:
    """What a request says of the program to run.

    Where the notebook's own interpreter lies a sandbox of root's may not be able to go: the agent
    opens another way for that one (see `nsedu.agent.python_inside`).
    """
    places = PYTHON, os.path.dirname(sys.executable)
    if os.geteuid() != 0 or argv[0] != sys.executable or not any(map(is_closed, places)):
        return {"argv": argv}
    return {"argv": [PYTHON, *argv[1:]], "python": [*sys.path, agent_client.ROOT]}


PYTHON = os.path.realpath(sys.executable)


def _input(text: str | None) -> int:
    return os.open(os.devnull, os.O_RDONLY) if text is None else wire.parcel(text.encode())
