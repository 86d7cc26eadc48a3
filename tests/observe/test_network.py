"""What is seen of network namespaces, against ip(8) run inside, on networks made at random."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import nsedu
from nsedu import Sandbox
from nsedu.observe.network import End, Network, Route, networks
from nsedu.observe.places import Place, places

pytestmark = pytest.mark.needs("userns", "mnt", "net", "nested", "veth", "unshare", "nsenter")

Cable = tuple[int, int, int]
"""A cable to lay: from which room, to which, and the third byte of its network."""

ROOMS = 3
CABLES = st.lists(
    st.tuples(st.integers(0, ROOMS - 1), st.integers(0, ROOMS - 1), st.integers(1, 200)),
    max_size=5,
    unique_by=lambda cable: cable[2],
)
BRIDGED = st.lists(st.booleans(), min_size=5, max_size=5)


def lay(boxes: list[Sandbox], cables: list[Cable], bridged: list[bool], mtu: int) -> None:
    for number, (one, other, net) in enumerate(cables):
        nsedu.cable(
            (boxes[one], f"a{number}", f"10.0.{net}.1/24", f"fd00:{net}::1/64"),
            (boxes[other], f"b{number}", f"10.0.{net}.2/24"),
        )
        script = f"ip link set a{number} mtu {mtu}"
        if one != other:
            script += f"; ip route add 10.9.{net}.0/24 via 10.0.{net}.2"
        boxes[one].run(script)
        if bridged[number]:
            bridge = f"ip link add br{number} type bridge; ip link set b{number} master br{number}"
            boxes[other].run(bridge)


def ip(box: Sandbox, *words: str) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = json.loads(box.run(["ip", "-json", "-details", *words]).stdout)
    return said


def netns_ids(lab: Sandbox, box: Sandbox, boxes: list[Sandbox]) -> dict[int, Sandbox]:
    """Whom each netns id of a box means, by ip-netns(8), which wants names for them."""
    script = (
        "mount -t tmpfs none /run; mkdir /run/netns; inside=$1; shift; for pid in $@; do"
        " touch /run/netns/$pid; mount --bind /proc/$pid/ns/net /run/netns/$pid; done;"
        " nsenter --net=/proc/$inside/ns/net ip -json netns list-id"
    )
    pids = [str(one.pid) for one in (box, *boxes)]
    said = lab.run(["unshare", "--mount", "bash", "-ec", script, "bash", *pids]).stdout
    by_pid = {str(one.pid): one for one in boxes}
    return {e["nsid"]: by_pid[e["name"]] for e in json.loads(said or "[]") if "name" in e}


def by_ip(box: Sandbox, ids: dict[int, Sandbox]) -> tuple[dict[str, Any], set[Any]]:
    """Links by name, and routes."""
    links = {}
    for link in ip(box, "address", "show"):
        loopback = link["link_type"] == "loopback"
        peer = None
        if "link_index" in link and not loopback:
            far = ids[link["link_netnsid"]] if "link_netnsid" in link else box
            (name,) = [o["ifname"] for o in ip(far, "link") if o["ifindex"] == link["link_index"]]
            peer = End(far.namespaces["net"].ns, name)
        elif "link" in link:
            peer = End(box.namespaces["net"].ns, link["link"])
        links[link["ifname"]] = (
            "loopback" if loopback else link["linkinfo"]["info_kind"],
            "UP" in link["flags"],
            "LOWER_UP" in link["flags"],
            link["mtu"],
            link.get("master", ""),
            peer,
            {f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["scope"] == "global"},
        )
    routes = {
        (route["dst"], route.get("gateway", ""), route["dev"])
        for route in ip(box, "route", "show")
        if route["protocol"] != "kernel"
    }
    return links, routes


def by_us(network: Network) -> tuple[dict[str, Any], set[Any]]:
    """The same of our records."""
    links = {
        link.name: (
            link.kind, link.up, link.carrier, link.mtu, link.master, link.peer,
            set(link.addresses) - {"127.0.0.1/8"},
        )
        for link in network.links
    }  # fmt: skip
    return links, {(route.to, route.via, route.link) for route in network.routes}


# Nothing is shrunk: sandboxes are too slow for hundreds of attempts.
@settings(max_examples=4, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(CABLES, BRIDGED, st.sampled_from([1280, 1400, 9000]))
def test_it_sees_what_ip_sees_inside(cables: list[Cable], bridged: list[bool], mtu: int) -> None:
    with Sandbox("net") as lab, contextlib.ExitStack() as stack:
        boxes = [stack.enter_context(lab.sandbox("net")) for _ in range(ROOMS)]
        lay(boxes, cables, bridged, mtu)
        for box, network in zip(boxes, networks(places(*boxes)), strict=True):
            assert network.ns == box.namespaces["net"].ns
            assert by_us(network) == by_ip(box, netns_ids(lab, box, boxes))


@pytest.fixture(scope="module")
def lab() -> Iterator[Sandbox]:
    with Sandbox("net", name="lab") as lab:
        yield lab


def test_a_new_one_holds_lo_alone_and_it_is_down() -> None:
    code = (
        "import ctypes, time; ctypes.CDLL(None).unshare(0x50000000); print(flush=True);"
        " time.sleep(60)"
    )  # CLONE_NEWUSER | CLONE_NEWNET
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (network,) = networks(places(process.pid))
        process.kill()
    (lo,) = network.links
    assert (lo.name, lo.kind, lo.up, lo.carrier, lo.addresses) == (
        "lo",
        "loopback",
        *[False] * 2,
        (),
    )


def test_places_in_one_namespace_are_told_together(lab: Sandbox) -> None:
    with Sandbox(join=lab, name="guest") as guest, lab.sandbox("net", name="room") as room:
        seen = networks(places(lab, room, guest))
    assert [network.members for network in seen] == [
        ('sandbox "lab"', 'sandbox "guest"'),
        ('sandbox "room"',),
    ]


def test_the_far_end_in_a_namespace_that_was_not_asked_for_is_unknown(lab: Sandbox) -> None:
    with lab.sandbox("net") as one, lab.sandbox("net") as other:
        nsedu.cable((one, "eth0"), (other, "eth0"))
        (network,) = networks(places(one))
    assert network.links[-1].peer == End(0, "")


def test_of_ones_own_namespace_only_links_that_lead_elsewhere_are_told() -> None:
    (network,) = networks([Place("here", os.getpid())])
    assert network.own
    assert (network.links, network.routes, network.rules) == ((), (), ())


def test_routes_that_lead_nowhere_are_told(lab: Sandbox) -> None:
    with lab.sandbox("net") as box:
        box.run("ip route add unreachable 10.0.0.0/8; ip route add blackhole 10.1.0.0/16")
        (network,) = networks(places(box))
    assert set(network.routes) == {
        Route("10.0.0.0/8", "unreachable", ""),
        Route("10.1.0.0/16", "blackhole", ""),
    }


@pytest.mark.needs("nft")
def test_rules_come_in_words_and_belong_to_one_namespace(lab: Sandbox) -> None:
    rules = """
        table inet filter {
            chain in {
                type filter hook input priority 0; policy drop;
                tcp dport { 22, 443 } accept
            }
        }
    """
    with lab.sandbox("net") as guarded, lab.sandbox("net") as other:
        guarded.run(["nft", rules])
        seen = networks(places(guarded, other))
    assert [network.rules for network in seen] == [
        ("coming in: tcp to port 22 or 443 → let pass", "coming in: all else → dropped"),
        (),
    ]


def test_forwarding_is_told(lab: Sandbox) -> None:
    with lab.sandbox("net") as box:
        seen = []
        for word in "01":
            box.run(f"echo {word} > /proc/sys/net/ipv4/ip_forward")
            seen += [network.forwards for network in networks(places(box))]
    assert seen == [False, True]


def test_a_process_that_has_ended_is_a_sentence() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(ValueError, match=r"cannot be opened .*; name a process that runs"):
        networks([Place("gone", process.pid)])


def test_nobody_is_nothing() -> None:
    assert networks([]) == ()
