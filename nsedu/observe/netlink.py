"""Read network namespaces by netlink, in a process of its own that goes into each of them.

Which links there are is asked of the kernel by a socket, and a socket belongs to the network
namespace that it was made in (network_namespaces(7)): so somebody has to go there.  This process
imports pyroute2 once, and then forks for each namespace, for whoever has entered the owning user
namespace of one can enter no other.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from nsedu import nsfs, syscalls
from nsedu.nstypes import CloneFlag
from nsedu.wire import ROOT

_START = (
    "import sys; sys.path[:] = {path!r} + sys.path;"
    " from nsedu.observe.netlink import main; main({numbers!r}, {own})"
)
_PATIENCE = 30.0  # seconds for all namespaces together
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000  # <linux/if.h>
_MAIN, _KERNEL, _SCOPE_UNIVERSE = 254, 2, 0  # <linux/rtnetlink.h>
_TYPES = {6: "blackhole", 7: "unreachable", 8: "prohibit"}
_FALLBACKS = {
    "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6gre0",
}  # fmt: skip
"""Tunnels that some kernels put into each new namespace (net.core.fb_tunnels_only_for_init_net)."""
_NOTES = {
    "vxlan": ("IFLA_VXLAN_ID", "id"),
    "vlan": ("IFLA_VLAN_ID", "id"),
    "macvlan": ("IFLA_MACVLAN_MODE", "mode"),
}

Found = dict[str, Any]
"""What was read of one namespace: see `_read`, or {"unread": why}."""


def read(fds: Mapping[int, int], own: int) -> dict[int, Found]:
    """What is in some network namespaces.

    Args:
        fds: inode number → open descriptor of the namespace.
        own: the inode number of the caller's own namespace, of which links alone are read.

    Returns:
        Inode number → what was found, in the same order.

    Raises:
        OSError: the process could not be started, or gave no answer.
    """
    path = [ROOT, *filter(None, sys.path)]
    code = _START.format(path=path, numbers=list(fds.items()), own=own)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", code],
        pass_fds=list(fds.values()), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=_PATIENCE,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no word why"]
        raise OSError(f"the process that reads the networks failed: {said[-1]}")
    return {int(ns): found for ns, found in json.loads(done.stdout).items()}


def main(numbers: list[tuple[int, int]], own: int) -> None:
    """In the process of its own: read all of them and print the answer as JSON.

    Args:
        numbers: inode number and descriptor of each.
        own: as of `read`.
    """
    import pyroute2  # noqa: F401 - once, before the forks

    fds = dict(numbers)
    print(json.dumps({ns: _in_fork(ns, fds, ns == own) for ns in fds}))


def _in_fork(ns: int, fds: dict[int, int], own: bool) -> Found:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            answer = _look(ns, fds, own)
        except Exception as error:
            answer = {"unread": f"{type(error).__name__}: {error}"}
        with open(writer, "w") as file:
            json.dump(answer, file)
        os._exit(0)
    os.close(writer)
    with open(reader) as file:
        said = file.read()
    os.waitpid(pid, 0)
    return json.loads(said) if said else {"unread": "the process that went there has ended"}


def _look(ns: int, fds: dict[int, int], own: bool) -> Found:
    if not own:
        try:
            _enter(fds[ns])
        except OSError as error:
            return {"unread": f"it may not be entered ({os.strerror(error.errno or 0)})"}
    return _read(fds, own)


def _enter(fd: int) -> None:
    try:
        syscalls.setns(fd, CloneFlag.NEWNET)
    except PermissionError:
        owner = nsfs.ns_get_userns(fd)  # where this process has the capability for the other
        syscalls.setns(owner, CloneFlag.NEWUSER)
        syscalls.setns(fd, CloneFlag.NEWNET)


def _read(fds: dict[int, int], own: bool) -> Found:
    """In the namespace: its links, and unless it is the caller's own, routes and rules.

    A link's "peer" is (netns id or None for this namespace, index); "ids" tells the inode number
    that each netns id stands for here.
    """
    from pyroute2 import IPRoute

    with IPRoute() as route:
        links = {message["index"]: _link(message) for message in route.get_links()}
        for message in route.get_addr():
            if message["index"] in links and (address := _address(message)):
                links[message["index"]]["addresses"].append(address)
        links = {i: link for i, link in links.items() if link["up"] or not _fallback(link)}
        names = {index: link["name"] for index, link in links.items()}
        for link in links.values():
            link["master"] = names.get(link["master"], "")
        # After the links: only when a link's other end is told is an id given to its namespace.
        wanted = {link["peer"][0] for link in links.values() if link["peer"]} - {None}
        ids = []
        for ns, fd in fds.items():
            if wanted and (number := route.get_netnsid(fd=fd)["nsid"]) in wanted:
                wanted.remove(number)
                ids.append((number, ns))
        found: Found = {"links": list(links.values()), "ids": ids}
        if not own:
            found["routes"] = [
                told
                for message in route.get_routes(table=_MAIN)
                if (told := _route(message, names))
            ]
            found["forwards"] = _forwards()
            found["ruleset"], found["unruled"] = _ruleset()
    return found


def _link(message: Any) -> dict[str, Any]:
    info = message.get_attr("IFLA_LINKINFO")
    kind = (info.get_attr("IFLA_INFO_KIND") if info else None) or ""
    if message["ifi_type"] == 772:  # ARPHRD_LOOPBACK
        kind = "loopback"
    attribute, word = _NOTES.get(kind, ("", ""))
    data = info.get_attr("IFLA_INFO_DATA") if attribute else None
    note = data.get_attr(attribute) if data else None
    lower = message.get_attr("IFLA_LINK")
    number = message.get_attr("IFLA_LINK_NETNSID")
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
    }


def _fallback(link: Found) -> bool:
    return link["name"] in _FALLBACKS and not link["addresses"]


def _address(message: Any) -> str:
    """An address as ``10.0.0.1/24``; "" for what IPv6 makes up by itself from the hardware's."""
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    if message["family"] == 10 and message["scope"] != _SCOPE_UNIVERSE:
        return ""
    return f"{text}/{message['prefixlen']}"


def _route(message: Any, names: dict[int, str]) -> list[str] | None:
    """A route that someone has added: destination, gateway, link; None for the kernel's own."""
    if message["proto"] == _KERNEL or message["type"] not in (1, *_TYPES):
        return None
    to = message.get_attr("RTA_DST")
    destination = f"{to}/{message['dst_len']}" if to else "default"
    if message["type"] in _TYPES:
        return [destination, _TYPES[message["type"]], ""]
    hops = message.get_attr("RTA_MULTIPATH") or [message]
    gateways = [hop.get_attr("RTA_GATEWAY") for hop in hops]
    links = [hop.get_attr("RTA_OIF") or hop.get("oif", 0) for hop in hops]
    return [
        destination,
        " or ".join(filter(None, gateways)),
        " or ".join(dict.fromkeys(names.get(link, "") for link in links)),
    ]


def _forwards() -> bool:
    # What this file says depends on who reads it: it is the reader's network namespace's.
    with contextlib.suppress(OSError), open("/proc/sys/net/ipv4/ip_forward") as file:
        return file.read().strip() == "1"
    return False


def _ruleset() -> tuple[list[Any], str]:
    """The rules of nftables, and why they could not be read."""
    program = shutil.which("nft", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        return [], "the program nft is not installed"
    done = subprocess.run([program, "-j", "list", "ruleset"], capture_output=True, text=True)
    if done.returncode:
        return [], " ".join(done.stderr.split()) or f"nft ended with {done.returncode}"
    return json.loads(done.stdout)["nftables"], ""
