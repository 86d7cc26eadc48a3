"""IPC namespaces side by side, each with the places in it and the objects that they find there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, replace

from nsedu.draw.labels import at_most, grouped, identity, letter, made_by, shorten, with_alike
from nsedu.draw.picture import Picture
from nsedu.draw.style import INK, MARGIN, PANEL, SOFT_INK, okabe_ito, tint
from nsedu.draw.svg import Canvas, chips, measure, wrap
from nsedu.observe.ipc import IpcLook, IpcNamespace, IpcObject
from nsedu.printable import clean

KINDS = {
    "shm": "shared memory",
    "sem": "semaphores",
    "msg": "message queue",
    "mqueue": "POSIX queue",
}
"""Kind → what an object of it is called."""
ROOMY = 12
"""Up to so many different objects, a namespace's are all drawn; above, the first of each kind."""
MOST_OF_KIND = 3
CROWDED = 6
"""Above so many namespaces, each shows no more than one object of each kind."""
MOST_BOXES = 16
"""So many namespaces are drawn; what is cut is said."""
MOST_PLACES = 6
MOST_TWINS = 3
LONGEST = 22
"""Characters after which the name of a POSIX queue is cut."""
TITLE = "IPC namespaces and what is in them"
SENSE = "each key and name is looked up in the namespace of whoever asks"
TWINS = "the same key or name in two namespaces is two objects"


@dataclass(frozen=True)
class _Row:
    """One line in a box: an object, several that are alike, or how many more there are."""

    kind: str
    name: str
    words: str
    twins: str = ""

    @property
    def text(self) -> str:
        if not self.kind:
            return self.words
        words = f"{KINDS[self.kind]:<13} {self.name:<10} · {self.words}"
        return f"{words} · {self.twins}" if self.twins else words


@dataclass(frozen=True)
class _Box:
    name: str
    where: str
    places: list[str]
    rows: list[_Row]


def ipc(look: IpcLook) -> Picture:
    """The IPC namespaces of some places and the objects in each.

    Args:
        look: from `nsedu.observe.ipc.look`.
    """
    boxes = _boxes(look)
    notes = [SENSE]
    if any(row.twins for box in boxes for row in box.rows):
        notes.append(TWINS)
    if cut := boxes[MOST_BOXES:]:
        objects = sum(len(space.objects) for space in look.namespaces)
        notes.append(f"… {len(cut)} more boxes, not drawn; {objects} objects in all")
    if look.unread:
        names = ", ".join(_few([clean(name) for name in look.unread]))
        notes.append(f"could not read the IPC namespace of: {names}")
    boxes = boxes[:MOST_BOXES]
    text = [*(line for box in boxes for line in _text(box)), *notes]

    canvas, sheet = Canvas(), _Sheet(boxes)
    y = canvas.heading(TITLE, notes, sheet.width)
    y = sheet.draw(canvas, y + 2)
    return canvas.picture(TITLE, text, sheet.width, y + MARGIN)


def _boxes(look: IpcLook) -> list[_Box]:
    letters = {space.ns: letter(index) for index, space in enumerate(look.namespaces)}
    homes: dict[tuple[str, str], list[str]] = {}
    for space in look.namespaces:
        for key in dict.fromkeys((one.kind, one.name) for one in space.objects):
            homes.setdefault(key, []).append(letters[space.ns])
    crowded = len(look.namespaces) > CROWDED
    boxes = [
        _box(space, letters[space.ns], homes, look.reader, crowded) for space in look.namespaces
    ]
    return _stack(boxes) if crowded else boxes


def _stack(boxes: list[_Box]) -> list[_Box]:
    """Of many boxes, those that hold no object, and say the same of it, as one."""

    def like(box: _Box) -> Hashable:
        return tuple(box.rows) if not any(row.kind for row in box.rows) else box.name

    return [
        replace(group[0], name=with_alike(group[0].name, len(group) - 1),
                places=[name for box in group for name in box.places])
        for group in grouped(boxes, like)
    ]  # fmt: skip


def _few(places: list[str]) -> list[str]:
    """The names of the places, each once, and how many are not named."""
    counts = Counter(places)
    named = [name if n == 1 else f"{name} × {n}" for name, n in counts.items()]
    return at_most(named, MOST_PLACES)


