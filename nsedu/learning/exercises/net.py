"""The exercises of chapter 7: network namespaces."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.kernel import syscalls
from nsedu.kernel.namespace_files import open_file
from nsedu.kernel.namespace_types import CloneFlag
from nsedu.kernel.procfs import read
from nsedu.learning.exercises.model import Exercise, Finding, Keep, World
from nsedu.observe import questions
from nsedu.observe.networks import Link, Network, networks
from nsedu.observe.records import Process
from nsedu.observe.snapshot import snapshot
from nsedu.observe.viewpoints import Place
from nsedu.sandbox.sandbox import Sandbox
from nsedu.sandbox.veth import cable

NOBODY = "found no running process of yours in another network namespace."


def _server(keep: Keep, box: Sandbox, port: int) -> None:
    """Someone who listens on a port in a sandbox for as long as this stands."""
    code = (
        "import socket, time\n"
        f"with socket.create_server(('', {port})):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)"
    )
    server = keep(box.popen([sys.executable, "-I", "-c", code]))
    server.stdout.readline()


def _same_port(world: World) -> Finding:
    ports = {ns: found or [] for ns, found in world.asks("net", "listening").items()}
    count = sum(8080 in found for found in ports.values())
    if count > 1:
        return True, f"{count} network namespaces, each with its own port 8080."
    if count:
        return (False, "found one network namespace with a server on port 8080; it takes two.")
    others = sorted(set(chain.from_iterable(ports.values())))
    if others:
        told = ", ".join(map(str, others))
        return False, f"found servers, but on port {told} and not on 8080."
    if ports:
        return (False, "found another network namespace, but nobody who listens in it.")
    return False, NOBODY


def _two_servers(keep: Keep) -> None:
    one = keep(Sandbox("net"))
    other = keep(Sandbox("net"))
    _server(keep, one, 8080)
    _server(keep, other, 8080)


def _one_server(keep: Keep) -> None:
    box = keep(Sandbox("net"))
    keep(Sandbox("net"))
    _server(keep, box, 8080)


def _two_ports(keep: Keep) -> None:
    one = keep(Sandbox("net"))
    other = keep(Sandbox("net"))
    _server(keep, one, 8080)
    _server(keep, other, 8081)


_last: list[tuple[object, Finding]] = []  # the signs at the last look, and what it said


def _connected(world: World) -> Finding:
    """Whether there is a cable; looked for only if there are signs of a change, since it is dear.

    To ask by netlink takes some 20 ms for each namespace, and the lamp asks every second.
    """
    elsewhere = world.elsewhere("net")
    signs = {ns: _signs(people[0].pid) for ns, people in elsewhere.items()}
    with contextlib.ExitStack() as stack:
        held, sure = _held(world, stack)
        for ns, fd in held.items():
            signs[ns] = (fd, os.urandom(8))  # nobody is in there, so /proc tells nothing of it
        if not _last or _last[0][0] != signs:
            _last[:] = [(signs, _cabled(elsewhere, held, sure))]
    return _last[0][1]


def _signs(pid: int) -> tuple[object, ...]:
    """What /proc tells at once of links and addresses where a process lives (proc_pid_net(5))."""
    try:
        links = [line.partition(b":")[0] for line in read(f"/proc/{pid}/net/dev").splitlines()]
        return (*links, read(f"/proc/{pid}/net/fib_trie"), read(f"/proc/{pid}/net/if_inet6"))
    except OSError:  # it has ended, or the kernel was built without one of them
        return (os.urandom(8),)


def _held(world: World, stack: contextlib.ExitStack) -> tuple[dict[int, int], set[int]]:
    """The network namespaces that no process is in, which takes long if there is any.

    Returns:
        Inode number → open descriptor; and which of them are yours for sure: what is mounted in the
        notebook's own mount namespace may be another's (ip-netns and docker do that).
    """
    seers = {process.links.get("mnt"): process for process in world.yours}
    if not any(_may_hold(process) for process in seers.values()):
        return {}, set()
    scope = "machine" if world.seen.scope == "machine" else int(world.seen.scope)
    seen = world.once("deep", lambda: snapshot(scope, deep=True))
    yours = {process.pid: process.links.get("mnt") for process in world.yours}
    found: dict[int, int] = {}
    sure = set()
    for ns in seen.of_type("net"):
        for pin in ns.pins if not ns.members else ():
            if pin.kind != "bind" or pin.pid not in yours:
                continue
            if yours[pin.pid] != world.me.links.get("mnt"):
                sure.add(ns.ns)
            if ns.ns not in found:
                with contextlib.suppress(OSError):  # it may not be opened, or has gone
                    path = f"/proc/{pin.pid}/root{pin.detail}"
                    found[ns.ns] = open_file(path, ("net", ns.ns))
                    stack.callback(os.close, found[ns.ns])
    return found, sure


def _may_hold(process: Process) -> bool:
    """Whether a process sees a namespace that is mounted somewhere."""
    try:
        return b" - nsfs " in read(f"/proc/{process.pid}/mountinfo")
    except OSError:
        return False


def _cabled(
    elsewhere: dict[int, list[Process]], held: Mapping[int, int], sure: set[int]
) -> Finding:
    places = [Place(str(ns), people[0].pid) for ns, people in elsewhere.items()]
    try:
        found = networks(places, held)
    except ValueError:
        return False, "found a process that ended just now; check once more."
    own = os.stat("/proc/thread-self/ns/net").st_ino
    found = tuple(network for network in found if network.ns != own)
    if any(_alive(link, other) for link, other in _all_cables(found)):
        return (True, "a cable between two network namespaces, with addresses that meet.")
    found = tuple(network for network in found if network.ns in elsewhere or network.ns in sure)
    cables = _all_cables(found)
    if cables:
        return False, f"found a cable, but {_wrong_with(*cables[0])}."
    if any(link.kind == "veth" for network in found for link in network.links):
        return (False, "found a cable, but not between two namespaces that are both yours and"
            " not this notebook's."
        )  # fmt: skip
    if found:
        count = f"{len(found)} other network namespace{'s' if len(found) > 1 else ''}"
        return False, f"found {count} of yours, but no cable."
    return False, NOBODY


def _all_cables(found: Sequence[Network]) -> list[tuple[Link, Link]]:
    by_ns = {network.ns: network for network in found}
    return [pair for network in found for pair in _cables(network, by_ns)]


def _cables(network: Network, by_ns: dict[int, Network]) -> Iterator[tuple[Link, Link]]:
    for link in network.links:
        if link.kind == "veth" and link.peer and link.peer.ns in by_ns.keys() - {network.ns}:
            for other in by_ns[link.peer.ns].links:
                if other.name == link.peer.name:
                    yield link, other


def _alive(one: Link, other: Link) -> bool:
    return one.up and other.up and _meet(one, other)


def _meet(one: Link, other: Link) -> bool:
    """Whether each has an address in the network that the other's address is of."""
    return any(
        a != b and b in mine and a in theirs
        for a, mine in one.reaches
        for b, theirs in other.reaches
    )


