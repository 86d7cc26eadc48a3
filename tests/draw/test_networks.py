"""Network namespaces as boxes with cables between them: known networks, few and many."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from hand_made import lines, parsed, texts
from nsedu.draw import topology as module
from nsedu.draw.picture import Picture
from nsedu.draw.topology import topology
from nsedu.observe.networks import End, Hop, Link, Network, Route
from nsedu.observe.nft_rules import Chain, Table

LO = Link("lo", "loopback", mtu=65536, addresses=("127.0.0.1/8",))
FIRST = 4026532000
HOOK = "type nat hook postrouting priority srcnat; policy accept;"


def network(ns: int, *links: Link, **fields: object) -> Network:
    name = f'sandbox "box{ns}"'
    return Network(FIRST + ns, (name,), (LO, *links), **fields)  # type: ignore[arg-type]


def veth(name: str, ns: int, far: str, *addresses: str, **fields: object) -> Link:
    peer = End(FIRST + ns, far)
    return Link(name, "veth", addresses=addresses, peer=peer, **fields)  # type: ignore[arg-type]


def star(count: int) -> list[Network]:
    """A bridge in the first, and a cable to each of the others."""
    bridge = Link("br0", "bridge", addresses=("10.0.0.254/16",))
    ports = [veth(f"port{n}", n, "eth0", master="br0") for n in range(1, count)]
    others = [
        network(n, veth("eth0", 0, f"port{n}", f"10.0.{n // 250}.{n % 250 + 1}/16"))
        for n in range(1, count)
    ]
    return [network(0, bridge, *ports), *others]


def paths(picture: Picture) -> int:
    """How many cables are drawn."""
    return len(re.findall(r'<path d="M[^"]*C', picture.svg))


def sides(picture: Picture) -> tuple[float, float]:
    root = parsed(picture)
    return float(root.get("width", 0)), float(root.get("height", 0))


def test_a_cable_is_told_at_both_ends() -> None:
    picture = topology(
        [
            network(1, veth("eth0", 2, "wan", "10.0.0.1/24")),
            network(2, veth("wan", 1, "eth0", "10.0.0.2/24", "fd00::2/64")),
        ]
    )
    assert str(picture) == lines(
        """
net A net:[4026532001] · sandbox "box1"
├─ lo · up · 127.0.0.1/8
└─ eth0 · up · 10.0.0.1/24 · veth to wan of net B
net B net:[4026532002] · sandbox "box2"
├─ lo · up · 127.0.0.1/8
└─ wan · up · 10.0.0.2/24 · fd00::2/64 · veth to eth0 of net A
2 network namespaces, 1 cable between them
the MTU is said where it is not 1500, on lo 65536
left out: ::1 of lo, and the link-local addresses (fe80::…) that the kernel makes
"""
    )
    assert paths(picture) == 1


def test_of_two_the_first_is_on_the_left() -> None:
    picture = topology([network(1, veth("a", 2, "b")), network(2, veth("b", 1, "a"))])
    left, right = (
        float(re.search(rf'x="([\d.]+)"[^>]*>{name}<', picture.svg)[1])  # type: ignore[index]
        for name in ("net A", "net B")
    )
    assert left < right


def test_a_bridge_has_its_ports_below_it() -> None:
    text = str(topology(star(3)))
    assert (
        "├─ lo · up · 127.0.0.1/8\n"
        "└─ br0 · up · 10.0.0.254/16 · bridge\n"
        "   ├─ port1 · up · veth to eth0 of net B\n"
        "   └─ port2 · up · veth to eth0 of net C\n"
    ) in text


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (Link("eth0", ""), "eth0 · up · hardware"),
        (Link("eth0", "", up=False, carrier=False), "eth0 · down · hardware"),
        (Link("eth0", "", carrier=False), "eth0 · no carrier · hardware"),
        (Link("eth0", "", mtu=9000), "eth0 · up · hardware · MTU 9000"),
        (Link("vx", "vxlan", "id 42"), "vx · up · vxlan id 42"),
        (veth("a", 1, "b"), "a · up · veth to b here"),
        (veth("a", 7, ""), "a · up · veth to a namespace not shown"),
        (Link("a", "veth", peer=End(0, "")), "a · up · veth to a namespace not shown"),
        (
            Link("m", "macvlan", "mode bridge", peer=End(FIRST + 1, "eth0")),
            "m · up · macvlan mode bridge on eth0 here",
        ),
    ],
)
def test_a_link_is_told_with_what_tells_it_from_others(link: Link, words: str) -> None:
    assert f"└─ {words}\n" in str(topology([network(1, link)]))


def test_routes_rules_and_forwarding_stand_below_the_links() -> None:
    router = network(
        1,
        Link("lan", "veth", addresses=("10.0.1.1/24",), peer=End(0, "")),
        Link("wan", "veth", addresses=("10.0.2.1/24",), peer=End(0, "")),
        routes=(
            Route("default", (Hop("10.0.2.2", "wan"),)),
            Route("10.9.0.0/16", kind="unreachable"),
        ),
        rules=(Table("ip nat", chains=(Chain("out", HOOK, ("masquerade",)), Chain("other"))),),
        forwards=True,
    )
    assert lines(
        """