def _box(
    space: IpcNamespace, own: str, homes: dict[tuple[str, str], list[str]], reader: int,
    crowded: bool,
) -> _Box:  # fmt: skip
    places = [clean(name) for name in space.places]
    groups = grouped(space.objects, lambda one: one._replace(id=0))
    rows = []
    for kind in KINDS:
        mine = [group for group in groups if group[0].kind == kind]
        shown = mine[:1] if crowded else mine[: MOST_OF_KIND if len(groups) > ROOMY else None]
        for group in shown:
            others = [home for home in homes[kind, group[0].name] if home != own]
            rows.append(_Row(kind, _name(group[0]), _words(group, reader), _twins(group, others)))
        rest = [one for group in mine[len(shown) :] for one in group]
        if rest:
            rows.append(_Row(kind, f"… {len(rest)} more", _sum(kind, rest)))
    if space.refused:
        rows.append(_Row("", "", f"could not look into it: {os.strerror(space.refused)}"))
    elif not rows:
        rows.append(_Row("", "", "no System V object" if space.queues_refused else "nothing in it"))
    if space.queues_refused:
        why = os.strerror(space.queues_refused)
        rows.append(_Row("", "", f"could not see its POSIX queues: {why}"))
    return _Box(f"ipc {own}", identity("ipc", space.ns), places, rows)


def _name(one: IpcObject) -> str:
    if one.kind != "mqueue" and int(one.name, 16) == 0:
        return "private"  # IPC_PRIVATE: no key leads there
    return shorten(clean(one.name), LONGEST)


def _twins(group: list[IpcObject], others: list[str]) -> str:
    """In which namespaces, by their letters, there is an object of the same key."""
    if not others or _name(group[0]) == "private":
        return ""
    known = len(others) <= MOST_TWINS
    return f"another in {', '.join(others)}" if known else f"others in {len(others)} namespaces"


def _words(group: list[IpcObject], reader: int) -> str:
    one = group[0]
    if one.kind == "shm":
        words = _bytes(one.size)
        words += f", attached {one.number} ×" if one.number else ""
    elif one.kind == "sem":
        words = f"{one.number} semaphore" + "s" * (one.number != 1)
    elif one.kind == "msg":
        words = f"{_messages(one.number)}, {_bytes(one.size)}" if one.number else "empty"
    elif one.size < 0:
        words = "not readable"
    else:
        words = f"{_bytes(one.size)} waiting" if one.size else "empty"
    words += f" · {made_by(one.uid, reader)}"
    return f"{len(group)} × {words}" if len(group) > 1 else words


def _sum(kind: str, rest: list[IpcObject]) -> str:
    total = sum(max(0, one.size) for one in rest)
    counted = sum(one.number for one in rest)
    if kind == "shm":
        return f"{_bytes(total)} in all"
    if kind == "sem":
        return f"{counted} semaphores in all"
    return f"{_bytes(total)} waiting in all" if total else "empty"


def _messages(count: int) -> str:
    return f"{count} message" + "s" * (count != 1)


def _bytes(size: int) -> str:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} byte" + "s" * (size != 1)


def _text(box: _Box) -> list[str]:
    lines = [f"{box.name} {box.where} · {', '.join(_few(box.places))}"]
    for row in box.rows:
        lines.append(("└─ " if row is box.rows[-1] else "├─ ") + row.text)
    return lines


_HEAD, _CHIP, _ROW, _GAP, _PAD = 30.0, 25.0, 37.0, 14.0, 12.0
_LEFT, _LINE, _SMALL = 36.0, 15.0, 11.5
_ONE, _TWO = 560.0, 820.0  # width of a picture with one column, and with two


