"""What changed between two snapshots: what came, what went, and which links moved."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable

from nsedu.draw import legend
from nsedu.draw.labels import Letters, known
from nsedu.draw.picture import Picture
from nsedu.draw.process_grid import MOST_ROWS, Cells, GridLine, TypeCell, grid, samples
from nsedu.draw.process_rows import Row, build_trees, collapse, merge_identical, processes_in, rows
from nsedu.draw.rows import table
from nsedu.draw.style import MARGIN, SOFT_INK
from nsedu.draw.svg import Canvas
from nsedu.kernel.namespace_types import CATALOGUE, LINKS, NAMES, TYPE_OF_LINK
from nsedu.observe.records import Process, Snapshot

TITLE = "What changed"
MEANINGS = {
    "apart": "the first row's",
    "same": "another",
    "new": "a namespace that came",
    "other": "not the parent row's",
    "moved": "changed",
    "gone": "was there",
    "unread": "not readable",
    "left": "left: it is a zombie",
    "absent": "not in this kernel",
}


def diff(before: Snapshot, after: Snapshot) -> Picture:
    """What changed from one snapshot to a later one.

    Processes that came are marked "+", those that went "−"; for one whose links moved, the cell
    says from where to where ("A → B").  What did not change is gathered ("… 34 unchanged").

    Args:
        before: the earlier snapshot.
        after: the later one.

    Raises:
        TypeError: one of them is not a snapshot.
    """
    for name, value in (("before", before), ("after", after)):
        if not isinstance(value, Snapshot):
            raise TypeError(f"{name} must be a Snapshot, not {type(value).__name__}.")
    return _Diff(_apart(before, after), after).picture()


def _apart(before: Snapshot, after: Snapshot) -> Snapshot:
    """The earlier look, with minus the number of each namespace whose number is another's now."""
    replaced = before.replaced(after)
    if not replaced:
        return before

    def number(type: str, ns: int) -> int:
        return -ns if (type, ns) in replaced else ns

    processes = {
        pid: p._replace(links={link: number(TYPE_OF_LINK[link], n) for link, n in p.links.items()})
        for pid, p in before.processes.items()
    }
    spaces = {(type, number(type, ns)): one for (type, ns), one in before.namespaces.items()}
    return dataclasses.replace(before, processes=processes, namespaces=spaces)


