"""The process tree, with a column for each namespace type: same letter, same namespace."""

from __future__ import annotations

from nsedu.draw import legend, process_grid
from nsedu.draw.labels import Letters, unread
from nsedu.draw.picture import Picture
from nsedu.draw.process_grid import MOST_ROWS, GridLine, grid
from nsedu.draw.process_rows import Row, build_trees, collapse, merge_identical, processes_in, rows
from nsedu.draw.svg import Canvas
from nsedu.observe.records import Snapshot

MANY_ROWS = 64
"""Above so many rows, processes that say nothing new are gathered."""
TITLE = "Processes and their namespaces"


def tree(snapshot: Snapshot) -> Picture:
    """The process tree × namespace matrix: a row per process, a column per type.

    Siblings that are alike, with all below them, are drawn once ("sleep × 120").  In a large
    picture the processes that live where their parent lives are gathered in one row ("… 34 more").

    Args:
        snapshot: what to draw.
    """
    roots = build_trees(snapshot.processes)
    letters = Letters()
    letters.meet_all(snapshot, (row.node.process for row in rows(roots)))
    found = rows(merge_identical(roots))
    if len(found) > MANY_ROWS:
        found = rows(collapse([row.node for row in found if row.parent is None], _dull))
    maker = process_grid.Cells(letters, snapshot.processes.values())
    lines = [
        GridLine(row, maker.row(row.node.process, row.parent.process if row.parent else None))
        for row in found[:MOST_ROWS]
    ]
    drawn = [cell for line in lines for cell in line.cells]
    notes = [*_notes(found), *unread(snapshot)]
    sheet = grid(lines)
    text = [*sheet.text(), *legend.lines(letters, {}), *process_grid.notes(drawn), *notes]

    canvas = Canvas()
    y = canvas.heading(
        TITLE, ["In a column, the same letter is the same namespace: it is shared."], sheet.width
    )
    y = sheet.draw(canvas, y) + 18
    y = process_grid.samples(canvas, y, sheet.width, drawn)
    y = legend.draw(canvas, y, sheet.width, letters, {})
    y = canvas.footnotes(notes, y, sheet.width)
    return canvas.picture(TITLE, text, sheet.width, y + 4)


def _dull(row: Row) -> bool:
    process = row.node.process
    return row.parent is not None and not process.role and process.links == row.parent.process.links


def _notes(found: list[Row]) -> list[str]:
    drawn, cut = found[:MOST_ROWS], found[MOST_ROWS:]
    notes = [] if found else ["no process in this snapshot"]
    if cut:
        left_out = processes_in(found) - processes_in(drawn)
        notes.append(f"… {left_out} more processes below, which are not drawn")
    if any(row.node.count > 1 for row in drawn):
        notes.append("× so many alike, drawn once with what is below them")
    if any(row.node.more for row in drawn):
        notes.append("… more: other processes, all in the namespaces of the parent row")
    return notes
