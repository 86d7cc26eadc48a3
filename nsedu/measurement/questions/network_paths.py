"""The paths that `network` measures: how each is laid between two new network namespaces.

Everything is inside namespaces of the calling process's own, which it owns: root, or an ordinary
user in a user namespace.  They last as long as the descriptors and the sockets in them.
"""

from __future__ import annotations

import os
import socket
from collections import namedtuple

from nsedu.agent import first_process, helper
from nsedu.kernel import syscalls
from nsedu.kernel.namespace_types import CloneFlag

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NEAR, FAR = "10.0.0.1", "10.0.1.1"
ROUTER_NEAR, ROUTER_FAR = "10.0.0.254", "10.0.1.254"
_PATIENCE = 2  # seconds
_TO_LAY = 30.0  # seconds for a program that lays a path
_BRIDGE_NETFILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"
_MASQUERADE = """
table ip nat {
    chain leaving {
        type nat hook postrouting priority srcnat;
        oifname "far" masquerade
    }
}
"""


class Path(namedtuple("Path", "near far address between", defaults=(None,))):
    """Where a path begins and ends.

    Attributes:
        near: descriptor of the client's network namespace; `far` of the server's.
        address: at which the server is reached.
        between: descriptor of the namespace of the bridge or router, if there is one; its links
            are called near and far, those of the two hosts eth0.
    """

    __slots__ = ()


class SetupFailed(Exception):
    """A path could not be laid; the message is what the program said that was to do it."""


def loopback() -> Path:
    """Both ends in one namespace."""
    (only,) = _namespaces(1)
    first_process.lo_up()
    return Path(only, only, "127.0.0.1")


def veth() -> Path:
    """A cable between two namespaces."""
    near, far = _namespaces(2)
    _ip(near, f"link add eth0 type veth peer name eth0 netns {_name(far)}", *_host(NEAR, 16))
    _ip(far, *_host(FAR, 16))
    return Path(near, far, FAR)


def bridge() -> Path:
    """A cable from each of two namespaces to a bridge in a third."""
    near, far, between = _namespaces(3)
    plugged = [f"link set {port} master bridge up" for port in ("near", "far")]
    _ip(between, "link add bridge type bridge", "link set bridge up", *_cables(near, far), *plugged)
    # Where the module br_netfilter is there, it would show each packet to the rules of IP, too.
    if os.path.exists(_BRIDGE_NETFILTER):
        _set(_BRIDGE_NETFILTER, "0")
    _ip(near, *_host(NEAR, 16))
    _ip(far, *_host(FAR, 16))
    return Path(near, far, FAR, between)


def router() -> Path:
    """A cable from each of two namespaces to a third, which forwards."""
    path = _routed()
    _ip(path.far, f"route add default via {ROUTER_FAR}")
    return path


def nat() -> Path:
    """The same, but the router puts its own address in place of the client's: masquerade, nft(8).

    The server has no route back to the client, nor does it need one.
    """
    path = _routed()
    enter_namespace(path.between)
    _do(["nft", "-f", "-"], _MASQUERADE)
    return path


PATHS: dict[str, Callable[[], Path]] = {
    "loopback": loopback,
    "veth": veth,
    "bridge": bridge,
    "router": router,
    "NAT": nat,
}
NEEDS = {
    "loopback": ("net",),
    "veth": ("veth", "ip"),
    "bridge": ("veth", "ip"),
    "router": ("veth", "ip"),
    "NAT": ("veth", "ip", "nft"),
}
"""What each needs, in the doctor's words."""


def connected(
    path: Path, options: Iterable[tuple[int, int, int | bytes]]
) -> tuple[socket.socket, socket.socket]:
    """A TCP connection along a path: the client's socket and the server's.

    A socket belongs to the network namespace that it was made in, whichever process holds it.

    Args:
        path: where.
        options: level, name and value of socket options, set at both ends before there is a
            connection: it is then that TCP chooses its windows.
    """
    enter_namespace(path.far)
    with socket.socket() as listener:
        enter_namespace(path.near)
        client = socket.socket()
        for end in (listener, client):
            for option in options:
                end.setsockopt(*option)
        listener.bind((path.address, 0))
        listener.listen()
        client.settimeout(_PATIENCE)  # or a path that leads nowhere would be tried for minutes
        client.connect(listener.getsockname())
        client.settimeout(None)
        return client, listener.accept()[0]


def _namespaces(count: int) -> list[int]:
    found = []
    for _ in range(count):
        try:
            syscalls.unshare(CloneFlag.NEWNET)
        except OSError as error:
            raise first_process.StepFailed("unshare net", error.errno or 0, "unshare(2)") from None
        found.append(os.open("/proc/self/ns/net", os.O_RDONLY))
    return found


def enter_namespace(namespace: int) -> None:
    """Move to a network namespace, by a descriptor of it."""
    syscalls.setns(namespace, CloneFlag.NEWNET)


def _name(namespace: int) -> str:
    """What ip(8) can call a namespace by that has no name."""
    return f"/proc/{os.readlink('/proc/self')}/fd/{namespace}"


def _host(address: str, length: int) -> list[str]:
    return [f"address add {address}/{length} dev eth0", "link set eth0 up"]


def _cables(near: int, far: int) -> list[str]:
    ends = (("near", near), ("far", far))
    return [f"link add {end} type veth peer name eth0 netns {_name(host)}" for end, host in ends]


def _routed() -> Path:
    near, far, between = _namespaces(3)
    addresses = (("near", ROUTER_NEAR), ("far", ROUTER_FAR))
    links = [f"address add {address}/24 dev {end}" for end, address in addresses]
    links += [f"link set {end} up" for end, _ in addresses]
    _ip(between, *_cables(near, far), *links)
    _set("/proc/sys/net/ipv4/ip_forward", "1")
    _ip(near, *_host(NEAR, 24), f"route add default via {ROUTER_NEAR}")
    _ip(far, *_host(FAR, 24))
    return Path(near, far, FAR, between)


def _set(sysctl: str, value: str) -> None:
    """Set a sysctl of the network namespace that this process is in."""
    with open(sysctl, "w") as file:
        file.write(value)


def _ip(namespace: int, *lines: str) -> None:
    enter_namespace(namespace)
    _do(["ip", "-batch", "-"], "\n".join(lines))


def _do(words: list[str], script: str) -> None:
    try:
        helper.run(words, script, seconds=_TO_LAY)
    except OSError as error:
        raise SetupFailed(str(error)) from None
