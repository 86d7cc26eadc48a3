"""Go to where processes live and ask the kernel there.

What uname(2), fstat(2), clock_gettime(2) or a received credential say depends on the namespaces of
who asks.  So the question must be put inside, by a fork of `nsedu.observe.helper`.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

from nsedu.kernel import nsfs_ioctls, proc_net_tcp, syscalls
from nsedu.kernel.namespace_types import CloneFlag
from nsedu.kernel.procfs import VANISHED, read
from nsedu.observe.helper import enter, helper, in_fork

CLOSE, TRIES = 0.005, 200  # seconds between which a clock inside is read, and how often it is tried
_UCRED = "iII"  # struct ucred of unix(7): pid, uid, gid
_TRIED = 3  # processes of one namespace: some may end before the question reaches them
_SHORT = 0.5  # seconds for a connection where the answer is often none
_AGAIN = 4  # such connections: a link that was just switched on may lose packets for a second
_PROMPT = 1.0  # seconds for a connection within one machine


def answers(
    pids: Sequence[int], type: str, question: str, subject: Any = 0, fds: Sequence[int] = ()
) -> list[dict[str, Any]]:
    """What the kernel says in the places where some processes live.

    Args:
        pids: the processes.
        type: the namespace type that the answer depends on; the user namespace is entered with it
            where that gives the right.
        question: "name" (of the host), "clock", "owner" (of an open file), "user",
            "limits" (on user namespaces: inode number and limit of those around the process, the
            outermost first, its own last), "listening" (the TCP ports with a server),
            "connect" (0, or the errno of connect(2)), or "groups" (the text of /proc/PID/cgroup by
            pid).
        subject: the clock's number; the uid, as the caller sees it; the TCP port of 127.0.0.1; the
            pids.
        fds: the descriptor of the open file.

    Returns:
        For each process "value", or "errno" and "step" where it could not be asked: "enter", or
        "send" (the caller may not speak as that user).  With a clock also "outside", what it showed
        here at the same time, within `CLOSE` seconds as a rule.

    Raises:
        OSError: the helper could not be started, or gave no answer.
    """
    asked = {"pids": list(pids), "type": type, "question": question, "subject": subject}
    found: list[dict[str, Any]] = helper.ask("nsedu.observe.questions:answer", asked, fds)
    return found


def answer_of(pids: Sequence[int], type: str, question: str, subject: Any = 0) -> Any:
    """The same of one namespace, asked by way of the first of its processes that lets it be asked.

    Args:
        pids: processes in it; only the first few are tried.
        type: as of `answers`, and so are the next two.
        question: what to ask.
        subject: of what.

    Returns:
        The value; None if none of them could be asked.

    Raises:
        OSError: the helper could not be started, or gave no answer.
    """
    for pid in pids[:_TRIED]:
        (found,) = answers([pid], type, question, subject)
        if "value" in found:
            return found["value"]
    return None


def arrives(source: int, target: int, address: str) -> dict[str, Any]:
    """Whether a TCP connection from one process's network namespace arrives in that of another.

    A socket listens there for a moment, on a port that the kernel chooses; what else answers to the
    address does not count.

    Args:
        source: the pid of a process where the connection is made.
        target: the pid of a process where it should arrive.
        address: to which it is made, of IPv4 or IPv6.

    Returns:
        "value": whether it arrived, and "connect": 0, or the errno of connect(2).  Or "errno" and
        "step" where it could not be tried: "enter" (the source), or "listen" (EADDRNOTAVAIL: the
        target does not have the address).

    Raises:
        OSError: the helper could not be started, or gave no answer.
    """
    found: dict[str, Any] = helper.ask("nsedu.observe.questions:arrive", [source, target, address])
    return found


def arrive(asked: list[Any], _: list[int]) -> dict[str, Any]:
    """In the helper: listen in one fork, connect in another, and see whether it has arrived."""
    source, target, address = asked
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    tried: dict[str, Any] = {}

    def listen() -> bool:
        with socket.socket(family, socket.SOCK_STREAM) as server:
            server.bind((address, 0))
            server.listen()
            server.setblocking(False)
            there.send(struct.pack("H", server.getsockname()[1]))
            there.recv(1)  # until it has been tried
            with contextlib.suppress(BlockingIOError):
                server.accept()
                return True
        return False

    def talk() -> None:
        there.close()
        said = here.recv(2)
        if said:  # else it may not listen there
            (port,) = struct.unpack("H", said)
            tried.update(_inside(source, "net", lambda: _connect_in_the_end((address, port))))
            here.shutdown(socket.SHUT_WR)

    with here:
        heard = _inside(target, "net", listen, [there.fileno()], talk)
    if not tried:
        return {**heard, "step": "listen"}
    return heard | {"connect": tried["value"]} if "value" in tried else tried


def answer(asked: dict[str, Any], fds: list[int]) -> list[dict[str, Any]]:
    """In the helper: ask in every place."""
    ask = {"clock": _clock, "owner": _owner, "user": _user}.get(asked["question"])
    if ask is not None:
        subject = fds[0] if fds else asked["subject"]
        return [ask(pid, asked["type"], subject) for pid in asked["pids"]]
    if asked["question"] == "limits":
        return [_stepped(in_fork(functools.partial(_limits, pid))) for pid in asked["pids"]]
    put, subject = _QUESTIONS[asked["question"]], asked["subject"]
    return [_inside(pid, asked["type"], lambda: put(subject)) for pid in asked["pids"]]


def _limits(pid: int) -> list[tuple[int, int]]:
    """Enter the user namespaces around a process, from the outermost to its own, and read."""
    own, fds = os.stat("/proc/self/ns/user").st_ino, [nsfs_ioctls.nsfd(pid, "user")]
    with contextlib.suppress(OSError):  # EPERM: further out than the reader's own
        while os.fstat(fds[-1]).st_ino != own:
            fds.append(nsfs_ioctls.ns_get_parent(fds[-1]))
    found = []
    for fd in reversed(fds):
        number = os.fstat(fd).st_ino
        if number != own:
            syscalls.setns(fd, CloneFlag.NEWUSER)
            # What this file says is that of who reads it (namespaces(7)).
            found.append((number, int(read("/proc/sys/user/max_user_namespaces"))))
    return found


def _connect(to: tuple[str, int], seconds: float = _PROMPT) -> int:
    family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as line:
        line.settimeout(seconds)
        try:
            line.connect(to)
        except OSError as error:
            return error.errno or errno.ETIMEDOUT
    return 0


def _connect_in_the_end(to: tuple[str, int]) -> int:
    """Connect, and once more if nothing was heard.

    The kernel may start to send over a link that is switched on up to a second later: link state
    events are handled once a second (net/core/link_watch.c).
    """
    for _ in range(_AGAIN):
        said = _connect(to, _SHORT)
        if said != errno.ETIMEDOUT:
            break
    return said


def _groups(pids: list[int]) -> dict[int, str]:
    found = {}
    for pid in pids:
        try:
            found[pid] = os.fsdecode(read(f"/proc/{pid}/cgroup"))
        except VANISHED:
            continue
    return found


_QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "name": lambda _: os.uname().nodename,
    "listening": lambda _: proc_net_tcp.ports(),
    "connect": lambda port: _connect(("127.0.0.1", port)),
    "groups": _groups,
}


def _inside(pid: int, type: str, ask: Any, keep: Sequence[int] = (), talk: Any = None) -> Any:
    """Have a fork go there and ask."""

    def go_and_ask() -> Any:
        enter(pid, type)
        return ask()

    return _stepped(in_fork(go_and_ask, keep, *([talk] if talk else [])))


def _stepped(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "step": "enter"} if "errno" in found else found


def _owner(pid: int, type: str, fd: int) -> dict[str, Any]:
    return _inside(pid, type, lambda: os.fstat(fd).st_uid, [fd])


def _user(pid: int, type: str, uid: int) -> dict[str, Any]:
    there, here = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    there.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    sender = struct.pack(_UCRED, os.getpid(), uid, os.getgid())
    try:
        here.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, sender)])
    except OSError as error:
        return {"errno": error.errno, "step": "send"}

    def receive() -> int:
        _, control, _, _ = there.recvmsg(1, socket.CMSG_SPACE(struct.calcsize(_UCRED)))
        return int(struct.unpack(_UCRED, control[0][2])[1])

    return _inside(pid, type, receive, [there.fileno()])


def _clock(pid: int, type: str, clock: int) -> dict[str, Any]:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    readings: list[tuple[float, float, float]] = []

    def read_when_prompted() -> float:
        there.send(b"ready")
        while there.recv(1):
            there.send(struct.pack("d", time.clock_gettime(clock)))
        return 0.0

    def talk() -> None:
        there.close()
        if not here.recv(5):  # it could not go there
            return
        while len(readings) < TRIES and (not readings or min(readings)[0] > CLOSE):
            before = time.clock_gettime(clock)
            here.send(b"!")
            (inside,) = struct.unpack("d", here.recv(8))
            after = time.clock_gettime(clock)
            readings.append((after - before, inside, (before + after) / 2))
        here.shutdown(socket.SHUT_WR)

    with here:
        found = _inside(pid, type, read_when_prompted, [there.fileno()], talk)
    if readings:
        _, found["value"], found["outside"] = min(readings)
    return found