class _Sheet:
    """Boxes in one or two columns, side by side in the order in which they come."""

    def __init__(self, boxes: list[_Box]) -> None:
        self.boxes = boxes
        self.columns = 2 if len(boxes) > 1 else 1
        self.width = _TWO if self.columns == 2 else _ONE
        room = self.width - 2 * MARGIN - (self.columns - 1) * _GAP
        self.box = room / self.columns

    def draw(self, canvas: Canvas, y: float) -> float:
        """Draw all boxes; returns the y below them."""
        for start in range(0, len(self.boxes), self.columns):
            line = self.boxes[start : start + self.columns]
            height = max(self._height(box) for box in line)
            for index, box in enumerate(line):
                self._draw(canvas, box, MARGIN + index * (self.box + _GAP), y, height)
            y += height + _GAP
        return y - _GAP if self.boxes else y

    def _chips(self, box: _Box) -> list[tuple[float, float, float, str]]:
        return chips(_few(box.places), self.box - 2 * _PAD)

    def _height(self, box: _Box) -> float:
        rows = sum(self._row_height(row) for row in box.rows)
        return _PAD + _HEAD + self._chips(box)[-1][1] + _CHIP + 6 + rows + 6

    def _draw(self, canvas: Canvas, box: _Box, x: float, y: float, height: float) -> None:
        colour = okabe_ito["ipc"]
        canvas.rect(x, y, self.box, height, fill=tint(colour, 0.18), stroke=colour, line=2.5,
                    radius=8)  # fmt: skip
        left, middle = x + _PAD, y + _PAD + 8
        canvas.text(left, middle, box.name, 15, mono=True, bold=True)
        canvas.text(x + self.box - _PAD, middle, box.where, 11, mono=True, anchor="end",
                    fill=SOFT_INK)  # fmt: skip
        top = y + _PAD + _HEAD
        for chip_x, chip_y, wide, shown in self._chips(box):
            canvas.chip(left + chip_x, top + chip_y - 4, wide, shown)
        top += self._chips(box)[-1][1] + _CHIP + 2
        for row in box.rows:
            canvas.line(left, top, x + self.box - _PAD, top, tint(INK, 0.12))
            top += self._row(canvas, row, left, top)

    def _below(self, row: _Row) -> tuple[list[str], bool]:
        """The lines below a row's name, and whether the twins stand beside the last of them."""
        room = self.box - 2 * _PAD - (_LEFT if row.kind else 0)
        found = wrap(row.words, _SMALL, room)
        beside = measure(found[-1], _SMALL) + 8 + measure(f"≠ {row.twins}", _SMALL) <= room
        return found, beside

    def _row_height(self, row: _Row) -> float:
        found, beside = self._below(row)
        number = len(found) + (bool(row.twins) and not beside) - 1
        return (_ROW if row.kind else 22.0) + number * _LINE

    def _row(self, canvas: Canvas, row: _Row, x: float, y: float) -> float:
        room = self.box - 2 * _PAD
        found, beside = self._below(row)
        below, left = y + 12, x
        if row.kind:
            _glyph(canvas, row.kind, x, y + 10)
            quiet = row.name.startswith("… ")
            canvas.text(x + _LEFT, y + 12, row.name, 13, mono=True, bold=not quiet,
                        fill=SOFT_INK if quiet else INK)  # fmt: skip
            canvas.text(x + room, y + 12, KINDS[row.kind], 12, anchor="end", fill=SOFT_INK)
            below, left = y + 27, x + _LEFT
        for index, line in enumerate(found):
            canvas.text(left, below + index * _LINE, line, _SMALL)
        if row.twins:
            last = below + (len(found) - beside) * _LINE
            canvas.text(x + room, last, f"≠ {row.twins}", _SMALL, anchor="end", bold=True)
        return self._row_height(row)


def _glyph(canvas: Canvas, kind: str, x: float, y: float) -> None:
    """A sign for the kind: cells of memory, beads, an envelope, the slash of a name."""
    if kind == "sem":
        for index in range(3):
            canvas.rect(x + index * 9, y + 1, 8, 8, fill=INK if index else PANEL, stroke=INK,
                        radius=4)  # fmt: skip
        return
    canvas.rect(x, y - 3, 26, 16, fill=PANEL, stroke=INK, radius=2)
    if kind == "shm":
        for index in range(1, 4):
            canvas.line(x + index * 6.5, y - 3, x + index * 6.5, y + 13, INK)
    elif kind == "msg":
        canvas.path(f"M{x:.1f} {y - 3:.1f}L{x + 13:.1f} {y + 6:.1f}L{x + 26:.1f} {y - 3:.1f}", INK)
    else:
        canvas.text(x + 13, y + 5, "/q", 11, anchor="middle", mono=True, bold=True)
