"""The exercises of chapter 7: network namespaces."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator
from itertools import chain

from nsedu.cable import cable
from nsedu.exercises.model import Exercise, Verdict, World
from nsedu.observe.network import Link, Network, networks
from nsedu.observe.places import Place
from nsedu.procfs import VANISHED, read
from nsedu.records import Process
from nsedu.sandbox import Sandbox

_NOBODY = "found no running process of yours in another network namespace."
_LISTEN = b"0A"  # TCP_LISTEN of <linux/tcp_states.h>, as /proc/PID/net/tcp has it


def _listening(pid: int) -> set[int]:
    """The TCP ports on which somebody listens in the network namespace of a process."""
    ports = set()
    for name in ("tcp", "tcp6"):
        try:
            lines = read(f"/proc/{pid}/net/{name}").splitlines()[1:]
        except VANISHED:
            continue
        for _, local, _, state, *_ in map(bytes.split, lines):
            if state == _LISTEN:
                ports.add(int(local.rpartition(b":")[2], 16))
    return ports


def _server(box: Sandbox, port: int) -> Iterator[None]:
    """Someone who listens on a port in a sandbox for as long as this stands."""
    code = (
        "import socket, time\n"
        f"with socket.create_server(('', {port})):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)"
    )
    with box.popen([sys.executable, "-I", "-c", code]) as server:
        server.stdout.readline()
        yield


def _same_port(world: World) -> Verdict:
    ports = {ns: _listening(people[0].pid) for ns, people in world.elsewhere("net").items()}
    count = sum(8080 in found for found in ports.values())
    if count > 1:
        return Verdict("net-1", True, f"{count} network namespaces, each with its own port 8080.")
    if count:
        return Verdict(
            "net-1", False, "found one network namespace with a server on port 8080; it takes two."
        )
    others = sorted(set(chain.from_iterable(ports.values())))
    if others:
        told = ", ".join(map(str, others))
        return Verdict("net-1", False, f"found servers, but on port {told} and not on 8080.")
    if ports:
        return Verdict(
            "net-1", False, "found another network namespace, but nobody who listens in it."
        )
    return Verdict("net-1", False, _NOBODY)


def _two_servers() -> Iterator[None]:
    with Sandbox("net") as one, Sandbox("net") as other:
        for _ in _server(one, 8080):
            yield from _server(other, 8080)


def _one_server() -> Iterator[None]:
    with Sandbox("net") as box, Sandbox("net"):
        yield from _server(box, 8080)


def _two_ports() -> Iterator[None]:
    with Sandbox("net") as one, Sandbox("net") as other:
        for _ in _server(one, 8080):
            yield from _server(other, 8081)


def _nobody_listens() -> Iterator[None]:
    with Sandbox("net"), Sandbox("net"):
        yield


_last: list[tuple[object, Verdict]] = []  # the signs at the last look, and what it said


def _connected(world: World) -> Verdict:
    """Whether there is a cable; looked for only if there are signs of a change, since it is dear.

    To ask by netlink means to start a process with pyroute2 in it: a quarter of a second.
    """
    elsewhere = world.elsewhere("net")
    signs = {ns: _signs(people[0].pid) for ns, people in elsewhere.items()}
    if not _last or _last[0][0] != signs:
        _last[:] = [(signs, _cabled(elsewhere))]
    return _last[0][1]


def _signs(pid: int) -> tuple[object, ...]:
    """What /proc tells at once of links and addresses where a process lives (proc_pid_net(5))."""
    try:
        links = [line.partition(b":")[0] for line in read(f"/proc/{pid}/net/dev").splitlines()]
        return (*links, read(f"/proc/{pid}/net/fib_trie"), read(f"/proc/{pid}/net/if_inet6"))
    except OSError:  # it has ended, or the kernel was built without one of them
        return (os.urandom(8),)


def _cabled(elsewhere: dict[int, list[Process]]) -> Verdict:
    try:
        found = networks([Place(str(ns), people[0].pid) for ns, people in elsewhere.items()])
    except ValueError:
        return Verdict("net-2", False, "found a process that ended just now; check once more.")
    by_ns = {network.ns: network for network in found}
    cables = [(link, other) for network in found for link, other in _cables(network, by_ns)]
    if any(_alive(link, other) for link, other in cables):
        return Verdict(
            "net-2", True, "a cable between two network namespaces, with addresses that meet."
        )
    if cables:
        return Verdict("net-2", False, f"found a cable, but {_wrong_with(*cables[0])}.")
    if any(link.kind == "veth" for network in found for link in network.links):
        return Verdict(
            "net-2", False, "found a cable, but not between two namespaces that are both yours and"
            " not this notebook's."
        )  # fmt: skip
    if found:
        count = f"{len(found)} other network namespace{'s' if len(found) > 1 else ''}"
        return Verdict("net-2", False, f"found {count} of yours, but no cable.")
    return Verdict("net-2", False, _NOBODY)


def _cables(network: Network, by_ns: dict[int, Network]) -> Iterator[tuple[Link, Link]]:
    for link in network.links:
        if link.kind == "veth" and link.peer and link.peer.ns in by_ns.keys() - {network.ns}:
            for other in by_ns[link.peer.ns].links:
                if other.name == link.peer.name:
                    yield link, other


def _alive(one: Link, other: Link) -> bool:
    return one.up and other.up and _meet(one, other)


def _meet(one: Link, other: Link) -> bool:
    """Whether an address of one is in the network of another, and not the same."""
    mine, theirs = (
        [ipaddress.ip_interface(text) for text in link.addresses] for link in (one, other)
    )
    return any(a.network == b.network and a.ip != b.ip for a in mine for b in theirs)


def _wrong_with(one: Link, other: Link) -> str:
    if not (one.up and other.up):
        return f"its end {one.name if not one.up else other.name} is not switched on"
    if not (one.addresses and other.addresses):
        return f"its end {one.name if not one.addresses else other.name} has no address"
    told = " and ".join(" ".join(link.addresses) for link in (one, other))
    return f"its addresses, {told}, are not two of one network"


def _laid(mine: str, *theirs: str) -> Iterator[None]:
    with Sandbox("net") as lab, lab.sandbox("net") as one, lab.sandbox("net") as other:
        cable((one, "eth0", mine), (other, "eth0", *theirs))
        yield


def _cable() -> Iterator[None]:
    yield from _laid("10.7.0.1/24", "10.7.0.2/24")


def _no_address() -> Iterator[None]:
    yield from _laid("10.7.0.1/24")


def _two_networks() -> Iterator[None]:
    yield from _laid("10.7.0.1/24", "10.8.0.2/24")


def _both_ends_in_one() -> Iterator[None]:
    with Sandbox("net") as box:
        cable((box, "left", "10.7.0.1/24"), (box, "right", "10.7.0.2/24"))
        yield


_KNOCK = ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/80 && echo open"]
_REDIRECT = """
table ip nat {{
    chain {hook} {{
        type nat hook {hook} priority -100
        tcp dport 80 redirect to :8080
    }}
}}
"""


def _redirected(world: World) -> Verdict:
    seen = [
        (people[0], _listening(people[0].pid) & {80, 8080})
        for people in world.elsewhere("net").values()
    ]
    servers = [process for process, ports in seen if ports == {8080}]
    if any(world.says(process, _KNOCK) == "open" for process in servers):
        return Verdict("net-3", True, "nobody listens on port 80, and yet somebody answers there.")
    if servers:
        return Verdict(
            "net-3", False, "found a server on port 8080, but a connection to port 80 is refused."
        )
    if any(80 in ports for _, ports in seen):
        return Verdict("net-3", False, "found a server on port 80 itself; nobody may listen there.")
    if seen:
        return Verdict("net-3", False, "found another network namespace, without a server on 8080.")
    return Verdict("net-3", False, _NOBODY)


def _with_rule(hook: str, port: int) -> Iterator[None]:
    with Sandbox("net") as box:
        box.run(["nft", "-f", "-"], input=_REDIRECT.format(hook=hook))
        yield from _server(box, port)


def _redirect() -> Iterator[None]:
    yield from _with_rule("output", 8080)


def _arriving_only() -> Iterator[None]:
    yield from _with_rule("prerouting", 8080)


def _on_80() -> Iterator[None]:
    with Sandbox("net") as box:
        yield from _server(box, 80)


_HAND_SERVER = "python3 -m http.server 8080 &> /dev/null"  # what it says, nobody would read
_HAND_CABLE = (
    "unshare --net sleep 60 & other=$!;"
    " until [ $(readlink /proc/$other/ns/net) != $(readlink /proc/self/ns/net) ];"
    " do sleep 0.02; done;"
    " ip link add left type veth peer name right netns $other;"
    " ip addr add 10.7.0.1/24 dev left; ip link set left up;"
    " nsenter --target $other --net ip addr add 10.7.0.2/24 dev right;"
    " nsenter --target $other --net ip link set right up"
)
_HAND_RULE = (
    "PATH+=:/usr/sbin; nft add table ip nat;"
    " nft 'add chain ip nat out { type nat hook output priority -100; }';"
    " nft add rule ip nat out tcp dport 80 redirect to :8080"
)

EXERCISES = (
    Exercise(
        "net-1",
        "One port, twice",
        "Have two servers listen on the same TCP port, 8080, at the same time, neither of them in"
        " this notebook's network namespace. Leave both running.",
        (
            "A port belongs to a network namespace, not to the machine.",
            "Two network namespaces, a server in each: box.popen(…) starts one and leaves it.",
            'box = Sandbox("net"); server = box.popen("python3 -m http.server 8080"), and again.',
        ),
        _same_port,
        _two_servers,
        {"one server": _one_server, "two ports": _two_ports, "nobody listens": _nobody_listens},
        shell=f"unshare -Ur --net {_HAND_SERVER} & exec unshare -Ur --net {_HAND_SERVER}",
        inside=f"{_HAND_SERVER} & unshare --net {_HAND_SERVER} &",
    ),
    Exercise(
        "net-2",
        "A cable",
        "Connect two network namespaces, neither of them this notebook's, by a virtual cable. Both"
        " ends are switched on and have addresses of one network, so that they could talk.",
        (
            "A veth pair is a cable: one end here, the other there.",
            "Who lays it must be root over both: make both sandboxes inside a third.",
            'lab = Sandbox("net"); one, other = lab.sandbox("net"), lab.sandbox("net"), then'
            ' ns.cable((one, "eth0", "10.7.0.1/24"), (other, "eth0", "10.7.0.2/24"))',
        ),
        _connected,
        _cable,
        {
            "no address": _no_address,
            "two networks": _two_networks,
            "both ends in one namespace": _both_ends_in_one,
        },
        needs=("veth",),
        shell=f"unshare -Ur --net bash -c '{_HAND_CABLE}; wait'",
        inside=_HAND_CABLE,
    ),
    Exercise(
        "net-3",
        "A door with another number",
        "In a network namespace of your own, have a server listen on TCP port 8080 and nobody on"
        " port 80; and yet a connection from inside to 127.0.0.1, port 80, is answered.",
        (
            "Someone must rewrite the port on the way: a firewall can do more than refuse.",
            "The packet is made inside and never arrives from elsewhere: of nft's hooks it comes"
            " through output.",
            "nft: a chain of type nat, hook output, with the rule tcp dport 80 redirect to :8080.",
        ),
        _redirected,
        _redirect,
        {"only for what arrives": _arriving_only, "a server on 80": _on_80},
        needs=("nft",),
        shell=f'exec unshare -Ur --net bash -c "ip link set lo up; {_HAND_RULE};'
        f' exec {_HAND_SERVER}"',
        inside=f"{_HAND_RULE}; {_HAND_SERVER} &",
    ),
)  # fmt: skip
