"""Network namespaces as boxes, their links inside, and the cables between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from nsedu.draw.cabling import Cable, Port, draw
from nsedu.draw.names import LONGEST, clean, identity, letter, shorten
from nsedu.draw.netbox import Box, Row
from nsedu.draw.picture import Picture
from nsedu.observe.network import Link, Network

MANY = 12
"""Above so many network namespaces, those that are alike are drawn once."""
MOST_BOXES = 36
"""So many boxes are drawn; what is cut is said."""
MOST_LINKS, MOST_ROUTES, MOST_RULES, MOST_MEMBERS = 14, 6, 10, 6
"""So many of each are written into a box; how many more, is said."""

_USUAL_MTU = {"loopback": 65536}  # every other kind starts with 1500


def topology(networks: Sequence[Network]) -> Picture:
    """Who is connected to whom.

    Args:
        networks: what `nsedu.observe.network.networks` found; they get letters in this order.
    """
    letters = {network.ns: f"net {letter(index)}" for index, network in enumerate(networks)}
    groups = _groups(networks) if len(networks) > MANY else [[network] for network in networks]
    shown = groups[:MOST_BOXES]
    left_out = [network for group in groups[MOST_BOXES:] for network in group]
    tell = _Teller(networks, letters, groups)
    boxes = [tell.box(group) for group in shown]
    cables = list(tell.cables(boxes))

    below = [tell.count()]
    if left_out:
        below.append(f"left out: {_several(len(left_out), 'more network namespace')}")
    if any(network.own for network in networks):
        below.append("of its own namespace's links, those that lead to others alone are shown")
    below.append("the MTU is said where it is not 1500, on lo 65536")
    text = "\n".join([*(line for box in boxes for line in _text(box)), *below])
    title = "Network namespaces, and what connects them"
    return draw(title, [f"{sentence}." for sentence in below], boxes, cables, text)


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _text(box: Box) -> Iterator[str]:
    yield " · ".join(filter(None, [f"{box.name} {box.where}", box.members]))
    for index, row in enumerate(box.rows):
        later = box.rows[index + 1 :]
        stem = ""
        for depth in range(row.depth + 1):  # goes on if a row as deep comes before a shallower one
            after = next((other.depth for other in later if other.depth <= depth), -1)
            last = after < depth
            stem += ("└─ " if last else "├─ ") if depth == row.depth else "   " if last else "│  "
        yield stem + row.text


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
        like = (links, network.routes, network.rules, network.forwards, network.unread,
                len(network.members), network.own)  # fmt: skip
        groups.setdefault(like, []).append(network)
    return list(groups.values())


class _Teller:
    """Words for networks that are drawn together."""

    def __init__(
        self, networks: Sequence[Network], letters: dict[int, str], groups: list[list[Network]]
    ) -> None:
        self.networks, self.letters = networks, letters
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
        rows += self._some(
            [Row(f"{route.to} route", self._hop(route.via, route.link))
             for route in network.routes], MOST_ROUTES, "route")  # fmt: skip
        # Every namespace is told by default what the machine does: it matters between two links.
        if network.forwards and sum(len(link.addresses) > 0 for link in network.links) > 2:
            rows.append(Row("forwards", "packets between its links (ip_forward)"))
        rows += self._some([Row(rule, "") for rule in network.rules], MOST_RULES, "rule")
        if network.unread:
            rows.append(Row("not read", network.unread))
        members = [shorten(clean(name), LONGEST) for name in network.members[:MOST_MEMBERS]]
        if len(network.members) > MOST_MEMBERS:
            members.append(f"… {len(network.members) - MOST_MEMBERS} more")
        name = self.letters[network.ns] + (f" and {len(group) - 1} alike" if len(group) > 1 else "")
        return Box(network.ns, name, identity("net", network.ns), ", ".join(members), rows)

    def _hop(self, via: str, link: str) -> str:
        return " ".join(filter(None, [f"via {via}" if via[:1].isdigit() or ":" in via else via,
                                      f"by {link}" if link else ""]))  # fmt: skip

    def _some(self, rows: list[Row], most: int, what: str) -> list[Row]:
        if len(rows) <= most:
            return rows
        more = f"… {_several(len(rows) - most + 1, f'more {what}')}"
        return [*rows[: most - 1], Row(more, "")]

    def _links(self, network: Network) -> Iterator[Row]:
        """A row for each link, the ports of a bridge below it; of many, the rest in one row."""
        names = {link.name for link in network.links}
        order: list[tuple[Link, int]] = []
        for link in network.links:
            if link.master not in names:
                order.append((link, 0))
                order += [(port, 1) for port in network.links if port.master == link.name]
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
        short = " ".join(filter(None, [*link.addresses, told, mtu, state]))
        whole = [link.name, state or "up", *link.addresses, leads, mtu]
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
