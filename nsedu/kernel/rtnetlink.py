"""Links, addresses and routes as rtnetlink(7) reports them, in the words of ip(8).

In: messages that pyroute2 has taken apart.  Out: what can be written as JSON.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Any

Record = dict[str, Any]

_IPV6 = 10  # AF_INET6
_LOOPBACK = 772  # ARPHRD_LOOPBACK of <linux/if_arp.h>
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000  # <linux/if.h>
_DADFAILED, _DEPRECATED, _TENTATIVE = 0x08, 0x20, 0x40  # IFA_F_* of <linux/if_addr.h>
_BY_THE_KERNEL = (1, 3)  # IFAPROT_KERNEL_LO and _LL there: it made them by itself (Linux 5.18)
_OF_THE_LINK, _OF_THE_HOST = 253, 254  # RT_SCOPE_* of <linux/rtnetlink.h>
_KERNEL, _CLONED = 2, 0x200  # RTPROT_KERNEL and RTM_F_CLONED there
_NEWNSID, _GETNSID = 88, 90  # RTM_* there
_NSA_NSID, _NSA_FD = 1, 3  # NETNSA_* of <linux/net_namespace.h>
_KINDS = {
    1: "", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole",
    7: "unreachable", 8: "prohibit", 9: "throw",
}  # fmt: skip
"""RTN_* there."""
_NOWHERE = ("blackhole", "unreachable", "prohibit", "throw")
_NOTES = {
    "vxlan": ("IFLA_VXLAN_ID", "id"),
    "vlan": ("IFLA_VLAN_ID", "id"),
    "macvlan": ("IFLA_MACVLAN_MODE", "mode"),
}


def connected() -> socket.socket:
    """A socket to the kernel, of the network namespace that this process is in."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    sock.settimeout(1)
    return sock


def netns_id(sock: socket.socket, fd: int) -> int:
    """By which number the socket's namespace knows another; -1 if by none.

    One message there and one back, without a library: of n namespaces n² may be asked for.
    """
    length = struct.calcsize("=IHHIIB3xHHI")
    sock.send(struct.pack("=IHHIIB3xHHI", length, _GETNSID, 1, 0, 0, 0, 8, _NSA_FD, fd))
    answer = sock.recv(4096)
    (kind,) = struct.unpack_from("=H", answer, 4)
    at = 20  # behind the header and struct rtgenmsg
    while kind == _NEWNSID and at + 8 <= len(answer):
        size, attribute, number = struct.unpack_from("=HHi", answer, at)
        if attribute == _NSA_NSID:
            return int(number)
        at += max(8, size + 3 & ~3)
    return -1


def link(message: Any) -> Record:
    """A link; "peer" is (netns id or None for this namespace, index) of where it leads."""
    info = message.get_attr("IFLA_LINKINFO")
    kind = (info.get_attr("IFLA_INFO_KIND") if info else None) or ""
    if message["ifi_type"] == _LOOPBACK:
        kind = "loopback"
    attribute, word = _NOTES.get(kind, ("", ""))
    data = info.get_attr("IFLA_INFO_DATA") if attribute else None
    note = data.get_attr(attribute) if data else None
    lower = message.get_attr("IFLA_LINK")
    number = message.get_attr("IFLA_LINK_NETNSID")
    families = message.get_attr("IFLA_AF_SPEC")
    ipv4 = families.get_attr("AF_INET") if families else None
    return {
        "index": message["index"],
        "name": message.get_attr("IFLA_IFNAME"),
        "kind": kind,
        "note": f"{word} {note}" if note is not None else "",
        "up": bool(message["flags"] & _IFF_UP),
        "carrier": bool(message["flags"] & _IFF_LOWER_UP),
        "mtu": message.get_attr("IFLA_MTU"),
        "master": message.get_attr("IFLA_MASTER"),
        "peer": [number, lower] if lower and (number, lower) != (None, message["index"]) else None,
        "addresses": [],
        "link_local": [],
        "forwards": bool(ipv4 and ipv4.get("forwarding")),
        "hardware": message.get_attr("IFLA_ADDRESS") or "",
    }


