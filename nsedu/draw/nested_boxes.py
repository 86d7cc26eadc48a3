"""Boxes in boxes: how they are told as lines of text, laid out and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from nsedu.draw.style import MARGIN, PANEL, SOFT_INK, WIDEST, okabe_ito, tint
from nsedu.draw.svg import CHIP, Canvas, chips, fit, measure

HEAD = 40.0
SNUG = 240.0
"""Width up to which members stand side by side in a box that nothing else makes wider."""


@dataclass(eq=False)
class Box:
    """A namespace with what is in it.

    Attributes:
        type: its type, which gives the colour.
        name: its type and letter, "user B".
        where: its identity, "user:[4026531837]"; "" if that is not known.
        facts: what else is to be said, a few words each.
        members: the names of the processes in it.
        inner: the boxes in it.
        outline: whether it is only there to hold others.
        fills: the colours of members that are not white.
    """

    type: str
    name: str
    where: str = ""
    facts: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    inner: list[Box] = field(default_factory=list)
    outline: bool = False
    fills: dict[str, str] = field(default_factory=dict)


def walk(boxes: list[Box]) -> Iterator[Box]:
    """Every box, the outer before the inner."""
    for box in boxes:
        yield box
        yield from walk(box.inner)


def cut(boxes: list[Box], most: int) -> tuple[list[Box], int]:
    """The first boxes, at most so many of them, and how many more there are."""
    order = list(walk(boxes))
    kept = {id(box) for box in order[:most]}
    for box in order:
        box.inner = [inner for inner in box.inner if id(inner) in kept]
    return [box for box in boxes if id(box) in kept], max(0, len(order) - most)


def text_lines(boxes: list[Box]) -> list[str]:
    """A line for each box, indented like a tree."""
    lines = []

    def tell(box: Box, before: str, below: str) -> None:
        words = [f"{box.name} {box.where}".rstrip(), *box.facts]
        lines.append(before + " · ".join([*words, ", ".join(box.members)]).removesuffix(" · "))
        for inner in box.inner:
            last = inner is box.inner[-1]
            tell(inner, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))

    for box in boxes:
        tell(box, "", "")
    return lines


@dataclass
class Place:
    """Where a box and its contents go, relative to the box's own corner."""

    width: float
    height: float
    chips: list[tuple[float, float, float, str]]
    inner: list[tuple[float, float, Box]]


class Layout:
    """Places for boxes, so that the outermost fit into the width of a picture."""

    def __init__(self, boxes: list[Box]) -> None:
        self._places: dict[int, Place] = {}
        depth = max((_depth(box) for box in boxes), default=1)
        room = WIDEST - 2.0 * MARGIN
        self.pad = max(4.0, min(12.0, (room - SNUG) / (2 * depth)))
        self._boxes, width, self.height = self._flow(boxes, room)
        self.width = max(560.0, width + 2 * MARGIN)

    def draw(self, canvas: Canvas, y: float) -> float:
        """Draw all boxes; returns the y below them."""
        for x, down, box in self._boxes:
            self._draw(canvas, box, MARGIN + x, y + down, 0)
        return y + self.height

    def _flow(
        self, boxes: list[Box], room: float
    ) -> tuple[list[tuple[float, float, Box]], float, float]:
        """Boxes side by side, in as many lines as it takes: places, width and height of all."""
        gap = self.pad
        lines: list[list[Box]] = []
        used = room + 1
        for box in boxes:
            place = self._place(box, room)
            if used + gap + place.width > room:
                lines.append([])
                used = -gap
            used += gap + place.width
            lines[-1].append(box)
        places, width, y = [], 0.0, 0.0
        for line in lines:
            x, height = 0.0, max(self._places[id(box)].height for box in line)
            for box in line:
                places.append((x, y, box))
                x += self._places[id(box)].width + gap
            width, y = max(width, x - gap), y + height + gap
        return places, width, max(0.0, y - gap)

    def _place(self, box: Box, room: float) -> Place:
        pad, within = self.pad, room - 2 * self.pad
        inner, inner_width, inner_height = self._flow(box.inner, within)
        first = measure(box.name, 13, mono=True)
        if box.facts:
            first += 10 + measure("; ".join(box.facts), 11)
        head = min(within, max(first, measure(box.where, 11, mono=True)))
        width = max(head, inner_width, min(SNUG, within) if box.members else 0)
        placed, top = chips(box.members, width), HEAD if box.where else HEAD - 17
        if len(placed) == 1 and not box.inner:
            width = max(head, placed[0][2])
        below = top + (placed[-1][1] + CHIP if placed else -6)
        within_box = [(pad + x, pad + below + 10 + down, box) for x, down, box in inner]
        height = pad + below + (10 + inner_height if inner else 0) + pad
        members = [(pad + x, pad + top + down, wide, name) for x, down, wide, name in placed]
        place = Place(width + 2 * pad, height, members, within_box)
        self._places[id(box)] = place
        return place

    def _draw(self, canvas: Canvas, box: Box, x: float, y: float, depth: int) -> None:
        place, colour = self._places[id(box)], okabe_ito[box.type]
        empty = not box.members and not box.outline
        strength = 0.05 if box.outline or empty else 0.08 + 0.1 * (depth % 2)
        canvas.rect(x, y, place.width, place.height, fill=tint(colour, strength), stroke=colour,
                    line=1 if box.outline else 1.8, radius=8, dashed=empty)  # fmt: skip
        canvas.text(x + self.pad, y + self.pad + 7, box.name, 13, mono=True, bold=True)
        facts_x = self.pad + measure(box.name, 13, mono=True) + 10
        facts = fit("; ".join(box.facts), 11, place.width - facts_x - 4)
        canvas.text(x + facts_x, y + self.pad + 7, facts, 11, fill=SOFT_INK)
        if box.where:
            canvas.text(x + self.pad, y + self.pad + 25, box.where, 11, mono=True, fill=SOFT_INK)
        for label, (chip_x, chip_y, wide, shown) in zip(box.members, place.chips, strict=True):
            canvas.chip(x + chip_x, y + chip_y, wide, shown, box.fills.get(label, PANEL))
        for inner_x, inner_y, inner in place.inner:
            self._draw(canvas, inner, x + inner_x, y + inner_y, depth + (not box.outline))


def _depth(box: Box) -> int:
    return 1 + max((_depth(inner) for inner in box.inner), default=0)
