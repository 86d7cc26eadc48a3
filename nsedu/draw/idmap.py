"""Id maps as bars: the ids inside a user namespace beside what they are outside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nsedu.agent.lent_ids import is_yours
from nsedu.draw.labels import grouped, with_alike
from nsedu.draw.picture import Picture
from nsedu.draw.style import INK, MARGIN, PANEL, SOFT_INK, TREE_LINE, WIDEST, okabe_ito, tint
from nsedu.draw.svg import Canvas, fit, measure
from nsedu.kernel.id_maps import ALL_IDS, NO_ID, OVERFLOW_ID, IdRange
from nsedu.observe.id_maps import IdMaps
from nsedu.printable import clean

MANY_PLACES = 8
"""Above so many places, those whose maps are alike are drawn once."""
MOST_PLACES = 16
"""So many places are drawn; how many more there are, is said."""
MOST_PARTS = 12
"""So many parts of one map are drawn; the kernel takes 340 ranges (user_namespaces(7))."""
LABEL, SIDE, BAR, GAP, SMALL = 62.0, 58.0, 24.0, 16.0, 12.0
LEFT, LEAST = MARGIN + LABEL + SIDE, 560.0


class Part(NamedTuple):
    """A part of a bar: ids inside, and what they are outside.

    Attributes:
        inside: the ids inside, as a number or a range.
        outside: the same ids outside, or the words for having none.
        words: what is said of the part ("0 is yours outside").
        mapped: whether the part is a line of the map.
        size: how many ids it has.
    """

    inside: str
    outside: str
    words: str
    mapped: bool
    size: int

    @property
    def width(self) -> float:
        """How wide it is drawn, px: each power of ten more ids adds as much."""
        label = max(measure(text, SMALL, mono=True) for text in (self.inside, self.outside))
        return min(WIDEST - MARGIN - LEFT, max(label + 16, 40 + 14 * math.log10(self.size)))


_OTHERS = Part(str(OVERFLOW_ID), "anyone else", "", False, 1)
_EVERYONE = Part(str(OVERFLOW_ID), "everyone, no map yet", "", False, 1)
_LEFT_OUT = f"anyone else outside looks like {OVERFLOW_ID} inside"


class _Bar(NamedTuple):
    """One map, or both if they are alike: its name, its parts, and what is not in any."""

    name: str
    parts: list[Part]
    rest: str

    @property
    def drawn(self) -> list[Part]:
        if not self.parts:
            return [_EVERYONE]
        return [*self.parts, _OTHERS] if self.rest == _LEFT_OUT else self.parts

    @property
    def lines(self) -> list[str]:
        return [
            *(f"  {self.name} {part.words}" for part in self.parts),
            f"  {self.name}: {self.rest}",
        ]


def idmap(maps: Sequence[IdMaps], own: tuple[int, int] | None = None) -> Picture:
    """For each place a bar of the ids inside above a bar of what they are outside.

    Args:
        maps: one for each place.
        own: user and group id of who looks, so that they can be called "yours".
    """
    many = len(maps) > MANY_PLACES
    drawn = (grouped(maps, lambda one: one[1:]) if many else [[one] for one in maps])[:MOST_PLACES]
    left_out = len(maps) - sum(map(len, drawn))
    title = "Who is who: ids inside and outside"
    sense = "outside: as you see it"
    notes = [f"… {left_out} more places, not drawn"] if left_out else []
    notes += [] if maps else ["nothing to look at"]

    blocks = [(_heading(group), _facts(group[0]), _bars(group[0], own)) for group in drawn]
    text = [sense]
    for heading, facts, bars in blocks:
        text += [f"{heading} · {facts}", *(line for bar in bars for line in bar.lines)]
    canvas = Canvas()
    width = _width(blocks)
    y = canvas.heading(title, [sense], width)
    for heading, facts, bars in blocks:
        name = fit(heading, 13, width - 2 * MARGIN - 140, mono=True)
        canvas.text(MARGIN, y + 8, name, 13, mono=True, bold=True)
        canvas.text(MARGIN + measure(name, 13, mono=True) + 12, y + 8, facts, 11, fill=SOFT_INK)
        y += 26
        for bar in bars:
            y = _draw(canvas, bar, y)
        y += 10
    y = canvas.footnotes(notes, y + 6, width)
    return canvas.picture(title, [*text, *notes], width, y + 2)


def _width(blocks: list[tuple[str, str, list[_Bar]]]) -> float:
    """As wide as the widest bar and name need, within what a notebook shows."""
    wide = [LEFT + sum(part.width + 4 for part in bar.drawn) for _, _, bars in blocks
            for bar in bars]  # fmt: skip
    wide += [MARGIN + measure(heading, 13, mono=True) + 160 for heading, _, _ in blocks]
    return min(WIDEST, max([LEAST, *wide]) + MARGIN)


def _heading(group: list[IdMaps]) -> str:
    return with_alike(clean(group[0].name), len(group) - 1)


def _facts(one: IdMaps) -> str:
    may = {"allow": "allowed", "deny": "denied"}.get(one.setgroups, "unknown")
    return f"setgroups(2) {may}"


def _bars(one: IdMaps, own: tuple[int, int] | None) -> list[_Bar]:
    """A bar for each map, or one for both when they say the same."""
    uid, gid = own or (None, None)
    users, groups = _parts(one.uid, uid), _parts(one.gid, gid)
    if users == groups and _covers(one.uid) == _covers(one.gid):
        return [_Bar("uid, gid", users, _rest(one.uid))]
    return [_Bar("uid", users, _rest(one.uid)), _Bar("gid", groups, _rest(one.gid))]


def _covers(ranges: Iterable[IdRange]) -> int:
    return sum(entry.count for entry in ranges)


def _rest(ranges: Sequence[IdRange]) -> str:
    if not ranges:
        return f"no map yet, everyone looks like {OVERFLOW_ID}"
    if _covers(ranges) == ALL_IDS:
        return "no id is left out"
    return _LEFT_OUT


def _parts(ranges: Sequence[IdRange], own: int | None) -> list[Part]:
    """The ranges from the lowest id inside on, and the holes between them."""
    parts: list[Part] = []
    below = None
    for entry in sorted(ranges):
        if below is not None and entry.inside > below:
            size = entry.inside - below
            hole = _ids(below, size)
            parts.append(Part(hole, "no one", f"{hole} is no one", False, size))
        below = entry.inside + entry.count
        inside, outside = _ids(entry.inside, entry.count), _ids(entry.outside, entry.count)
        words = f"{inside} is {outside} outside"
        if entry.outside == NO_ID:
            outside, words = "no id here", f"{inside} has no id here"
        elif entry.count == 1 and own is not None and is_yours(entry.outside, own):
            outside, words = "yours", f"{inside} is yours outside"
        parts.append(Part(inside, outside, words, True, entry.count))
    if len(parts) > MOST_PARTS:
        more = f"… {len(parts) - MOST_PARTS} more parts"
        parts[MOST_PARTS:] = [Part(more, "not drawn", f"{more}, not drawn", False, 1)]
    return parts


def _ids(first: int, count: int) -> str:
    return str(first) if count == 1 else f"{first} … {first + count - 1}"


def _draw(canvas: Canvas, bar: _Bar, y: float) -> float:
    """Draw one bar above the other, in as many lines as it takes; returns the y below them."""
    x = LEFT
    _sides(canvas, y, bar.name)
    for part in bar.drawn:
        if x + part.width > WIDEST - MARGIN:
            x, y = LEFT, y + 2 * BAR + GAP + 12
            _sides(canvas, y, "")
        _cell(canvas, x, y, part.width, part.inside, part.mapped)
        _cell(canvas, x, y + BAR + GAP, part.width, part.outside, part.mapped)
        if part.mapped or part in (_OTHERS, _EVERYONE):
            _arrow(canvas, x + part.width / 2, y + BAR, part.mapped)
        x += part.width + 4
    return y + 2 * BAR + GAP + 12


def _sides(canvas: Canvas, y: float, name: str) -> None:
    canvas.text(MARGIN, y + BAR + GAP / 2, name, 13, mono=True, bold=True)
    for below, word in ((0.0, "inside"), (BAR + GAP, "outside")):
        canvas.text(LEFT - 8, y + below + BAR / 2, word, 11, fill=SOFT_INK, anchor="end")


def _cell(canvas: Canvas, x: float, y: float, width: float, label: str, mapped: bool) -> None:
    colour = okabe_ito["net"] if mapped else TREE_LINE
    canvas.rect(x, y, width, BAR, fill=tint(colour, 0.25) if mapped else PANEL, stroke=colour,
                radius=4, dashed=not mapped)  # fmt: skip
    shown = fit(label, SMALL, width - 6, mono=True)
    ink = INK if mapped else SOFT_INK
    canvas.text(x + width / 2, y + BAR / 2, shown, SMALL, anchor="middle", mono=True, fill=ink)


def _arrow(canvas: Canvas, x: float, y: float, mapped: bool) -> None:
    """What joins the two bars: both ways for a mapped part, inwards for everyone else."""
    ink = SOFT_INK if mapped else TREE_LINE
    top, bottom = y + 2, y + GAP - 2
    canvas.path(f"M{x:.1f} {top:.1f}V{bottom:.1f}", ink, 1.4, dashed=not mapped)
    for point, back in ((top, top + 4), (bottom, bottom - 4))[: 2 if mapped else 1]:
        head = f"M{x - 3:.1f} {back:.1f}L{x:.1f} {point:.1f}L{x + 3:.1f} {back:.1f}"
        canvas.path(head, ink, 1.4)
