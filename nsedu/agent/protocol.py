"""Every message between the notebook, the agent and the first processes: two tables.

`REQUESTS` are what goes inside; `nsedu.agent.wire` encodes them.  They come from those who could do
anything there anyhow, and are not checked.

`TABLE` is what may be said from inside a sandbox to those outside, and nothing else is heard.  A
program inside can take over its sandbox's first process (ptrace(2), pidfd_getfd(2)) and send on its
sockets whatever it likes.  So what comes from there is decoded by this table: the name, and then
the fields, each after a NUL byte; numbers are in decimal.  What does not fit, down to the number of
descriptors, is `Wrong`, and whoever hears it ends that sandbox.

docs/sandbox_life.md follows a sandbox through both tables.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Sequence

from nsedu.agent import wire

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from typing import Any

_ID = (1 << 32) - 1
_PATH = 16_000  # bytes of a path in mountinfo, with room

REQUESTS: dict[str, tuple[str, tuple[str, ...], str]] = {
    # Each comes with a fresh reply socket as its first descriptor; what follows that is named here.
    # To the agent, or to the first process of the sandbox in which the new one is to be:
    # (the plan is a `first_process.Plan`, as a dictionary)
    "make": ("plan", ("a pidfd for each process to join",), "born, ready"),
    "end": ("id force", (), "ended"),
    # To the agent alone:
    "limit": ("id outer limits", ("pidfd of a first process",), "limited"),
    "delegate": ("id", (), "the end of the socket"),
    "unlimit": ("id", (), "ended"),
    # To a first process, or to the agent:
    "run": (
        "argv env pidfd python",
        ("its standard input", "output", "error", "and what else it gets"),
        "started if a pidfd was asked for, exit",
    ),
    "call": (
        "argv env path python",
        ("standard input", "output", "error", "the function, pickled", "where its result goes"),
        "exit",
    ),
}
"""Name → its fields, the descriptors with it, and what is answered unless "failed" is.

The reply socket of "make" becomes the control socket of the new sandbox: its first process hears
requests there.  That of "run" and "call" is the life line of the command: its end kills the process
group.
"""

SIGNALS: dict[str, str] = {
    "kill": "on a reply socket of run or call: send this signal to the process group; a descriptor"
    " with it is closed when that is done",
    "go on": "on a control socket, before anything is prepared: the limits hold, go on",
    "seen": "on a life line: the maker has seen the namespaces of a first process",
}
"""What is sent on a socket that stands already, and needs no answer."""

TABLE: dict[str, tuple[tuple[tuple[Any, ...], ...], int]] = {
    # From a server (an agent, or a sandbox's first process) to the notebook:
    "born": ((), 1),  # the first process of a sandbox asked for: its pidfd
    "started": ((), 1),  # a command asked for: its pidfd
    "exit": ((("exit", -64, 255),), 0),  # a command has ended: its status, negative for a signal
    "ended": ((), 0),  # a sandbox has ended with all it held, or its control groups are removed
    # A first process is in the control groups for its limits, for which there is a keeper.
    "limited": ((("keeper", 1, 1 << 22),), 0),
    # From a first process to the notebook:
    "ready": ((), 0),
    # From any of them: what was refused, and the facts to explain it by (`process_facts`).
    "failed": (
        (
            ("failed", 40), ("errno", 1, 4095), ("call", 4000),
            ("uid", 0, _ID), ("seccomp", 0, 9), ("no_new_privs", 0, 1), ("threads", 0, 1 << 22),
            ("cap_eff", 0, (1 << 64) - 1), ("proc", 0, 1), ("chroot", 0, 1),
            ("userns_clone", 20), ("apparmor", 20), ("limits", 400), ("missing", 100),
            ("masked", 8000),
        ),
        0,
    ),
    # On the life line, to the server that makes a sandbox:
    "begot": ((("pid", 1, 1 << 22),), 0),  # from the fork that joined others' namespaces
    "settled": ((), 0),  # from the first process: it is in all of its namespaces
    # From the helper that looks into mount namespaces:
    "mount": ((("root", _PATH), ("target", _PATH)), 1),  # with the mounted file
    "covered": ((("root", _PATH), ("target", _PATH)), 0),  # another mount lies over it
    "done": ((("errno", 0, 4095),), 0),
}  # fmt: skip
"""Name → its fields and the number of descriptors with it.

