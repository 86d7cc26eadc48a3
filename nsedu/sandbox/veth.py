"""Connect sandboxes by virtual Ethernet cables, veth(4)."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Iterator, Sequence
from typing import Any

from nsedu.kernel import syscalls
from nsedu.kernel.namespace_types import CloneFlag
from nsedu.kernel.procfs import parse_nspid, read
from nsedu.sandbox.sandbox import Sandbox

_LONGEST_NAME = 15  # IFNAMSIZ of <linux/if.h>, less the byte that ends it
_AT_ONCE = 0x2  # IFA_F_NODAD of <linux/if_addr.h>: no seconds of asking whether it is taken

End = tuple[Any, ...]
"""(sandbox, name of the link, its addresses…)."""


def cable(*ends: End) -> None:
    """Lay virtual cables between sandboxes: two ends, one cable.

    Each end is switched on and gets its addresses.  A link that has the name already is replaced.

    A cable is laid by whoever has CAP_NET_ADMIN in the owners of both namespaces: here the root of
    the nearest sandbox that both are inside of, or that one of them is.

        lab = ns.Sandbox("net")
        alice, bob = lab.sandbox("net"), lab.sandbox("net")
        ns.cable((alice, "eth0", "10.0.0.1/24"), (bob, "eth0", "10.0.0.2/24"))

    Args:
        ends: each a tuple: the sandbox, what the link is called in it (at most 15 bytes), then any
            number of addresses such as "10.0.0.1/24".  The first two are one cable, the next two
            another, and so on.

    Raises:
        TypeError, ValueError: an end is none, their number is odd, or there is no sandbox around
            both; nothing has been laid.
        NamespaceError: a sandbox is closed or dead.
    """
    checked = [_check(end) for end in ends]
    if len({end[:2] for end in ends}) < len(ends):
        raise ValueError("two ends have the same name in the same sandbox; name them apart.")
    if not checked or len(checked) % 2:
        raise ValueError(f"a cable has two ends, but {len(ends)} were given; name them in pairs.")
    todo: dict[Sandbox, list[list[Any]]] = {}
    for one, other in zip(checked[::2], checked[1::2], strict=True):
        around = _around(one[0], other[0])
        seen = [(_pid_in(around, box), name, addresses) for box, name, addresses in (one, other)]
        todo.setdefault(around, []).append(seen)
    for around, cables in todo.items():
        around.call(_lay, cables)


def _check(end: object) -> tuple[Sandbox, str, list[str]]:
    if not isinstance(end, tuple) or len(end) < 2 or not isinstance(end[0], Sandbox):
        raise TypeError(
            "an end is a tuple of a sandbox, a link's name and its addresses, such as"
            f' (box, "eth0", "10.0.0.1/24"), not {end!r}.'
        )
    box, name, *addresses = end
    if not isinstance(name, str) or not 1 <= len(name.encode()) <= _LONGEST_NAME:
        raise ValueError(f"a link's name has 1 to {_LONGEST_NAME} bytes; {name!r} has not.")
    for address in addresses:
        try:
            ipaddress.ip_interface(address)
        except ValueError:
            raise ValueError(f'{address!r} is no address such as "10.0.0.1/24".') from None
    return box, name, addresses


def _outwards(box: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, the one that it is inside of, and so on."""
    around: Sandbox | None = box
    while around is not None:
        yield around
        around = around._outer


def _around(one: Sandbox, other: Sandbox) -> Sandbox:
    others = list(_outwards(other))
    for around in _outwards(one):
        if around in others:
            return around
    raise ValueError(
        f"{one!r} and {other!r} are not inside one sandbox, so nobody may lay a cable between"
        ' them; make both inside another: lab = nsedu.Sandbox("net"), then lab.sandbox("net").'
    )


def _pid_in(around: Sandbox, box: Sandbox) -> int:
    """The pid of a sandbox's first process as another sandbox, further out, knows it."""
    level = len(_nspid(around.pid))
    return _nspid(box.pid)[level - 1]


def _nspid(pid: int) -> tuple[int, ...]:
    return parse_nspid(read(f"/proc/{pid}/status")) or (pid,)


def _lay(cables: Sequence[Sequence[tuple[int, str, list[str]]]]) -> None:
    """In the sandbox around: lay the cables.  Each end is a pid, a name, and addresses."""
    from pyroute2 import IPRoute

    with contextlib.ExitStack() as stack:
        # A socket stays in the network namespace in which it was made.
        sockets = {}
        for pid in {pid for ends in cables for pid, _, _ in ends}:
            with open(os.pidfd_open(pid)) as pidfd:
                syscalls.setns(pidfd.fileno(), CloneFlag.NEWNET)
            sockets[pid] = stack.enter_context(IPRoute())
        for (one, name, _), (other, peer, _) in cables:
            for pid, old in ((one, name), (other, peer)):
                for index in sockets[pid].link_lookup(ifname=old):
                    sockets[pid].link("del", index=index)
            far = {"ifname": peer, "net_ns_pid": other}
            sockets[one].link("add", ifname=name, kind="veth", peer=far)
        for pid, name, addresses in (end for ends in cables for end in ends):
            (index,) = sockets[pid].link_lookup(ifname=name)
            sockets[pid].link("set", index=index, state="up")
            for address in map(ipaddress.ip_interface, addresses):
                length, flags = address.network.prefixlen, _AT_ONCE if address.version == 6 else 0
                sockets[pid].addr(
                    "add", index=index, address=str(address.ip), prefixlen=length, flags=flags
                )
