"""A command or a Python function running in a sandbox, as the notebook holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO

from nsedu import client, explain, wire
from nsedu.procfs import pid_of


class CommandFailed(subprocess.CalledProcessError):
    """A command in a sandbox ended with a status other than 0; says what it wrote to its stderr."""

    def __str__(self) -> str:
        said = (self.stderr or "").strip()
        return super().__str__() + (f"\n{said}" if said else "")

    def _render_traceback_(self) -> list[str]:
        return [f"CommandFailed: {self}"]


class CommandTimedOut(subprocess.TimeoutExpired):
    """A command in a sandbox ran longer than allowed and was killed with its process group."""

    def __str__(self) -> str:
        return (
            f"{self.cmd!r} was still running after {self.timeout:g} s and was killed."
            " Give it longer with timeout=, or start it with popen()."
        )

    def _render_traceback_(self) -> list[str]:
        return [f"CommandTimedOut: {self}"]


def arguments(cmd: str | Sequence[str]) -> list[str]:
    """A command as an argument list: a string is bash's, a list is executed as it is.

    Raises:
        TypeError, ValueError: it is neither, or empty.
    """
    if isinstance(cmd, str):
        if "\0" in cmd:
            raise ValueError("cmd must not contain a NUL character.")
        return ["bash", "-c", cmd]
    if not isinstance(cmd, (list, tuple)) or not all(
        isinstance(w, (str, os.PathLike)) for w in cmd
    ):
        raise TypeError(f"cmd must be a string for bash or a list of strings, not {cmd!r}.")
    if not cmd:
        raise ValueError("cmd is empty: name the program to run.")
    words = [os.fspath(word) for word in cmd]
    if any("\0" in word for word in words):
        raise ValueError("cmd must not contain a NUL character.")
    return words


def environment(agent: client.Agent) -> dict[str, str] | None:
    """The variables for a command: None (the agent's own) unless the notebook changed some."""
    return None if dict(os.environ) == agent.environment else client.environment()


def gather(
    reply: socket.socket,
    pipes: dict[int, Callable[[bytes], object]],
    timeout: float,
    what: str | Sequence[str],
    who: str,
) -> int:
    """Wait for a child to end while passing on what it writes.

    When it has ended, what stands in the pipes is still read, but a background process that keeps
    them open is not waited for.

    Args:
        reply: the reply socket of the request; closed at the end.
        pipes: descriptor to read from → what to do with each piece; closed at the end.
        timeout: seconds until the process group is killed.
        what: the command, for the error.
        who: the sandbox, for the error.

    Returns:
        The exit status, negative for a signal.

    Raises:
        CommandTimedOut: it ran too long.
        NamespaceError: it could not be started, or the sandbox has died.
    """
    poll = select.poll()
    for fd in (reply.fileno(), *pipes):
        poll.register(fd, select.POLLIN)
    deadline = time.monotonic() + timeout
    try:
        while True:
            remaining = deadline - time.monotonic()
            ready = [fd for fd, _ in poll.poll(min(max(0, remaining), client.NAP) * 1000)]
            if not ready and remaining > client.NAP:
                continue
            # Past the deadline only the end of the command counts, or endless output would go on.
            if not ready or (remaining <= 0 and reply.fileno() not in ready):
                raise CommandTimedOut(what, timeout)
            for fd in ready:
                if fd != reply.fileno():
                    if data := os.read(fd, 65536):
                        pipes[fd](data)
                    else:
                        poll.unregister(fd)
                    continue
                received = wire.receive(reply)
                if received is None:
                    raise client.gone("use the sandbox", who)
                message = received[0]
                if "failed" in message:
                    raise explain.error(message)
                _drain(pipes)
                return int(message["exit"])
    finally:
        reply.close()  # if the child still runs, this ends it
        for fd in pipes:
            os.close(fd)


def _drain(pipes: dict[int, Callable[[bytes], object]]) -> None:
    for fd, sink in pipes.items():
        # As much as is there now: a background process may go on writing for ever.
        count = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]
        while count > 0 and (data := os.read(fd, count)):
            sink(data)
            count -= len(data)


