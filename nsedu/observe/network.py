"""Network namespaces as plain records: links, what they are plugged into, routes, rules.

The end of a cable is told by the kernel as a number of the other namespace (a netns id, which each
namespace gives out by itself: IFLA_LINK_NETNSID of rtnetlink(7)) and an index in it; here both are
followed to the inode number and the name.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from nsedu.nsfs import nsfd
from nsedu.observe import firewall, netlink
from nsedu.observe.places import Place


@dataclass(frozen=True)
class End:
    """Where a link leads.

    Attributes:
        ns: inode number of the network namespace there, 0 if it is none of those looked at.
        name: of the link there, "" if that is not known.
    """

    ns: int
    name: str


@dataclass(frozen=True)
class Link:
    """One network interface.

    Attributes:
        name: its name, which is unique in its namespace only.
        kind: "veth", "bridge", "macvlan", …; "loopback"; "" for hardware.
        note: what else tells it from others of its kind ("id 42" of a vxlan).
        up: whether it was switched on.
        carrier: whether it could pass packets: a veth cannot while its other end is off.
        mtu: bytes in the largest packet.
        addresses: as "10.0.0.1/24"; without those that IPv6 derives from the hardware address.
        master: name of the bridge (or bond, …) that it is plugged into, or "".
        peer: of a veth its other end, of a macvlan and the like the link it sits on, or None.
    """

    name: str
    kind: str
    note: str = ""
    up: bool = True
    carrier: bool = True
    mtu: int = 1500
    addresses: tuple[str, ...] = ()
    master: str = ""
    peer: End | None = None


@dataclass(frozen=True)
class Route:
    """A route that someone added; those that come with an address are not listed.

    Attributes:
        to: where to: "default", or a network such as "10.0.2.0/24".
        via: the address of the next router, "" if there is none; "unreachable" and the like.
        link: the link to take.
    """

    to: str
    via: str
    link: str


@dataclass(frozen=True)
class Network:
    """A network namespace.

    Attributes:
        ns: its inode number.
        members: the places in it, by name.
        links: its links by index, the order in which they came; of the looker's own namespace
            only those that lead to others.
        routes: see `Route`; none are read of the looker's own.
        rules: those of nftables, in words (see `nsedu.observe.firewall`).
        forwards: whether it passes packets on between its links (net.ipv4.ip_forward).
        own: whether it is the looker's own.
        unread: what could not be read and why, or "".
    """

    ns: int
    members: tuple[str, ...]
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[str, ...] = ()
    forwards: bool = False
    own: bool = False
    unread: str = ""


def networks(places: Iterable[Place]) -> tuple[Network, ...]:
    """The network namespaces of some places, in the order in which they come.

    They are read by netlink, by a process that goes there; see `nsedu.observe.netlink`.

    Args:
        places: see `nsedu.observe.places.places`.

    Raises:
        ValueError: a process has ended, or its namespace may not be looked at.
        OSError: the kernel gave no answer.
    """
    members: dict[int, list[str]] = {}
    with contextlib.ExitStack() as stack:
        fds: dict[int, int] = {}
        for place in places:
            try:
                fd = nsfd(place.pid, "net")
            except OSError as error:
                why = os.strerror(error.errno or 0)
                raise ValueError(
                    f"the network namespace of {place.name} cannot be opened ({why}); name a"
                    " process that runs, and is yours."
                ) from None
            stack.callback(os.close, fd)
            ns = os.fstat(fd).st_ino
            members.setdefault(ns, []).append(place.name)
            fds.setdefault(ns, fd)
        own = os.stat("/proc/thread-self/ns/net").st_ino
        found = netlink.read(fds, own) if fds else {}
    names = {
        (ns, link["index"]): link["name"]
        for ns, read in found.items()
        for link in read.get("links", [])
    }
    return tuple(
        _connected(_network(ns, tuple(members[ns]), read, names, own)) for ns, read in found.items()
    )


def _network(
    ns: int, members: tuple[str, ...], found: Any, names: dict[tuple[int, int], str], own: int
) -> Network:
    if "unread" in found:
        return Network(ns, members, own=ns == own, unread=found["unread"])
    ids: dict[int | None, int] = {number: where for number, where in found["ids"]}
    ids[None] = ns  # a link without a netns id leads to its own namespace
    unruled = found.get("unruled", "")
    return Network(
        ns,
        members,
        tuple(_link(link, ids, names) for link in found["links"]),
        tuple(Route(*route) for route in found.get("routes", [])),
        firewall.words(found.get("ruleset", [])),
        found.get("forwards", False),
        ns == own,
        f"the rules of nftables could not be read: {unruled}" if unruled else "",
    )


def _link(
    link: dict[str, Any], ids: dict[int | None, int], names: dict[tuple[int, int], str]
) -> Link:
    peer = None
    if link["peer"] is not None:
        number, index = link["peer"]
        ns = ids.get(number, 0)
        peer = End(ns, names.get((ns, index), ""))
    return Link(
        link["name"], link["kind"], link["note"], link["up"], link["carrier"], link["mtu"],
        tuple(link["addresses"]), link["master"], peer,
    )  # fmt: skip


def _connected(network: Network) -> Network:
    """The looker's own namespace has links of the machine's, which are nobody's business here."""
    if not network.own:
        return network
    leading = {
        link.name for link in network.links if link.peer and link.peer.ns not in (0, network.ns)
    }
    masters = {link.master for link in network.links if link.name in leading}
    kept = tuple(link for link in network.links if link.name in leading | masters)
    return replace(network, links=kept)
