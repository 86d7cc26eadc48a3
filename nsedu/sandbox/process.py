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
import termios
import time
from collections.abc import Callable, Sequence
from typing import IO, Any

from nsedu.agent import protocol, wire
from nsedu.errors import arguments, explain
from nsedu.errors.short_tracebacks import Brief
from nsedu.kernel import interrupts
from nsedu.sandbox import agent_client, plan
from nsedu.sandbox.output import KEPT, Allowance, check_limit


class CommandFailed(Brief, subprocess.CalledProcessError):
    """A command in a sandbox ended with a status other than 0; says what it wrote to its stderr."""

    def __str__(self) -> str:
        said = (self.stderr or "").strip()
        first = super().__str__() if self.returncode else f"Command {self.cmd!r} ended with 0."
        return first + (f"\n{said}" if said else "")


class CommandTimedOut(Brief, subprocess.TimeoutExpired):
    """A command in a sandbox ran longer than allowed and was killed with its process group."""

    def __str__(self) -> str:
        return (
            f"{self.cmd!r} was still running after {self.timeout:g} s and was killed."
            " Give it longer with timeout=, or start it with popen()."
        )


class CompletedProcess(subprocess.CompletedProcess[str]):
    """What `Sandbox.run` returns: at the end of a cell, a notebook shows what was written."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from nsedu.sandbox import displays

        return displays.of_result(self)


def environment(agent: agent_client.Agent) -> dict[str, str] | None:
    """The variables for a command: None (the agent's own) unless the notebook changed some."""
    return None if dict(os.environb) == agent.environment else agent_client.environment()


def wait_and_collect(
    reply: socket.socket,
    pipes: dict[int, Callable[[bytes], object]],
    timeout: float,
    what: str | Sequence[str],
    who: str,
    feed: tuple[int, Callable[[], bool]] | None = None,
) -> int:
    """Wait for a child to end while passing on what it writes, and what it is to read.

    When it has ended, what stands in the pipes is still read, but a background process that keeps
    them open is not waited for.

    Args:
        reply: the reply socket of the request; closed at the end.
        pipes: descriptor to read from → what to do with each piece; closed at the end.
        timeout: seconds until the process group is killed.
        what: the command, for the error.
        who: the sandbox, for the error.
        feed: a descriptor, and what to call when it can be written to, until that returns True.

    Returns:
        The exit status, negative for a signal.

    Raises:
        CommandTimedOut: it ran too long.
        NamespaceError: it could not be started, or the sandbox has died.
        Wrong: what came is no answer of a server.
    """
    poll = select.poll()
    for fd in (reply.fileno(), *pipes):
        poll.register(fd, select.POLLIN)
    if feed is not None:
        poll.register(feed[0], select.POLLOUT)
    deadline = time.monotonic() + timeout
    try:
        while True:
            remaining = deadline - time.monotonic()
            ready = _ready(poll, remaining)
            if not ready and remaining > agent_client.POLL_SECONDS:
                continue
            # Past the deadline only the end of the command counts, or endless output would go on.
            if not ready or (remaining <= 0 and reply.fileno() not in ready):
                raise CommandTimedOut(what, timeout)
            for fd in ready:
                if fd == reply.fileno():
                    status = _exit_status(reply, who)
                    _drain(pipes)
                    return status
                if feed is not None and fd == feed[0]:
                    done = feed[1]()
                else:
                    data = os.read(fd, 65536)
                    done = not data
                    if data:
                        pipes[fd](data)
                if done:
                    poll.unregister(fd)
    finally:
        reply.close()  # if the child still runs, this ends it
        for fd in pipes:
            os.close(fd)


def _ready(poll: select.poll, remaining: float) -> list[int]:
    with interrupts.awaiting():
        seconds = min(max(0, remaining), agent_client.POLL_SECONDS)
        return [fd for fd, _ in poll.poll(seconds * 1000)]


def _exit_status(reply: socket.socket, who: str) -> int:
    """What the server says of the end of a command."""
    received = protocol.hear(reply, "exit", "failed")
    if received is None:
        raise agent_client.peer_died("use the sandbox", who)
    word, fields, _ = received
    if word == "failed":
        raise explain.error(explain.heard(fields))
    return int(fields["exit"])


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
        box: Any, timeout: float,
    ) -> None:  # fmt: skip
        self.args, self._reply, self._box = args, reply, box  # which lives as long as its process
        self.returncode: int | None = None
        self.stdin: IO[str] = os.fdopen(fds[0], "w", encoding="utf-8")
        self.stdout: IO[str] = os.fdopen(fds[1], encoding="utf-8", errors="replace")
        self.stderr: IO[str] = os.fdopen(fds[2], encoding="utf-8", errors="replace")
        try:
            if not agent_client.wait_readable(reply.fileno(), timeout):
                raise agent_client.timed_out("exec", timeout, repr(box))
            with agent_client.explain_fd_limit("exec"):
                received = protocol.hear(reply, "started", "failed")
            if received is None:
                raise agent_client.peer_died("use the sandbox", repr(box))
            word, fields, started = received
            if word == "failed":
                raise explain.error(explain.heard(fields))
            self._pidfd = started[0]
            with agent_client.explain_fd_limit("exec"):
                self.pid = agent_client.pid_of_child(self._pidfd, box.pid)
        except protocol.Wrong as wrong:
            self._close()
            raise box._distrust(wrong) from None
        except BaseException:
            self._close()
            raise
        if self.returncode is None and agent_client.wait_readable(reply.fileno(), 0):
            # A command that could not be executed says so at once; one that has ended is no error.
            with contextlib.suppress(BlockingIOError):
                self._take(socket.MSG_PEEK)

    def _take(self, flags: int = 0) -> None:
        """Read the outcome off the reply socket, if it is there."""
        try:
            flags |= socket.MSG_DONTWAIT
            received = protocol.hear(self._reply, "exit", "failed", flags=flags)
        except protocol.Wrong as wrong:
            self._close()
            raise self._box._distrust(wrong) from None
        if received is not None and received[0] == "failed":
            self._close()
            raise explain.error(explain.heard(received[1]))
        if flags & socket.MSG_PEEK:
            return
        self.returncode = -signal.SIGKILL if received is None else received[1]["exit"]

    def poll(self) -> int | None:
        """The exit status, or None while it runs."""
        if self.returncode is None:
            with contextlib.suppress(BlockingIOError):
                self._take()
        return self.returncode

    @interrupts.whole
    def wait(self, timeout: float | None = 30) -> int:
        """Wait for its end, at most `timeout` seconds; returns the exit status.

        Args:
            timeout: 0 only looks; None waits as long as it takes.

        Raises:
            subprocess.TimeoutExpired: it still runs; it is left running.
        """
        if timeout is not None and timeout != 0:
            timeout = plan.seconds(timeout)
        if self.returncode is None:
            seconds = 1e6 if timeout is None else timeout
            if not agent_client.wait_readable(self._reply.fileno(), seconds):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._take()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to its process group; one that has ended is no error.

        Args:
            number: 1 to 64, or one of `signal.Signals`; 0 sends nothing (kill(2)).
        """
        number = arguments.signal_number(number)
        if self.poll() is None:
            with contextlib.suppress(OSError):
                wire.send(self._reply, {"kill": number})

    def terminate(self) -> None:
        """Send SIGTERM to its process group."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to its process group."""
        self.send_signal(signal.SIGKILL)

    @interrupts.whole
    def communicate(
        self, input: str | None = None, timeout: float = 30, output_limit: int | None = KEPT
    ) -> tuple[str, str]:
        """Send `input`, read all output, wait for the end; returns (stdout, stderr).

        Args:
            input: a text, or None.
            timeout: seconds until its process group is killed.
            output_limit: bytes of output after which it is, too; None for no limit.

        Raises:
            CommandTimedOut: it took longer; it has been killed.
            OutputTooLong: it wrote more; it has been killed.
        """
        arguments.check_input(input)
        timeout = plan.seconds(timeout)
        allowed = Allowance(self.args, check_limit(output_limit))
        out, err = bytearray(), bytearray()
        sinks: dict[int, Callable[[bytes], object]] = {
            os.dup(self.stdout.fileno()): allowed.sink(out.extend),
            os.dup(self.stderr.fileno()): allowed.sink(err.extend),
        }
        if self.poll() is not None:
            _drain(sinks)
            for fd in sinks:
                os.close(fd)
        else:
            who, feed = repr(self._box), self._feed(input or "")
            try:
                self.returncode = wait_and_collect(
                    self._reply, sinks, timeout, self.args, who, feed
                )
            except protocol.Wrong as wrong:
                self._close()
                raise self._box._distrust(wrong) from None
            except BaseException:  # which has killed it
                self.returncode = -signal.SIGKILL
                self._close()
                raise
        self._close()
        return out.decode(errors="replace"), err.decode(errors="replace")

    def _feed(self, text: str) -> tuple[int, Callable[[], bool]] | None:
        """For `gather`: write a text to its input bit by bit, as fast as it reads, and close it."""
        if self.stdin.closed:
            return None
        fd, left = self.stdin.fileno(), memoryview(text.encode())
        os.set_blocking(fd, False)

        def write() -> bool:
            nonlocal left
            try:
                self.stdin.flush()  # what was written before
                while left:
                    left = left[os.write(fd, left) :]
            except BlockingIOError:
                return False
            except OSError:  # it reads no more
                pass
            with contextlib.suppress(OSError):
                self.stdin.close()
            return True

        return fd, write

    def _close(self) -> None:
        self._reply.close()
        if not self.stdin.closed:  # what it has not read shall not hold us up
            os.set_blocking(self.stdin.fileno(), False)
        for stream in (self.stdin, self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                stream.close()
        if hasattr(self, "_pidfd"):
            with contextlib.suppress(OSError):
                os.close(self._pidfd)
            del self._pidfd

    @interrupts.whole
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
        if hasattr(self, "_pidfd"):  # no more than needed, for an interrupt in here would be lost
            self._close()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from nsedu.sandbox import displays

        return displays.of_process(self)

    def __repr__(self) -> str:
        state = "running" if self.returncode is None else f"ended with {self.returncode}"
        return f"<Process {self.args!r} in {self._box!r}, {state}>"
