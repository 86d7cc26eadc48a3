"""Network namespaces as boxes, their links inside, and the cables between them.

The boxes stand in three columns.  Whoever has the most cables comes into the middle, whoever is
connected to it to its left and right, and so on to and fro: so most cables cross one gap between
two columns, and no box.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nsedu.draw.labels import LONGEST, at_most, grouped, identity, letter, shorten, with_alike
from nsedu.draw.picture import Picture
from nsedu.draw.style import (
    INK,
    MARGIN,
    MONO_ADVANCE,
    PANEL,
    SANS_ADVANCE,
    SOFT_INK,
    WIDEST,
    okabe_ito,
    tint,
)
from nsedu.draw.svg import Canvas, measure, wrap
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

COLOUR = okabe_ito["net"]
PAD, LINE, INDENT, HANG = 12.0, 18.0, 14.0, 10.0
HEAD_SIZE, WHERE_SIZE, LINK_SIZE, WORDS_SIZE, RULE_SIZE = 13.0, 10.0, 12.0, 11.5, 10.5
WORDS_WIDTH, RULE_WIDTH = 230.0, 360.0
"""What is said in words, or a rule of a firewall, makes a box no wider than this."""
GAP, BETWEEN = 66.0, 18.0
"""Between columns, where the cables run; and between boxes of a column."""
NARROWEST = 190.0

Port = tuple[int, int]
"""Where a cable ends: a box's key, and which of its rows."""


@dataclass(frozen=True)
class Row:
    """A line of a box.

    Attributes:
        name: what comes first.
        short: what is drawn behind it.
        whole: what the text twin says instead of both, if that differs.
        depth: 1 for what belongs to the row above it.
        kind: "link", "bridge", "words", or "rule" for what a program's own text says.
        links: the names of the links that it stands for.
    """

    name: str
    short: str
    whole: str = ""
    depth: int = 0
    kind: str = "words"
    links: tuple[str, ...] = ()

    @property
    def drawn(self) -> str:
        """The row as it is drawn."""
        return f"{self.name} {self.short}".strip()

    @property
    def text(self) -> str:
        """The row in the text twin."""
        return self.whole or self.drawn

    @property
    def mono(self) -> bool:
        """Whether it is drawn in a monospace font."""
        return self.kind != "words"

    @property
    def size(self) -> float:
        """Of its font, in px."""
        return {"words": WORDS_SIZE, "rule": RULE_SIZE}.get(self.kind, LINK_SIZE)


@dataclass(frozen=True)
class Box:
    """A network namespace: its key, name, identity, who is in it, and its rows."""

    key: int
    name: str
    where: str
    members: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Cable:
    """A connection of two ports; `count` are drawn as one."""

    ends: tuple[Port, Port]
    kind: str
    up: bool
    count: int = 1


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

    blocks = _blocks(boxes, cables)
    places, across = _placed(blocks)
    width = max(560.0, across + 2 * MARGIN)
    canvas = Canvas()
    y = canvas.heading(title, [f"{sentence}." for sentence in below], width)
    bottom = _stack(blocks, places, y + 4)
    ways = [_cable_path(cable, places) for cable in cables]
    for cable, way in zip(cables, ways, strict=True):  # below the boxes, should one be in the way
        _draw_cable(canvas, cable, way)
    for place in places.values():
        place.draw(canvas)
    for x, y in (end for way in ways for end in (way[0], way[-1])):
        canvas.rect(x - 4, y - 5, 8, 10, fill=PANEL, stroke=INK, line=1.2, radius=2)
    return canvas.picture(title, text, width, bottom + MARGIN)


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

    def like(network: Network) -> Hashable:
        links = tuple(
            (link.name, link.kind, link.note, link.up, link.carrier, link.mtu, link.master,
             len(link.addresses), link.peer and (link.peer.ns == network.ns or link.peer.ns),
             link.peer and masters.get((link.peer.ns, link.peer.name)))
            for link in network.links
        )  # fmt: skip
        return (links, network.routes, network.rules, network.forwards, network.forwards6,
                network.unread, len(network.members), network.own)  # fmt: skip

    return grouped(networks, like)


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
        members = [shorten(clean(name), LONGEST) for name in network.members]
        members = at_most(members, MOST_MEMBERS)
        name = with_alike(self.letters[network.ns], len(group) - 1)
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
            return f"{words} {joint} {with_alike(self.letters[group[0].ns], len(group) - 1)}"
        return f"{words} {joint} {link.peer.name or 'a link'} of {self.letters[link.peer.ns]}"


