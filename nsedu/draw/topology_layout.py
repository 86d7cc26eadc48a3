"""Boxes in three columns and cables between them: laid out and drawn.

Whoever has the most cables comes into the middle, whoever is connected to it to its left and right,
and so on to and fro: so most cables cross one gap between two columns, and no box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nsedu.draw.picture import Picture
from nsedu.draw.style import INK, MARGIN, PANEL, SOFT_INK, WIDEST
from nsedu.draw.svg import Canvas
from nsedu.draw.topology_box import Box, PlacedBox, wanted

GAP, BETWEEN = 66.0, 18.0
"""Between columns, where the cables run; and between boxes of a column."""
NARROWEST = 190.0

Port = tuple[int, int]
"""Where a cable ends: a box's key, and which of its rows."""


@dataclass(frozen=True)
class Cable:
    """A connection of two ports; `count` are drawn as one."""

    ends: tuple[Port, Port]
    kind: str
    up: bool
    count: int = 1


def draw(
    title: str,
    below: list[str],
    boxes: Sequence[Box],
    cables: Sequence[Cable],
    text: list[str],
) -> Picture:
    """The finished picture.

    Args:
        title: what it shows.
        below: sentences under the title.
        boxes: in the order in which they are to come.
        cables: between ports of these boxes.
        text: the text twin.
    """
    blocks = _blocks(boxes, cables)
    places, across = _placed(blocks)
    width = max(560.0, across + 2 * MARGIN)
    canvas = Canvas()
    bottom = _stack(blocks, places, canvas.heading(title, below, width) + 4)
    ways = [_cable_path(cable, places) for cable in cables]
    for cable, way in zip(cables, ways, strict=True):  # below the boxes, should one be in the way
        _draw_cable(canvas, cable, way)
    for place in places.values():
        place.draw(canvas)
    for way in ways:
        for x, y in (way[0], way[-1]):
            canvas.rect(x - 4, y - 5, 8, 10, fill=PANEL, stroke=INK, line=1.2, radius=2)
    return canvas.picture(title, text, width, bottom + MARGIN)


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
            widths[index] = max([widths[index], *map(wanted, column)])
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
