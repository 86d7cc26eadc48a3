"""The rules of nftables in a network namespace, in nft's own words.

A rule is quoted as ``nft list ruleset`` prints it (nft(8)) and never paraphrased: its matches and
statements are a language of their own, in which a wrong word says the opposite.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

PATIENCE = 5  # seconds for nft
_MOST = 1 << 22  # characters of rules that are passed on
_MISSING = re.compile(r"^XT (match|target) (\S+) not found$", re.MULTILINE)
_GAP = re.compile(r"(?<=\t\t) +| {2,}| +(?=\n)")
_LEGACY = ("ip", "ip6", "arp")


@dataclass(frozen=True)
class Chain:
    """A chain of rules.

    Attributes:
        name: its name.
        hook: where packets come into it and what becomes of those that no rule decides about, such
            as "type filter hook input priority filter; policy drop;"; "" for a chain that packets
            come into from other chains only.
        rules: each rule as nft prints it, without the counters' numbers.
    """

    name: str
    hook: str = ""
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of chains.

    Attributes:
        name: family and name, such as "inet filter".
        dormant: whether it was switched off: then none of its rules is in force.
        chains: its chains, in nft's order.
    """

    name: str
    dormant: bool = False
    chains: tuple[Chain, ...] = ()


def parsed(text: str) -> tuple[Table, ...]:
    """The tables out of what ``nft list ruleset`` prints.

    Sets, maps and objects of a table are left out; the rules that use them name them.
    """
    # A comment or the prefix of a log may hold a line break, always between quotation marks.
    pieces = text.split('"')
    pieces[1::2] = [piece.replace("\n", "�") for piece in pieces[1::2]]
    tables: list[tuple[str, list[Chain], list[str]]] = []
    chain: tuple[str, list[str], list[str]] | None = None
    for line in '"'.join(pieces).split("\n"):
        if line.startswith("table "):
            tables.append((" ".join(line.split()[1:3]), [], []))
        elif line.startswith("\tchain "):
            chain = line[7:].removesuffix(" {"), [], []
        elif line == "\t}":
            if chain and tables:
                name, hook, rules = chain
                tables[-1][1].append(Chain(name, "".join(hook), tuple(rules)))
            chain = None
        elif chain and line.startswith("\t\t"):
            said, (_, hook, rules) = line.strip(), chain
            (hook if said.startswith("type ") and not hook else rules).append(said)
        elif line.startswith("\tflags ") and tables:
            tables[-1][2].extend(line[7:].replace(",", " ").split())
    return tuple(Table(name, "dormant" in flags, tuple(chains)) for name, chains, flags in tables)


def listing() -> tuple[str, str]:
    """Ask for the rules of the network namespace that this process is in.

    Returns:
        What ``nft list ruleset`` prints, "" if there are no rules; and what could not be read and
        why, or "".
    """
    text, unread = _listed() if has_tables() else ("", "")
    legacy = [
        f"{family}: {', '.join(names)}" for family in _LEGACY if (names := legacy_tables(family))
    ]
    if legacy:
        more = f"the tables of iptables-legacy, which nft does not show ({'; '.join(legacy)})"
        unread = "; ".join(filter(None, [unread, more]))
    return text, unread


def has_tables() -> bool:
    """Whether the kernel knows of any table: where there is none, nobody needs nft to say so.

    EINVAL is what nfnetlink says of a subsystem that it does not have.
    """
    from pyroute2.netlink.exceptions import NetlinkError
    from pyroute2.nftables.main import NFTables

    try:
        with NFTables(nfgen_family=0) as nftables:
            return any(True for _ in nftables.get_tables())
    except NetlinkError as error:
        return error.code != errno.EINVAL  # of what else is wrong, nft has the words
    except OSError:
        return False  # a kernel without netfilter's netlink


def _listed() -> tuple[str, str]:
    program = shutil.which("nft", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        return "", "the rules of nftables: there are some, but the program nft is not installed"
    try:
        done = subprocess.run(
            [program, "--stateless", "list", "ruleset"], stdin=subprocess.DEVNULL,
            capture_output=True, encoding="utf-8", errors="surrogateescape", timeout=PATIENCE,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "", f"the rules of nftables: nft gave no answer within {PATIENCE} s"
    except OSError as error:
        return "", f"the rules of nftables: nft cannot be started ({error.strerror})"
    if done.returncode:
        why = " ".join(done.stderr.split()) or f"it ended with {done.returncode}"
        return "", f"the rules of nftables: nft says {why}"
    if len(done.stdout) > _MOST:
        return "", f"the rules of nftables: they are longer than {_MOST >> 20} MiB"
    # Of iptables-nft's rules, nft leaves out in silence what it has no library for: a gap is left.
    missing = dict.fromkeys(_MISSING.findall(done.stderr))
    if not missing:
        return done.stdout, ""
    pieces = done.stdout.split('"')
    pieces[::2] = [_GAP.sub(" … ", piece) for piece in pieces[::2]]
    names = ", ".join(f"{kind} {name}" for kind, name in missing)
    return '"'.join(pieces), f"extensions of iptables that nft does not know, at … above: {names}"


def legacy_tables(family: str) -> list[str]:
    """The tables that iptables-legacy(8) and its kind have in use here."""
    try:
        with open(f"/proc/thread-self/net/{family}_tables_names") as file:
            return file.read().split()
    except OSError:
        return []