def _wrong_with(one: Link, other: Link) -> str:
    if not (one.up and other.up):
        return f"its end {one.name if not one.up else other.name} is switched off"
    if not (one.addresses and other.addresses):
        name = one.name if not one.addresses else other.name
        return f"its end {name} has only the link-local address that IPv6 gives it, or none at all"
    told = " and ".join(" ".join(link.addresses) for link in (one, other))
    return f"its addresses, {told}, are not two of one network"


def _laid(keep: Keep, mine: str, *theirs: str) -> None:
    lab = keep(Sandbox("net"))
    one = keep(lab.sandbox("net"))
    other = keep(lab.sandbox("net"))
    cable((one, "eth0", mine), (other, "eth0", *theirs))


def _both_ends_in_one(keep: Keep) -> None:
    box = keep(Sandbox("net"))
    cable((box, "left", "10.7.0.1/24"), (box, "right", "10.7.0.2/24"))


_REDIRECT = """
table ip nat {{
    chain {hook} {{
        type nat hook {hook} priority -100
        tcp dport 80 redirect to :8080
    }}
}}
"""


def _redirected(world: World) -> Finding:
    homes = world.elsewhere("net")
    seen = {
        ns: {80, 8080} & {*(ports or ())} for ns, ports in world.asks("net", "listening").items()
    }
    servers = [[p.pid for p in homes[ns]] for ns, ports in seen.items() if ports == {8080}]
    knocks = [questions.answer_of(pids, "net", "connect", 80) for pids in servers]
    refused = [knock for knock in knocks if knock is not None]
    if 0 in refused:
        return True, "nobody listens on port 80, and yet somebody answers there."
    if errno.ECONNREFUSED in refused:
        found = "found a server on port 8080, but a connection to port 80 is refused."
    elif errno.ENETUNREACH in refused:
        found = "found a server on port 8080, but nothing reaches 127.0.0.1: lo is switched off."
    elif refused:
        why = os.strerror(refused[0])
        found = f"found a server on port 8080, but a connection to port 80 fails: {why}."
    elif servers:
        found = "found a server on port 8080, in a network namespace that you may not enter."
    elif any(80 in ports for ports in seen.values()):
        found = "found a server on port 80 itself; nobody may listen there."
    elif seen:
        found = "found another network namespace, without a server on 8080."
    else:
        found = NOBODY
    return False, found