class _Diff:
    def __init__(self, before: Snapshot, after: Snapshot) -> None:
        self.before, self.after = before, after
        self.letters = Letters()
        for snapshot in (before, after):
            order = rows(build_trees(snapshot.processes))
            self.letters.meet_all(snapshot, (row.node.process for row in order))
        old, new = known(before), known(after)
        self.marks = {key: "−" for key in old - new} | {key: "+" for key in new - old}
        self.stayed = len(old & new)
        union = after.processes | {
            pid: process for pid, process in before.processes.items() if pid not in after.processes
        }
        roots = merge_identical(build_trees(union), self._likeness)
        self.rows = rows(collapse(roots, self._unchanged, "… {} unchanged", least=2))

    def picture(self) -> Picture:
        drawn = self.rows[:MOST_ROWS]
        cut = processes_in(self.rows) - processes_in(drawn)
        summary = [*self._summary(), *([f"… {cut} more processes, not drawn"] if cut else [])]
        moved = {TYPE_OF_LINK[link] for row in drawn for link in self._moved(row.node.process)}
        types = tuple(t for t in NAMES if t in moved or any(kind == t for kind, _ in self.marks))
        text = [*self._text(drawn), *legend.lines(self.letters, self.marks, types), *summary]

        maker = Cells(self.letters, [*self.before.processes.values(),
                                     *self.after.processes.values()])  # fmt: skip
        lines = [GridLine(row, self._cells(row, maker), self._mark(row)) for row in drawn]
        canvas, sheet = Canvas(), grid(lines)
        y = canvas.heading(TITLE, summary, sheet.width)
        y = sheet.draw(canvas, y) + 18
        shown = [cell for line in lines for cell in line.cells]
        y = samples(canvas, y, sheet.width, shown, MEANINGS)
        if types:
            y = legend.draw(canvas, y, sheet.width, self.letters, self.marks, types)
            canvas.text(MARGIN, y, "+ came   − went", 12, fill=SOFT_INK)
            y += 20
        return canvas.picture(TITLE, text, sheet.width, y)

    def _status(self, process: Process) -> str:
        if process.pid not in self.after.processes:
            return "gone"
        if process.pid not in self.before.processes:
            return "new"
        return "moved" if self._moved(process) else "unchanged"

    def _moved(self, process: Process) -> list[str]:
        old = self.before.processes.get(process.pid)
        new = self.after.processes.get(process.pid)
        if old is None or new is None:
            return []
        return [link for link in LINKS if old.links.get(link) != new.links.get(link)]

    def _likeness(self, process: Process) -> Hashable:
        snapshots = (self.before, self.after)
        both = [snapshot.processes.get(process.pid) for snapshot in snapshots]
        return tuple(p and tuple(p.links.get(link) for link in LINKS) for p in both)

    def _unchanged(self, row: Row) -> bool:
        return self._status(row.node.process) == "unchanged"

    def _mark(self, row: Row) -> str:
        status = "" if row.node.more else self._status(row.node.process)
        return {"new": "+", "gone": "−"}.get(status, "")

    def _cells(self, row: Row, maker: Cells) -> tuple[TypeCell, ...]:
        process = row.node.process
        if row.node.more:
            return ()
        if self._status(process) == "gone":
            of = self.letters.of
            return tuple(TypeCell(of(t, process.links.get(t)), "gone") for t in NAMES)
        moved, came = self._moved(process), self._mark(row) == "+"
        found = list(maker.row(process, row.parent.process if row.parent else None))
        for index, type in enumerate(CATALOGUE):
            now, cell = process.links.get(type.name), found[index]
            if type.name in moved:
                word = f"{self._at(self.before, process, type.name)}→{cell.letter}"
                found[index] = TypeCell(word, "moved", onward=maker.onward(type, process))
            elif type.links[-1] in moved:
                found[index] = cell._replace(look="moved", band=None)
            elif cell.look in ("new", "other"):  # of what stayed, nothing is to stand out
                look = "new" if (type.name, now) in self.marks else "other"
                found[index] = cell._replace(look=look if came else "apart")
        return tuple(found)

    def _at(self, snapshot: Snapshot, process: Process, link: str) -> str:
        """The letter of where a link of the process led then."""
        links = snapshot.processes[process.pid].links
        ns = links.get(link)
        # Set aside by unshare(2), without a process as yet; but what has ended has left all.
        if ns is None and link not in NAMES and "mnt" in links:
            return "a new one"
        return self.letters.of(TYPE_OF_LINK[link], ns)

    def _text(self, drawn: list[Row]) -> list[str]:
        lines = [(f"{self._mark(row) or ' '} {row.label}", self._sentence(row)) for row in drawn]
        return table([("  process", "what changed"), *lines], least=26)

    def _sentence(self, row: Row) -> str:
        process = row.node.process
        status = "" if row.node.more else self._status(process)
        if status == "moved":
            moved = self._moved(process)
            old = self.before.processes[process.pid].links
            if process.zombie:
                return "has ended, but its parent has yet to reap it: a zombie"
            if not old or not process.links:
                return f"its links could {'not be read before' if not old else 'no longer be read'}"
            steps = [
                f"{link} {self._at(self.before, process, link)} → "
                f"{self._at(self.after, process, link)}"
                for link in moved
            ]
            equal = len(old.keys() | process.links.keys()) - len(moved)
            return f"{', '.join(steps)}   {verdict(equal, moved)}"
        if status == "new":
            above = row.parent.process.links if row.parent else {}
            own = [
                f"{t} {self.letters.of(t, process.links[t])}"
                for t in NAMES
                if t in process.links and process.links[t] != above.get(t)
            ]
            if not own:
                return "new, in the namespaces of its parent"
            return "new, in " + ", ".join(own) + ("; else as its parent" if above else "")
        return status if status == "gone" else ""

    def _summary(self) -> list[str]:
        every = {**self.before.processes, **self.after.processes}.values()
        of = [self._status(process) for process in every]
        came = sum(mark == "+" for mark in self.marks.values())
        return [
            f"processes: {of.count('new')} new, {of.count('gone')} gone, "
            f"{of.count('moved')} moved, {of.count('unchanged')} unchanged",
            f"namespaces: {came} new, {len(self.marks) - came} gone, {self.stayed} as before",
        ]


def verdict(equal: int, differing: list[str]) -> str:
    """How many links are equal and which differ, in words: ``9 links equal, 1 differs: uts``."""
    same = f"{equal} link{'' if equal == 1 else 's'} equal"
    if not differing:
        return f"{same}, none differs"
    verb = "differs" if len(differing) == 1 else "differ"
    return f"{same}, {len(differing)} {verb}: {', '.join(differing)}"
