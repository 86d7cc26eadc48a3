"""Ownership: which user namespace owns which namespaces, and whose root may do what where.

Source: user_namespaces(7), "Interaction of user namespaces and other types of namespaces".
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from nsedu.draw.labels import (
    Letters,
    at_most,
    call,
    grouped,
    identity,
    known,
    made_by,
    unread,
    with_alike,
)
from nsedu.draw.nested_boxes import Box, Layout, cut, text_lines
from nsedu.draw.picture import Picture
from nsedu.draw.process_rows import build_trees, rows
from nsedu.draw.rows import Cell, Column, Line, Rows, Space, words
from nsedu.draw.style import INK, MARGIN, PANEL, SOFT_INK, TREE_LINE, okabe_ito, tint
from nsedu.draw.svg import Canvas, measure
from nsedu.kernel.namespace_types import NAMES
from nsedu.observe.records import Namespace, Process, Snapshot

OWNED = tuple(name for name in NAMES if name != "user")
"""The seven types whose namespaces have an owner other than a parent."""
MANY_BOXES, MOST_BOXES = 24, 60
"""Above so many user namespaces those that are alike are drawn once; so many boxes are drawn."""
MANY_ROWS, MOST_ROWS = 16, 40
"""The same for the rows of the table."""
MOST_NAMES, MOST_LETTERS = 3, 5
YES, NO, UNKNOWN = "✓", "✗", "?"
COLUMN, ROW, CELL = 66.0, 27.0, 46.0
_SENSE = (
    "each user namespace with what it owns; root in it may act on all of that, and on all in the"
    " boxes within"
)
_KEY = f"{YES} root there may act on it   {NO} it may not: the owner lies further out or beside"


class Row(NamedTuple):
    """Processes that live in the same namespaces.

    Attributes:
        name: what they are called.
        user: the letter of their user namespace.
        cells: for each of the seven types, in order, the letter of the namespace they live in, and
            whether root of their user namespace may act on it: "✓", "✗" or, if its owner or the
            link is not known, "?".
    """

    name: str
    user: str
    cells: tuple[tuple[str, str], ...]


def ownership(snapshot: Snapshot) -> Picture:
    """Which user namespace owns which namespaces, and for each process where its root has a say.

    Args:
        snapshot: what to draw.
    """
    look = _Look(snapshot)
    boxes, more_boxes = cut(look.boxes(), MOST_BOXES)
    table, more_rows = _fold(look.rows())
    title = "Who owns what, and who may do what where"
    notes = [f"… {more_boxes} more user namespaces, not drawn"] if more_boxes else []
    notes += [f"… {more_rows} more rows, not drawn"] if more_rows else []
    notes += [] if boxes else ["no user namespace in this snapshot"]
    notes += unread(snapshot)
    names = max((measure(row.name, 12, mono=True) for row in table), default=0.0)
    sheet = _sheet(table, min(260.0, max(110.0, names + 14)))
    said = ["", *sheet.text(), _KEY] if table else []
    text = [*text_lines(boxes), _SENSE, *said, *notes]

    canvas, layout = Canvas(), Layout(boxes)
    width = max(layout.width, sheet.width)
    y = canvas.heading(title, [_SENSE], width)
    y = layout.draw(canvas, y) + 14
    if table:
        y = sheet.draw(canvas, y) + 14
        canvas.text(MARGIN, y + 4, _KEY, 12, fill=SOFT_INK)
        y += 28
    y = canvas.footnotes(notes, y, width)
    return canvas.picture(title, text, width, y + 4)


class _Look:
    """What the picture needs to know of a snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.order = [row.node.process for row in rows(build_trees(snapshot.processes))]
        self.letters = Letters()
        self.letters.meet_all(snapshot, self.order)
        missing = sorted(known(snapshot) - set(snapshot.namespaces))
        self.spaces = snapshot.namespaces | {key: Namespace(*key) for key in missing}
        self.reader = next((p.uid for p in self.order if p.role.startswith("this ")), None)
        self.owned: dict[int | None, dict[str, list[str]]] = {}
        for type in OWNED:
            for ns, letter in self.letters.of_type(type).items():
                owner = self.spaces[type, ns].owner if (type, ns) in self.spaces else None
                seen = owner if ("user", owner) in self.spaces else None
                self.owned.setdefault(seen, {}).setdefault(type, []).append(letter)

    def boxes(self) -> list[Box]:
        """The user namespaces in their parents; above `MANY_BOXES` those alike once."""
        users = [ns for ns in self.letters.of_type("user") if ("user", ns) in self.spaces]
        inner: dict[int | None, list[int]] = {}
        for ns in users:
            above = self._above(ns)
            inner.setdefault(above[0] if above else None, []).append(ns)
        kinds: dict[Hashable, int] = {}
        kind_of: dict[int, int] = {}
        for ns in sorted(users, key=lambda ns: -len(self._above(ns))):
            owned = self.owned.get(ns, {})
            counts = tuple((type, len(letters)) for type, letters in owned.items())
            within = tuple(sorted(kind_of[one] for one in inner.get(ns, ())))
            like = (counts, self.spaces["user", ns].uid, within)
            kind_of[ns] = kinds.setdefault(like, len(kinds))
        many = len(users) > MANY_BOXES

        def build(siblings: list[int]) -> list[Box]:
            groups = grouped(siblings, lambda ns: kind_of[ns] if many else ns)
            built = [(self._box(alike), alike[0]) for alike in groups]
            for box, ns in built:
                box.inner = build(inner.get(ns, []))
            return [box for box, _ in built]

        boxes = build(inner.get(None, []))
        if None in self.owned:
            boxes.append(self._with_members(Box("user", "owner not in sight"), None))
        return boxes

    def _box(self, alike: list[int]) -> Box:
        ns = self.spaces["user", alike[0]]
        name = with_alike(f"user {self.letters.of('user', ns.ns)}", len(alike) - 1)
        facts = []
        if ns.uid is not None and ns.parent is not None:
            facts.append(made_by(ns.uid, self.reader))
        if ns.ns not in self.owned:
            facts.append("owns nothing")
        return self._with_members(Box("user", name, identity("user", ns.ns), facts), ns.ns)

    def _with_members(self, box: Box, owner: int | None) -> Box:
        for type, letters in self.owned.get(owner, {}).items():
            shown = letters if len(letters) <= MOST_LETTERS else letters[: MOST_LETTERS - 1]
            rest = len(letters) - len(shown)
            label = f"{type} {' '.join(shown)}" + (f" … {rest} more" if rest else "")
            box.members.append(label)
            box.fills[label] = tint(okabe_ito[type], 0.35)
        return box

    def _above(self, ns: int) -> list[int]:
        """The user namespaces that one lies in, the nearest first."""
        above: list[int] = []
        parent = self.spaces["user", ns].parent
        while parent is not None and ("user", parent) in self.spaces:
            if parent in above or parent == ns:  # a circle, in a file that someone has edited
                return []
            above.append(parent)
            parent = self.spaces["user", parent].parent
        return above

    def rows(self) -> list[Row]:
        """A row for the processes of each set of namespaces, in the order of the tree."""
        living = [process for process in self.order if process.links]
        return [self._row(members) for members in grouped(living, _spaces)]

    def _row(self, members: list[Process]) -> Row:
        user, *spaces = _spaces(members[0])
        cells = tuple(
            (self.letters.of(type, ns), self._may(user, type, ns))
            for type, ns in zip(OWNED, spaces, strict=True)
        )
        names = list(dict.fromkeys(call(process) for process in members))
        parts = {call(process) for process in members if process.role}
        names.sort(key=lambda name: name not in parts)
        return Row(", ".join(at_most(names, MOST_NAMES)), self.letters.of("user", user), cells)

    def _may(self, user: int | None, type: str, ns: int | None) -> str:
        """Whether capabilities in one user namespace reach a namespace of another type."""
        owner = None if ns is None else self.spaces[type, ns].owner
        if user is None or owner is None or ("user", owner) not in self.spaces:
            return UNKNOWN
        return YES if user in (owner, *self._above(owner)) else NO


