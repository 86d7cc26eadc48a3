"""Network namespaces as boxes, their links inside, and the cables between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from nsedu.draw.labels import LONGEST, identity, letter, shorten
from nsedu.draw.picture import Picture
from nsedu.draw.topology_box import Box, Row
from nsedu.draw.topology_layout import Cable, Port, draw
from nsedu.observe.networks import Link, Network, Route
from nsedu.printable import clean

MANY = 12
"""Above so many network namespaces, those that are alike are drawn once."""
MOST_BOXES = 36
"""So many boxes are drawn; what is cut is said."""
MOST_LINKS, MOST_ROUTES, MOST_RULES, MOST_MEMBERS = 14, 6, 20, 6
"""So many of each are written into a box; how many more, is said."""
LONGEST_RULE = 160
"""Columns after which a rule of a firewall is cut."""

_LINK_LOCAL = "fe80::…"
"""In place of a link-local address: its digits are others on each link, and each time."""
_MAIN = 254  # RT_TABLE_MAIN of <linux/rtnetlink.h>
_USUAL_MTU = {"loopback": 65536}  # every other kind starts with 1500


def topology(networks: Sequence[Network], link_local: bool = False) -> Picture:
    """Who is connected to whom.

    Args:
        networks: what `nsedu.observe.networks.networks` found; they get letters in this order.
        link_local: whether to say which links have an address of IPv6 for this link alone.
    """
    letters = {network.ns: f"net {letter(index)}" for index, network in enumerate(networks)}
    groups = _groups(networks) if len(networks) > MANY else [[network] for network in networks]
    shown = groups[:MOST_BOXES]
    left_out = [network for group in groups[MOST_BOXES:] for network in group]
    tell = _Formatter(networks, letters, groups, link_local)
    boxes = [tell.box(group) for group in shown]
    cables = list(tell.cables(boxes))

    below = [tell.count()]
    if left_out:
        below.append(f"left out: {_several(len(left_out), 'more network namespace')}")
    if any(network.own for network in networks):
        below.append("of its own namespace's links, those that lead to others alone are shown")
    below.append("the MTU is said where it is not 1500, on lo 65536")
    if link_local:
        below.append(f"link-local addresses ({_LINK_LOCAL}) have other digits on each link")
        below.append("left out: ::1 of lo")
    else:
        below.append(
            "left out: ::1 of lo, and the link-local addresses (fe80::…) that the kernel makes"
        )
    text = [*(line for box in boxes for line in _text(box)), *below]
    title = "Network namespaces, and what connects them"
    return draw(title, [f"{sentence}." for sentence in below], boxes, cables, text)


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _text(box: Box) -> Iterator[str]:
    yield clean(" · ".join(filter(None, [f"{box.name} {box.where}", box.members])))
    for index, row in enumerate(box.rows):
        later = box.rows[index + 1 :]
        stem = ""
        for depth in range(row.depth + 1):  # goes on if a row as deep comes before a shallower one
            after = next((other.depth for other in later if other.depth <= depth), -1)
            last = after < depth
            stem += ("└─ " if last else "├─ ") if depth == row.depth else "   " if last else "│  "
        yield clean(stem + row.text)


def _groups(networks: Sequence[Network]) -> list[list[Network]]:
    """Networks that are alike, by what is in them and what they are connected to."""
    masters = {
        (network.ns, link.name): link.master for network in networks for link in network.links
    }
    groups: dict[object, list[Network]] = {}
    for network in networks:
        links = tuple(
            (link.name, link.kind, link.note, link.up, link.carrier, link.mtu, link.master,
             len(link.addresses), link.peer and (link.peer.ns == network.ns or link.peer.ns),
             link.peer and masters.get((link.peer.ns, link.peer.name)))
            for link in network.links
        )  # fmt: skip
        like = (links, network.routes, network.rules, network.forwards, network.forwards6,
                network.unread, len(network.members), network.own)  # fmt: skip
        groups.setdefault(like, []).append(network)
    return list(groups.values())


class _Formatter:
    """Words for networks that are drawn together."""

    def __init__(
        self, networks: Sequence[Network], letters: dict[int, str], groups: list[list[Network]],
        link_local: bool,
    ) -> None:  # fmt: skip
        self.networks, self.letters, self.link_local = networks, letters, link_local
        self.group = {network.ns: group for group in groups for network in group}

    def count(self) -> str:
        """How many there are of everything, in a sentence."""
        known = {network.ns for network in self.networks}
        ends = [
            link
            for network in self.networks
            for link in network.links
            if link.kind == "veth" and link.peer and link.peer.ns in known - {network.ns}
        ]
        if not self.networks:
            return "no sandbox or process that has a network namespace to show"
        spaces = _several(len(self.networks), "network namespace")
        return f"{spaces}, {_several(len(ends) // 2, 'cable')} between them"

    def cables(self, boxes: list[Box]) -> Iterator[Cable]:
        """The connections between boxes, those between the same two rows as one."""
        at = {
            (box.key, name): (box.key, index)
            for box in boxes
            for index, row in enumerate(box.rows)
            for name in row.links
        }
        home = {network.ns: self.group[network.ns][0].ns for network in self.networks}
        seen: set[object] = set()
        found: dict[frozenset[Port], list[Link]] = {}
        for network in self.networks:
            for link in network.links:
                if link.peer is None or link.peer.ns not in home:
                    continue
                ends = (network.ns, link.name), (link.peer.ns, link.peer.name)
                ports = [at.get((home[ns], name)) for ns, name in ends]
                if None not in ports and home[ends[0][0]] != home[ends[1][0]]:
                    if frozenset(ends) not in seen:  # which the other side tells, too
                        found.setdefault(frozenset(filter(None, ports)), []).append(link)
                    seen.add(frozenset(ends))
        for pair, links in found.items():
            up = all(link.up and link.carrier for link in links)
            one, other = sorted(pair)
            yield Cable((one, other), links[0].kind, up, len(links))

    def box(self, group: list[Network]) -> Box:
        """A namespace as a box, with a row for all that is in it."""
        network = group[0]
        rows = list(self._links(network))
        rows += self._some([self._route(route) for route in network.routes], MOST_ROUTES, "route")
        rows += self._forwarding(network)
        rows += self._some(list(self._rules(network)), MOST_RULES, "rule line")
        if network.unread:
            rows.append(Row("not read", network.unread))
        members = [shorten(clean(name), LONGEST) for name in network.members[:MOST_MEMBERS]]
        if len(network.members) > MOST_MEMBERS:
            members.append(f"… {len(network.members) - MOST_MEMBERS} more")
        name = self.letters[network.ns] + (f" and {len(group) - 1} alike" if len(group) > 1 else "")
        return Box(network.ns, name, identity("net", network.ns), ", ".join(members), rows)

    def _route(self, route: Route) -> Row:
        name = "default IPv6" if (route.to, route.version) == ("default", 6) else route.to
        hops = [
            " ".join([f"via {hop.via}"] * bool(hop.via) + [f"by {hop.link}"] * bool(hop.link)
                     + [f"(weight {hop.weight})"] * (hop.weight > 1))
            for hop in route.hops
        ]  # fmt: skip
        usual = (0, 1024) if route.version == 6 else (0,)  # of 6, what ip(8) sets, too
        words = [route.kind, " or ".join(filter(None, hops))]
        words += [f"metric {route.metric}"] * (route.metric not in usual)
        words += [f"table {route.table}"] * (route.table != _MAIN)
        return Row(f"{name} route", " ".join(filter(None, words)))

    def _forwarding(self, network: Network) -> Iterator[Row]:
        """Which packets are passed on; not worth a word where there is nothing to pass between."""
        links = [link for link in network.links if link.kind != "loopback"]
        # By default a namespace starts with the machine's setting: it matters between two links.
        able = [link for link in links if link.addresses]
        by = [
            link.name
            for link in able
            if link.forwards or (link.forwards is None and network.forwards)
        ]
        if len(able) > 1 and by:
            where = (
                f"that come in by {', '.join(by[:MOST_MEMBERS])}{', …' * (len(by) > MOST_MEMBERS)}"
                if len(by) < len(able)
                else "between its links"
            )
            yield Row("forwards", f"IPv4 packets {where} (ip_forward)")
        if len(links) > 1 and network.forwards6:
            yield Row("forwards", "IPv6 packets between its links (ipv6 forwarding)")

    def _some(self, rows: list[Row], most: int, what: str) -> list[Row]:
        if len(rows) <= most:
            return rows
        more = f"… {_several(len(rows) - most + 1, f'more {what}')}"
        return [*rows[: most - 1], Row(more, "")]

    def _rules(self, network: Network) -> Iterator[Row]:
        """The tables of nftables, their chains below them, and the rules as nft has them."""
        for table in network.rules:
            off = "(dormant: none of its rules is in force)" if table.dormant else ""
            yield Row(f"table {table.name}", off, kind="rule")
            for chain in table.chains:
                yield Row(f"chain {chain.name}", chain.hook, depth=1, kind="rule")
                for rule in chain.rules:
                    yield Row("", shorten(rule, LONGEST_RULE), depth=2, kind="rule")

    def _links(self, network: Network) -> Iterator[Row]:
        """A row for each link, the ports of a bridge below it; of many, the rest in one row."""
        names = {link.name for link in network.links}
        ports: dict[str, list[tuple[Link, int]]] = {}
        for link in network.links:
            ports.setdefault(link.master, []).append((link, 1))
        order: list[tuple[Link, int]] = []
        for link in network.links:
            if link.master not in names:
                order += [(link, 0), *ports.get(link.name, [])]
        gathered: list[tuple[list[Link], int]] = []
        for link, depth in order:
            last = gathered[-1] if gathered else None
            if last and last[1] == depth and self._same_way(last[0][-1], link):
                last[0].append(link)
            else:
                gathered.append(([link], depth))
        for links, depth in gathered[:MOST_LINKS]:
            yield self._row(network, links, depth)
        rest = [link for links, _ in gathered[MOST_LINKS:] for link in links]
        if rest:
            kinds = Counter(link.kind or "hardware" for link in rest)
            told = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
            yield Row(f"… {_several(len(rest), 'more link')}", told, kind="link",
                      links=tuple(link.name for link in rest))  # fmt: skip

    def _same_way(self, one: Link, other: Link) -> bool:
        """Whether two links lead to namespaces that are drawn as one box."""
        groups = [self.group.get(link.peer.ns) if link.peer else None for link in (one, other)]
        alike = groups[0] is not None and groups[0] is groups[1] and len(groups[0]) > 1
        return alike and (one.up, one.carrier, one.kind) == (other.up, other.carrier, other.kind)

    def _row(self, network: Network, links: list[Link], depth: int) -> Row:
        link = links[0]
        state = "" if link.up and link.carrier else "no carrier" if link.up else "down"
        names = tuple(one.name for one in links)
        if len(links) > 1:
            name = f"{names[0]} … {names[-1]}"
            short = f"{len(links)} links {state}".rstrip()
            whole = [name, f"{len(links)} links", state or "up", self._leads(network, link)]
            return Row(name, short, " · ".join(whole), depth, "link", names)
        usual = link.mtu == _USUAL_MTU.get(link.kind, 1500)
        mtu = "" if usual else f"MTU {link.mtu}"
        leads = self._leads(network, link)
        # In the drawing the cable itself says where it leads.
        drawn = link.kind == "veth" and link.peer and link.peer.ns in self.letters
        told = "" if (drawn and link.peer and link.peer.ns != network.ns) else leads
        addresses = [*link.addresses, *[_LINK_LOCAL] * bool(self.link_local and link.link_local)]
        short = " ".join(filter(None, [*addresses, told, mtu, state]))
        whole = [link.name, state or "up", *addresses, leads, mtu]
        kind = "bridge" if link.kind == "bridge" else "link"
        return Row(link.name, short, " · ".join(filter(None, whole)), depth, kind, names)

    def _leads(self, network: Network, link: Link) -> str:
        """What kind of link it is and where it leads: "veth to eth0 of net B"."""
        kind = {"loopback": "", "": "hardware"}.get(link.kind, link.kind)
        words = " ".join(filter(None, [kind, link.note]))
        if link.peer is None:
            return words
        joint = "to" if link.kind == "veth" else "on"
        if link.peer.ns == network.ns:
            return f"{words} {joint} {link.peer.name or 'a link'} here"
        if link.peer.ns not in self.letters:
            return f"{words} {joint} a namespace not shown"
        group = self.group[link.peer.ns]
        if len(group) > 1:
            return f"{words} {joint} {self.letters[group[0].ns]} and {len(group) - 1} alike"
        return f"{words} {joint} {link.peer.name or 'a link'} of {self.letters[link.peer.ns]}"
