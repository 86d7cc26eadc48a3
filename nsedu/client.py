"""The notebook's side of the agent: start it once, send it requests, notice its end."""

from __future__ import annotations

import atexit
import contextlib
import errno
import fcntl
import os
import resource
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from nsedu import errors, explain, facts, wire
from nsedu.roles import roles
from nsedu.wire import ROOT

_START = "import sys; sys.path.insert(0, {root!r}); from nsedu.agent import main; main({fd}, {pid})"


def no_answer(step: str, seconds: float, what: str) -> errors.NamespaceError:
    """The error for a step that did not finish in time."""
    reason = errors.Reason(
        f"it did not finish within {seconds:g} s and was ended", what,
        "give it longer with timeout=, or find out what it waits for",
    )  # fmt: skip
    return errors.NamespaceError(step, errno.ETIMEDOUT, what, reason)


def gone(step: str, who: str) -> errors.NamespaceError:
    """The error for a party that died while it was needed."""
    reason = errors.Reason(
        f"{who} has ended: it was killed, and everything it had made ended with it", "",
        "make a new sandbox; the next one starts a new agent by itself if need be",
    )  # fmt: skip
    return errors.NamespaceError(step, errno.ESRCH, who, reason)


@contextlib.contextmanager
def room(step: str) -> Iterator[None]:
    """Explain a lack of file descriptors in this process, should it show in the block."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ETOOMANYREFS):
            raise
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        reason = errors.Reason(
            "this notebook has as many files open as it may (RLIMIT_NOFILE, getrlimit(2))",
            f"the limit is {limit}; a sandbox holds two of them, a running command five",
            "close the sandboxes and commands that you no longer need",
        )  # fmt: skip
        raise errors.NamespaceError(step, error.errno, "open()", reason) from None


def nobody(pid: int) -> errors.NamespaceError:
    """The error for a process that was to be joined and is not there."""
    reason = errors.Reason(
        f"there is no process {pid}, or none that can be seen from here", "",
        "look for the right pid with nsedu.tree() or ps; a sandbox can be joined by itself, too",
    )  # fmt: skip
    return errors.NamespaceError("start", errno.ESRCH, f"pidfd_open({pid})", reason)


def request(
    server: socket.socket, message: dict[str, Any], fds: Sequence[int] = ()
) -> socket.socket:
    """Send a request with a fresh reply socket; returns our end of that.

    Raises:
        ConnectionError: the server has gone.
        OSError: EMFILE, …: there is no room for further descriptors.
    """
    ours, theirs = wire.pair()
    try:
        wire.send(server, message, [theirs.fileno(), *fds])
    except OSError as error:
        ours.close()
        if error.errno == errno.EBADF:  # another thread has closed it meanwhile
            raise ConnectionError(errno.ENOTCONN, os.strerror(errno.ENOTCONN)) from None
        raise
    finally:
        theirs.close()
    return ours


NAP = 0.5
"""The longest sleep in seconds: an interrupt that came just before it is noticed after it."""


def wait(fd: int, seconds: float) -> bool:
    """Wait until a descriptor is readable, at most so long; False if it did not become so."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    deadline = time.monotonic() + seconds
    while not (ready := poll.poll(min(max(0, seconds), NAP) * 1000)) and seconds > NAP:
        seconds = deadline - time.monotonic()
    return bool(ready)


def environment() -> dict[str, str]:
    """This process's variables, for whatever runs inside, with root's programs on the PATH.

    Inside one is root, and many systems leave the likes of nft off an ordinary user's PATH.
    """
    path = os.get_exec_path()
    path += [place for place in ("/usr/sbin", "/sbin") if place not in path]
    return {**os.environ, "PATH": os.pathsep.join(path)}


class Agent:
    """A running agent and the socket to it.

    Raises:
        NamespaceError: it could not be started.
    """

    def __init__(self) -> None:
        self.socket, theirs = wire.pair()
        self.environment = dict(os.environ)
        # A notebook started without standard streams has numbers 0 to 2 free: none of them will do.
        control = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, 3)
        code = _START.format(root=ROOT, fd=control, pid=os.getpid())
        command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", code]
        try:
            self.process = subprocess.Popen(
                command, pass_fds=[control], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=None if _is_open(2) else subprocess.DEVNULL, start_new_session=True,
                env=environment(),
            )  # fmt: skip
        except OSError as error:
            number = error.errno or errno.EIO
            raise explain.error(facts.failure("agent", number, sys.executable)) from None
        finally:
            os.close(control)
            theirs.close()
        roles[self.process.pid] = "agent"

    @property
    def alive(self) -> bool:
        """Whether the agent still serves; one that is just dying does not any more."""
        return self.process.poll() is None and not wait(self.socket.fileno(), 0)

    def close(self) -> None:
        """End the agent and everything it made; safe to call again."""
        self.socket.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        roles.pop(self.process.pid, None)
        _remove_groups(killed=self.process.returncode != 0)


_orphaned = False  # whether an agent was killed, so that nobody may know of its control groups


def _remove_groups(killed: bool) -> None:
    global _orphaned
    _orphaned = _orphaned or killed
    if _orphaned:
        from nsedu import cgroups

        cgroups.remove(cgroups.of_notebook(os.getpid()))


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


_current: Agent | None = None
_lock = threading.Lock()


def agent() -> Agent:
    """This process's agent, started if there is none or if the last one has died.

    Raises:
        NamespaceError: it could not be started.
    """
    global _current
    with _lock:
        if _current is None or not _current.alive:
            if _current is not None:
                _current.close()
            with room("agent"):
                _current = Agent()
        return _current


@atexit.register
def shutdown() -> None:
    """End this process's agent, and with it every sandbox; a later sandbox starts a new one."""
    global _current
    with _lock:
        if _current is not None:
            _current.close()
            _current = None


def _in_forked_child() -> None:
    # The agent belongs to the parent.  Its socket is closed here, or the parent's death would not
    # be an end of file; the lock may have been held by a thread that does not exist in the child.
    global _current, _lock
    _lock = threading.Lock()
    if _current is not None:
        _current.socket.close()
        _current.process.returncode = 0  # not our child: never wait for it
        _current = None


os.register_at_fork(after_in_child=_in_forked_child)
