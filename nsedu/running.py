"""Running commands and Python functions by way of a sandbox's first process."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nsedu import client, plan, process, wire


class Runner:
    """What a `nsedu.Sandbox` can do once it stands: run, popen, call."""

    timeout: float
    _agent: client.Agent
    _control: socket.socket
    _pidfd: int
    _new: frozenset[str]
    _joined: Mapping[str, Runner | int]

    def _require(self) -> Any:
        """This object, if it can be used; raises NamespaceError when it cannot."""
        raise NotImplementedError

    def run(
        self,
        cmd: str | Sequence[str],
        *,
        input: str | None = None,
        check: bool = True,
        timeout: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside and wait for it; its output is in the result, as text.

        Args:
            cmd: a string for ``bash -c``, or a list to execute as it is.
            input: its standard input; none unless given.
            check: raise when it ends with a status other than 0.
            timeout: seconds until its process group is killed; the sandbox's own unless given.

        Raises:
            CommandFailed: (a subprocess.CalledProcessError) it ended with another status.
            CommandTimedOut: (a subprocess.TimeoutExpired) it ran too long and was killed.
            NamespaceError: it could not be started, or the sandbox is closed or dead.
        """
        argv = process.arguments(cmd)
        if input is not None and not isinstance(input, str):
            raise TypeError(f"input must be a string or None, not {input!r}.")
        out, err = bytearray(), bytearray()
        sinks: list[Callable[[bytes], Any]] = [out.extend, err.extend]
        status = self._execute(cmd, {"op": "run", "argv": argv}, input, sinks, timeout)
        stdout, stderr = out.decode(errors="replace"), err.decode(errors="replace")
        if check and status:
            raise process.CommandFailed(status, cmd, stdout, stderr)
        return subprocess.CompletedProcess(cmd, status, stdout, stderr)

    def _execute(
        self, what: Any, message: dict[str, Any], input: str | None,
        sinks: list[Callable[[bytes], Any]], timeout: float | None, extra: Sequence[int] = (),
    ) -> int:  # fmt: skip
        """Send a request with standard streams; `sinks` get its output, error and further pipes."""
        self._require()
        seconds = self.timeout if timeout is None else plan.seconds(timeout)
        message["env"] = process.environment(self._agent)
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours, client.room("exec"):
            fds, reading = [_input(input)], {}
            theirs.callback(os.close, fds[0])
            for sink in sinks:
                read, write = os.pipe()
                ours.callback(os.close, read)
                theirs.callback(os.close, write)
                reading[read] = sink
                fds.append(write)
            try:
                reply = client.request(self._control, message, [*fds[:3], *extra, *fds[3:]])
            except ConnectionError:
                raise client.gone("use the sandbox", repr(self)) from None
            ours.pop_all()
        return process.gather(reply, reading, seconds, what, repr(self))

    def popen(self, cmd: str | Sequence[str]) -> process.Process:
        """Start a long-running command inside; see `Process` for what can be done with it.

        Raises:
            NamespaceError: it could not be started, or the sandbox is closed or dead.
        """
        self._require()
        message = {
            "op": "run", "argv": process.arguments(cmd), "pidfd": True,
            "env": process.environment(self._agent),
        }  # fmt: skip
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours, client.room("exec"):
            pipes = []
            for _ in range(3):
                pipes.append(os.pipe())
                theirs.callback(os.close, pipes[-1][len(pipes) > 1])
                ours.callback(os.close, pipes[-1][len(pipes) == 1])
            (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr) = pipes
            try:
                reply = client.request(self._control, message, [stdin, stdout, stderr])
            except ConnectionError:
                raise client.gone("use the sandbox", repr(self)) from None
            ours.pop_all()
        ends = to_stdin, from_stdout, from_stderr
        return process.Process(cmd, reply, ends, self, self.timeout)

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run a Python function inside, in a fork of the first process; returns what it returns.

        The function and its arguments travel by cloudpickle, so a function of the notebook will do.
        What it prints appears in the notebook as it comes.

        Raises:
            Exception: whatever the function raises, with a note of where.
            CommandTimedOut: it ran longer than the sandbox's timeout and was killed.
            NamespaceError: the sandbox is closed or dead.
        """
        if not callable(function):
            raise TypeError(f"function must be callable, not {function!r}.")
        import cloudpickle

        payload = wire.parcel(cloudpickle.dumps((function, args, kwargs)))
        result = bytearray()
        path = [*sys.path, client.ROOT]
        name = getattr(function, "__name__", repr(function))
        sinks = [process.show("stdout"), process.show("stderr"), result.extend]
        try:
            message = {"op": "call", "path": path, "argv": [name]}
            status = self._execute(f"{name}()", message, None, sinks, None, [payload])
        finally:
            os.close(payload)
        if not result:
            raise process.CommandFailed(status, f"{name}()", "", "it ended without an answer")
        try:
            worked, value = pickle.loads(result)
        except Exception as error:
            what = f"what {name}() returned or raised inside cannot be rebuilt here"
            raise TypeError(f"{what}: {type(error).__name__}: {error}") from None
        if not worked:
            try:
                raise value
            finally:
                del value  # its traceback holds this frame, which would hold it and the sandbox
        return value


def _input(text: str | None) -> int:
    return os.open(os.devnull, os.O_RDONLY) if text is None else wire.parcel(text.encode())