A field is a name and the longest text in bytes, or a name and the lowest and the highest number.
"""

_NAMES = {name.encode(): name for name in TABLE}
_MOST_FIELDS = max(len(fields) for fields, _ in TABLE.values())
_MOST_DIGITS = 20
LONGEST = 40_000  # bytes, more than any message of the table


class Wrong(Exception):
    """A message that is not in the table, or not from whom it must be; says what is wrong."""


def encode(name: str, *values: int | str) -> bytes:
    """A message of the table; texts are cut to their longest."""
    fields = TABLE[name][0]
    return b"\0".join([name.encode(), *map(_field, values, fields)])


def _field(value: int | str, field: tuple[Any, ...]) -> bytes:
    if isinstance(value, int):
        return b"%d" % value
    try:
        data = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = value.encode("utf-8", "replace")
    return data.replace(b"\0", b"?")[: field[1]]


def decode(data: bytes, count: int, *names: str) -> tuple[str, dict[str, Any]]:
    """The name and the fields of a message that came with `count` descriptors.

    Raises:
        Wrong: it is none of `names`, or not as the table has it.
    """
    word, *parts = data.split(b"\0", _MOST_FIELDS + 1)
    name = _NAMES.get(word, "")
    if name not in names:
        raise Wrong(f"a message {word[:20]!r} where only {' or '.join(names)} may come")
    fields, fds = TABLE[name]
    if len(parts) != len(fields) or count != fds:
        raise Wrong(f"{name} with {len(parts)} fields and {count} descriptors")
    values: dict[str, Any] = {}
    for part, (key, *bounds) in zip(parts, fields, strict=True):
        if len(bounds) == 2:
            digits = part[1:] if part[:1] == b"-" else part
            if not digits.isdigit() or len(digits) > _MOST_DIGITS:
                raise Wrong(f"{name} with {key} {part[:20]!r}, which is no number")
            values[key] = int(part)
            if not bounds[0] <= values[key] <= bounds[1]:
                raise Wrong(f"{name} with {key} {values[key]}, which is out of range")
        elif len(part) > bounds[0]:
            raise Wrong(f"{name} with {key} of {len(part)} bytes")
        else:
            values[key] = part.decode("utf-8", "surrogateescape")
    return name, values


READY = encode("ready")
"""Encoded before, for a fork pays for whatever it touches."""


def say(sock: socket.socket, name: str, *values: int | str, fds: Sequence[int] = ()) -> None:
    """Send a message of the table with descriptors, which the sender keeps open too.

    Raises:
        OSError: EPIPE or ECONNRESET when the other party has gone.
    """
    wire.send_bytes(sock, encode(name, *values), fds)


def _has_ended(sock: socket.socket) -> bool:
    """Whether nothing more can come, which reads like an empty message."""
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP)
    return bool(poll.poll(0))


def hear(
    sock: socket.socket, *names: str, flags: int = 0, senders: dict[str, int] | None = None
) -> tuple[str, dict[str, Any], list[int]] | None:
    """The next message, its fields and its descriptors (close-on-exec), or None at the end.

    Args:
        sock: where it comes.
        names: which messages may come now.
        flags: of recvmsg(2).
        senders: name → the pid that such a message must come from; the socket must ask for it
            (`wire.ask_for_senders`).

    Raises:
        Wrong: it is none of these, or not as the table has it, or from another.
        BlockingIOError: with MSG_DONTWAIT, when there is none yet.
        OSError: EMFILE, when the descriptors find no room here; the message is lost.
    """
    try:
        received = wire.receive_bytes(sock, LONGEST, flags)
    except wire.TooMuch as error:
        raise Wrong(str(error)) from None
    if received is None:
        if not _has_ended(sock):
            raise Wrong("an empty message")
        return None
    data, fds, by = received
    try:
        name, values = decode(data, len(fds), *names)
        if senders and senders.get(name, by) != by:
            raise Wrong(f"{name} from process {by}, which only process {senders[name]} may say")
        return name, values, fds
    except Wrong:
        for fd in fds:
            os.close(fd)
        raise
