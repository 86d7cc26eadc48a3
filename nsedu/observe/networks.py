"""Network namespaces as plain records: links, what they are plugged into, routes, rules.

The end of a cable is told by the kernel as a number of the other namespace (a netns id, which each
namespace gives out by itself: IFLA_LINK_NETNSID of rtnetlink(7)) and an index in it; here both are
followed to the inode number and the name.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from nsedu.kernel.nsfs_ioctls import nsfd
from nsedu.observe import network_reader, nft_rules
from nsedu.observe.viewpoints import Place

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Net = ipaddress.IPv4Network | ipaddress.IPv6Network

_NONE: Mapping[int, int] = {}


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
        addresses: as "10.0.0.1/24", "10.0.0.1 peer 10.0.0.2/32" or "fd00::1/64 tentative"; without
            those of IPv6 that the kernel gives a link by itself.
        link_local: of those, the ones for this link alone: "fe80::ff:fe00:1/64" (ipv6(7)).
        master: name of the bridge (or bond, …) that it is plugged into, or "".
        peer: of a veth its other end, of a macvlan and the like the link it sits on, or None.
        forwards: whether IPv4 packets that come in by it are passed on; None if that is not known.
    """

    name: str
    kind: str
    note: str = ""
    up: bool = True
    carrier: bool = True
    mtu: int = 1500
    addresses: tuple[str, ...] = ()
    link_local: tuple[str, ...] = ()
    master: str = ""
    peer: End | None = None
    forwards: bool | None = None

    @property
    def reaches(self) -> list[tuple[Address, Net]]:
        """Each of its addresses that may be used, with the network that lies behind the link."""
        found = []
        for text in self.addresses:
            words = text.split()  # see `nsedu.kernel.rtnetlink.address`
            if "dadfailed" not in words:
                there = ipaddress.ip_interface(words[2 if "peer" in words else 0]).network
                found.append((ipaddress.ip_address(words[0].partition("/")[0]), there))
        return found


class Hop(NamedTuple):
    """The next step of a route.

    Attributes:
        via: the address of the next router, of either family; "" if there is none.
        link: the link to take, "" if that is not known.
        weight: among several, how large a share of the packets goes this way.
    """

    via: str
    link: str
    weight: int = 1


@dataclass(frozen=True)
class Route:
    """A route that someone added; those that come with an address are not listed.

    Attributes:
        to: where to: "default", or a network such as "10.0.2.0/24"; with "from" and another behind
            it, if that matters, too.
        hops: the next steps, any of which may be taken; none for what leads nowhere.
        kind: "" for the usual, or "unreachable", "blackhole", "prohibit", "throw", "local", ….
        version: 4 or 6, of IP.
        metric: of several routes to the same, the one with the lowest is taken.
        table: the number of the routing table; all but 254, "main", need a rule (ip-rule(8)).
    """

    to: str
    hops: tuple[Hop, ...] = ()
    kind: str = ""
    version: int = 4
    metric: int = 0
    table: int = 254


@dataclass(frozen=True)
class Network:
    """A network namespace.

    Attributes:
        ns: its inode number.
        members: the places in it, by name.
        links: its links by index, the order in which they came; of the looker's own namespace
            only those that lead to others.
        routes: see `Route`; none are read of the looker's own.
        rules: the tables of nftables, in nft's own words (see `nsedu.observe.nft_rules`).
        forwards: whether it passes IPv4 packets on between its links (net.ipv4.ip_forward).
        forwards6: whether it passes IPv6 packets on (net.ipv6.conf.all.forwarding).
        own: whether it is the looker's own.
        unread: what could not be read and why, or "".
    """

    ns: int
    members: tuple[str, ...]
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[nft_rules.Table, ...] = ()
    forwards: bool = False
    forwards6: bool = False
    own: bool = False
    unread: str = ""


def networks(places: Iterable[Place], held: Mapping[int, int] = _NONE) -> tuple[Network, ...]:
    """The network namespaces of some places, in the order in which they come.

    They are read by netlink, by a process that goes there; see `nsedu.observe.network_reader`.

    Args:
        places: see `nsedu.observe.viewpoints.places`.
        held: more of them, in which there need be no process: inode number → open descriptor.

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
        for ns, fd in held.items():
            members.setdefault(ns, [])
            fds.setdefault(ns, fd)
        own = os.stat("/proc/thread-self/ns/net").st_ino
        found = network_reader.read(fds, own) if fds else {}
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
    if "closed" in found:
        return Network(ns, members, own=ns == own, unread=found["closed"])
    ids: dict[int | None, int] = {number: where for number, where in found["ids"]}
    ids[None] = ns  # a link without a netns id leads to its own namespace
    return Network(
        ns,
        members,
        tuple(_link(link, ids, names) for link in found["links"]),
        tuple(
            Route(**(route | {"hops": tuple(Hop(*hop) for hop in route["hops"])}))
            for route in found.get("routes", [])
        ),
        nft_rules.parsed(found.get("rules", "")),
        found.get("forwards", False),
        found.get("forwards6", False),
        ns == own,
        found.get("unread", ""),
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
        tuple(link["addresses"]), tuple(link["link_local"]), link["master"], peer,
        link["forwards"],
    )  # fmt: skip


def _connected(network: Network) -> Network:
    """The looker's own namespace has links of the machine's, which are irrelevant here."""
    if not network.own:
        return network
    leading = {
        link.name for link in network.links if link.peer and link.peer.ns not in (0, network.ns)
    }
    masters = {link.master for link in network.links if link.name in leading}
    kept = tuple(link for link in network.links if link.name in leading | masters)
    return replace(network, links=kept)
