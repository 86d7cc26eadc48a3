"""Rules of nftables in words, of what nft itself makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from nsedu import Sandbox
from nsedu.observe.firewall import words

pytestmark = pytest.mark.needs("userns", "net", "nft")


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox("net") as box:
        yield box


def said(box: Sandbox, chain: str, family: str = "ip") -> tuple[str, ...]:
    """The words for a table with one chain."""
    ruleset = f"flush ruleset\ntable {family} t {{\nchain c {{\n{chain}\n}}\n}}\n"
    box.run(["nft", "-f", "-"], input=ruleset)
    return words(json.loads(box.run("nft -j list ruleset").stdout)["nftables"])


NAT_IN, NAT_OUT, FILTER = (
    f"type {kind} hook {hook} priority 0;\n"
    for kind, hook in (("nat", "prerouting"), ("nat", "postrouting"), ("filter", "forward"))
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("counter", "all → counted"),
        ("drop", "all → dropped"),
        ("tcp dport 22 accept", "tcp to port 22 → let pass"),
        ("udp sport 53-60 reject", "udp from port 53–60 → refused"),
        ("ip saddr 10.0.0.0/8 drop", "from 10.0.0.0/8 → dropped"),
        ("ip saddr != 10.0.0.1 counter drop", "from not 10.0.0.1 → dropped"),
        ("ip daddr { 10.0.0.1, 10.0.0.2 } drop", "to 10.0.0.1 or 10.0.0.2 → dropped"),
        ('iifname "eth0" oifname "eth1" accept', "in by eth0, out by eth1 → let pass"),
        (
            "ct state established,related accept",
            "of a connection that is established or related → let pass",
        ),
        ("icmp type echo-request drop", "icmp echo-request → dropped"),
        ("meta l4proto tcp drop", "tcp → dropped"),
        ("limit rate 5/second accept", "all → at most 5 each second, let pass"),
        ('log prefix "x" drop', "all → logged, dropped"),
        ("ip ttl 1 drop", "ip ttl 1 → dropped"),
        ("meta mark set 1", "all → and more (mangle)"),
    ],
)
def test_a_rule_is_a_sentence(box: Sandbox, rule: str, expected: str) -> None:
    assert said(box, FILTER + rule) == (f"passing through: {expected}",)


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ("masquerade", "leaving: all → sent on with this place's own address"),
        ("snat to 1.2.3.4", "leaving: all → sent on as if from 1.2.3.4"),
    ],
)
def test_what_leaves_is_given_another_sender(box: Sandbox, chain: str, expected: str) -> None:
    assert said(box, NAT_OUT + chain) == (expected,)


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ("tcp dport 80 redirect to :8080", "tcp to port 80 → redirected to its own port 8080"),
        ("redirect", "all → redirected to itself"),
        ("tcp dport 80 dnat to 10.0.0.2:8080", "tcp to port 80 → sent on to 10.0.0.2, port 8080"),
        ("dnat to 10.0.0.2", "all → sent on to 10.0.0.2"),
    ],
)
def test_what_arrives_is_given_another_goal(box: Sandbox, chain: str, expected: str) -> None:
    assert said(box, NAT_IN + chain) == (f"arriving: {expected}",)


def test_a_policy_comes_last(box: Sandbox) -> None:
    chain = "type filter hook input priority 0; policy drop;\ntcp dport 22 accept"
    assert said(box, chain, "inet") == (
        "coming in: tcp to port 22 → let pass",
        "coming in: all else → dropped",
    )


def test_a_chain_that_is_jumped_to_has_its_name(box: Sandbox) -> None:
    ruleset = """
        flush ruleset
        table inet t {
            chain strangers {
                drop
            }
            chain first {
                type filter hook output priority 0;
                jump strangers
            }
        }
    """
    box.run(["nft", "-f", "-"], input=ruleset)
    assert words(json.loads(box.run("nft -j list ruleset").stdout)["nftables"]) == (
        "chain strangers: all → dropped",
        "going out: all → on to chain strangers",
    )


def test_no_rules_are_no_words(box: Sandbox) -> None:
    box.run("nft flush ruleset")
    assert words(json.loads(box.run("nft -j list ruleset").stdout)["nftables"]) == ()
