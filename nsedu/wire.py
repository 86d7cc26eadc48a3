"""How the notebook, its agent and the sandboxes talk: one message and some descriptors.

A message is a dictionary of plain values, encoded by `marshal`: both ends are the same interpreter.
The sockets are ``SOCK_SEQPACKET`` pairs, so a message arrives whole or not at all, and the end of
either party is an end of file at the other.  A message too long for a socket buffer (a huge
environment, say) travels in a memfd, which is then the first of the descriptors.
"""

from __future__ import annotations

import errno
import marshal
import os
import socket
import struct
from collections.abc import Sequence

TYPE_CHECKING = False  # see agent.py, "Light"
if TYPE_CHECKING:
    from typing import Any

LONGEST = 64 * 1024  # bytes; well below the default socket buffer of 208 KiB
MOST_FDS = 32


ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""Where the package lies: a fresh interpreter at the other end of a socket finds it there."""

READY = marshal.dumps({"ready": True})
"""What a sandbox says when it stands: encoded before, for a fork pays for whatever it touches."""


_IN_A_PARCEL = marshal.dumps({})


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets that keep message boundaries (unix(7), SOCK_SEQPACKET)."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def parcel(data: bytes) -> int:
    """A descriptor to read ``data`` from, of any length, without a writer at the other end."""
    fd = os.memfd_create("nsedu")
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def send(sock: socket.socket, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
    """Send one message with descriptors, which the sender keeps open too.

    Raises:
        OSError: EPIPE or ECONNRESET when the other party has gone.
    """
    data = _encode(message)
    extra = -1
    if len(data) > LONGEST:
        extra = parcel(data)
        data, fds = _IN_A_PARCEL, [extra, *fds]
    try:
        packed = struct.pack(f"{len(fds)}i", *fds)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, packed)] if fds else []
        sock.sendmsg([data], rights, socket.MSG_NOSIGNAL)
    finally:
        if extra >= 0:
            os.close(extra)


def _encode(message: dict[str, Any]) -> bytes:
    try:
        return marshal.dumps(message)
    except ValueError:  # a subclass of str, int or float, such as numpy's
        import json

        return marshal.dumps(json.loads(json.dumps(message)))


def receive(sock: socket.socket, flags: int = 0) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and its descriptors (close-on-exec), or None at the end.

    Raises:
        BlockingIOError: with MSG_DONTWAIT, when there is none yet.
        OSError: EMFILE, when the descriptors find no room here; the message is lost.
    """
    fds: list[int] = []
    try:
        data, ancillary, got, _ = sock.recvmsg(
            LONGEST, socket.CMSG_SPACE(MOST_FDS * 4), socket.MSG_CMSG_CLOEXEC | flags
        )
    except ConnectionResetError:  # it left messages of ours unread; its own may still be here
        return receive(sock, flags)
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds += struct.unpack(f"{len(payload) // 4}i", payload[: len(payload) // 4 * 4])
    if got & socket.MSG_CTRUNC:
        for fd in fds:
            os.close(fd)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "recvmsg()")
    if not data:
        return None
    if data == _IN_A_PARCEL:
        with open(fds.pop(0), "rb") as file:
            file.seek(0)
            data = file.read()
    return marshal.loads(data), fds
