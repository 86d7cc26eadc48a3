"""Who shares how many namespaces with whom: a matrix of processes × processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import NamedTuple

from nsedu.draw.labels import call, columns, pad, shorten, unread
from nsedu.draw.picture import Picture
from nsedu.draw.process_rows import build_trees, rows
from nsedu.draw.style import (
    INK,
    MARGIN,
    PANEL,
    RULE,
    SHARED,
    SOFT_INK,
    WIDEST,
    ink_on,
    okabe_ito,
    tint,
)
from nsedu.draw.svg import Canvas, fit, measure
from nsedu.kernel.namespace_types import CATALOGUE, NsType
from nsedu.observe.records import Process, Snapshot

MOST_GROUPS = 24
"""So many groups are drawn; what is cut is said."""
ROOMY = 10
"""Up to so many groups each cell says also which types are not shared."""
LABEL = 44
"""Characters after which the names of a group are cut."""
TITLE = "Who shares how many namespaces with whom"

_MISSING = "not shared"


class Group(NamedTuple):
    """Processes that stand in one row.

    Attributes:
        processes: all of them.
        spaces: for each type the namespace that all of them are in; None if each has its own.
    """

    processes: list[Process]
    spaces: tuple[int | None, ...]


def matrix(snapshot: Snapshot) -> Picture:
    """The sharing matrix: each cell says how many of the eight types two processes share.

    Processes in the same eight namespaces stand in one row, and so do processes of one name that
    differ only in namespaces that each has to itself.  A process whose links cannot be read is
    counted below the matrix.

    Args:
        snapshot: what to draw.
    """
    order = [row.node.process for row in rows(build_trees(snapshot.processes))]
    # An older kernel has fewer than eight types.
    types = [t for t in CATALOGUE if any(t.name in process.links for process in order)]
    legible = [p for p in order if types and all(t.name in p.links for t in types)]
    rest = [p for p in order if not types or any(t.name not in p.links for t in types)]
    groups = _groups(legible, types)
    drawn = groups[:MOST_GROUPS]
    labels = [_label(group) for group in drawn]
    cells = [[_differing(one, other, types) for other in drawn] for one in drawn]
    notes = _notes(groups, rest, snapshot)
    sheet = _Sheet(labels, types)
    text = [*_text(labels, cells, len(types)), sheet.marks(), *notes]

    canvas = Canvas()
    y = canvas.heading(TITLE, [], sheet.width) - 4
    y = sheet.draw(canvas, y, labels, cells)
    for note in notes:
        canvas.text(MARGIN, y, note, 12, fill=SOFT_INK)
        y += 18
    return canvas.picture(TITLE, text, sheet.width, y + 4)


def _groups(processes: list[Process], types: list[NsType]) -> list[Group]:
    """The rows, in the order in which their first processes come."""
    same: dict[tuple[int, ...], list[Process]] = {}
    for process in processes:
        same.setdefault(tuple(process.links[t.name] for t in types), []).append(process)
    popular = Counter(place for key in same for place in enumerate(key))
    alike: dict[tuple[Hashable, tuple[int | None, ...]], list[tuple[int, ...]]] = {}
    for key, members in same.items():
        shared = tuple(ns if popular[i, ns] > 1 else None for i, ns in enumerate(key))
        names = tuple(Counter(map(call, members)).items())
        alike.setdefault((names, shared), []).append(key)
    groups = []
    for (_, shared), keys in alike.items():
        members = [process for key in keys for process in same[key]]
        groups.append(Group(members, keys[0] if len(keys) == 1 else shared))
    return groups


def _differing(one: Group, other: Group, types: list[NsType]) -> str:
    """The marks of the types in which the processes of two groups differ."""
    return "".join(
        t.mark
        for t, a, b in zip(types, one.spaces, other.spaces, strict=True)
        if a is None or a != b
    )


def _label(group: Group) -> str:
    counts = Counter(map(call, group.processes))
    words = [name if n == 1 else f"{name} × {n}" for name, n in counts.items()]
    text = words[0]
    for index, word in enumerate(words[1:], start=1):
        rest = len(words) - index - 1
        tail = f", … {rest} more" if rest else ""
        if columns(f"{text}, {word}{tail}") > LABEL:
            left = sum(list(counts.values())[index:])
            return f"{text}, … {left} more"
        text = f"{text}, {word}"
    return shorten(text, LABEL)


def _notes(groups: list[Group], rest: list[Process], snapshot: Snapshot) -> list[str]:
    notes = [] if groups else ["no process in this snapshot whose links can be read"]
    if any(None in group.spaces for group in groups[:MOST_GROUPS]):
        notes.append("a row compared with itself: what its own processes share with each other")
    if len(groups) > MOST_GROUPS:
        left_out = sum(len(group.processes) for group in groups[MOST_GROUPS:])
        notes.append(
            f"… {len(groups) - MOST_GROUPS} more groups with {left_out} processes, not drawn"
        )
    zombies = sum(process.zombie for process in rest)
    if zombies:
        notes.append(f"not compared, for they have ended and are in few namespaces: {zombies}")
    if len(rest) > zombies:
        notes.append(f"not compared, for their links could not be read: {len(rest) - zombies}")
    return notes + unread(snapshot)


def _text(labels: list[str], cells: list[list[str]], total: int) -> list[str]:
    numbered = [f"{index} {label}" for index, label in enumerate(labels, start=1)]
    left = max([26, *map(columns, numbered)]) + 2
    heads = [str(index + 1) for index in range(len(labels))]
    if len(labels) > ROOMY:
        words = [[*(str(total - len(cell)) for cell in row), row[0]] for row in cells]
        heads.append(f"{_MISSING} with 1")
    else:
        words = [[f"{total - len(cell)} {cell}".rstrip() for cell in row] for row in cells]
    widths = [max(map(len, column)) for column in zip(heads, *words, strict=True)]
    gap = " " if len(labels) > ROOMY else "  "
    return [
        (pad(label, left) + gap.join(map(pad, row, widths))).rstrip()
        for label, row in zip(["shares how many with", *numbered], [heads, *words], strict=True)
    ]


class _Sheet:
    def __init__(self, labels: list[str], types: list[NsType]) -> None:
        self.types = types
        number = max(1, len(labels))
        self.crowded = number > ROOMY
        longest = max((measure(label, 13, mono=True) for label in labels), default=0.0)
        self.names = min(longest + 1, 156.0 if self.crowded else 258.0) + 42
        room = WIDEST - 2 * MARGIN - self.names
        self.cell = 25.0 if self.crowded else min(86.0, room / number)
        self.tall = 25.0 if self.crowded else 46.0
        self.left = MARGIN + self.names
        self.right = self.left + number * self.cell
        self.width = max(600.0, self.right + (62.0 if self.crowded else 0) + MARGIN)

    def marks(self) -> str:
        """What the letters in the cells mean."""
        each = ", ".join(f"{t.mark} {t.name}" for t in self.types)
        return f"of {len(self.types)} namespaces; letters: {_MISSING}: {each}"

    def draw(self, canvas: Canvas, y: float, labels: list[str], cells: list[list[str]]) -> float:
        """Draw the matrix and its key; returns the y below them."""
        for index in range(len(labels)):
            x = self.left + (index + 0.5) * self.cell
            canvas.text(x, y + 10, str(index + 1), 12, anchor="middle", mono=True, fill=SOFT_INK)
        if self.crowded:
            canvas.text(self.right + 34, y + 10, "≠ 1", 12, anchor="middle", fill=SOFT_INK)
        top = y + 24
        for row, label in enumerate(labels):
            middle = top + (row + 0.5) * self.tall
            canvas.line(MARGIN, middle + self.tall / 2, self.left - 6,
                        middle + self.tall / 2, RULE)  # fmt: skip
            canvas.text(MARGIN + 20, middle, str(row + 1), 12, anchor="end", mono=True,
                        fill=SOFT_INK)  # fmt: skip
            shown = fit(label, 13, self.names - 41, mono=True)
            canvas.text(MARGIN + 28, middle, shown, 13, mono=True)
            for column, differing in enumerate(cells[row]):
                x = self.left + (column + 0.5) * self.cell
                self._cell(canvas, x, middle, differing, row == column)
            if self.crowded:
                _spread(canvas, self.right + 34, middle, 6.6, cells[row][0], INK)
        return self._key(canvas, top + len(labels) * self.tall + 24)

    def _cell(self, canvas: Canvas, x: float, y: float, differing: str, itself: bool) -> None:
        count = len(self.types) - len(differing)
        fill = shade(count)
        ink = ink_on(fill)
        wide, tall = self.cell - 3, self.tall - 3
        canvas.rect(x - wide / 2, y - tall / 2, wide, tall, fill=fill, stroke=tint(SHARED, 0.3),
                    radius=4)  # fmt: skip
        if itself:
            canvas.rect(x - wide / 2 + 2, y - tall / 2 + 2, wide - 4, tall - 4, stroke=ink,
                        radius=3, dashed=True)  # fmt: skip
        lettered = differing and not self.crowded
        canvas.text(x, y - 8 if lettered else y, str(count),
                    12 if self.crowded else 16, anchor="middle", bold=True, fill=ink)  # fmt: skip
        if lettered:
            _spread(canvas, x, y + 11, min(7.0, (wide - 6) / 8), differing, ink)

    def _key(self, canvas: Canvas, y: float) -> float:
        x = float(MARGIN)
        for count in (8, 6, 4, 2, 0):
            canvas.rect(x, y - 8, 24, 16, fill=shade(count), stroke=tint(SHARED, 0.3), radius=3)
            canvas.text(x + 12, y, str(count), 11, anchor="middle", bold=True,
                        fill=ink_on(shade(count)))  # fmt: skip
            x += 28
        canvas.text(x + 6, y, "namespaces are shared", 12, fill=SOFT_INK)
        y += 26
        words = f"{_MISSING} with 1:" if self.crowded else f"{_MISSING}:"
        canvas.text(MARGIN, y, words, 12, fill=SOFT_INK)
        x = MARGIN + measure(words, 12) + 8
        for t in self.types:
            canvas.rect(x, y - 8, 5, 16, fill=okabe_ito[t.name], radius=2)
            canvas.text(x + 10, y, t.mark, 12, mono=True, bold=True)
            canvas.text(x + 21, y, t.name, 11, fill=SOFT_INK)
            x += 21 + measure(t.name, 11) + 12
        return y + 24


def _spread(canvas: Canvas, x: float, y: float, step: float, differing: str, ink: str) -> None:
    """The marks, each at a place of its own around x."""
    for index, t in enumerate(CATALOGUE):
        if t.mark in differing:
            canvas.text(x + (index - 3.5) * step, y, t.mark, 10.5, anchor="middle", mono=True,
                        bold=True, fill=ink)  # fmt: skip


def shade(count: int) -> str:
    """The colour of a cell in which so many of the eight are shared."""
    return tint(SHARED, (count / 8) ** 1.5) if count else PANEL
