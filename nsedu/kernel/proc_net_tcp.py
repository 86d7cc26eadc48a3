"""The TCP ports with a server in the caller's own network namespace.

Sources: sock_diag(7), <linux/inet_diag.h>.  /proc/net/tcp says it, too, but the kernel then goes
through all connections of the machine, which takes milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator

from nsedu.kernel import proc_net

_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20  # <linux/netlink.h>, <linux/sock_diag.h>
_ERROR, _DONE = 2, 3  # <linux/netlink.h>
_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_LISTEN = 10  # TCP_LISTEN of <linux/tcp_states.h>
_HEADER, _QUESTION = "=IHHII", "=BBBBI48x"  # struct nlmsghdr, struct inet_diag_req_v2
_PATIENCE = 1.0  # seconds; the kernel answers at once


def ports() -> list[int]:
    """The ports, ascending, of IPv4 and IPv6.

    Raises:
        OSError: neither sock_diag nor /proc could be asked.
    """
    try:
        return sorted({port for family in _FAMILIES for port in _asked(family)})
    except OSError:  # a kernel without CONFIG_INET_DIAG
        return sorted({port for name in ("tcp", "tcp6") for port in _listed(name)})


_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def _asked(family: int) -> Iterator[int]:
    question = struct.pack(_QUESTION, family, socket.IPPROTO_TCP, 0, 0, 1 << _LISTEN)
    length = struct.calcsize(_HEADER) + len(question)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as line:
        line.settimeout(_PATIENCE)
        line.send(
            struct.pack(_HEADER, length, _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + question
        )
        while True:
            said = line.recv(1 << 16)
            while said:
                size, kind = struct.unpack_from("=IH", said)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    number = -struct.unpack_from("=i", said, struct.calcsize(_HEADER))[0]
                    raise OSError(number, os.strerror(number), "sock_diag")
                # struct inet_diag_msg: four bytes, then the port in network order
                yield struct.unpack_from("!H", said, struct.calcsize(_HEADER) + 4)[0]
                said = said[(size + 3) & ~3 :]


def _listed(name: str) -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
        yield from (port for _, port in proc_net.listening("self", name))
