"""How the notebook, its agent and the sandboxes talk: one message and some descriptors.

The sockets are ``SOCK_SEQPACKET`` pairs, so a message arrives whole or not at all, and the end of
either party is an end of file at the other.

`send` and `receive` are for what goes *into* a sandbox: a dictionary of plain values, encoded by
`marshal`, as both ends are the same interpreter.  A message too long for a socket buffer (a huge
environment, say) travels in a memfd, which is then the first of the descriptors.  Neither is safe
to decode when it comes from a stranger: what comes *out* is encoded by `nsedu.agent.protocol`.
"""

from __future__ import annotations

import errno
import marshal
import os
import socket
import struct
from collections.abc import Sequence

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from typing import Any

LONGEST = 64 * 1024  # bytes; well below the default socket buffer of 208 KiB
MOST_FDS = 32
_UCRED = struct.Struct("iII")  # struct ucred of unix(7): pid, uid, gid
_ANCILLARY = socket.CMSG_SPACE(MOST_FDS * 4) + socket.CMSG_SPACE(_UCRED.size)


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""Where the package lies: a fresh interpreter at the other end of a socket finds it there."""

_IN_A_PARCEL = marshal.dumps({})


class TooMuch(Exception):
    """A message longer than may come, or with more descriptors; none of it is kept."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets that keep message boundaries (unix(7), SOCK_SEQPACKET)."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def ask_for_senders(sock: socket.socket) -> None:
    """Have the kernel tell the sender's pid with each message from now on (SO_PASSCRED)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)


def limit_sending(sock: socket.socket, seconds: int) -> None:
    """Have sending fail with EAGAIN when nobody reads for so long (SO_SNDTIMEO of socket(7))."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", seconds, 0))


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
    if len(data) <= LONGEST:
        send_bytes(sock, data, fds)
        return
    extra = parcel(data)
    try:
        send_bytes(sock, _IN_A_PARCEL, [extra, *fds])
    finally:
        os.close(extra)


def send_bytes(sock: socket.socket, data: bytes, fds: Sequence[int] = ()) -> None:
    """Send bytes as one message, with descriptors."""
    rights = []
    if fds:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))]
    sock.sendmsg([data], rights, socket.MSG_NOSIGNAL)


def _encode(message: dict[str, Any]) -> bytes:
    try:
        return marshal.dumps(message)
    except ValueError:  # a subclass of str, int or float, such as numpy's
        import json

        return marshal.dumps(json.loads(json.dumps(message)))


def receive(sock: socket.socket, flags: int = 0) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and its descriptors (close-on-exec), or None at the end.

    Only for what comes from outside a sandbox: see `nsedu.agent.protocol` for the other direction.

    Raises:
        BlockingIOError: with MSG_DONTWAIT, when there is none yet.
        OSError: EMFILE, when the descriptors find no room here; the message is lost.
    """
    received = receive_bytes(sock, LONGEST, flags)
    if received is None:
        return None
    data, fds, _ = received
    if data == _IN_A_PARCEL:
        with open(fds.pop(0), "rb") as file:
            file.seek(0)
            data = file.read()
    return marshal.loads(data), fds


def receive_bytes(
    sock: socket.socket, longest: int, flags: int = 0
) -> tuple[bytes, list[int], int] | None:
    """The next message, its descriptors and its sender's pid, or None at the end.

    The pid is 0 unless the socket asks for it (`ask_for_senders`).

    Raises:
        TooMuch: it is longer than `longest` bytes, or has more than `MOST_FDS` descriptors.
        BlockingIOError: with MSG_DONTWAIT, when there is none yet.
        OSError: EMFILE, when the descriptors find no room here; the message is lost.
    """
    flags |= socket.MSG_CMSG_CLOEXEC
    try:
        data, ancillary, got, _ = sock.recvmsg(longest, _ANCILLARY, flags)
    except ConnectionResetError:  # it left messages of ours unread; its own may still be here
        try:
            data, ancillary, got, _ = sock.recvmsg(longest, _ANCILLARY, flags)
        except ConnectionResetError:
            return None
    fds: list[int] = []
    sender = 0
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds += struct.unpack(f"{len(payload) // 4}i", payload[: len(payload) // 4 * 4])
        elif level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            sender = _UCRED.unpack(payload)[0]
    if got & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
        for fd in fds:
            os.close(fd)
        if got & socket.MSG_TRUNC or len(fds) >= MOST_FDS:
            raise TooMuch(f"a message of more than {longest} bytes or {MOST_FDS} descriptors")
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "recvmsg()")
    if not data:
        for fd in fds:
            os.close(fd)
        return None
    return data, fds, sender
