"""Running commands and Python functions by way of a sandbox's first process."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from nsedu import client, plan, process, wire


class Runner:
    """What a `nsedu.Sandbox` can do once it stands: run, popen, call."""

    timeout: float
    _agent: client.Agent
    _control: socket.socket

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
        stdin = os.open(os.devnull, os.O_RDONLY) if input is None else wire.parcel(input.encode())
        pipes = [os.pipe() for _ in sinks]
        ends = [write for _, write in pipes]
        reading = {read: sink for (read, _), sink in zip(pipes, sinks, strict=True)}
        try:
            reply = client.request(self._control, message, [stdin, *ends[:2], *extra, *ends[2:]])
        except OSError:
            for fd in reading:
                os.close(fd)
            raise client.gone("start", repr(self)) from None
        finally:
            for fd in (stdin, *ends):
                os.close(fd)
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
        (theirs, stdin), (stdout, out), (stderr, err) = os.pipe(), os.pipe(), os.pipe()
        try:
            reply = client.request(self._control, message, [theirs, out, err])
        except OSError:
            for fd in (stdin, stdout, stderr):
                os.close(fd)
            raise client.gone("start", repr(self)) from None
        finally:
            for fd in (theirs, out, err):
                os.close(fd)
        return process.Process(cmd, reply, (stdin, stdout, stderr), repr(self))

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
        worked, value = pickle.loads(result)
        if not worked:
            raise value
        return value
