"""One small process that enters other namespaces and asks the kernel there, for every reader.

What uname(2), connect(2) or a read of /proc/PID/cgroup say depends on the namespaces of who calls,
and a process with threads may not enter others' (setns(2)).  Hence this helper: it starts when it
is first needed, ends with the process that started it, and forks for every place that it is asked
about, since from a user namespace there is no way back.

The places may be hostile, and the reader root.  So no program of theirs is run, and where a mount
namespace was entered nothing is opened by its name.  A fork holds no descriptor but those that it
needs, imports nothing any more, may not be traced (PR_SET_DUMPABLE of prctl(2)), and ends after
`PATIENCE` seconds whatever happens; what it says is plain data of at most `LONGEST` bytes.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nsedu.agent.commands import close_others
from nsedu.agent.helper import enter as enter_file
from nsedu.agent.helper import no_answer, start_python
from nsedu.kernel import interrupts, nsfs_ioctls, syscalls
from nsedu.kernel.procfs import read
from nsedu.sandbox import process_labels

NAME = "nsedu look"
PATIENCE = 5  # seconds for one place
LONGEST = 4 << 20  # bytes of an answer
_ALTOGETHER = 30.0  # seconds for all places of one question
_MOST_FDS = 200  # in one message; the kernel takes 253, unix(7)
_MORE = b"+"  # a message that only brings descriptors, for the question that follows


class Helper:
    """The reader's side.

    Args:
        longest: how many bytes an answer may have; `LONGEST` unless given.
    """

    def __init__(self, longest: int = 0) -> None:
        self._longest = longest
        self._lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def ask(
        self, task: str, asked: Any, fds: Sequence[int] = (), seconds: float = _ALTOGETHER
    ) -> Any:
        """Have the helper call a function of this package, and return its answer.

        Args:
            task: "module:function"; it is called in the helper, which has no threads, with `asked`
                and a list of descriptors.
            asked: plain data.
            fds: descriptors that it gets copies of.
            seconds: after which it is killed with all that it has started.

        Raises:
            NamespaceError: the helper could not be started, or gave no answer in time.
        """
        try:
            with interrupts.held():
                return self._ask(task, asked, fds, seconds)
        except OSError as error:
            raise no_answer(error) from None

    def _ask(self, task: str, asked: Any, fds: Sequence[int], seconds: float) -> Any:
        request = json.dumps([task, asked]).encode()
        with self._lock:
            reading, writing = os.pipe()
            try:
                self._send(request, [writing, *fds])
                os.close(writing)
                writing = -1
                said = gather(reading, seconds, self._longest)
                if not said:
                    raise ConnectionError(errno.ECONNRESET, "the process that looks has ended")
                answer = json.loads(said)
            except (OSError, KeyboardInterrupt):  # or the next question would get this answer
                self._end()
                raise
            finally:
                os.close(reading)
                if writing >= 0:
                    os.close(writing)
        if "failed" in answer:
            raise OSError(errno.EIO, f"the process that looks failed: {answer['failed']}")
        return answer["answer"]

    def close(self) -> None:
        """End the helper; the next question starts another."""
        with self._lock:
            self._end()

    def _send(self, request: bytes, fds: list[int]) -> None:
        try:
            self._send_all(request, fds)
        except (BrokenPipeError, ConnectionError):  # it was killed
            self._end()
            self._send_all(request, fds)

    def _send_all(self, request: bytes, fds: list[int]) -> None:
        line = self._started()
        while len(fds) > _MOST_FDS:
            socket.send_fds(line, [_MORE], fds[:_MOST_FDS])
            fds = fds[_MOST_FDS:]
        socket.send_fds(line, [request], fds)

    def _started(self) -> socket.socket:
        if self._socket is not None:
            return self._socket
        from nsedu.sandbox import agent_client  # which the helper itself has no use for

        if self.close not in agent_client.also_ended:
            agent_client.also_ended.append(self.close)
        self.process, self._socket = start_python("nsedu.observe.helper:main", os.getpid())
        process_labels.unseen.add(self.process.pid)
        return self._socket

    def _end(self) -> None:
        if self._socket is not None and self.process is not None:
            self._socket.close()
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE)
            process_labels.unseen.discard(self.process.pid)
            self._socket = self.process = None

    def after_fork(self) -> None:
        """In a forked child: forget the helper."""
        # The helper is the parent's, which must be able to end it by closing the socket.
        self._lock = threading.Lock()
        if self._socket is not None and self.process is not None:
            self._socket.close()
            self.process.returncode = 0  # not our child: never wait for it
            self._socket = self.process = None


helper, netlink_helper = Helper(), Helper(longest=64 << 20)
"""Those of this process. The second imports pyroute2, which would make each fork of the first slow,
and a namespace full of routes holds up only those who ask for routes."""

for _one in (helper, netlink_helper):
    os.register_at_fork(after_in_child=_one.after_fork)


def gather(fd: int, seconds: float, longest: int = 0) -> bytes:
    """All that is written to a pipe until its end.

    Raises:
        OSError: it took longer than this (ETIMEDOUT), or was longer than that (EMSGSIZE).
    """
    poll, said, deadline = select.poll(), bytearray(), time.monotonic() + seconds
    poll.register(fd, select.POLLIN)
    while _ready(poll, deadline - time.monotonic()):
        piece = os.read(fd, 65536)
        if not piece:
            return bytes(said)
        said += piece
        if len(said) > (longest or LONGEST):
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


def _ready(poll: select.poll, seconds: float) -> bool:
    with interrupts.awaiting():
        return bool(poll.poll(max(0.0, seconds) * 1000))


def main(control: int, reader: int) -> None:
    """Be the helper: answer questions until the reader closes its end, or has gone."""
    line = socket.socket(fileno=control)
    line.set_inheritable(False)
    syscalls.set_name(NAME.encode())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the reader may ignore it
    if os.getppid() != reader:
        return
    gc.disable()  # a fork copies what the collector touches
    gc.freeze()
    while True:
        request, fds = _MORE, []
        while request == _MORE:
            request, more, _, _ = socket.recv_fds(line, 1 << 18, _MOST_FDS, socket.MSG_CMSG_CLOEXEC)
            fds += more
        if not request:
            return
        task, asked = json.loads(request)
        answer = json.dumps(_answer(task, asked, fds[1:])).encode()
        with contextlib.suppress(BrokenPipeError), open(fds[0], "wb", closefd=False) as file:
            file.write(answer)
        for fd in fds:
            os.close(fd)


def _answer(task: str, asked: Any, fds: list[int]) -> dict[str, Any]:
    module, _, name = task.partition(":")
    try:
        function = getattr(__import__(module, fromlist=[name]), name)
        return {"answer": function(asked, fds)}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}


def in_fork(
    ask: Callable[[], Any],
    keep: Iterable[int] = (),
    talk: Callable[[], None] = lambda: None,
    with_map: bool = False,
    seconds: int = 0,
    longest: int = 0,
) -> dict[str, Any]:
    """In the helper: what a fork finds, which may go where it wants.

    Args:
        ask: called in the fork; what it returns must be plain data.
        keep: descriptors that the fork needs.
        talk: called here meanwhile.
        with_map: whether to read the id map of the user namespace in which the fork was in the end.
        seconds: after which the fork ends; `PATIENCE` unless given.
        longest: how many bytes it may say; `LONGEST` unless given.

    Returns:
        "value", or "errno" if an OSError was raised or the fork gave no answer; and "uid_map".
    """
    seconds = seconds or PATIENCE
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _confine({writing, *keep}, seconds)
            said = json.dumps(_said(ask)).encode()
            with open(writing, "wb") as file:
                file.write(said)
        finally:
            os._exit(0)
    os.close(writing)
    try:
        talk()
        said = gather(reading, seconds + 1, longest)
    except OSError:  # what it wrote is no answer
        said = b""
    finally:
        os.close(reading)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(child, signal.SIGKILL)  # it has said all it had to say
    found: dict[str, Any] = json.loads(said) if said else {"errno": errno.ETIMEDOUT}
    if with_map:
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # ended, but not gone
        found["uid_map"] = read(f"/proc/{child}/uid_map").decode()
    os.waitpid(child, 0)
    if "failed" in found:
        raise RuntimeError(found["failed"])
    return found


def _confine(keep: set[int], seconds: int) -> None:
    """In a fork: hold nothing of the helper's, before going to where others may be at home."""
    signal.alarm(seconds)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    close_others(keep)
    sys.path.clear()


def _said(ask: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"value": ask()}
    except OSError as error:
        return {"errno": error.errno or errno.EIO}
    except Exception as error:  # a fault of ours
        return {"failed": f"{type(error).__name__}: {error}"}


def enter(pid: int, type: str, ns: int = 0) -> bool:
    """Enter a namespace of a process, and before it its owner if that gives the right to.

    Args:
        pid: the process.
        type: the type of the namespace.
        ns: its inode number, if it must be this one; a pid may be another process's by now.

    Returns:
        Whether the user namespace that owns it was entered.

    Raises:
        OSError: ESRCH if it is another, or what open(2), NS_GET_USERNS and setns(2) say.
    """
    fd = nsfs_ioctls.nsfd(pid, type)
    its = os.fstat(fd).st_ino
    if ns not in (0, its):
        raise ProcessLookupError(errno.ESRCH, "the process has ended, and another has its number")
    if its == os.stat(f"/proc/self/ns/{type}").st_ino:
        return False
    return enter_file(fd, type)
