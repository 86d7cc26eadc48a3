"""Read network namespaces by netlink, in a process of its own that goes into each of them.

Which links there are is asked of the kernel by a socket, and a socket belongs to the network
namespace that it was made in (network_namespaces(7)): so a process has to go there.  This process
imports pyroute2 once, and then forks for each namespace, since a process that has entered the
owning user namespace of one can enter no other.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from nsedu.agent.helper import enter
from nsedu.kernel import rtnetlink
from nsedu.observe import nft_rules
from nsedu.observe.helper import in_fork, netlink_helper

_PATIENCE, _FOR_ROUTES = 10, 5  # seconds for the links of a namespace, and for its routes
_ALTOGETHER, _MORE = 30, 0.5  # seconds for all namespaces, and more for each
_FALLBACKS = {
    "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6gre0",
}  # fmt: skip
"""Tunnels that some kernels put into each new namespace (net.core.fb_tunnels_only_for_init_net)."""
_LONGEST = 64 << 20  # bytes of what is said of one namespace
Found = dict[str, Any]
"""What was read of one namespace: see `_read`, or {"closed": why} if nothing could be."""


def read(fds: Mapping[int, int], own: int) -> dict[int, Found]:
    """What is in some network namespaces.

    Args:
        fds: inode number → open descriptor of the namespace.
        own: the inode number of the caller's own namespace, of which links alone are read.

    Returns:
        Inode number → what was found, in the same order.

    Raises:
        NamespaceError: the process could not be started, or gave no answer.
    """
    asked = {
        "path": list(filter(None, sys.path)), "programs": os.environ.get("PATH", os.defpath),
        "numbers": list(fds), "own": own,
    }  # fmt: skip
    patience = _ALTOGETHER + _MORE * len(fds) + 3 * _PATIENCE
    task = "nsedu.observe.network_reader:answer"
    said = netlink_helper.ask(task, asked, list(fds.values()), patience)
    return {int(ns): found for ns, found in said.items()}


def answer(asked: dict[str, Any], descriptors: list[int]) -> dict[int, Found]:
    """In the helper: read all of them.

    Args:
        asked: "path", where Python finds pyroute2; "programs", where nft may be, as the caller's
            PATH has it now; "numbers", the inode number of each; and "own", as of `read`.
        descriptors: of each.
    """
    sys.path += [directory for directory in asked["path"] if directory not in sys.path]
    os.environ["PATH"] = asked["programs"]
    importlib.import_module("pyroute2")  # once, before the forks
    fds, own = dict(zip(asked["numbers"], descriptors, strict=True)), asked["own"]
    end = time.monotonic() + _ALTOGETHER + _MORE * len(fds)
    found = {}
    for ns in fds:
        left = int(min(_PATIENCE, end - time.monotonic()))
        none = {"closed": "no time was left after the others"}
        found[ns] = read_in_fork(ns, fds, ns == own, left) if left > 0 else none
    return found


def read_in_fork(ns: int, fds: dict[int, int], own: bool, patience: int) -> Found:
    """`read_network` in a fork, which is waited for so many seconds, and then killed."""

    def look() -> Found:
        signal.signal(signal.SIGALRM, _late)
        signal.alarm(patience)
        try:
            return read_network(ns, fds, own)
        except Exception as error:
            return {"closed": _why(error)}
        finally:
            signal.alarm(0)

    seconds = patience + 2 * nft_rules.PATIENCE + _FOR_ROUTES
    found = in_fork(look, fds.values(), seconds=seconds, longest=_LONGEST)
    return found.get("value", {"closed": "the process that went there has ended"})


def _late(*_: object) -> NoReturn:
    raise TimeoutError("no answer in time; there may be too much of it")


def read_network(ns: int, fds: dict[int, int], own: bool) -> Found:
    """Enter a network namespace, unless it is this process's own, and read what it has."""
    if not own:
        try:
            enter(fds[ns], "net")
        except OSError as error:
            return {"closed": f"it may not be entered ({os.strerror(error.errno or 0)})"}
    return _read(fds, own)


def _read(fds: dict[int, int], own: bool) -> Found:
    """In the namespace: its links, and unless it is the caller's own, routes and rules.

    "ids" gives the inode number that each netns id means here.
    """
    from pyroute2 import IPRoute

    with IPRoute() as route:
        links = {message["index"]: rtnetlink.link(message) for message in route.get_links()}
        for message in route.get_addr():
            link = links.get(message["index"])
            if link and (address := rtnetlink.address(message, link["hardware"])):
                link["addresses"].append(address)
            elif link and (address := rtnetlink.link_local(message, link["hardware"])):
                link["link_local"].append(address)
        links = {i: link for i, link in links.items() if link["up"] or not _fallback(link)}
        names = {index: link["name"] for index, link in links.items()}
        for link in links.values():
            link["master"] = names.get(link["master"], "")
        found: Found = {"links": list(links.values()), "ids": _ids(fds, links.values())}
        return found if own else found | read_routes(route, names)


def _ids(fds: dict[int, int], links: Iterable[Found]) -> list[tuple[int, int]]:
    """The netns ids by which the links name the namespaces that they lead to."""
    # After the links: only when a link's other end is reported is an id given to its namespace.
    wanted = {link["peer"][0] for link in links if link["peer"]} - {None}
    found = []
    with rtnetlink.connected() as sock:
        for ns, fd in fds.items():
            if wanted and (number := rtnetlink.netns_id(sock, fd)) in wanted:
                wanted.remove(number)
                found.append((number, ns))
    return found


def read_routes(route: Any, names: dict[int, str]) -> Found:
    """Routes, forwarding and rules: what cannot be read of them costs nothing else.

    Args:
        route: an open ``IPRoute``.
        names: of the links, by index.
    """
    found: Found = {"forwards": _says("ipv4/ip_forward"), "forwards6": _forwards6()}
    unread = []
    for what, seconds, ask in (
        ("the rules of nftables", 2 * nft_rules.PATIENCE, _rules),
        ("the routes", _FOR_ROUTES, lambda: _routes(route, names)),
    ):
        signal.alarm(seconds)
        try:
            found |= ask()
        except Exception as error:
            unread.append(f"{what}: {_why(error)}")
    return found | {"unread": "; ".join(filter(None, [*unread, found.get("unread")]))}


def _rules() -> Found:
    text, unread = nft_rules.listing()
    return {"rules": text, "unread": unread}


def _routes(route: Any, names: dict[int, str]) -> Found:
    routes = (rtnetlink.route(message, names) for message in route.get_routes())
    return {"routes": list(filter(None, routes))}


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"


def _fallback(link: Found) -> bool:
    return link["name"] in _FALLBACKS and not link["addresses"]


def _says(name: str) -> bool:
    # What these files say depends on who reads them: they are the reader's network namespace's.
    with contextlib.suppress(OSError), open(f"/proc/sys/net/{name}") as file:
        return file.read().strip() == "1"
    return False


def _forwards6() -> bool:
    """Whether IPv6 packets are passed on: all, or (Linux 6.17) those that come by some link."""
    if _says("ipv6/conf/all/forwarding"):
        return True
    with contextlib.suppress(OSError):
        links = os.listdir("/proc/sys/net/ipv6/conf")
        return any(_says(f"ipv6/conf/{link}/force_forwarding") for link in links)
    return False
