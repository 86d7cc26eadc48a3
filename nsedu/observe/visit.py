"""Go to where processes live and ask the kernel there: a small helper process that reports.

What uname(2), fstat(2), clock_gettime(2) or a received credential say depends on the namespaces of
who asks.  So the question must be put inside, and a process with threads may not go there
(setns(2)).  Hence this helper, which forks once for each place.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from nsedu import syscalls
from nsedu.nstypes import BY_NAME
from nsedu.wire import ROOT

PATIENCE = 30  # seconds for all places together
CLOSE, TRIES = 0.005, 200  # seconds between which a clock inside is read, and how often it is tried
_START = "import sys; sys.path.insert(0, {root!r}); from nsedu.observe.visit import main; main()"
_UCRED = "iII"  # struct ucred of unix(7): pid, uid, gid


def answers(
    pids: Sequence[int], type: str, question: str, subject: int = 0, fds: Sequence[int] = ()
) -> list[dict[str, Any]]:
    """What the kernel says in the places where some processes live.

    Args:
        pids: the processes.
        type: the namespace type that the answer depends on; its owner is entered with it.
        question: "name" (of the host), "clock", "owner" (of an open file) or "user".
        subject: the clock's number; the file's descriptor; the uid, as the caller sees it.
        fds: descriptors that the helper inherits.

    Returns:
        For each process "value", or "errno" and "step" where it could not be asked: "enter", or
        "send" (the caller may not speak as that user).  With a clock also "outside", what it showed
        here at the same time, within `CLOSE` seconds as a rule.

    Raises:
        OSError: the helper could not be started.
    """
    asked = {"pids": list(pids), "type": type, "question": question, "subject": subject}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", _START.format(root=ROOT)],
        input=json.dumps(asked), capture_output=True, text=True, timeout=PATIENCE, check=True,
        pass_fds=fds,
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def main() -> None:
    """Be the helper: read the questions from standard input, write the answers."""
    asked = json.load(sys.stdin)
    ask = {"name": _name, "clock": _clock, "owner": _owner, "user": _user}[asked["question"]]
    json.dump([ask(pid, asked["type"], asked["subject"]) for pid in asked["pids"]], sys.stdout)


def _name(pid: int, type: str, _subject: int) -> dict[str, Any]:
    return _inside(pid, type, lambda _line: os.uname().nodename)


def _owner(pid: int, type: str, fd: int) -> dict[str, Any]:
    return _inside(pid, type, lambda _line: os.fstat(fd).st_uid)


def _user(pid: int, type: str, uid: int) -> dict[str, Any]:
    there, here = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    there.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    sender = struct.pack(_UCRED, os.getpid(), uid, os.getgid())
    try:
        here.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, sender)])
    except OSError as error:
        return {"errno": error.errno, "step": "send"}

    def receive(_line: socket.socket) -> int:
        _, control, _, _ = there.recvmsg(1, socket.CMSG_SPACE(struct.calcsize(_UCRED)))
        return int(struct.unpack(_UCRED, control[0][2])[1])

    return _inside(pid, type, receive)


def _clock(pid: int, type: str, clock: int) -> dict[str, Any]:
    def read_when_told(line: socket.socket) -> float:
        line.send(b"ready")
        while line.recv(1):
            line.send(struct.pack("d", time.clock_gettime(clock)))
        return 0.0

    readings: list[tuple[float, float, float]] = []

    def talk(line: socket.socket) -> None:
        if not line.recv(5):  # it could not go there
            return
        while len(readings) < TRIES and (not readings or min(readings)[0] > CLOSE):
            before = time.clock_gettime(clock)
            line.send(b"!")
            (inside,) = struct.unpack("d", line.recv(8))
            after = time.clock_gettime(clock)
            readings.append((after - before, inside, (before + after) / 2))
        line.shutdown(socket.SHUT_WR)

    found = _inside(pid, type, read_when_told, talk)
    if readings:
        _, found["value"], found["outside"] = min(readings)
    return found


def _inside(
    pid: int,
    type: str,
    ask: Callable[[socket.socket], Any],
    talk: Callable[[socket.socket], None] = lambda line: None,
) -> dict[str, Any]:
    """Have a fork go there and ask, while its parent talks to it over a line."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        here.close()
        os.close(reading)
        try:
            _enter(pid, type)
            told = {"value": ask(there)}
        except OSError as error:
            told = {"errno": error.errno, "step": "enter"}
        os.write(writing, json.dumps(told).encode())
        os._exit(0)
    there.close()
    os.close(writing)
    talk(here)
    with open(reading) as file:
        text = file.read()
    os.waitpid(child, 0)
    found: dict[str, Any] = json.loads(text)
    return found


def _enter(pid: int, type: str) -> None:
    """Enter the namespace of that type, and the user namespace, where they are others than ours.

    Both in one call: the kernel then asks for the rights of who calls, over either of them.
    """
    pidfd = os.pidfd_open(pid)
    flags = 0
    for kind in dict.fromkeys((type, "user")):
        own, its = (os.stat(f"/proc/{who}/ns/{kind}").st_ino for who in ("self", pid))
        if own != its:
            flags |= BY_NAME[kind].flag
    if flags:
        syscalls.setns(pidfd, flags)