def _with_rule(keep: Keep, hook: str, port: int) -> None:
    box = keep(Sandbox("net"))
    box.run(["nft", "-f", "-"], input=_REDIRECT.format(hook=hook))
    _server(keep, box, port)


def _on_80(keep: Keep) -> None:
    box = keep(Sandbox("net"))
    _server(keep, box, 80)


_FAR, _BEYOND, _FAR6 = "10.7.0.2", "10.8.0.2", "fd00:7::2"


def _reaches(world: World, id: str, address: str) -> Finding:
    """Whether a connection from the sandbox called west arrives in the one called east."""
    ends = diagnosis.found(world, id, f"{id}-west", f"{id}-east")
    if len(ends) < 2:
        made = f'ns.broken("{id}") makes them'
        return False, f'found no sandboxes called "{id}-west" and "{id}-east": {made}.'
    west, east = ends
    if west.links.get("net") == east.links.get("net"):
        return False, "found west and east in one network namespace."
    said = questions.arrives(west.pid, east.pid, address)
    if said.get("value") and said["connect"] == 0:
        return True, f"a connection from west to {address} arrives in east."
    if said.get("step") == "enter":
        found = "found the two, but they may not be entered."
    elif said.get("errno") == errno.EADDRNOTAVAIL:
        found = f"found that east cannot be reached at {address}: it has no such address."
    elif "errno" in said:
        found = f"found that nobody can listen in east: {os.strerror(said['errno'])}."
    elif said["connect"] in (0, errno.ECONNREFUSED):
        found = f"found that {address} answers west, but it is not east that does."
    elif said["connect"] == errno.ETIMEDOUT:
        found = f"found that a connection from west to {address} hears nothing."
    else:
        why = os.strerror(said["connect"])
        found = f"found that a connection from west to {address} fails: {why}."
    return False, found


def _cable_reaches(world: World) -> Finding:
    return _reaches(world, "net-4", _FAR)


def _router_reaches(world: World) -> Finding:
    return _reaches(world, "net-5", _BEYOND)


def _reaches6(world: World) -> Finding:
    return _reaches(world, "net-6", _FAR6)


_Change = tuple[Sandbox, str, str, dict[str, object]]

"""A sandbox, and what to ask of rtnetlink(7) there: "link", "set", {…} or so."""


def _change(lab: Sandbox, *changes: _Change, check: bool = True) -> None:
    """Change links, addresses and routes in sandboxes inside another.

    Args:
        lab: the one around them.
        changes: what to do where.
        check: whether it is an error that the kernel refuses one, as what is there already.
    """
    lab.call(_apply, [(box.pid, *change) for box, *change in changes], check)


def _apply(changes: list[tuple[int, str, str, dict[str, object]]], check: bool) -> None:
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    for pid, what, verb, about in changes:
        with open(os.pidfd_open(pid)) as pidfd:
            syscalls.setns(pidfd.fileno(), CloneFlag.NEWNET)
        with IPRoute() as route:
            link = about.pop("link", None)
            if link is not None:
                about["index"] = route.link_lookup(ifname=link)[0]
            try:
                getattr(route, what)(verb, **about)
            except NetlinkError:
                if check:
                    raise


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


