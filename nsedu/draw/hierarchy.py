"""Namespaces as boxes: the inner in the outer, or each in the user namespace that owns it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from nsedu.draw.labels import Letters, call, grouped, identity, known, made_by, unread, with_alike
from nsedu.draw.nested_boxes import Box, Layout, cut, text_lines, walk
from nsedu.draw.picture import Picture
from nsedu.draw.process_rows import build_trees, rows
from nsedu.draw.svg import Canvas
from nsedu.kernel import namespace_types
from nsedu.kernel.namespace_types import NsType
from nsedu.observe.records import Namespace, Process, Snapshot

MANY_BOXES = 40
"""Above so many boxes, those that are alike are drawn once."""
MOST_BOXES = 160
"""So many boxes are drawn; what is cut is said."""
MOST_MEMBERS = 24
"""So many different names of processes are written into a box; how many more, is said."""
KEPT_BY = {
    "thread": "a thread",
    "fd": "an open descriptor",
    "bind": "a bind mount",
    "socket": "a socket",
    "child": "a child namespace",
    "owned": "a namespace that it owns",
}


def hierarchy(snapshot: Snapshot, type: str) -> Picture:
    """The namespaces of one type as boxes in boxes, with the processes in them.

    Of the types "user" and "pid" each namespace lies in its parent; of all others, in the box of
    the user namespace that owns it.

    Args:
        snapshot: what to draw.
        type: one of the eight type names.

    Raises:
        ValueError: ``type`` is not one of the eight; the message names them.
    """
    kind = namespace_types.get(type)
    builder = _Builder(snapshot, kind)
    boxes = builder.nested() if kind.hierarchical else builder.owned()
    if len(list(walk(boxes))) > MANY_BOXES:
        boxes = _stack(boxes)
    boxes, left_out = cut(boxes, MOST_BOXES)
    title = kind.title[0].upper() + kind.title[1:] + " namespaces"
    sense = _sense(kind)
    notes = [f"… {left_out} more boxes, not drawn"] if left_out else []
    notes += [] if boxes else [f"no {type} namespace in this snapshot"]
    notes += unread(snapshot)
    text = [*text_lines(boxes), sense, *notes]

    canvas, layout = Canvas(), Layout(boxes)
    y = canvas.heading(title, [sense], layout.width)
    y = canvas.footnotes(notes, layout.draw(canvas, y) + 18, layout.width)
    return canvas.picture(title, text, layout.width, y + 2)


def _sense(kind: NsType) -> str:
    if kind.name == "pid":
        return "each lies in its parent, from where its processes can be seen too"
    if kind.hierarchical:
        return "each lies in its parent, and belongs to the user who made it"
    return f"each {kind.name} namespace lies in the user namespace that owns it"


class _Builder:
    """Makes boxes of a snapshot's namespaces."""

    def __init__(self, snapshot: Snapshot, kind: NsType) -> None:
        self.snapshot, self.kind = snapshot, kind
        self.order = [row.node.process for row in rows(build_trees(snapshot.processes))]
        self.letters = Letters()
        self.letters.meet_all(snapshot, self.order)
        missing = sorted(known(snapshot) - set(snapshot.namespaces))
        self.namespaces = snapshot.namespaces | {key: Namespace(*key) for key in missing}
        self.members: dict[int, list[Process]] = {}
        self.reader = next((p.uid for p in self.order if p.role.startswith("this ")), None)
        for process in self.order:
            if kind.name in process.links:
                self.members.setdefault(process.links[kind.name], []).append(process)

    def nested(self) -> list[Box]:
        """The namespaces in their parents."""
        boxes = {ns.ns: self._box(ns) for ns in self._of_type(self.kind.name)}
        return self._nest(self.kind.name, boxes)

    def owned(self) -> list[Box]:
        """The namespaces in the user namespaces that own them."""
        users = {
            ns.ns: Box("user", f"user {self.letters.of('user', ns.ns)}",
                       identity("user", ns.ns), outline=True)
            for ns in self._of_type("user")
        }  # fmt: skip
        strange = Box("user", "owner not in sight", outline=True)
        for ns in self._of_type(self.kind.name):
            users.get(ns.owner or 0, strange).inner.append(self._box(ns))
        roots = _without_empty(self._nest("user", users))
        return [*roots, strange] if strange.inner else roots

    def _of_type(self, type: str) -> list[Namespace]:
        found = {ns.ns: ns for key, ns in self.namespaces.items() if key[0] == type}
        return [found[ns] for ns in self.letters.of_type(type) if ns in found]

    def _nest(self, type: str, boxes: dict[int, Box]) -> list[Box]:
        roots = []
        for number, box in boxes.items():
            parent = self.namespaces[type, number].parent
            if parent in boxes and not self._circular(type, number):
                boxes[parent].inner.append(box)
            else:
                roots.append(box)
        return roots

    def _circular(self, type: str, number: int) -> bool:
        seen: set[int] = set()
        above: int | None = number
        while above is not None and above not in seen:
            seen.add(above)
            found = self.namespaces.get((type, above))
            above = found.parent if found else None
        return above is not None

    def _box(self, ns: Namespace) -> Box:
        members = self.members.get(ns.ns, [])
        facts = []
        if ns.type == "user" and ns.uid is not None and ns.parent is not None:
            facts.append(made_by(ns.uid, self.reader))
        if ns.type == "pid" and ns.owner is not None and ns.owner in self.letters.of_type("user"):
            facts.append(f"owner user {self.letters.of('user', ns.owner)}")
        if not members:
            facts.append(self._deserted(ns))
        name = f"{ns.type} {self.letters.of(ns.type, ns.ns)}"
        return Box(ns.type, name, identity(ns.type, ns.ns), facts, _labels(members))

    def _deserted(self, ns: Namespace) -> str:
        whole = self.snapshot.scope == "machine" and not self.snapshot.unread
        kinds = {pin.kind for pin in ns.pins}
        keepers = [words for kind, words in KEPT_BY.items() if kind in kinds]
        kept = f", kept by {' and '.join(keepers)}" if keepers else ""
        return ("no process" if whole else "no process in sight") + kept


def _labels(members: list[Process]) -> list[str]:
    """The names of the processes, each once; those with a part in the course are never cut."""
    counts = Counter(call(process) for process in members)
    chosen = list(counts)
    if len(chosen) > MOST_MEMBERS:
        parts = {call(process) for process in members if process.role}
        by_weight = sorted(counts, key=lambda name: name not in parts)
        kept = set(by_weight[:MOST_MEMBERS]) | parts
        chosen = [name for name in chosen if name in kept]
    labels = [name if counts[name] == 1 else f"{name} × {counts[name]}" for name in chosen]
    rest = len(members) - sum(counts[name] for name in chosen)
    return [*labels, f"… {rest} more"] if rest else labels


def _without_empty(boxes: list[Box]) -> list[Box]:
    """The boxes that hold something, where an outline alone is nothing."""
    kept = []
    for box in boxes:
        box.inner = _without_empty(box.inner)
        if box.inner or not box.outline:
            kept.append(box)
    return kept


def _stack(boxes: list[Box]) -> list[Box]:
    """Siblings that are alike drawn once: "user C and 59 alike"."""
    for box in boxes:
        box.inner = _stack(box.inner)

    def like(box: Box) -> Hashable:
        return (tuple(box.facts), tuple(box.members)) if not box.inner else id(box)

    groups = grouped(boxes, like)
    for group in groups:
        group[0].name = with_alike(group[0].name, len(group) - 1)
    return [group[0] for group in groups]