def address(message: Any, hardware: str) -> str:
    """An address as ip(8) shows it: ``10.0.0.1/24``, ``10.0.0.1 peer 10.0.0.2/32``.

    It is followed by what keeps it from being used: ``fd00::1/64 dadfailed``.

    Returns:
        "" for what the kernel gives each link by itself: ::1, and the link-local address.
    """
    far = message.get_attr("IFA_ADDRESS")
    own = message.get_attr("IFA_LOCAL") or far
    flags = message.get_attr("IFA_FLAGS") or message["flags"]
    if not flags & _DADFAILED and _by_the_kernel(message, own, hardware):
        return ""
    words = [f"{own} peer {far}/{message['prefixlen']}" if far and far != own
             else f"{own}/{message['prefixlen']}"]  # fmt: skip
    words += ["deprecated"] * bool(flags & _DEPRECATED)
    if flags & (_DADFAILED | _TENTATIVE):
        words.append("dadfailed" if flags & _DADFAILED else "tentative")
    return " ".join(words)


def link_local(message: Any, hardware: str) -> str:
    """An address for this link alone that the kernel made by itself: ``fe80::ff:fe00:1/64``.

    It is followed by "tentative" as long as the kernel asks whether another has it (RFC 4862).

    Returns:
        "" for any other address.
    """
    own = message.get_attr("IFA_ADDRESS")
    flags = message.get_attr("IFA_FLAGS") or message["flags"]
    if message["scope"] != _OF_THE_LINK or not _by_the_kernel(message, own, hardware):
        return ""
    return f"{own}/{message['prefixlen']}" + " tentative" * bool(flags & _TENTATIVE)


def _by_the_kernel(message: Any, own: str, hardware: str) -> bool:
    if message["family"] != _IPV6:
        return False
    proto = message.get_attr("IFA_PROTO")
    if proto is not None:
        return proto in _BY_THE_KERNEL
    scope = message["scope"]  # an older kernel does not say who made it
    return scope == _OF_THE_HOST or (scope == _OF_THE_LINK and own == _link_local(hardware))


def _link_local(hardware: str) -> str:
    """The address that IPv6 derives from a hardware address (RFC 4291, appendix A)."""
    octets = bytes.fromhex(hardware.replace(":", ""))
    if len(octets) != 6:
        return ""
    middle = bytes((octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]))
    return str(ipaddress.IPv6Address(bytes((0xFE, 0x80)) + bytes(6) + middle))


def route(message: Any, names: dict[int, str]) -> Record | None:
    """A route that someone has added, None for the kernel's own.

    Args:
        message: of RTM_GETROUTE.
        names: of the links, by index.
    """
    if message["proto"] == _KERNEL or message["flags"] & _CLONED or message["type"] not in _KINDS:
        return None
    to, source = message.get_attr("RTA_DST"), message.get_attr("RTA_SRC")
    kind = _KINDS[message["type"]]
    hops = message.get_attr("RTA_MULTIPATH") or [message]
    return {
        "to": (f"{to}/{message['dst_len']}" if to else "default")
        + (f" from {source}/{message['src_len']}" if source else ""),
        "hops": [_hop(hop, names) for hop in hops] if kind not in _NOWHERE else [],
        "kind": kind,
        "version": 6 if message["family"] == _IPV6 else 4,
        "metric": message.get_attr("RTA_PRIORITY") or 0,
        "table": message.get_attr("RTA_TABLE") or message["table"],
    }


def _hop(hop: Any, names: dict[int, str]) -> list[Any]:
    """The next router, of whichever family; the link; the weight among several."""
    other = hop.get_attr("RTA_VIA")  # of an IPv4 route, when the next router's is an IPv6 address
    via = hop.get_attr("RTA_GATEWAY") or (other["addr"] if other else "")
    return [
        via,
        names.get(hop.get_attr("RTA_OIF") or hop.get("oif", 0), ""),
        hop.get("hops", 0) + 1,
    ]
