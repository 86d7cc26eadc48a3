"""Who shares how many namespaces with whom: a matrix of processes × processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from functools import partial
from typing import NamedTuple

from nsedu.draw.labels import call, columns, shorten, unread
from nsedu.draw.picture import Picture
from nsedu.draw.process_rows import build_trees, rows
from nsedu.draw.rows import Cell, Column, Line, Rows, Space, words
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
    sheet = _sheet(labels, cells, types)
    each = ", ".join(f"{t.mark} {t.name}" for t in types)
    marks = f"of {len(types)} namespaces; letters: {_MISSING}: {each}"

    canvas = Canvas()
    y = canvas.heading(TITLE, [], sheet.width) - 4
    y = sheet.draw(canvas, y) + 24
    y = _key(canvas, y, types, crowded=len(labels) > ROOMY)
    y = canvas.footnotes(notes, y, sheet.width)
    return canvas.picture(TITLE, [*sheet.text(), marks, *notes], sheet.width, y + 4)


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


def _sheet(labels: list[str], cells: list[list[str]], types: list[NsType]) -> Rows:
    """The matrix: a row and a column for each group; of many, a column for the types, too."""
    number = max(1, len(labels))
    crowded = number > ROOMY
    longest = max((measure(label, 13, mono=True) for label in labels), default=0.0)
    names = min(longest + 1, 156.0 if crowded else 258.0) + 42
    width = 25.0 if crowded else min(86.0, (WIDEST - 2 * MARGIN - names) / number)
    columns = [Column(names, least=26), *[Column(width, gap=1 if crowded else 2)] * len(labels)]
    head = [words("shares how many with", drawn="")]
    head += [words(str(index + 1), mono=True, anchor="middle", fill=SOFT_INK)
             for index in range(len(labels))]  # fmt: skip
    if crowded:
        columns.append(Column(62))
        head.append(words(f"{_MISSING} with 1", drawn="≠ 1", anchor="middle", fill=SOFT_INK))
    body = []
    for row, (label, differing) in enumerate(zip(labels, cells, strict=True)):
        line = [Cell(f"{row + 1} {label}", partial(_draw_name, row + 1, label))]
        for column, marks in enumerate(differing):
            count, shown = len(types) - len(marks), "" if crowded else marks
            draw = partial(_draw_cell, count, shown, row == column, 12 if crowded else 16)
            line.append(Cell(f"{count} {shown}".rstrip(), draw))
        if crowded:
            line.append(Cell(differing[0], partial(_draw_marks, differing[0], INK, 6.6)))
        body.append(Line(line))
    heading = Line(head, height=20, below=4)
    return Rows(columns, [heading, *body], 25.0 if crowded else 46.0, least=600)


def _draw_name(number: int, label: str, canvas: Canvas, space: Space) -> None:
    x, y, width, height = space
    canvas.line(x, y + height / 2, x + width - 6, y + height / 2, RULE)
    canvas.text(x + 20, y, str(number), 12, anchor="end", mono=True, fill=SOFT_INK)
    canvas.text(x + 28, y, fit(label, 13, width - 41, mono=True), 13, mono=True)


def _draw_cell(
    count: int, marks: str, itself: bool, size: float, canvas: Canvas, space: Space
) -> None:
    """How many namespaces two groups share and, if there is space, which types they do not."""
    fill, (x, y, wide, tall) = shade(count), space
    left, top, wide, tall = x + 1.5, y - tall / 2 + 1.5, wide - 3, tall - 3
    ink = ink_on(fill)
    canvas.rect(left, top, wide, tall, fill=fill, stroke=tint(SHARED, 0.3), radius=4)
    if itself:
        canvas.rect(left + 2, top + 2, wide - 4, tall - 4, stroke=ink, radius=3, dashed=True)
    canvas.text(space.middle, y - 8 if marks else y, str(count), size, anchor="middle",
                bold=True, fill=ink)  # fmt: skip
    _draw_marks(marks, ink, min(7.0, (wide - 6) / 8), canvas, space._replace(y=y + 11))


def _draw_marks(marks: str, ink: str, step: float, canvas: Canvas, space: Space) -> None:
    """The marks of types, each at a place of its own."""
    for index, t in enumerate(CATALOGUE):
        if t.mark in marks:
            canvas.text(space.middle + (index - 3.5) * step, space.y, t.mark, 10.5,
                        anchor="middle", mono=True, bold=True, fill=ink)  # fmt: skip


def _key(canvas: Canvas, y: float, types: list[NsType], crowded: bool) -> float:
    x = float(MARGIN)
    for count in (8, 6, 4, 2, 0):
        canvas.rect(x, y - 8, 24, 16, fill=shade(count), stroke=tint(SHARED, 0.3), radius=3)
        canvas.text(x + 12, y, str(count), 11, anchor="middle", bold=True,
                    fill=ink_on(shade(count)))  # fmt: skip
        x += 28
    canvas.text(x + 6, y, "namespaces are shared", 12, fill=SOFT_INK)
    y += 26
    said = f"{_MISSING} with 1:" if crowded else f"{_MISSING}:"
    canvas.text(MARGIN, y, said, 12, fill=SOFT_INK)
    x = MARGIN + measure(said, 12) + 8
    for t in types:
        canvas.rect(x, y - 8, 5, 16, fill=okabe_ito[t.name], radius=2)
        canvas.text(x + 10, y, t.mark, 12, mono=True, bold=True)
        canvas.text(x + 21, y, t.name, 11, fill=SOFT_INK)
        x += 21 + measure(t.name, 11) + 12
    return y + 24


def shade(count: int) -> str:
    """The colour of a cell in which so many of the eight are shared."""
    return tint(SHARED, (count / 8) ** 1.5) if count else PANEL
