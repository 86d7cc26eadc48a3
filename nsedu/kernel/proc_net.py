"""The sockets that a process has open, as the lists in /proc/PID/net tell (proc_pid_net(5)).

These lists are of the network namespace in which the process is.  A socket stays where it was made
(network_namespaces(7)), so one from elsewhere is open, but not listed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Container, Iterator
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
_LISTEN = _TCP.index("LISTEN") + 1
_INTERNET = ("tcp", "tcp6", "udp", "udp6", "raw", "raw6")
_INODES = {**dict.fromkeys(_INTERNET, 9), "unix": 6, "netlink": 9, "packet": 8}
"""Kind of socket → in which column of its list the inode number stands."""
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


def rows(pid: int | str, kind: str) -> Iterator[list[str]]:
    """The fields of each line of a list, without its heading.

    Args:
        pid: of a process in the network namespace, or "self".
        kind: the name of the list, such as "tcp".

    Raises:
        FileNotFoundError: the kernel is without this kind, or the process has ended.
    """
    lines = os.fsdecode(read(f"/proc/{pid}/net/{kind}")).split("\n")
    for line in lines[1:]:
        if fields := line.split(maxsplit=7 if kind == "unix" else -1):
            yield fields


def by_inode(pid: int) -> Iterator[tuple[str, str, list[str]]]:
    """Inode number, kind and fields of each socket in the network namespace of a process."""
    for kind, column in _INODES.items():
        with contextlib.suppress(FileNotFoundError):  # a kernel without this kind
            for fields in rows(pid, kind):
                if len(fields) > column:
                    yield fields[column], kind, fields


def listening(pid: int | str, kind: str) -> Iterator[tuple[str, int]]:
    """Address and port of each TCP socket that listens; arguments and errors as of `rows`."""
    for fields in rows(pid, kind):
        if int(fields[3], 16) == _LISTEN:
            host, _, port = fields[1].partition(":")
            yield _host(host), int(port, 16)


def _listed(pid: int, wanted: Container[str]) -> dict[str, Socket]:
    sockets = by_inode(pid)
    return {inode: _socket(kind, fields) for inode, kind, fields in sockets if inode in wanted}


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

    A port or address of zero is "*".
    """
    host, _, port = text.partition(":")
    name = _host(host) or "*"
    return f"{f'[{name}]' if ':' in name else name}:{int(port, 16) or '*'}"


def _host(text: str) -> str:
    """An address as it stands there, words of four bytes in the machine's order; "" for any."""
    if not text.strip("0"):
        return ""
    words = [int(text[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(text), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, b"".join(words))