├─ default route via 10.0.2.2 by wan
├─ 10.9.0.0/16 route unreachable
├─ forwards IPv4 packets between its links (ip_forward)
└─ table ip nat
   ├─ chain out type nat hook postrouting priority srcnat; policy accept;
   │  └─ masquerade
   └─ chain other
"""
    ) in str(topology([router]))


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (
            Route("default", (Hop("fd00::1", "a"),), version=6),
            "default IPv6 route via fd00::1 by a",
        ),
        (Route("fd00::/8", (Hop("", "a"),), "", 6, 1024), "fd00::/8 route by a"),
        (Route("fd00::/8", (Hop("", "a"),), "", 6, 7), "fd00::/8 route by a metric 7"),
        (
            Route("10.0.0.0/8", (Hop("fe80::1", "a"), Hop("10.1.0.1", "b", 3)), "", 4, 9, 100),
            "10.0.0.0/8 route via fe80::1 by a or via 10.1.0.1 by b (weight 3) metric 9 table 100",
        ),
        (Route("10.0.0.0/8", kind="throw"), "10.0.0.0/8 route throw"),
        (Route("10.0.0.0/8", (Hop("", "lo"),), "local"), "10.0.0.0/8 route local by lo"),
    ],
)
def test_a_route_has_what_tells_it_from_others(route: Route, words: str) -> None:
    assert f"└─ {words}\n" in str(topology([network(1, routes=(route,))]))


def test_forwarding_is_reported_for_the_version_of_ip_that_it_is_of() -> None:
    ways = [Link(name, "veth", addresses=("fd00::1/64",), peer=End(0, "")) for name in "ab"]
    six = str(topology([network(1, *ways, forwards6=True)]))
    assert "└─ forwards IPv6 packets between its links (ipv6 forwarding)\n" in six
    assert "IPv4" not in six
    assert "IPv6" not in str(topology([network(1, *ways, forwards=True)])).split("1 network")[0]


def test_forwarding_by_one_link_of_several_is_reported() -> None:
    one, other = (
        Link(name, "veth", addresses=("10.0.0.1/24",), forwards=name == "a") for name in "ab"
    )
    assert "forwards IPv4 packets that come in by a (ip_forward)" in str(
        topology([network(1, one, other, forwards=True)])
    )


def test_forwarding_between_no_links_is_not_worth_a_line() -> None:
    assert "forwards" not in str(topology([network(1, forwards=True)]))


def test_what_could_not_be_read_is_said() -> None:
    text = str(topology([Network(FIRST, ("someone",), unread="it may not be entered")]))
    assert "└─ not read it may not be entered" in text


def test_places_that_share_a_namespace_are_in_one_box() -> None:
    shared = replace(network(1), members=('sandbox "pod"', 'sandbox "app"'))
    assert 'sandbox "pod", sandbox "app"' in str(topology([shared]))


def test_nobody_is_a_sentence() -> None:
    assert str(topology([])).startswith("no sandbox or process that has a network namespace")
    parsed(topology([]))


def test_a_dead_cable_is_dashed() -> None:
    dead = {"up": False, "carrier": False}
    pair = [network(1, veth("a", 2, "b", **dead)), network(2, veth("b", 1, "a", carrier=False))]
    assert "stroke-dasharray" in topology(pair).svg
    alive = [network(1, veth("a", 2, "b")), network(2, veth("b", 1, "a"))]
    assert "stroke-dasharray" not in topology(alive).svg


@pytest.mark.parametrize("count", [3, 10])
def test_a_few_are_drawn_each(count: int) -> None:
    picture = topology(star(count))
    assert paths(picture) == count - 1
    assert sides(picture)[0] <= 900
    assert len([text for text in texts(picture) if text.startswith("net:[")]) == count


def test_of_many_those_that_are_alike_are_drawn_once() -> None:
    picture = topology(star(201))
    width, height = sides(picture)
    assert width <= 900
    assert height < 400
    text = str(picture)
    assert "net B and 199 alike" in text
    assert "port1 … port200 · 200 links · up · veth to net B and 199 alike" in text
    assert "201 network namespaces, 200 cables between them" in text
    assert paths(picture) == 1


def test_many_that_all_differ_are_cut_and_counted() -> None:
    many = [
        network(n, routes=(Route(f"10.{n}.0.0/16", (Hop("10.0.0.1", "x"),)),)) for n in range(200)
    ]
    picture = topology(many)
    left_out = 200 - module.MOST_BOXES
    assert f"left out: {left_out} more network namespaces" in str(picture)
    assert sides(picture)[0] <= 900


def test_many_of_everything_in_one_box_are_counted() -> None:
    full = replace(
        network(
            1,
            *[Link(f"tap{n}", "tun", up=False) for n in range(200)],
            routes=tuple(Route(f"10.{n}.0.0/16", (Hop("", "lo"),)) for n in range(200)),
            rules=(Table("ip t", chains=(Chain("c", "", ("drop",) * 200),)),),
        ),
        members=tuple(f"process {n}" for n in range(200)),
    )
    picture = topology([full])
    text = str(picture)
    assert "├─ … 187 more links 187 tun\n" in text
    assert "├─ … 195 more routes\n" in text
    assert "└─ … 183 more rule lines\n" in text
    assert "process 5, … 194 more" in text
    assert sides(picture)[1] < 1200


def test_a_long_name_or_address_is_broken_and_stays_in_its_box() -> None:
    long = veth("interface-name0", 2, "b", "fd00:1234:5678:9abc:def0:1234:5678:9abc/64", mtu=1280)
    boxes = [network(n, *[replace(long, peer=End(FIRST + m, f"l{n}")) for m in (1, 2, 3) if m != n])
             for n in (1, 2, 3)]  # fmt: skip
    picture = topology(boxes)
    assert sides(picture)[0] <= 900
    assert max(len(text) for text in texts(picture) if not text.endswith(".")) < 60


def test_it_says_the_same_each_time() -> None:
    first, second = topology(star(20)), topology(star(20))
    assert (str(first), first.svg) == (str(second), second.svg)


def test_a_dormant_table_is_marked() -> None:
    dormant = network(1, rules=(Table("inet t", True, (Chain("c", HOOK, ("drop",)),)),))
    assert (
        "├─ lo · up · 127.0.0.1/8\n└─ table inet t (dormant: none of its rules is in force)"
        in str(topology([dormant]))
    )


def test_what_rules_and_links_bring_along_reaches_no_terminal() -> None:
    rules = (
        Table("ip \x1b[31m", chains=(Chain("\r", "", ('drop comment "\x1b]0;t\x07\udcff"',)),)),
    )
    hostile = network(1, Link("\x1b[2J<b>", "veth", peer=End(0, "")), rules=rules, unread="\x1b")
    picture = topology([hostile])
    assert all(c.isprintable() or c == "\n" for c in str(picture))
    parsed(picture)


def test_a_long_rule_is_cut_and_stays_in_its_box() -> None:
    rule = f"ip saddr {{ {', '.join(f'10.0.0.{n}' for n in range(200))} }} drop"
    picture = topology([network(1, rules=(Table("ip t", chains=(Chain("c", "", (rule,)),)),))])
    assert max(map(len, str(picture).splitlines())) < 180
    assert max(len(text) for text in texts(picture)) < 90


def test_a_link_local_address_is_told_where_it_is_asked_for() -> None:
    plain, made = Link("eth0", "", addresses=("10.0.0.1/8",)), "fe80::ff:fe00:1/64"
    one = network(1, plain, replace(plain, name="eth1", link_local=(made,)))
    text = str(topology([one], link_local=True))
    assert "eth0 · up · 10.0.0.1/8 · hardware" in text
    assert "eth1 · up · 10.0.0.1/8 · fe80::… · hardware" in text
    assert "link-local addresses (fe80::…) have other digits on each link" in text
    assert " · fe80" not in str(topology([one]))
