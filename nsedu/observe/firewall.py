"""The rules of nftables in words: what happens to which packets, and when.

In: what ``nft -j list ruleset`` prints (libnftables-json(5)).  Out: a sentence for each rule of
the chains that packets come through.  Counters, handles, priorities and the names of tables are
left out; a match or statement without words of its own is named, never dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

WHEN = {
    "ingress": "at the link",
    "prerouting": "arriving",
    "input": "coming in",
    "forward": "passing through",
    "output": "going out",
    "postrouting": "leaving",
}
"""Each hook of nft(8), "ADDRESS FAMILIES", in a word or two."""

_VERDICTS = {
    "accept": "let pass",
    "drop": "dropped",
    "reject": "refused",
    "return": "back to the chain before",
    "continue": "on to the next rule",
}
_MATCHES = {
    ("meta", "iifname"): "in by {}",
    ("meta", "oifname"): "out by {}",
    ("meta", "l4proto"): "{}",
    ("ct", "state"): "of a connection that is {}",
    ("saddr", ""): "from {}",
    ("daddr", ""): "to {}",
    ("sport", ""): "{protocol} from port {}",
    ("dport", ""): "{protocol} to port {}",
    ("protocol", ""): "{}",
    ("type", ""): "{protocol} {}",
}


def words(ruleset: list[Mapping[str, Any]]) -> tuple[str, ...]:
    """The rules in the order in which nft lists them.

    Args:
        ruleset: the list under "nftables" of the JSON.

    Returns:
        Sentences such as ``arriving: tcp to port 80 → redirected to its own port 8080``; of a
        chain that is not hooked anywhere, they begin with its name.
    """
    chains: dict[tuple[str, str, str], str] = {}
    rules: dict[tuple[str, str, str], list[str]] = {}
    rest: dict[tuple[str, str, str], str] = {}
    for item in ruleset:
        for chain in _of(item, "chain"):
            key = chain["family"], chain["table"], chain["name"]
            chains[key] = WHEN.get(chain.get("hook", ""), f"chain {chain['name']}")
            if chain.get("policy") == "drop":
                rest[key] = f"{chains[key]}: all else → dropped"
        for rule in _of(item, "rule"):
            key = rule["family"], rule["table"], rule["chain"]
            rules.setdefault(key, []).append(_sentence(rule.get("expr", [])))
    found = []
    for key, when in chains.items():
        found += [f"{when}: {sentence}" for sentence in rules.get(key, [])]
        found += [rest[key]] if key in rest else []
    return tuple(found)


def _of(item: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    if kind in item:
        yield item[kind]


def _sentence(expressions: list[Mapping[str, Any]]) -> str:
    matches, then = [], []
    for expression in expressions:
        for kind, value in expression.items():
            if kind == "match":
                matches.append(_match(value))
            elif kind != "counter":
                then.append(_statement(kind, value))
    return f"{', '.join(matches) or 'all'} → {', '.join(then) or 'counted'}"


def _match(match: Mapping[str, Any]) -> str:
    left, right = match["left"], _value(match["right"])
    if match["op"] in ("!=", "<", ">", "<=", ">="):
        right = f"{'not' if match['op'] == '!=' else match['op']} {right}"
    for kind in ("meta", "ct", "payload"):
        if isinstance(left, dict) and kind in left:
            inner = left[kind]
            key = (
                (kind, inner.get("key", "")) if kind != "payload" else (inner.get("field", ""), "")
            )
            if key in _MATCHES:
                return _MATCHES[key].format(right, protocol=inner.get("protocol", ""))
            name = (
                inner.get("key") or f"{inner.get('protocol', '')} {inner.get('field', '')}".strip()
            )
            return f"{name or kind} {right}"
    return f"{_value(left)} {right}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " or ".join(map(_value, value))
    if isinstance(value, dict):
        if "prefix" in value:
            return f"{value['prefix']['addr']}/{value['prefix']['len']}"
        if "range" in value:
            return "{}–{}".format(*map(_value, value["range"]))
        if "set" in value:
            return _value(value["set"])
        return ", ".join(value)
    return str(value)


def _statement(kind: str, value: Any) -> str:
    if kind in _VERDICTS:
        return _VERDICTS[kind]
    if kind == "masquerade":
        return "sent on with this place's own address"
    if kind == "redirect":
        port = f"its own port {_value(value['port'])}" if value and "port" in value else "itself"
        return f"redirected to {port}"
    if kind in ("dnat", "snat"):
        where = ", port ".join(_value(value[part]) for part in ("addr", "port") if part in value)
        return f"sent {'on to' if kind == 'dnat' else 'on as if from'} {where}"
    if kind in ("jump", "goto"):
        return f"on to chain {value['target']}"
    if kind == "limit":
        return f"at most {value.get('rate')} each {value.get('per', 'second')}"
    return {"log": "logged"}.get(kind, f"and more ({kind})")
