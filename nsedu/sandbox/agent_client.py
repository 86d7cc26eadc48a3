"""The notebook's side of the agent: start it once, send it requests, notice its end."""

from __future__ import annotations

import atexit
import contextlib
import errno
import fcntl
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from nsedu import programs
from nsedu.agent import helper, lent_ids, protocol, python_inside, wire
from nsedu.agent.wire import ROOT
from nsedu.errors import explain, namespace_error, process_facts
from nsedu.kernel import bounded_waits, interrupts
from nsedu.kernel.procfs import VANISHED, parse_stat, pid_here, pid_of, read
from nsedu.sandbox.process_labels import roles


def timed_out(step: str, seconds: float, what: str) -> namespace_error.NamespaceError:
    """The error for a step that did not finish in time."""
    reason = namespace_error.Reason(
        f"it did not finish within {seconds:g} s and was ended", what,
        "give it longer with timeout=, or find out what it waits for",
    )  # fmt: skip
    return namespace_error.NamespaceError(step, errno.ETIMEDOUT, what, reason)


def peer_died(step: str, who: str) -> namespace_error.NamespaceError:
    """The error for a party that died while it was needed."""
    reason = namespace_error.Reason(
        f"{who} has ended: it was killed, and everything it had made ended with it", "",
        "make a new sandbox; the next one starts a new agent by itself if need be",
    )  # fmt: skip
    return namespace_error.NamespaceError(step, errno.ESRCH, who, reason)


@contextlib.contextmanager
def explain_fd_limit(step: str) -> Iterator[None]:
    """Explain a lack of file descriptors in this process, should it show in the block."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ETOOMANYREFS):
            raise
        raise namespace_error.no_files(step, error.errno) from None


def untrue(who: str, wrong: protocol.Wrong) -> namespace_error.NamespaceError:
    """The error for a party that has said what it may not, and has been ended for it."""
    reason = namespace_error.Reason(
        f"{who} sent what its first process never sends, so a program inside speaks for it, and the"
        " sandbox has been ended", str(wrong),
        "make a new sandbox, and do not run there what you ran in this one",
    )  # fmt: skip
    return namespace_error.NamespaceError("use the sandbox", errno.EBADMSG, who, reason)


def pid_of_child(pidfd: int, parent: int) -> int:
    """The pid behind a pidfd that a server sent, as /proc here calls it; -1 when it has ended.

    Args:
        pidfd: what was sent as one, and may be anything.
        parent: the pid of the server, which can have started only children of its own; 0: any.

    Raises:
        Wrong: it is no pidfd, or that of another's child.
    """
    try:
        pid = pid_of(pidfd)
        if pid < 0 or not parent or (pid and parse_stat(read(f"/proc/{pid}/stat"))[1] == parent):
            return pid
        if pid_of(pidfd) < 0:
            return -1  # and its pid is another's by now
    except VANISHED:
        return -1
    except ValueError:
        raise protocol.Wrong("a descriptor of something else than a process") from None
    raise protocol.Wrong(f"process {pid}, which is not a child of process {parent}")


def no_such_process(pid: int) -> namespace_error.NamespaceError:
    """The error for a process that was to be joined and is not there."""
    reason = namespace_error.Reason(
        f"there is no process {pid}, or none that can be seen from here", "",
        "look for the right pid with nsedu.tree() or ps; a sandbox can be joined by itself, too",
    )  # fmt: skip
    return namespace_error.NamespaceError("start", errno.ESRCH, f"pidfd_open({pid})", reason)


def request(
    server: socket.socket, message: dict[str, Any], fds: Sequence[int] = ()
) -> socket.socket:
    """Send a request with a fresh reply socket; returns our end of that.

    Raises:
        NamespaceError: the server reads no requests any more.
        ConnectionError: the server has gone.
        OSError: EMFILE, …: there is no room for further descriptors.
    """
    ours, theirs = wire.pair()
    wire.limit_sending(ours, PATIENCE)  # a sandbox's is where it gets its requests
    if message.get("op") == "make":
        wire.ask_for_senders(ours)
    try:
        wire.send(server, message, [theirs.fileno(), *fds])
    except OSError as error:
        ours.close()
        if error.errno == errno.EAGAIN:
            raise timed_out("use the sandbox", PATIENCE, "its first process") from None
        if error.errno == errno.EBADF:  # another thread has closed it meanwhile
            raise ConnectionError(errno.ENOTCONN, os.strerror(errno.ENOTCONN)) from None
        raise
    finally:
        theirs.close()
    return ours


PATIENCE = 10  # seconds in which a server must have read some request before the next is sent

POLL_SECONDS = 0.5
"""The longest sleep in seconds: an interrupt that came just before it is noticed after it."""


def wait_readable(fd: int, seconds: float) -> bool:
    """Wait until a descriptor is readable, at most so long; False if it did not become so."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    deadline = time.monotonic() + seconds
    with interrupts.awaiting():
        while (
            not (ready := poll.poll(min(max(0, seconds), POLL_SECONDS) * 1000))
            and seconds > POLL_SECONDS
        ):
            seconds = deadline - time.monotonic()
    return bool(ready)


