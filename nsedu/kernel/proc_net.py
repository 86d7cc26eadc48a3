"""The sockets that a process has open, as the lists in /proc/PID/net tell (proc_pid_net(5)).

These lists are of the network namespace in which the process is.  A socket stays where it was made
(network_namespaces(7)), so one from elsewhere is open, but not listed.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Container
from typing import NamedTuple

from nsedu.kernel.procfs import VANISHED, read


class Socket(NamedTuple):
    """An open socket.

    Attributes:
        kind: "tcp", "udp6", "unix", "netlink" …; "" if no list has it.
        local: its own address, path or name; "" if it has none.
        peer: the other end's address; "" if it has none or the list does not tell.
        state: of tcp as netstat(8) names it, "listening" or "connected" of unix; else "".
        fds: the descriptors it is open as, ascending.
    """

    kind: str
    local: str
    peer: str
    state: str
    fds: tuple[int, ...]


# <net/tcp_states.h>, from 1 on
_TCP = ("ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
        "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV")  # fmt: skip
_INTERNET = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6")
_OTHERS = {"unix": 6, "netlink": 9, "packet": 8}
"""In which column of its list the inode number stands."""
_LISTENS = 0x10000  # SO_ACCEPTCON in the flags of a unix socket


def sockets(pid: int) -> list[Socket]:
    """The sockets of a process, in the order of their lowest descriptors.

    Raises:
        FileNotFoundError, ProcessLookupError: it has ended.
        PermissionError: its descriptors may not be read.
    """
    numbers: dict[str, list[int]] = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            text = os.readlink(f"/proc/{pid}/fd/{fd}")
        except VANISHED:
            continue
        if text.startswith("socket:["):
            numbers.setdefault(text[8:-1], []).append(int(fd))
    known = _listed(pid, numbers.keys()) if numbers else {}
    found = []
    for number, fds in numbers.items():
        made = known.get(number, Socket("", "", "", "", ()))
        found.append(made._replace(fds=tuple(sorted(fds))))
    return sorted(found, key=lambda one: one.fds)


def _listed(pid: int, wanted: Container[str]) -> dict[str, Socket]:
    found = {}
    for kind in (*_INTERNET, *_OTHERS):
        try:
            lines = read(f"/proc/{pid}/net/{kind}").decode("utf-8", "surrogateescape").split("\n")
        except FileNotFoundError:  # a kernel without this kind
            continue
        for line in lines[1:]:
            fields = line.split(maxsplit=7 if kind == "unix" else -1)
            column = _OTHERS.get(kind, 9)
            if len(fields) > column and fields[column] in wanted:
                found[fields[column]] = _socket(kind, fields)
    return found


def _socket(kind: str, fields: list[str]) -> Socket:
    if kind in _INTERNET:
        state = int(fields[3], 16)
        word = _TCP[state - 1] if kind.startswith("tcp") and 0 < state <= len(_TCP) else ""
        peer = address(fields[2])
        return Socket(kind, address(fields[1]), "" if peer == "*:*" else peer, word, ())
    if kind == "unix":
        path = fields[7] if len(fields) > 7 else ""
        listens = int(fields[3], 16) & _LISTENS
        word = "listening" if listens else "connected" if fields[5] == "03" else ""
        return Socket(kind, path, "", word, ())
    return Socket(kind, "", "", "", ())


def address(text: str) -> str:
    """An address of a list, ``0100007F:1F90``, as people write it: ``127.0.0.1:8080``.

    The bytes stand in words of four in the machine's own order; a port or address of zero is "*".
    """
    host, _, port = text.partition(":")
    words = [int(host[i : i + 8], 16) for i in range(0, len(host), 8)]
    raw = struct.pack(f"{'<' if sys.byteorder == 'little' else '>'}{len(words)}I", *words)
    name = socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
    if not any(raw):
        name = "*"
    elif len(raw) == 16:
        name = f"[{name}]"
    return f"{name}:{int(port, 16) or '*'}"
