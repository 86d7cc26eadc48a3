"""The process connector: the kernel tells over netlink what processes are born, execute and end.

Sources: <linux/cn_proc.h>, <linux/connector.h>, netlink(7).  No man page describes the messages.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from types import TracebackType
from typing import NamedTuple

NETLINK_CONNECTOR = 11  # <linux/netlink.h>
_CN_IDX_PROC = _CN_VAL_PROC = 1
_LISTEN, _IGNORE = 1, 2
_NONE, _FORK, _EXEC, _EXIT = 0, 1, 2, 0x80000000
_NLMSG = struct.Struct("=IHHII")  # length, type, flags, sequence, sender
_CN_MSG = struct.Struct("=IIIIHH")  # index, value, sequence, acknowledgement, length, flags
_EVENT = struct.Struct("=IIQ")  # what, processor, nanoseconds
_NLMSG_DONE = 3
_SO_RCVBUFFORCE = 33  # <asm-generic/socket.h>; socket(7)
_ROOM = 8 << 20  # bytes


class Event(NamedTuple):
    """What happened to a process.

    Attributes:
        what: "fork", "exec" or "exit".
        pid: of the process (of a fork, the child), in the initial pid namespace.
        parent: of a fork, the pid of the process that forked; 0 otherwise.
    """

    what: str
    pid: int
    parent: int = 0


class Events:
    """A listener; use it in a ``with`` block.

    Only a process in the initial network, user and pid namespaces is told anything.

    Raises:
        OSError: ECONNREFUSED (another network namespace), EPERM (not allowed), EPROTONOSUPPORT (no
            CONFIG_CONNECTOR), ETIMEDOUT (no answer: another user or pid namespace).  When more
            happens than is read: ENOBUFS (netlink(7)), and some of it was not told.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_CONNECTOR)
        # Every listener is told every answer, so ours has to say what it answers.
        self._number = int.from_bytes(os.urandom(3))
        try:
            self._make_room()
            self._socket.bind((0, _CN_IDX_PROC))
            self._ask(_LISTEN)
            refused = self._answer()
            if refused:
                raise OSError(refused, os.strerror(refused), "PROC_CN_MCAST_LISTEN")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Events:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._ask(_IGNORE)
        self._socket.close()

    def until_exit(self, pid: int, timeout: float = 5) -> list[Event]:
        """What is told until a process has ended, in order.

        Args:
            pid: of that process, as the initial pid namespace numbers it.
            timeout: seconds to wait at most.
        """
        told: list[Event] = []
        deadline = time.monotonic() + timeout
        while (message := self._receive(deadline - time.monotonic())) is not None:
            what, rest, _ = message
            if what == _FORK:
                _, parent, thread, child = struct.unpack_from("=iiii", rest)
                if thread == child:  # else it is a thread
                    told.append(Event("fork", child, parent))
            elif what in (_EXEC, _EXIT):
                thread, process = struct.unpack_from("=ii", rest)
                if thread == process:
                    told.append(Event("exec" if what == _EXEC else "exit", process))
                    if what == _EXIT and process == pid:
                        break
        return told

    def _make_room(self) -> None:
        """Have as many messages wait for us as we may: a busy machine sends hundreds at a time."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)

    def _ask(self, operation: int) -> None:
        wanted = struct.pack("=I", operation)
        head = _CN_MSG.pack(_CN_IDX_PROC, _CN_VAL_PROC, 0, self._number, len(wanted), 0)
        size = _NLMSG.size + len(head) + len(wanted)
        self._socket.send(_NLMSG.pack(size, _NLMSG_DONE, 0, 0, 0) + head + wanted)

    def _answer(self) -> int:
        """The errno with which the kernel answers, 0 if it will tell."""
        deadline = time.monotonic() + 1
        while (message := self._receive(deadline - time.monotonic())) is not None:
            what, rest, acknowledged = message
            if what == _NONE and acknowledged == self._number + 1:
                return int(struct.unpack_from("=I", rest)[0])
        return errno.ETIMEDOUT

    def _receive(self, seconds: float) -> tuple[int, bytes, int] | None:
        """The next message: what, what follows, what it acknowledges; None if none comes."""
        if not select.select([self._socket], [], [], max(0.0, seconds))[0]:
            return None
        data = self._socket.recv(4096)
        start = _NLMSG.size + _CN_MSG.size
        what = int(_EVENT.unpack_from(data, start)[0])
        return what, data[start + _EVENT.size :], _CN_MSG.unpack_from(data, _NLMSG.size)[3]
