"""Rules of nftables: quoted as nft prints them, under their chain, with its hook and policy."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsedu import Sandbox
from nsedu.observe import nft_rules
from nsedu.observe.networks import Network, networks
from nsedu.observe.nft_rules import Chain, Table, parsed
from nsedu.observe.viewpoints import places

pytestmark = pytest.mark.needs("userns", "net", "nft")

INPUT = "type filter hook input priority filter; policy accept;"


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox("net") as box:
        yield box


def seen(box: Sandbox, ruleset: str) -> Network:
    """What is seen of the box after its rules were replaced."""
    box.run(["nft", "-f", "-"], input=f"flush ruleset\n{ruleset}\n")
    (network,) = networks(places(box))
    return network


def chain(hook: str, *rules: str) -> str:
    return "\n".join(["chain c {", f"type {hook};", *rules, "}"])


def chains(box: Sandbox, ruleset: str) -> tuple[Chain, ...]:
    (table,) = seen(box, ruleset).rules
    return table.chains


@pytest.mark.parametrize(
    "rule",
    [
        "counter",
        "tcp dport 22 accept",
        "ip saddr . tcp dport { 10.0.0.1 . 80 } drop",
        "ip saddr . tcp dport @pairs accept",
        "ip saddr != { 10.1.0.0/16, 10.3.0.0/16 } reject",
        "tcp dport vmap { 22 : accept, 23 : drop }",
        "tcp flags syn / syn,ack drop",
        "fib saddr type local drop",
        "tcp dport 100-200 limit rate over 5/minute drop",
        "limit rate 5/second accept",
        "add @bad { ip saddr timeout 1h }",
        "ct state established,related accept",
        'tcp dport 80 counter log prefix "hi" accept',
        "meta mark set 0x00000007",
        "ip ttl < 5 drop",
        "ip6 saddr fe80::/10 accept",
        "jump other",
        'iif "lo" accept',
        "ip daddr 10.0.0.0/8 tcp dport 22 reject with tcp reset",
        'drop comment "a } brace, a # and a {"',
    ],
)
def test_a_rule_is_quoted_as_nft_prints_it(box: Sandbox, rule: str) -> None:
    sets = (
        "set bad { type ipv4_addr; flags timeout; }\nset pairs { type ipv4_addr . inet_service; }"
    )
    other = "chain other {\nreturn\n}"
    hooked = chain("filter hook input priority 0", rule)
    found = chains(box, f"table inet t {{\n{sets}\n{other}\n{hooked}\n}}")
    printed = box.run("nft --stateless list chain inet t c").stdout.splitlines()
    assert found == (Chain("other", "", ("return",)), Chain("c", INPUT, (printed[3].strip(),)))
    assert rule.split()[0] in printed[3]


@pytest.mark.parametrize(
    ("rule", "hook"),
    [
        ("tcp dport 81 dnat to :8080", "prerouting"),
        ("dnat to tcp dport map { 90 : 10.0.0.9 }", "prerouting"),
        ("tcp dport 83 redirect to :1000-1010", "prerouting"),
        ("snat to ip saddr map { 10.0.0.1 : 192.0.2.1 }", "postrouting"),
        ("masquerade", "postrouting"),
    ],
)
def test_so_is_one_that_changes_addresses(box: Sandbox, rule: str, hook: str) -> None:
    (found,) = chains(box, f"table ip t {{\n{chain(f'nat hook {hook} priority 0', rule)}\n}}")
    assert (found.rules, f"type nat hook {hook} " in found.hook) == ((rule,), True)


def test_a_policy_stands_with_the_hook(box: Sandbox) -> None:
    (found,) = chains(
        box, f"table inet t {{\n{chain('filter hook input priority 0; policy drop')}\n}}"
    )
    assert found.hook == INPUT.replace("accept", "drop")


def test_a_table_has_its_family(box: Sandbox) -> None:
    (table,) = seen(box, f"table bridge b {{\n{chain('filter hook input priority 0')}\n}}").rules
    assert table.name == "bridge b"


def test_a_dormant_table_is_said_to_be_and_costs_the_picture_nothing(box: Sandbox) -> None:
    hooked = chain("filter hook input priority 0", "tcp dport 22 drop")
    found = seen(box, f"table inet off {{\nflags dormant\n{hooked}\n}}\ntable ip on {{ }}")
    assert [(table.name, table.dormant) for table in found.rules] == [
        ("inet off", True),
        ("ip on", False),
    ]
    assert ([link.name for link in found.links], found.unread) == (["lo"], "")


def test_elements_of_sets_and_objects_are_no_rules(box: Sandbox) -> None:
    many = ", ".join(f"10.0.{number}.1" for number in range(200))
    table = (
        f"set many {{ type ipv4_addr; elements = {{ {many} }} ; }}\ncounter hits {{ }}\n"
        "map ways { type inet_service : verdict; elements = { 1 : accept } ; }\n"
        f"{chain('filter hook input priority 0', 'ip saddr @many drop')}"
    )
    assert chains(box, f"table inet t {{\n{table}\n}}") == (
        Chain("c", INPUT, ("ip saddr @many drop",)),
    )


def test_a_line_break_in_a_comment_makes_no_second_rule(box: Sandbox) -> None:
    hooked = chain("filter hook input priority 0", 'drop comment "one\n\t\taccept"')
    (found,) = chains(box, f"table inet t {{\n{hooked}\n}}")
    assert found.rules == ('drop comment "one�\t\taccept"',)


def test_the_numbers_of_counters_are_left_out(box: Sandbox) -> None:
    hooked = chain("filter hook input priority 0", "counter packets 5 bytes 6 drop")
    (found,) = chains(box, f"table inet t {{\n{hooked}\n}}")
    assert found.rules == ("counter drop",)


def test_what_iptables_nft_made_is_quoted_too() -> None:
    text = (
        "# Warning: table ip filter is managed by iptables-nft, do not touch!\n"
        "table ip filter {\n\tchain INPUT {\n"
        f"\t\t{INPUT}\n\t\txt match u32 counter drop\n\t}}\n}}\n"
    )
    assert parsed(text) == (
        Table("ip filter", chains=(Chain("INPUT", INPUT, ("xt match u32 counter drop",)),)),
    )


@pytest.mark.parametrize(
    "text", ["", "table", "table x", "\t}\n", "\tchain c {\n\t\tdrop\n\t}", '"']
)
def test_a_text_cut_off_is_no_error(text: str) -> None:
    assert all(not table.chains for table in parsed(text))


@given(st.lists(st.sampled_from(["table ip t {", "chain c {", "drop", "}", '"', "\n", "\t", " "])))
def test_no_text_is_an_error_and_no_rule_has_a_line_break(words: list[str]) -> None:
    for table in parsed("".join(words)):
        assert not any("\n" in rule for chain in table.chains for rule in chain.rules)


def program(directory: Path, script: str) -> str:
    """A program of that name, for PATH."""
    file = directory / "nft"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return f"{directory}:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.mark.parametrize("script", ["echo 'cannot: \033[31m' >&2; exit 1", "exit 3", "kill -9 $$"])
def test_rules_that_nft_cannot_read_cost_the_rules_alone(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str
) -> None:
    seen(box, "table ip t { }")
    monkeypatch.setenv("PATH", program(tmp_path, script))
    (network,) = networks(places(box))
    assert ([link.name for link in network.links], network.rules) == (["lo"], ())
    assert network.unread.startswith("the rules of nftables: nft says ")


def test_what_nft_leaves_out_in_silence_is_marked(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As nft 1.0.6 prints rules of iptables-nft without the libraries of iptables."""
    text = (
        f"table ip filter {{\n\tchain INPUT {{\n\t\t{INPUT}\n\t\t counter drop\n"
        '\t\ttcp dport 22  counter accept\n\t\toifname "a  b" counter \n\t\tdrop\n\t}\n}\n'
    )
    (tmp_path / "rules").write_text(text)
    said = "printf 'XT match u32 not found\\nXT target LOG not found\\n' >&2"
    seen(box, "table ip filter { }")
    monkeypatch.setenv("PATH", program(tmp_path, f"{said}; cat {tmp_path}/rules"))
    (network,) = networks(places(box))
    assert network.rules[0].chains[0].rules == (
        "… counter drop",
        "tcp dport 22 … counter accept",
        'oifname "a  b" counter …',
        "drop",
    )
    assert network.unread.endswith("match u32, target LOG")


