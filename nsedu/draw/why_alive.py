"""Why a namespace is still alive: it hangs from whatever keeps it, one thread to each."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from nsedu.draw.labels import call, identity, unread
from nsedu.draw.picture import Picture
from nsedu.draw.rows import table
from nsedu.draw.style import INK, MARGIN, PANEL, SOFT_INK, WIDEST, okabe_ito, tint
from nsedu.draw.svg import Canvas, fit, measure
from nsedu.kernel import namespace_types
from nsedu.observe.records import PIN_KINDS, Pin, Snapshot
from nsedu.printable import clean

MOST, FEW, MANY = 8, 3, 24
"""So many pins of one kind are drawn (few, if there are many in all); the rest is counted."""

WORDS = {
    "process": ("process", "processes"),
    "thread": ("thread", "threads"),
    "fd": ("descriptor", "descriptors"),
    "bind": ("bind mount", "bind mounts"),
    "socket": ("socket", "sockets"),
    "child": ("child", "children"),
    "owned": ("owned", "owned"),
}
MARKS = {"process": "●", "thread": "≋", "fd": "◆", "bind": "▣", "socket": "⇄", "child": "▽",
         "owned": "◇"}  # fmt: skip
"""A shape for each kind, which says it where a colour cannot be seen."""

ROW, SIZE = 27.0, 12.5
KIND, HOOK = 104.0, 90.0  # px: the column of the kinds, and where the threads run


class Line(NamedTuple):
    """One row of the picture: pins of one kind that are called the same.

    Attributes:
        kind: of them, see `nsedu.observe.records.Pin`.
        label: what they are called.
        number: how many they are.
        held: whether they still hold.
    """

    kind: str
    label: str
    number: int
    held: bool = True


def why_alive(snapshot: Snapshot, type: str, ns: int, before: Snapshot | None = None) -> Picture:
    """What keeps a namespace alive; and, given an earlier look, what has let go of it since.

    Args:
        snapshot: a deep one, or only processes are known.
        type: one of the eight type names.
        ns: the inode number of the namespace, which need not exist any more.
        before: an earlier deep look.

    Raises:
        ValueError: ``type`` is not one of the eight; the message names them.
    """
    namespace_types.get(type)
    held = _held(snapshot, type, ns)
    lost = _let_go(before, snapshot, type, ns) if before is not None else []
    lines = _lines(snapshot, type, held) + (
        [line._replace(held=False) for line in _lines(before, type, lost)] if before else []
    )
    lines.sort(key=lambda line: PIN_KINDS.index(line.kind))
    name = identity(type, ns)
    verdict, alive = _verdict(snapshot, (type, ns), held)
    notes = [_looked_at(snapshot), *unread(snapshot)]
    text = [f"{name} · {verdict}", *_text(lines), *notes]
    return _draw(type, name, verdict, alive, lines, notes, text)


def _held(snapshot: Snapshot, type: str, ns: int) -> list[Pin]:
    found = snapshot.namespaces.get((type, ns))
    return list(found.pins) if found is not None else []


def _let_go(before: Snapshot, now: Snapshot, type: str, ns: int) -> list[Pin]:
    holding = set(_held(now, type, ns))
    return [pin for pin in _held(before, type, ns) if pin not in holding]


def _verdict(snapshot: Snapshot, key: tuple[str, int], held: list[Pin]) -> tuple[str, bool]:
    """In words, whether it is alive; and whether it is drawn as such."""
    if held:
        count = f"{len(held)} thing{'s keep' if len(held) > 1 else ' keeps'} it alive"
        inside = any(pin.kind in ("process", "thread") and not _waits(pin) for pin in held)
        return count + ("" if inside else ", and no process is in it"), True
    if key in snapshot.namespaces:
        return "alive, but what keeps it is out of sight", True
    return "gone: nothing in sight keeps it", False


def _waits(pin: Pin) -> bool:
    """Whether a process only holds the namespace for its children, without being in it."""
    return pin.detail.endswith("_for_children")


def _looked_at(snapshot: Snapshot) -> str:
    where = {
        "mine": "this notebook and all that it started",
        "machine": "every process of the machine",
    }
    shallow = "" if snapshot.deep else ", and there at processes alone"
    return f"looked at: {where.get(snapshot.scope, 'one process and all below it')}{shallow}"


def _lines(snapshot: Snapshot, type: str, pins: list[Pin]) -> list[Line]:
    """The pins with their names, those of the same name in one line, and of many the first."""
    lines = []
    most = MOST if len(pins) <= MANY else FEW
    for kind in PIN_KINDS:
        counts = Counter(_name(snapshot, type, pin) for pin in pins if pin.kind == kind)
        chosen = list(counts.items())[:most]
        lines += [Line(kind, f"{text} × {n}" if n > 1 else text, n) for text, n in chosen]
        rest = counts.total() - sum(count for _, count in chosen)
        if rest:
            lines.append(Line(kind, f"… {rest} more", rest))
    return lines


def _name(snapshot: Snapshot, type: str, pin: Pin) -> str:
    holder = snapshot.processes.get(pin.pid) if pin.pid is not None else None
    who = call(holder) if holder is not None else "a process"
    if pin.kind == "process":
        return f"{who}, for its next child" if _waits(pin) else who
    if pin.kind == "bind":
        path = clean(pin.detail)
        if pin.pid is not None:
            return f"{path}, seen by {who}"
        place, _, rest = path.partition("]")
        return f"/{rest.lstrip('/')}, in {place}] without a process"
    if pin.kind in ("child", "owned"):
        return _relative(snapshot, type, pin)
    return f"of {who}"


def _relative(snapshot: Snapshot, type: str, pin: Pin) -> str:
    """A child namespace, or one that is owned, by its type and who is in it."""
    ns = int(pin.detail)
    types = [type] if pin.kind == "child" else list(namespace_types.NAMES)
    found = next((n for t in types if (n := snapshot.namespaces.get((t, ns)))), None)
    if found is None:
        return "a namespace out of sight"
    people = [call(snapshot.processes[pid]) for pid in found.members if pid in snapshot.processes]
    if not people:
        return f"{found.type} namespace with no process"
    more = f" and {len(people) - 1} more" if len(people) > 1 else ""
    return f"{found.type} namespace of {people[0]}{more}"


def _text(lines: list[Line]) -> list[str]:
    last = next((line for line in reversed(lines) if line.held), None)
    out = []
    for line in lines:
        branch = ("└─" if line is last else "├─") if line.held else "✂ "
        out.append((f"{branch} {_kind(line)}", line.label + ("" if line.held else ": let go")))
    return table(out)


def _kind(line: Line) -> str:
    return WORDS[line.kind][line.number > 1]


def _draw(
    type: str,
    name: str,
    verdict: str,
    alive: bool,
    lines: list[Line],
    notes: list[str],
    text: list[str],
) -> Picture:
    canvas, colour = Canvas(), okabe_ito[type]
    box = max(measure(name, 13, mono=True), measure("gone", 12)) + 28
    room = WIDEST - 2 * MARGIN - KIND - HOOK - box - 30
    labels = [fit(line.label, SIZE, room) for line in lines]
    wide = max([150.0, *(measure(label, SIZE) for label in labels)])
    width = max(520.0, 2 * MARGIN + 24 + KIND + wide + HOOK + box)
    y = canvas.heading("Why is it still alive?", [verdict], width) + 6
    height = max(1, len(lines)) * ROW
    middle, left = y + height / 2, MARGIN + 24 + KIND + wide + HOOK
    for index, (line, label) in enumerate(zip(lines, labels, strict=True)):
        at = y + index * ROW + ROW / 2
        ink = INK if line.held else SOFT_INK
        canvas.rect(MARGIN, at - 11, 24 + KIND + wide + 8, 22, radius=5,
                    fill=tint(colour, 0.16) if line.held else PANEL,
                    stroke=tint(colour, 0.6), dashed=not line.held)  # fmt: skip
        canvas.text(MARGIN + 13, at, MARKS[line.kind], 12, anchor="middle", fill=ink)
        canvas.text(MARGIN + 27, at, _kind(line), SIZE, bold=True, fill=ink)
        canvas.text(MARGIN + 24 + KIND, at, label, SIZE, fill=ink, struck=not line.held)
        _thread(canvas, MARGIN + 32 + KIND + wide, at, left, middle, line.held, colour)
    canvas.rect(left, middle - 20, box, 40, radius=8, line=2, stroke=colour if alive else SOFT_INK,
                fill=tint(colour, 0.3) if alive else PANEL, dashed=not alive)  # fmt: skip
    canvas.text(left + box / 2, middle if alive else middle - 8, name, 13, anchor="middle",
                mono=True, bold=alive, struck=not alive)  # fmt: skip
    if not alive:
        canvas.text(left + box / 2, middle + 9, "gone", 12, anchor="middle", fill=SOFT_INK)
    y = max(y + height, middle + 24) + 16
    y = canvas.footnotes(notes, y, width)
    return canvas.picture(f"Why {name} is still alive", text, width, y + 2)


def _thread(
    canvas: Canvas, x: float, y: float, to_x: float, to_y: float, held: bool, colour: str
) -> None:
    """A line from a pin to the namespace; one that has been cut ends midway."""
    if held:
        bend = (x + to_x) / 2
        canvas.path(f"M{x:.1f} {y:.1f}C{bend:.1f} {y:.1f} {bend:.1f} {to_y:.1f} {to_x:.1f} "
                    f"{to_y:.1f}", colour, 2)  # fmt: skip
    else:
        canvas.path(f"M{x:.1f} {y:.1f}h22", SOFT_INK, 1.5, dashed=True)
        canvas.text(x + 31, y, "✂", 13, fill=SOFT_INK, anchor="middle")