def _wanted(box: Box) -> float:
    """The width in px at which no link needs a second line."""
    most = {"words": WORDS_WIDTH, "rule": RULE_WIDTH}
    widths = [
        min(most.get(row.kind, WIDEST), measure(row.drawn, row.size, row.mono) + row.depth * INDENT)
        for row in box.rows
    ]
    heads = [
        measure(box.name, HEAD_SIZE, mono=True),
        measure(box.where, WHERE_SIZE, mono=True),
        min(WORDS_WIDTH, measure(box.members, HEAD_SIZE)),
    ]
    return max([*widths, *heads]) + 2 * PAD + HANG + 2


class PlacedBox:
    """A box whose lines are broken for a width in px; its corner `x`, `y` is set later.

    Attributes:
        height: in px.
        column: which it is in, counted from the left.
    """

    x = y = 0.0
    column = 0

    def __init__(self, box: Box, width: float) -> None:
        self.box, self.width = box, width
        within = width - 2 * PAD
        self._head = _pieces(box.name, HEAD_SIZE, within, mono=True)
        self._who = _pieces(box.members, HEAD_SIZE, within)
        self._rows = [self._broken(row, within) for row in box.rows]
        self._ports: list[float] = []
        down = PAD + 8 + LINE * (len(self._head) + len(self._who) + 1)
        for row, lines in zip(box.rows, self._rows, strict=True):
            down += 6 if self._apart(row) else 0
            self._ports.append(down)
            down += LINE * len(lines)
        self.height = down - LINE / 2 + PAD

    def port(self, row: int) -> float:
        """The y at which a cable to the row ends."""
        return self.y + self._ports[row]

    def _broken(self, row: Row, within: float) -> list[str]:
        return _pieces(row.drawn, row.size, within - row.depth * INDENT - HANG, row.mono)

    def _apart(self, row: Row) -> bool:
        """Whether it is the first that is no link, below a line."""
        rest = (other for other in self.box.rows if other.kind not in ("link", "bridge"))
        return row is next(rest, None)

    def draw(self, canvas: Canvas) -> None:
        """Draw it at its place."""
        x, y = self.x, self.y + PAD + 5
        canvas.rect(x, self.y, self.width, self.height, fill=tint(COLOUR, 0.08), stroke=COLOUR,
                    line=1.8, radius=8)  # fmt: skip
        for lines, mono in ((self._head, True), (self._who, False)):
            for line in lines:
                canvas.text(x + PAD, y, line, HEAD_SIZE, bold=True, mono=mono)
                y += LINE
        canvas.text(x + PAD, y - 2, self.box.where, WHERE_SIZE, mono=True, fill=SOFT_INK)
        for index, (row, lines) in enumerate(zip(self.box.rows, self._rows, strict=True)):
            self._draw_row(canvas, row, lines, self.port(index))

    def _draw_row(self, canvas: Canvas, row: Row, lines: list[str], y: float) -> None:
        left, right = self.x + PAD + row.depth * INDENT, self.x + self.width - PAD
        if self._apart(row):
            canvas.line(self.x + PAD, y - LINE / 2 - 3, right, y - LINE / 2 - 3, tint(COLOUR, 0.5))
        if row.kind == "bridge":  # a bar, into which its ports are plugged
            high, across = LINE * len(lines), self.width - 10
            canvas.rect(self.x + 5, y - 9, across, high, fill=tint(COLOUR, 0.5), radius=3)
        if row.depth:
            canvas.line(left - 6, y - LINE / 2, left - 6, y, SOFT_INK)
            canvas.line(left - 6, y, left - 2, y, SOFT_INK)
        x = left
        for index, line in enumerate(lines):
            if row.mono and row.name and not index and line.startswith(row.name):
                canvas.text(x, y, row.name, row.size, mono=True, bold=True)
                x, line = x + measure(row.name, row.size, mono=True), line[len(row.name) :]
            canvas.text(x, y, line, row.size, mono=row.mono, fill=INK if row.mono else SOFT_INK)
            x, y = left + HANG, y + LINE


def _pieces(text: str, size: float, width: float, mono: bool = False) -> list[str]:
    """The text in lines that fit, broken at blanks, or anywhere in a word that is too long."""
    lines: list[str] = []
    most = max(4, int(width / (size * (MONO_ADVANCE if mono else SANS_ADVANCE))))
    for line in wrap(text, size * MONO_ADVANCE / SANS_ADVANCE if mono else size, width):
        while len(line) > most:
            lines.append(line[:most])
            line = "  " + line[most:]
        lines.append(line)
    return lines


