"""The pid-translation ladder: a row per process, a rung for each pid namespace that sees it."""

from __future__ import annotations

from nsedu.draw import legend
from nsedu.draw.labels import Letters, unread
from nsedu.draw.picture import Picture
from nsedu.draw.pids_layout import Line, PidCell, Sheet, samples
from nsedu.draw.process_rows import Row, build_trees, collapse, merge_identical, processes_in, rows
from nsedu.draw.style import MARGIN, SOFT_INK
from nsedu.draw.svg import Canvas
from nsedu.observe.pid_numbers import Number, numbers
from nsedu.observe.records import Process, Snapshot

FEW_ROWS = 24
"""Above so many rows, siblings that are alike are drawn once."""
MANY_ROWS = 64
"""Above so many, so are those that are alike but for their namespaces, and if that is not enough,
what lives where its parent lives is gathered in one row."""
MOST_ROWS = 160
"""So many rows are drawn; what is cut is said."""
TITLE = "One process, a number in each pid namespace"
SENSE = "a row is one process; its own number is the last, the others are used outside"


def pids(snapshot: Snapshot) -> Picture:
    """The number of each process in each pid namespace that sees it.

    Numbers in the reader's own namespace are other ones each time.  The drawing has them; the text
    twin says p1, p2 and so on instead.  The numbers further in are those of young namespaces and
    stay the same if the same happens there.

    Args:
        snapshot: what to draw.
    """
    found = rows(build_trees(snapshot.processes))
    if len(found) > FEW_ROWS:
        found = rows(merge_identical([row.node for row in found if row.parent is None], _alike))
    if len(found) > MANY_ROWS:
        found = rows(merge_identical([row.node for row in found if row.parent is None], _as_deep))
    if len(found) > MANY_ROWS:
        found = rows(collapse([row.node for row in found if row.parent is None], _dull))
    letters = _letters(snapshot, found[:MOST_ROWS])
    lines = _lines(snapshot, letters, found[:MOST_ROWS])
    notes = [*_notes(lines, found), *unread(snapshot)]

    sheet = Sheet(lines)
    text = [*sheet.text(), *legend.lines(letters, {}, ("pid",)), SENSE]
    if any(line.rungs for line in lines):
        text.append("p1, p2, …: the numbers of level 0, which are other ones each time")
    canvas = Canvas()
    y = canvas.heading(TITLE, [SENSE + "."], sheet.width)
    y = sheet.draw(canvas, y)
    y = samples(canvas, y, sheet)
    y = legend.draw(canvas, y, sheet.width, letters, {}, ("pid",))
    for note in notes:
        canvas.text(MARGIN, y, note, 12, fill=SOFT_INK)
        y += 18
    return canvas.picture(TITLE, [*text, *notes], sheet.width, y + 4)


def _letters(snapshot: Snapshot, found: list[Row]) -> Letters:
    """A letter for each pid namespace concerned, the outer before the inner."""
    letters = Letters()
    for row in found:
        for number in numbers(snapshot, row.node.process):
            if number.ns is not None:
                letters.meet("pid", number.ns)
    return letters


def _alike(process: Process) -> tuple[int | None, int]:
    return process.links.get("pid"), len(process.nspid)


def _as_deep(process: Process) -> int:
    return len(process.nspid)


def _dull(row: Row) -> bool:
    process = row.node.process
    return (
        row.parent is not None
        and not process.role
        and _alike(process) == _alike(row.parent.process)
    )


def _lines(snapshot: Snapshot, letters: Letters, found: list[Row]) -> list[Line]:
    lines, outside = [], 0
    for row in found:
        rungs: list[PidCell] = []
        several = "…" if row.node.count > 1 else ""
        known: tuple[Number, ...] = numbers(snapshot, row.node.process)
        for level, (ns, pid) in enumerate(known):
            if row.node.more:
                told = drawn = "…"
            else:
                outside += level == 0
                told, drawn = (f"{pid}{several}",) * 2
                if level == 0:
                    told = f"p{outside}{several}"
            own = level == len(known) - 1
            first = own and level > 0 and pid == 1 and not row.node.more
            rungs.append(PidCell(ns, letters.of("pid", ns), told, drawn, own, first))
        lines.append(Line(row, tuple(rungs)))
    return lines


def _notes(lines: list[Line], found: list[Row]) -> list[str]:
    notes = [] if found else ["no process in this snapshot"]
    if any(rung.letter == "?" for line in lines for rung in line.rungs):
        notes.append("? a pid namespace that cannot be seen from here")
    if len(found) > len(lines):
        left_out = processes_in(found) - processes_in([line.row for line in lines])
        notes.append(f"… {left_out} more processes below, which are not drawn")
    if any(line.row.node.count > 1 for line in lines):
        notes.append("× so many alike, drawn once with the numbers of the first, as in 5…")
    if any(line.row.node.more for line in lines):
        notes.append("… more: other processes, all in the pid namespace of the parent row")
    return notes