@pytest.mark.skipif(not shutil.which("iptables-nft"), reason="iptables-nft is not installed.")
def test_no_condition_of_an_iptables_rule_is_lost(box: Sandbox) -> None:
    box.run("nft flush ruleset; iptables-nft -A INPUT -m u32 --u32 0x0=1 -j DROP")
    (network,) = networks(places(box))
    (rule,) = network.rules[0].chains[0].rules
    assert rule != "counter drop"
    assert "…" in rule or "u32" in rule


def test_where_there_are_none_nft_is_not_asked(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen(box, "")
    monkeypatch.setenv("PATH", program(tmp_path, "exit 1"))
    (network,) = networks(places(box))
    assert (network.rules, network.unread) == ((), "")


def test_nft_missing_is_said_where_there_are_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nft_rules, "has_tables", lambda: True)
    monkeypatch.setattr(nft_rules.shutil, "which", lambda *_, **__: None)
    assert "the program nft is not installed" in nft_rules.listing()[1]


def test_nft_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(nft_rules, "has_tables", lambda: True)
    monkeypatch.setattr(nft_rules, "PATIENCE", 0.1)
    monkeypatch.setenv("PATH", program(tmp_path, "exec sleep 60"))
    assert "nft gave no answer" in nft_rules.listing()[1]


def test_tables_of_the_older_iptables_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nft_rules, "has_tables", lambda: False)
    monkeypatch.setattr(
        nft_rules, "legacy_tables", lambda family: ["nat"] if family == "ip" else []
    )
    assert nft_rules.listing() == (
        "",
        "the tables of iptables-legacy, which nft does not show (ip: nat)",
    )