class Process:
    """A long-running process in a sandbox, in the manner of `subprocess.Popen`.

    Forgetting it, or closing its sandbox, ends its whole process group.

    Attributes:
        args: the command as given.
        pid: its pid as the notebook sees it.
        stdin, stdout, stderr: text streams, to be written and read while it runs.
        returncode: None while it runs, then its exit status (negative: the signal).
    """

    def __init__(
        self, args: str | Sequence[str], reply: socket.socket, fds: tuple[int, int, int],
        box: object, timeout: float,
    ) -> None:  # fmt: skip
        self.args, self._reply = args, reply
        self._box = box  # which is not forgotten, and so does not end, while its process is held
        self.returncode: int | None = None
        self.stdin: IO[str] = os.fdopen(fds[0], "w")
        self.stdout: IO[str] = os.fdopen(fds[1], errors="replace")
        self.stderr: IO[str] = os.fdopen(fds[2], errors="replace")
        try:
            if not client.wait(reply.fileno(), timeout):
                raise client.no_answer("exec", timeout, repr(box))
            with client.room("exec"):
                received = wire.receive(reply)
            if received is None:
                raise client.gone("use the sandbox", repr(box))
            if "failed" in received[0]:
                raise explain.error(received[0])
            self._pidfd = received[1][0]
            with client.room("exec"):
                self.pid = pid_of(self._pidfd)
        except BaseException:
            self._close()
            raise
        if self.returncode is None and client.wait(reply.fileno(), 0):
            # A command that could not be executed says so at once; one that has ended is no error.
            with contextlib.suppress(BlockingIOError):
                self._take(socket.MSG_PEEK)

    def _take(self, flags: int = 0) -> None:
        """Read the outcome off the reply socket, if it is there."""
        received = wire.receive(self._reply, flags | socket.MSG_DONTWAIT)
        if received is not None and "failed" in received[0]:
            self._close()
            raise explain.error(received[0])
        if flags:
            return
        self.returncode = -signal.SIGKILL if received is None else int(received[0]["exit"])

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        if self.returncode is None:
            with contextlib.suppress(BlockingIOError):
                self._take()
        return self.returncode

    def wait(self, timeout: float | None = 30) -> int:
        """Wait for its end, at most `timeout` seconds; returns the exit status.

        Raises:
            subprocess.TimeoutExpired: it still runs; it is left running.
        """
        if self.returncode is None:
            if not client.wait(self._reply.fileno(), 1e6 if timeout is None else timeout):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._take()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to its process group; one that has ended is no error."""
        if self.poll() is None:
            with contextlib.suppress(OSError):
                wire.send(self._reply, {"kill": int(number)})

    def terminate(self) -> None:
        """Send SIGTERM to its process group."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to its process group."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, input: str | None = None, timeout: float = 30) -> tuple[str, str]:
        """Send `input`, read all output, wait for the end; returns (stdout, stderr).

        Raises:
            CommandTimedOut: it took longer; it has been killed.
        """
        # In a thread of its own: the command may write before it has read all.
        writer = threading.Thread(target=self._write, args=(input,), daemon=True)
        writer.start()
        out, err = bytearray(), bytearray()
        sinks: dict[int, Callable[[bytes], object]] = {
            os.dup(self.stdout.fileno()): out.extend,
            os.dup(self.stderr.fileno()): err.extend,
        }
        if self.poll() is not None:
            _drain(sinks)
            for fd in sinks:
                os.close(fd)
        else:
            self.returncode = gather(self._reply, sinks, timeout, self.args, repr(self._box))
        writer.join()
        self._close()
        return out.decode(errors="replace"), err.decode(errors="replace")

    def _write(self, text: str | None) -> None:
        with contextlib.suppress(OSError, ValueError):  # it has ended, or was closed meanwhile
            if text:
                self.stdin.write(text)
            self.stdin.close()

    def _close(self) -> None:
        self._reply.close()
        for stream in (self.stdin, self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                stream.close()
        if hasattr(self, "_pidfd"):
            with contextlib.suppress(OSError):
                os.close(self._pidfd)
            del self._pidfd

    def close(self) -> None:
        """Kill its process group if it still runs, wait for it, and close the streams."""
        if self.returncode is None:
            self.kill()
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self.wait(5)
        self._close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "stderr"):
            self._close()

    def __repr__(self) -> str:
        state = "running" if self.returncode is None else f"ended with {self.returncode}"
        return f"<Process {self.args!r} in {self._box!r}, {state}>"


def show(stream: str) -> Callable[[bytes], None]:
    """A sink that prints to "stdout" or "stderr" of the notebook, whole characters at a time."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def sink(data: bytes) -> None:
        target = getattr(sys, stream)
        target.write(decoder.decode(data))
        target.flush()

    return sink
