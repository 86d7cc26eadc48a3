"""The ids by which one network namespace knows others: RTM_GETNSID (rtnetlink(7)).

A namespace gives such an id to another one when it has to do with it, when a virtual cable leads
there, say.  Each has its own ids for the others, and most have none for most.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator

RTM_NEWNSID, RTM_GETNSID = 88, 90  # <linux/rtnetlink.h>
NETNSA_NSID, NETNSA_FD = 1, 3  # <linux/net_namespace.h>
UNASSIGNED = -1  # NETNSA_NSID_NOT_ASSIGNED
NLM_F_REQUEST = 1  # <linux/netlink.h>
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_QUESTION = struct.Struct("=BxxxHHi")  # struct rtgenmsg, padded, and an attribute
_ATTRIBUTE = struct.Struct("=HHi")
_PATIENCE = 5  # seconds; the kernel answers before sendto(2) returns


@contextlib.contextmanager
def asking() -> Iterator[Callable[[int], int | None]]:
    """Give what tells the id of an open network namespace in the one of this thread.

    That is `UNASSIGNED` if it has none there, and None where the kernel does not tell (one before
    Linux 4.0, or under a filter).
    """
    try:
        line = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except OSError:
        yield lambda fd: None
        return
    with line:
        line.settimeout(_PATIENCE)
        yield lambda fd: _ask(line, fd)


def _ask(line: socket.socket, fd: int) -> int | None:
    question = _QUESTION.pack(socket.AF_UNSPEC, _ATTRIBUTE.size, NETNSA_FD, fd)
    header = _HEADER.pack(_HEADER.size + len(question), RTM_GETNSID, NLM_F_REQUEST, 0, 0)
    try:
        line.sendto(header + question, (0, 0))
        answer = line.recv(4096)
    except OSError:
        return None
    if _HEADER.unpack_from(answer)[1] != RTM_NEWNSID:
        return None
    at = _HEADER.size + 4
    while at + _ATTRIBUTE.size <= len(answer):
        length, kind, value = _ATTRIBUTE.unpack_from(answer, at)
        if kind == NETNSA_NSID:
            return int(value)
        at += max(4, (length + 3) & ~3)
    return None
