"""What is seen of network namespaces, against ip(8) run inside, on networks made at random."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

import nsedu
from nsedu import Sandbox
from nsedu.observe import network_reader, nft_rules
from nsedu.observe.networks import End, Hop, Network, Route, networks
from nsedu.observe.viewpoints import Place, places

pytestmark = pytest.mark.needs("userns", "mnt", "net", "nested", "veth", "ip", "unshare", "nsenter")

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


def address_by_ip(address: dict[str, Any]) -> str:
    peer = f" peer {address['address']}" if "address" in address else ""
    flags = [flag for flag in ("deprecated", "dadfailed", "tentative") if address.get(flag)]
    return " ".join([f"{address['local']}{peer}/{address['prefixlen']}", *flags])


def by_the_kernel(address: dict[str, Any]) -> bool:
    return address["local"] == "::1" or (
        address["scope"] == "link" and address["local"] not in ("fe80::1", "169.254.0.1")
    )


def links_by_ip(box: Sandbox, ids: dict[int, Sandbox]) -> dict[str, Any]:
    """Links by name."""
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
            {address_by_ip(a) for a in link["addr_info"] if not by_the_kernel(a)},
        )
    return links


def routes_by_ip(box: Sandbox) -> list[Route]:
    routes = []
    for version, bits in ((4, "/32"), (6, "/128")):
        for route in ip(box, f"-{version}", "route", "show", "table", "all"):
            if route.get("protocol") == "kernel":
                continue
            kind = route.get("type", "unicast").replace("unicast", "")
            to = (
                route["dst"]
                if route["dst"] == "default" or "/" in route["dst"]
                else route["dst"] + bits
            )
            hops = tuple(
                Hop(hop.get("gateway") or hop.get("via", {}).get("host", ""), hop.get("dev", ""),
                    hop.get("weight", 1))
                for hop in route.get("nexthops") or [route]
            )  # fmt: skip
            table = {"main": 254, "local": 255}.get(route.get("table", "main"))
            nowhere = kind in ("unreachable", "blackhole", "prohibit", "throw")
            routes.append(
                Route(to, () if nowhere else hops, kind, version, route.get("metric", 0),
                      table or int(route["table"]))
            )  # fmt: skip
    return routes


def links_by_us(network: Network) -> dict[str, Any]:
    """The same of our records."""
    return {
        link.name: (
            link.kind, link.up, link.carrier, link.mtu, link.master, link.peer, set(link.addresses)
        )
        for link in network.links
    }  # fmt: skip


# Nothing is shrunk: sandboxes are too slow for hundreds of attempts.
@settings(max_examples=4, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(CABLES, BRIDGED, st.sampled_from([1280, 1400, 9000]))
def test_it_sees_what_ip_sees_inside(cables: list[Cable], bridged: list[bool], mtu: int) -> None:
    with Sandbox("net") as lab, contextlib.ExitStack() as stack:
        boxes = [stack.enter_context(lab.sandbox("net")) for _ in range(ROOMS)]
        lay(boxes, cables, bridged, mtu)
        for box, network in zip(boxes, networks(places(*boxes)), strict=True):
            assert network.ns == box.namespaces["net"].ns
            assert links_by_us(network) == links_by_ip(box, netns_ids(lab, box, boxes))
            assert set(network.routes) == set(routes_by_ip(box))


ADDRESSES = [
    "10.1.0.1/24", "10.1.0.9 peer 10.7.0.1/32", "10.1.0.5/24 preferred_lft 0 valid_lft 9999",
    "fd01::1/64 nodad", "fd01::2/64 nodad preferred_lft 0 valid_lft 9999",
    "fd01::9 peer fd07::1/128 nodad", "fe80::1/64 nodad",
    "169.254.0.1/16 scope link",
]  # fmt: skip
ROUTES = [
    "10.2.0.0/16 via 10.1.0.2", "10.2.0.0/16 via 10.1.0.3 metric 50", "default via 10.1.0.2",
    "10.3.0.0/16 dev br", "10.4.0.0/16 via inet6 fd01::5 dev br",
    "10.5.0.0/16 nexthop via 10.1.0.2 weight 3 nexthop via 10.1.0.3",
    "throw 10.6.0.0/16", "prohibit 10.7.0.0/16 metric 7", "blackhole 10.8.0.0/16 table 100",
    "local 10.9.0.0/16 dev lo", "default via 10.1.0.2 table 100",
    "fd02::/64 via fd01::5", "fd02::/64 via fd01::6 metric 20", "default via fd01::5 metric 9",
    "default via fe80::5 dev br", "fd03::/64 nexthop via fd01::5 nexthop via fd01::6 weight 2",
    "unreachable fd04::/64", "throw fd05::/64", "fd06::/64 dev br table 7",
]  # fmt: skip


@settings(max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@example(ADDRESSES, ROUTES, True)
@given(st.permutations(ADDRESSES), st.lists(st.sampled_from(ROUTES), unique=True), st.booleans())
def test_it_sees_addresses_and_routes_as_ip_does(
    lab: Sandbox, addresses: list[str], routes: list[str], up: bool
) -> None:
    """Of a bridge without ports; while it is off, its IPv6 addresses stay tentative."""
    commands = ["ip link add br type bridge", f"ip link set br {'up' if up else 'down'}"]
    commands += [f"ip address add {address} dev br" for address in addresses]
    # Append: two of one destination and metric are then two, or one with two ways, as it may be.
    commands += [f"ip {'-6' * (':' in r and 'inet6' not in r)} route append {r}" for r in routes]
    with lab.sandbox("net") as box:
        box.run("\n".join(f"{command} || true" for command in commands))
        (network,) = networks(places(box))
        assert links_by_us(network) == links_by_ip(box, {})
        assert sorted(network.routes, key=str) == sorted(routes_by_ip(box), key=str)


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
        Route("10.0.0.0/8", kind="unreachable"),
        Route("10.1.0.0/16", kind="blackhole"),
    }


@pytest.mark.needs("nft")
def test_rules_belong_to_one_namespace(lab: Sandbox) -> None:
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
    hook = "type filter hook input priority filter; policy drop;"
    chain = nft_rules.Chain("in", hook, ("tcp dport { 22, 443 } accept",))
    assert [network.rules for network in seen] == [
        (nft_rules.Table("inet filter", chains=(chain,)),),
        (),
    ]


@pytest.mark.parametrize(("ipv4", "ipv6"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_forwarding_is_reported_for_each_version_of_ip(lab: Sandbox, ipv4: int, ipv6: int) -> None:
    with lab.sandbox("net") as box:
        box.run(
            f"echo {ipv4} > /proc/sys/net/ipv4/ip_forward;"
            f" echo {ipv6} > /proc/sys/net/ipv6/conf/all/forwarding"
        )
        (network,) = networks(places(box))
    assert (network.forwards, network.forwards6) == (bool(ipv4), bool(ipv6))


def test_forwarding_of_a_single_link_is_reported(lab: Sandbox) -> None:
    with lab.sandbox("net") as box:
        box.run(
            "echo 0 > /proc/sys/net/ipv4/ip_forward; for b in b1 b2; do ip link add $b type bridge;"
            " done; echo 1 > /proc/sys/net/ipv4/conf/b2/forwarding"
        )
        (network,) = networks(places(box))
    assert {link.name: link.forwards for link in network.links} == {
        "lo": False, "b1": False, "b2": True,
    }  # fmt: skip


def test_an_address_that_somebody_else_has_is_said_to_have_failed(lab: Sandbox) -> None:
    with lab.sandbox("net") as one, lab.sandbox("net") as other:
        nsedu.cable((one, "eth0", "fd00::1/64"), (other, "eth0"))
        with other.popen(["ip", "monitor", "address"]) as monitor:
            other.run("until ip -6 address show dev eth0 scope link | grep -q inet6; do :; done")
            other.run("ip address add fd00::1/64 dev eth0")
            assert any("fd00::1/64" in line and "dadfailed" in line for line in monitor.stdout)
            monitor.kill()
        network = networks(places(other))[0]
    assert network.links[-1].addresses == ("fd00::1/64 dadfailed",)


def test_routes_that_cannot_be_read_cost_the_routes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fails:
        def get_routes(self) -> list[Any]:
            raise TimeoutError("no answer in time")

    monkeypatch.setattr(network_reader.signal, "alarm", lambda seconds: 0)
    found = network_reader.read_routes(Fails(), {})
    assert found["unread"].startswith("the routes: no answer in time")
    assert "routes" not in found
    assert "rules" in found


def test_rules_that_take_too_long_cost_the_rules_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoRoutes:
        def get_routes(self) -> list[Any]:
            return []

    def late() -> tuple[str, str]:
        raise TimeoutError("no answer in time")

    monkeypatch.setattr(network_reader.nft_rules, "listing", late)
    monkeypatch.setattr(network_reader.signal, "alarm", lambda seconds: 0)
    found = network_reader.read_routes(NoRoutes(), {})
    assert found["unread"] == "the rules of nftables: no answer in time"
    assert found["routes"] == []


def test_a_process_that_has_ended_is_a_sentence() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(ValueError, match=r"cannot be opened .*; name a process that runs"):
        networks([Place("gone", process.pid)])


def test_nobody_is_nothing() -> None:
    assert networks([]) == ()


def test_the_address_that_the_kernel_gives_a_link_is_kept_apart(lab: Sandbox) -> None:
    with lab.sandbox("net") as box:
        box.run(
            "ip link add name left type veth peer name right;"
            " ip link set left up; ip link set right up;"
            " until grep -q '^fe80.* left$' /proc/net/if_inet6; do sleep 0.01; done"
        )
        said = box.run("ip -br -6 addr show left").stdout.split()
        (network,) = networks(places(box))
    (left,) = [link for link in network.links if link.name == "left"]
    assert left.addresses == ()
    assert [address.removesuffix(" tentative") for address in left.link_local] == said[2:3]


def test_a_fork_that_fails_does_not_go_on_as_a_second_helper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network_reader, "read_network", lambda *_: object())  # which is no JSON
    assert network_reader.read_in_fork(0, {}, True, 5) == GONE


def test_a_fork_that_is_stopped_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_reader, "_FOR_ROUTES", 0)
    monkeypatch.setattr(network_reader.nft_rules, "PATIENCE", 0)

    def stopped(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    monkeypatch.setattr(network_reader, "read_network", stopped)
    assert network_reader.read_in_fork(0, {}, True, 1) == GONE


GONE = {"closed": "the process that went there has ended"}
