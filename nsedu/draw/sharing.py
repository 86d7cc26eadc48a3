"""Who shares how many namespaces with whom: a matrix of processes × processes."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from nsedu.draw.canvas import Canvas, fit, measure
from nsedu.draw.forest import plant, rows
from nsedu.draw.names import call, columns, pad, shorten, unread
from nsedu.draw.picture import Picture
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
from nsedu.nstypes import CATALOGUE, NAMES
from nsedu.records import Process, Snapshot

MOST_GROUPS = 24
"""So many groups are drawn; what is cut is said."""
LABEL = 44
"""Characters after which the names of a group are cut."""
TITLE = "Who shares how many of the eight namespaces with whom"


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
    order = [row.node.process for row in rows(plant(snapshot.processes))]
    legible = [p for p in order if all(name in p.links for name in NAMES)]
    groups = _groups(legible)
    drawn = groups[:MOST_GROUPS]
    labels = [_label(group) for group in drawn]
    cells = [[_differing(one, other) for other in drawn] for one in drawn]
    notes = _notes(groups, len(order) - len(legible), snapshot)
    text = [*_text(labels, cells), _marks(), *notes]

    canvas, sheet = Canvas(), _Sheet(labels)
    y = canvas.heading(TITLE, [], sheet.width) - 4
    y = sheet.draw(canvas, y, labels, cells)
    for note in notes:
        canvas.text(MARGIN, y, note, 12, fill=SOFT_INK)
        y += 18
    return canvas.picture(TITLE, "\n".join(text), sheet.width, y + 4)


def _groups(processes: list[Process]) -> list[Group]:
    """The rows, in the order in which their first processes come."""
    same: dict[tuple[int, ...], list[Process]] = {}
    for process in processes:
        same.setdefault(tuple(process.links[name] for name in NAMES), []).append(process)
    popular = Counter((name, ns) for key in same for name, ns in zip(NAMES, key, strict=True))
    alike: dict[object, list[tuple[int, ...]]] = {}
    for key, members in same.items():
        shared = tuple(
            ns if popular[name, ns] > 1 else None for name, ns in zip(NAMES, key, strict=True)
        )
        names = tuple(Counter(map(call, members)).items())
        alike.setdefault((names, shared), []).append(key)
    groups = []
    for (_, shared), keys in alike.items():  # type: ignore[misc]
        members = [process for key in keys for process in same[key]]
        groups.append(Group(members, keys[0] if len(keys) == 1 else shared))
    return groups


def _differing(one: Group, other: Group) -> str:
    """The marks of the types in which the processes of two groups differ."""
    return "".join(
        t.mark
        for t, a, b in zip(CATALOGUE, one.spaces, other.spaces, strict=True)
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


def _marks() -> str:
    return "letters: what is not shared; " + ", ".join(f"{t.mark} {t.name}" for t in CATALOGUE)


def _notes(groups: list[Group], illegible: int, snapshot: Snapshot) -> list[str]:
    notes = [] if groups else ["no process in this snapshot whose links can be read"]
    if any(None in group.spaces for group in groups[:MOST_GROUPS]):
        notes.append("a row compared with itself: what its own processes share with each other")
    if len(groups) > MOST_GROUPS:
        left_out = sum(len(group.processes) for group in groups[MOST_GROUPS:])
        notes.append(
            f"… {len(groups) - MOST_GROUPS} more groups with {left_out} processes, not drawn"
        )
    if illegible:
        notes.append(f"not compared, for their links could not be read: {illegible}")
    return notes + unread(snapshot)


def _word(differing: str) -> str:
    return f"{8 - len(differing)} {differing}".rstrip()


def _text(labels: list[str], cells: list[list[str]]) -> list[str]:
    numbered = [f"{index} {label}" for index, label in enumerate(labels, start=1)]
    left = max([26, *map(columns, numbered)]) + 2
    widths = [max(4, *(len(_word(cell)) for cell in column)) for column in zip(*cells, strict=True)]
    heads = [pad(str(index + 1), width) for index, width in enumerate(widths)]
    out = [(pad("shares how many with", left) + "  ".join(heads)).rstrip()]
    for label, row in zip(numbered, cells, strict=True):
        words = [pad(_word(cell), width) for cell, width in zip(row, widths, strict=True)]
        out.append((pad(label, left) + "  ".join(words)).rstrip())
    return out


class _Sheet:
    def __init__(self, labels: list[str]) -> None:
        number = max(1, len(labels))
        longest = max((measure(label, 13, mono=True) for label in labels), default=0.0)
        self.names = min(longest, 340.0 if number <= 8 else 230.0) + 34
        room = WIDEST - 2 * MARGIN - self.names
        self.cell = max(25.0, min(86.0, room / number))
        self.tall = 46.0 if self.cell >= 56 else max(25.0, self.cell)
        self.left = MARGIN + self.names
        self.width = max(600.0, self.left + number * self.cell + MARGIN)

    def draw(self, canvas: Canvas, y: float, labels: list[str], cells: list[list[str]]) -> float:
        """Draw the matrix and its key; returns the y below them."""
        for index in range(len(labels)):
            x = self.left + (index + 0.5) * self.cell
            canvas.text(x, y + 10, str(index + 1), 12, anchor="middle", mono=True, fill=SOFT_INK)
        top = y + 24
        for row, label in enumerate(labels):
            middle = top + (row + 0.5) * self.tall
            canvas.line(MARGIN, middle + self.tall / 2, self.left - 6,
                        middle + self.tall / 2, RULE)  # fmt: skip
            canvas.text(MARGIN + 20, middle, str(row + 1), 12, anchor="end", mono=True,
                        fill=SOFT_INK)  # fmt: skip
            shown = fit(label, 13, self.names - 40, mono=True)
            canvas.text(MARGIN + 28, middle, shown, 13, mono=True)
            for column, differing in enumerate(cells[row]):
                x = self.left + (column + 0.5) * self.cell
                self._cell(canvas, x, middle, differing, row == column)
        return self._key(canvas, top + len(labels) * self.tall + 24)

    def _cell(self, canvas: Canvas, x: float, y: float, differing: str, itself: bool) -> None:
        count = 8 - len(differing)
        fill = shade(count)
        wide, tall = self.cell - 3, self.tall - 3
        canvas.rect(x - wide / 2, y - tall / 2, wide, tall, fill=fill, stroke=tint(SHARED, 0.3),
                    radius=4)  # fmt: skip
        if itself:
            canvas.rect(x - wide / 2 + 2, y - tall / 2 + 2, wide - 4, tall - 4,
                        stroke=ink_on(fill), radius=3, dashed=True)  # fmt: skip
        roomy = self.cell >= 56
        size = 16 if roomy else 12
        canvas.text(x, y - (8 if roomy else 0), str(count), size, anchor="middle", bold=True,
                    fill=ink_on(fill))  # fmt: skip
        if roomy:
            step = min(7.0, (wide - 6) / 8)
            for index, t in enumerate(CATALOGUE):
                if t.mark in differing:
                    canvas.text(x + (index - 3.5) * step, y + 11, t.mark, 10.5, anchor="middle",
                                mono=True, bold=True, fill=ink_on(fill))  # fmt: skip

    def _key(self, canvas: Canvas, y: float) -> float:
        x = float(MARGIN)
        for count in (8, 6, 4, 2, 0):
            canvas.rect(x, y - 8, 24, 16, fill=shade(count), stroke=tint(SHARED, 0.3), radius=3)
            canvas.text(x + 12, y, str(count), 11, anchor="middle", bold=True,
                        fill=ink_on(shade(count)))  # fmt: skip
            x += 28
        canvas.text(x + 6, y, "namespaces of the eight are shared", 12, fill=SOFT_INK)
        y += 26
        if self.cell < 56:
            return y - 2
        canvas.text(MARGIN, y, "not shared:", 12, fill=SOFT_INK)
        x = MARGIN + measure("not shared:", 12) + 8
        for t in CATALOGUE:
            canvas.rect(x, y - 8, 5, 16, fill=okabe_ito[t.name], radius=2)
            canvas.text(x + 10, y, t.mark, 12, mono=True, bold=True, fill=INK)
            canvas.text(x + 21, y, t.name, 11, fill=SOFT_INK)
            x += 21 + measure(t.name, 11) + 12
        return y + 24


def shade(count: int) -> str:
    """The colour of a cell in which so many of the eight are shared."""
    return tint(SHARED, (count / 8) ** 1.5) if count else PANEL