_Fault = Callable[..., None]

"""Called with the sandboxes in which something is to be broken, and the one around them last."""


def switch_off(west: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    """The end in east is switched off."""
    _change(lab, (east, "link", "set", {"link": "eth0", "state": "down"}))


def other_network(west: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    """West has an address of another network."""
    old, new = (_address("eth0", f"10.7.{n}.1", 24) for n in (0, 1))
    _change(lab, (west, "addr", "del", old), (west, "addr", "add", new))


def dead_end(west: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    """West has a route to east that says there is none."""
    _change(lab, (west, "route", "add", {"dst": f"{_FAR}/32", "type": "unreachable"}))


def taken(west: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    """West has the address of east itself."""
    _change(lab, (west, "addr", "add", _address("lo", _FAR, 32)))


def _address(link: str, address: str, length: int) -> dict[str, object]:
    about: dict[str, object] = {"link": link, "address": address, "prefixlen": length}
    return about | ({"flags": _AT_ONCE} if ":" in address else {})


_AT_ONCE = 0x2  # IFA_F_NODAD of <linux/if_addr.h>: nobody is asked whether the address is taken

CABLE_FAULTS: tuple[_Fault, ...] = (switch_off, other_network, dead_end, taken)


def _broken_cable(fault: _Fault | None = None) -> tuple[Sandbox, ...]:
    """Two sandboxes on a cable, with something that keeps one from reaching the other."""
    lab = Sandbox("net", name="net-4-lab")
    west, east = (lab.sandbox("net", name=f"net-4-{side}") for side in ("west", "east"))
    cable((west, "eth0", "10.7.0.1/24"), (east, "eth0", f"{_FAR}/24"))
    (fault or diagnosis.chance.choice(CABLE_FAULTS))(west, east, lab)
    return west, east, lab


_FORWARD = "/proc/sys/net/ipv4/ip_forward"

_AHEAD = {"dst": "default", "gateway": "10.7.0.254"}

_BACK = {"dst": "default", "gateway": "10.8.0.254"}

_HOLE = {"dst": f"{_BEYOND}/32", "type": "blackhole"}


def no_passing_on(west: Sandbox, router: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    """The router does not forward."""
    router.call(_write, _FORWARD, "0")


def no_way_back(west: Sandbox, router: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    """East has no route to west."""
    _change(lab, (east, "route", "del", {**_BACK}))


def no_way_there(west: Sandbox, router: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    """West has no route to east."""
    _change(lab, (west, "route", "del", {**_AHEAD}))


def wrong_gateway(west: Sandbox, router: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    """West's route leads to an address that no router has."""
    _change(lab, (west, "route", "replace", {**_AHEAD, "gateway": "10.7.0.9"}))


def hole(west: Sandbox, router: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    """The router drops what is for east."""
    _change(lab, (router, "route", "add", {**_HOLE}))


ROUTER_FAULTS: tuple[_Fault, ...] = (
    no_passing_on, no_way_back, no_way_there, wrong_gateway, hole,
)  # fmt: skip


def _broken_router(fault: _Fault | None = None) -> tuple[Sandbox, ...]:
    """Two sandboxes, and a router between them that does not bring one's packets to the other."""
    lab = Sandbox("net", name="net-5-lab")
    west, router, east = (
        lab.sandbox("net", name=f"net-5-{name}") for name in ("west", "router", "east")
    )
    cable(
        (west, "eth0", "10.7.0.1/24"), (router, "west", "10.7.0.254/24"),
        (east, "eth0", f"{_BEYOND}/24"), (router, "east", "10.8.0.254/24"),
    )  # fmt: skip
    _change(lab, (west, "route", "add", {**_AHEAD}), (east, "route", "add", {**_BACK}))
    router.call(_write, _FORWARD, "1")
    (fault or diagnosis.chance.choice(ROUTER_FAULTS))(west, router, east, lab)
    return west, router, east, lab


_OFF6 = "/proc/sys/net/ipv6/conf/eth0/disable_ipv6"


def no_ipv6(west: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    """IPv6 is switched off in east."""
    east.call(_write, _OFF6, "1")


def too_narrow(west: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    """West's address has no network around it."""
    wide, narrow = (_address("eth0", "fd00:7::1", length) for length in (64, 128))
    _change(lab, (west, "addr", "del", wide), (west, "addr", "add", narrow))


def taken6(west: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    """West has the IPv6 address of east itself."""
    _change(lab, (west, "addr", "add", _address("lo", _FAR6, 128)), check=False)


IPV6_FAULTS: tuple[_Fault, ...] = (no_ipv6, too_narrow, taken6)


def _broken_ipv6(fault: _Fault | None = None) -> tuple[Sandbox, ...]:
    """Two sandboxes on a cable, with addresses of IPv6 alone, of which one is not reached."""
    lab = Sandbox("net", name="net-6-lab")
    west, east = (lab.sandbox("net", name=f"net-6-{side}") for side in ("west", "east"))
    cable((west, "eth0", "fd00:7::1/64"), (east, "eth0", f"{_FAR6}/64"))
    (fault or diagnosis.chance.choice(IPV6_FAULTS))(west, east, lab)
    return west, east, lab


def _mended(keep: Keep, id: str) -> None:
    """The sandboxes of net-4, -5 or -6 as they were before something in them was broken."""
    boxes = keep(diagnosis.begun(id, BREAK[id]))
    MEND[id](*boxes)


def _mend_cable(west: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    cable((west, "eth0", "10.7.0.1/24"), (east, "eth0", f"{_FAR}/24"))  # a new one
    _change(
        lab, (west, "addr", "del", _address("lo", _FAR, 32)),
        (west, "route", "del", {"dst": f"{_FAR}/32", "type": "unreachable"}), check=False,
    )  # fmt: skip


def _mend_router(west: Sandbox, router: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    _change(
        lab, (west, "route", "replace", {**_AHEAD}), (east, "route", "replace", {**_BACK}),
        (router, "route", "del", {**_HOLE}), check=False,
    )  # fmt: skip
    router.call(_write, _FORWARD, "1")


def _mend_ipv6(west: Sandbox, east: Sandbox, lab: Sandbox) -> None:
    cable((west, "eth0", "fd00:7::1/64"), (east, "eth0", f"{_FAR6}/64"))
    _change(lab, (west, "addr", "del", _address("lo", _FAR6, 128)), check=False)


BREAK = {"net-4": _broken_cable, "net-5": _broken_router, "net-6": _broken_ipv6}

MEND: dict[str, _Fault] = {"net-4": _mend_cable, "net-5": _mend_router, "net-6": _mend_ipv6}


def _untouched(keep: Keep, id: str) -> None:
    keep(diagnosis.begun(id, BREAK[id]))


def _address_at_home(keep: Keep) -> None:
    """The address that is not reached is given to the one who looks for it."""
    boxes = keep(diagnosis.begun("net-4", _broken_cable))
    _mend_cable(*boxes)
    taken(*boxes)


def _router_has_it(keep: Keep) -> None:
    """The router answers to the address of east."""
    (west, router, east, lab) = keep(diagnosis.begun("net-5", _broken_router))
    _mend_router(west, router, east, lab)
    _change(lab, (router, "addr", "add", _address("lo", _BEYOND, 32)))


def _address_at_home6(keep: Keep) -> None:
    boxes = keep(diagnosis.begun("net-6", _broken_ipv6))
    _mend_ipv6(*boxes)
    taken6(*boxes)


_HAND_SERVER = "python3 -m http.server 8080 &> /dev/null"  # what it says, nobody would read

NET_1 = Exercise(
    "net-1",
    "One port, twice",
    task=(
        "Have two servers listen on the same TCP port, 8080, at the same time, neither of them in"
        " this notebook's network namespace. Leave both running."
    ),
    hints=(
        "A port belongs to a network namespace, not to the machine.",
        "Two network namespaces, a server in each: box.popen(…) starts one and leaves it.",
        "python3 -m http.server 8080 listens until it is ended; keep what popen returns.",
    ),
    check=_same_port,
    solution=_two_servers,
    wrong={
        "one server": _one_server,
        "two ports": _two_ports,
        "nobody listens": lambda keep: (keep(Sandbox("net")), keep(Sandbox("net"))),
    },
    shell=f"unshare -Ur --net {_HAND_SERVER} & exec unshare -Ur --net {_HAND_SERVER}",
    inside=f"{_HAND_SERVER} & unshare --net {_HAND_SERVER} &",
    one_way=(
        'one, two = ns.Sandbox("net"), ns.Sandbox("net")\n'
        'servers = [box.popen("python3 -m http.server 8080") for box in (one, two)]'
    ),
)

_HAND_CABLE = (
    "unshare --net sleep 60 & other=$!;"
    " until [ $(readlink /proc/$other/ns/net) != $(readlink /proc/self/ns/net) ];"
    " do sleep 0.02; done;"
    " ip link add left type veth peer name right netns $other;"
    " ip addr add 10.7.0.1/24 dev left; ip link set left up;"
    " nsenter --target $other --net ip addr add 10.7.0.2/24 dev right;"
    " nsenter --target $other --net ip link set right up"
)

NET_2 = Exercise(
    "net-2",
    "A cable",
    task=(
        "Connect two network namespaces, neither of them this notebook's, by a virtual cable. Both"
        " ends are switched on, and you have given them two addresses of one network. (The"
        " link-local address that IPv6 gives each link by itself does not count.)"
    ),
    hints=(
        "A veth pair is a cable: one end here, the other there.",
        "Who lays it must be root over both: make both sandboxes inside a third.",
        'ns.cable takes two ends: (one, "eth0", an address with its /24), and the other.',
    ),
    check=_connected,
    solution=lambda keep: _laid(keep, "10.7.0.1/24", "10.7.0.2/24"),
    wrong={
        "no address": lambda keep: _laid(keep, "10.7.0.1/24"),
        "two networks": lambda keep: _laid(keep, "10.7.0.1/24", "10.8.0.2/24"),
        "both ends in one namespace": _both_ends_in_one,
    },
    needs=("veth",),
    shell=f"unshare -Ur --net bash -c '{_HAND_CABLE}; wait'",
    inside=_HAND_CABLE,
    one_way=(
        'lab = ns.Sandbox("net")\n'
        'one, other = lab.sandbox("net"), lab.sandbox("net")\n'
        'ns.cable((one, "eth0", "10.7.0.1/24"), (other, "eth0", "10.7.0.2/24"))'
    ),
)

_HAND_RULE = (
    "PATH+=:/usr/sbin; nft add table ip nat;"
    " nft 'add chain ip nat out { type nat hook output priority -100; }';"
    " nft add rule ip nat out tcp dport 80 redirect to :8080"
)

NET_3 = Exercise(
    "net-3",
    "A door with another number",
    task=(
        "In a network namespace of your own, have a server listen on TCP port 8080 and nobody on"
        " port 80; and yet a connection from inside to 127.0.0.1, port 80, is answered."
    ),
    hints=(
        "Someone must rewrite the port on the way: a firewall can do more than refuse.",
        "The packet is made inside and never arrives from elsewhere: of nft's hooks it comes"
        " through output.",
        "A chain of type nat at that hook, and in it a rule: tcp dport 80 redirect to …",
    ),
    check=_redirected,
    solution=lambda keep: _with_rule(keep, "output", 8080),
    wrong={
        "only for what arrives": lambda keep: _with_rule(keep, "prerouting", 8080),
        "a server on 80": _on_80,
    },
    needs=("nft",),
    shell=(
        f'exec unshare -Ur --net bash -c "ip link set lo up; {_HAND_RULE}; exec {_HAND_SERVER}"'
    ),
    inside=f"{_HAND_RULE}; {_HAND_SERVER} &",
    one_way=(
        'box = ns.Sandbox("net")\n'
        'box.run("""\n'
        "nft add table ip nat\n"
        "nft 'add chain ip nat out { type nat hook output priority -100; }'\n"
        "nft add rule ip nat out tcp dport 80 redirect to :8080\n"
        '""")\n'
        'server = box.popen("python3 -m http.server 8080")'
    ),
)

NET_4 = Exercise(
    "net-4",
    "A cable, and no answer",
    task=(
        'west, east, lab = ns.broken("net-4") makes two sandboxes on a cable. west is 10.7.0.1, and'
        f" east is {_FAR}; but a TCP connection from west to {_FAR} does not arrive in east. One"
        " thing is wrong. Find it and mend it, so that a connection does arrive."
    ),
    hints=(
        "Go from below: is the link on, at both ends? Which addresses are there, and where?",
        'west.run("ip address; ip route").stdout shows what west has, east.run the same of'
        f" east. And what does west think of {_FAR}? ip route get tells.",
        "Undo what is wrong: ip link set … up, ip address del and add, or ip route del.",
    ),
    check=_cable_reaches,
    solution=lambda keep: _mended(keep, "net-4"),
    wrong={
        "nothing mended": lambda keep: _untouched(keep, "net-4"),
        "the address at home": _address_at_home,
    },
    needs=("veth",),
    one_way=(
        'west, east, lab = ns.broken("net-4")\n'
        'west.run("ip address flush dev eth0; ip address add 10.7.0.1/24 dev eth0")\n'
        'west.run("ip address del 10.7.0.2/32 dev lo", check=False)\n'
        'west.run("ip route del unreachable 10.7.0.2", check=False)\n'
        'east.run("ip link set eth0 up")'
    ),
    broken=_broken_cable,
)

NET_5 = Exercise(
    "net-5",
    "Two cables and a router",
    task=(
        'west, router, east, lab = ns.broken("net-5") makes two sandboxes and a router between'
        f" them. A TCP connection from west (10.7.0.1) to {_BEYOND} does not arrive in east. One"
        " thing is wrong. Find it and mend it, so that a connection does arrive."
    ),
    hints=(
        "A packet must find its way there, and its answer the way back. Follow it from hop to"
        " hop: where does it end?",
        "ip route in each of the three; and does the router pass on what is not for itself?",
        "ip route replace or del, or a 1 in /proc/sys/net/ipv4/ip_forward of the router.",
    ),
    check=_router_reaches,
    solution=lambda keep: _mended(keep, "net-5"),
    wrong={
        "nothing mended": lambda keep: _untouched(keep, "net-5"),
        "the router has the address": _router_has_it,
    },
    needs=("veth",),
    one_way=(
        'west, router, east, lab = ns.broken("net-5")\n'
        'west.run("ip route replace default via 10.7.0.254")\n'
        'east.run("ip route replace default via 10.8.0.254")\n'
        'router.run("ip route del blackhole 10.8.0.2", check=False)\n'
        'router.run("echo 1 > /proc/sys/net/ipv4/ip_forward")'
    ),
    broken=_broken_router,
)

NET_6 = Exercise(
    "net-6",
    "IPv6 alone",
    task=(
        'west, east, lab = ns.broken("net-6") makes two sandboxes on a cable, with addresses of'
        f" IPv6 only. A TCP connection from west (fd00:7::1) to {_FAR6} does not arrive in east."
        " One thing is wrong. Find it and mend it, so that a connection does arrive."
    ),
    hints=(
        "ip -6 address and ip -6 route, in both. What should be there, and is not?",
        f"Does east have {_FAR6}, does nobody else have it, and does west know that it lies"
        " behind its eth0?",
        "A 0 in /proc/sys/net/ipv6/conf/eth0/disable_ipv6, ip address add with a /64 and"
        " nodad, or ip address del.",
    ),
    check=_reaches6,
    solution=lambda keep: _mended(keep, "net-6"),
    wrong={
        "nothing mended": lambda keep: _untouched(keep, "net-6"),
        "the address at home": _address_at_home6,
    },
    needs=("veth",),
    one_way=(
        'west, east, lab = ns.broken("net-6")\n'
        'west.run("ip address del fd00:7::2/128 dev lo", check=False)\n'
        'west.run("ip -6 address flush dev eth0 scope global")\n'
        'west.run("ip address add fd00:7::1/64 dev eth0 nodad")\n'
        'east.run("echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6")\n'
        'east.run("ip address replace fd00:7::2/64 dev eth0 nodad")'
    ),
    broken=_broken_ipv6,
)

EXERCISES = (NET_1, NET_2, NET_3, NET_4, NET_5, NET_6)