def _spaces(process: Process) -> tuple[int | None, ...]:
    return tuple(process.links.get(type) for type in ("user", *OWNED))


def _fold(table: list[Row]) -> tuple[list[Row], int]:
    """The rows to draw, those that may do the same once if there are many; how many are left."""
    if len(table) > MANY_ROWS:
        table = [
            alike[0]._replace(name=with_alike(alike[0].name, len(alike) - 1))
            for alike in grouped(table, lambda row: tuple(mark for _, mark in row.cells))
        ]
    return table[:MOST_ROWS], max(0, len(table) - MOST_ROWS)


def _sheet(table: list[Row], first: float) -> Rows:
    """The table: a row for each set of namespaces, a column for each type."""
    heads = [words(word, mono=True, bold=True, anchor="middle") for word in ("root of", *OWNED)]
    lines = [Line([words("who lives where", fill=SOFT_INK), *heads], height=22)]
    for row in table:
        cells = [
            words(row.name, mono=True),
            words(f"user {row.user}", mono=True, anchor="middle"),
            *(_cell(type, *cell) for type, cell in zip(OWNED, row.cells, strict=True)),
        ]
        lines.append(Line(cells))
    columns = [Column(first - 6, 6), *[Column(COLUMN, least=8, gap=0)] * (1 + len(OWNED))]
    return Rows(columns, lines, ROW)


def _cell(type: str, letter: str, mark: str) -> Cell:
    may, colour = mark == YES, okabe_ito[type]

    def draw(canvas: Canvas, space: Space) -> None:
        x, y = space.middle, space.y
        canvas.rect(x - CELL / 2, y - 10, CELL, 20, fill=tint(colour, 0.35) if may else PANEL,
                    stroke=colour if may else TREE_LINE, radius=4, dashed=not may)  # fmt: skip
        canvas.text(x, y, f"{letter} {mark}", 12, anchor="middle", mono=True, bold=may,
                    fill=INK if may else SOFT_INK)  # fmt: skip

    return Cell(f"{letter} {mark}", draw)