class _Block(NamedTuple):
    """Boxes that are connected, or that nothing is connected to, in columns from left to right."""

    columns: list[list[Box]]
    cables: bool


def _blocks(boxes: Sequence[Box], cables: Sequence[Cable]) -> list[_Block]:
    """Blocks of connected boxes, each as three columns: left, middle, right."""
    near: dict[int, list[int]] = {box.key: [] for box in boxes}
    for cable in cables:
        near[cable.ends[0][0]].append(cable.ends[1][0])
        near[cable.ends[1][0]].append(cable.ends[0][0])
    by_key = {box.key: box for box in boxes}
    placed: set[int] = set()
    blocks: list[_Block] = []
    alone: list[Box] = []
    for box in boxes:
        if box.key in placed:
            continue
        if not near[box.key]:
            alone.append(box)
            continue
        everyone = _distances(box.key, near)
        hub = max(everyone, key=lambda key: len(near[key]))
        depth = _distances(hub, near)
        middle = [by_key[key] for key in depth if depth[key] % 2 == 0]
        outer = [by_key[key] for key in depth if depth[key] % 2]
        half = (len(outer) + 1) // 2 if len(outer) > 1 else 0  # of two, the first is on the left
        blocks.append(_Block(_filled(outer[:half], middle, outer[half:]), True))
        placed |= set(everyone)
    if alone:
        blocks.append(_Block(_filled(alone[0::3], alone[1::3], alone[2::3]), False))
    return blocks


def _filled(*columns: list[Box]) -> list[list[Box]]:
    return [column for column in columns if column]


def _distances(start: int, near: dict[int, list[int]]) -> dict[int, int]:
    """How many cables away everyone is that can be reached, the nearest first."""
    found, queue = {start: 0}, [start]
    for key in queue:
        for other in near[key]:
            if other not in found:
                found[other] = found[key] + 1
                queue.append(other)
    return found


def _placed(blocks: list[_Block]) -> tuple[dict[int, PlacedBox], float]:
    """Every box with its lines broken for the width of its column; and the width of all."""
    many = max((len(block.columns) for block in blocks), default=1)
    room = (WIDEST - 2 * MARGIN - (many - 1) * GAP) / many
    widths = [NARROWEST] * many
    for block in blocks:
        for index, column in enumerate(block.columns):
            widths[index] = max([widths[index], *map(_wanted, column)])
    # What one column leaves of its share is for those that want more.
    greedy = sum(width > room for width in widths)
    left = sum(max(0.0, room - width) for width in widths)
    widths = [min(width, room + left / greedy) if width > room else width for width in widths]
    places = {}
    for block in blocks:
        for index, column in enumerate(block.columns):
            for box in column:
                places[box.key] = place = PlacedBox(box, widths[index])
                place.column = index
                place.x = MARGIN + sum(widths[:index]) + index * GAP
    return places, sum(widths) + (many - 1) * GAP


def _stack(blocks: list[_Block], places: dict[int, PlacedBox], y: float) -> float:
    """Put block below block; returns the y below all."""
    for block in blocks:
        columns = [[places[box.key] for box in column] for column in block.columns]
        heights = [sum(place.height + BETWEEN for place in column) for column in columns]
        for column, height in zip(columns, heights, strict=True):
            down = y + (max(heights) - height) / 2 if block.cables else y
            for place in column:
                place.y = down
                down += place.height + BETWEEN
        y += max(heights)
    return y - BETWEEN if blocks else y


def _cable_path(cable: Cable, places: dict[int, PlacedBox]) -> list[tuple[float, float]]:
    """The four points of the curve that a cable takes."""
    ends = sorted((places[key].column, places[key].port(row), key) for key, row in cable.ends)
    (column, y, key), (to_column, to_y, to_key) = ends
    x, to_x = places[key].x + places[key].width, places[to_key].x
    bend, to_bend = x + GAP / 2, to_x - GAP / 2
    if column == to_column:  # round the side of the column, where there is room
        x = to_x = x if not column else to_x
        bend = to_bend = x + GAP * (-0.7 if column else 0.7)
    return [(x, y), (bend, y), (to_bend, to_y), (to_x, to_y)]


def _draw_cable(canvas: Canvas, cable: Cable, way: list[tuple[float, float]]) -> None:
    first, *rest = (f"{x:.1f} {y:.1f}" for x, y in way)
    ink, line = (INK, 1.8) if cable.up else (SOFT_INK, 1.2)
    thick = line if cable.count == 1 else 2.5 * line
    dashed = not cable.up or cable.kind != "veth"
    canvas.path(f"M{first}C{' '.join(rest)}", ink, thick, dashed=dashed)