def environment() -> dict[str, str]:
    """This process's variables, for whatever runs inside, with root's programs on the PATH.

    Inside one is root, and many systems leave the likes of nft off an ordinary user's PATH.  Root's
    own PATH may name directories that only root may enter: they are left out.
    """
    path = programs.path()
    if os.geteuid() == 0:
        places = [place for place in path.split(os.pathsep) if not python_inside.is_closed(place)]
        path = os.pathsep.join(places)
    return {**os.environ, "PATH": path}


def to_lend() -> lent_ids.Window | None:
    """What this process lends to what it starts, see `nsedu.agent.lent_ids.to_lend`.

    Raises:
        NamespaceError: no /proc is mounted to find it out by.
    """
    try:
        return lent_ids.to_lend()
    except OSError:
        raise namespace_error.no_proc() from None


class Agent:
    """A running agent and the socket to it.

    Raises:
        NamespaceError: it could not be started.
    """

    def __init__(self) -> None:
        self.socket, theirs = wire.pair()
        self.environment = dict(os.environb)  # to compare with: bytes need no decoding
        # A notebook started without standard streams has numbers 0 to 2 free: none of them will do.
        control = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, 3)
        window = to_lend()
        directories = [sys.base_prefix, sys.prefix, ROOT, *sys.path] if window else []
        command = helper.python_command(
            "nsedu.agent.main:main", control, os.getpid(), window and tuple(window),
            [os.path.abspath(directory) for directory in directories if directory],
        )  # fmt: skip
        try:
            self.process = subprocess.Popen(
                command, pass_fds=[control], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=None if _is_open(2) else subprocess.DEVNULL, start_new_session=True,
                env=environment(),
            )  # fmt: skip
        except OSError as error:
            number = error.errno or errno.EIO
            raise explain.error(process_facts.failure("agent", number, sys.executable)) from None
        finally:
            os.close(control)
            theirs.close()
        self._pid = pid_here(self.process.pid)
        roles[self._pid] = "agent"

    @property
    def alive(self) -> bool:
        """Whether the agent still serves; one that is just dying does not any more."""
        return self.process.poll() is None and not wait_readable(self.socket.fileno(), 0)

    def close(self) -> None:
        """End the agent and everything it made; safe to call again."""
        self.socket.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(bounded_waits.KILLED)
        roles.pop(self._pid, None)
        _remove_groups(killed=self.process.returncode != 0)


_orphaned = False  # whether an agent was killed, so that nobody may know of its control groups


def _remove_groups(killed: bool) -> None:
    global _orphaned
    _orphaned = _orphaned or killed
    if _orphaned:
        from nsedu.agent import cgroups

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
    with interrupts.held(), _lock:
        if _current is None or not _current.alive:
            if _current is not None:
                _current.close()
            with explain_fd_limit("agent"):
                _current = Agent()
        return _current


also_ended: list[Callable[[], None]] = []
"""What `shutdown` ends beside the agent."""


@atexit.register
def shutdown() -> None:
    """End this process's agent, and with it every sandbox; a later sandbox starts a new one."""
    global _current
    with interrupts.held(closing=True), _lock:
        for end in also_ended:
            end()
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
