"""The clocks of time namespaces on a line of time: how far ahead of the reader's, or behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from nsedu.draw import legend
from nsedu.draw.labels import Letters, at_most, shorten
from nsedu.draw.picture import Picture
from nsedu.draw.rows import Cell, Column, Line, Rows, Space
from nsedu.draw.rows import words as said
from nsedu.draw.style import (
    INK,
    MARGIN,
    MONO_ADVANCE,
    RULE,
    SANS_ADVANCE,
    SOFT_INK,
    TREE_LINE,
    okabe_ito,
)
from nsedu.draw.svg import Canvas, fit, measure, wrap
from nsedu.observe.clocks import CLOCKS, SECOND, TimeNamespace, words
from nsedu.observe.viewpoints import Place
from nsedu.printable import clean

TITLE = "Clocks, as far as they are ahead of yours or behind"
MOST = 40
"""So many namespaces are drawn; how many are left out is said."""
MOST_NAMES = 4
"""So many of those who live in one are named."""
WHO, OFFSET, LANE = 190.0, 131.0, 294.0
WIDTH = 2 * MARGIN + 34 + WHO + 2 * OFFSET + LANE
COLUMNS = [Column(width) for width in (46, WHO - 12, 0, OFFSET, OFFSET, LANE)]
"""The letter, who, realtime (in the text alone), monotonic, boottime, and the line of time."""
SAID, LEADING = 12.0, 15.0
"""What is said in a row: the size, and from line to line, in px."""
ROOMY, ROW, CROWDED_ROW = 16, 50.0, 34.0
"""Up to so many rows are at least as high as the first number says, more of them as the second."""
STEPS = {1: "s", 60: "min", 3600: "h", 86400: "day", 365 * 86400: "year"}
"""The line of time goes in equal steps, each to the next of these, in seconds."""
STEP = (LANE / 2 - 8) / (len(STEPS) + 1)
COLOUR = okabe_ito["time"]
SENSE = (
    "realtime, the wall clock, is in no time namespace: it is the same everywhere",
    "monotonic and boottime are shifted by what is written here, and run on at the same speed",
)


def clocks(spaces: Sequence[TimeNamespace]) -> Picture:
    """The time namespaces, a row each, with their clocks as marks on a line of time.

    Args:
        spaces: what `nsedu.observe.clocks.look` found.
    """
    letters = Letters()
    for space in spaces:
        if space.ns is not None:
            letters.meet("time", space.ns)
    rows = _rows(spaces)
    drawn, notes = rows[:MOST], _notes(spaces, rows[MOST:])
    least = ROW if len(drawn) <= ROOMY else CROWDED_ROW
    sheet = Rows(COLUMNS, [_heading(), *(_line(row, letters, least) for row in drawn)])
    text = [*sheet.text(), *legend.lines(letters, {}, ("time",)), *SENSE, *notes]
    canvas = Canvas()
    y = canvas.heading(TITLE, [], WIDTH)
    y = _marks(canvas, sheet.draw(canvas, y + 8) + 14)
    y = legend.draw(canvas, y + 6, WIDTH, letters, {}, ("time",))
    y = canvas.footnotes([*SENSE, *notes], y, WIDTH)
    return canvas.picture(TITLE, text, WIDTH, y + 6)


class Row(NamedTuple):
    """One row: a time namespace, and how many others show the same clocks."""

    space: TimeNamespace
    alike: int = 0

    def who(self) -> list[str]:
        """Who lives there, and whose children will."""
        said = [_names(self.space.inside)] if self.space.inside else []
        if self.space.awaited:
            said.append(f"children to come of {_names(self.space.awaited)}")
        return [*said, f"and {self.alike} more like it"] if self.alike else said


def _rows(spaces: Sequence[TimeNamespace]) -> list[Row]:
    """A row for each; of very many, those with the same clocks share one."""
    if len(spaces) <= MOST:
        return [Row(space) for space in spaces]
    first: dict[object, Row] = {}
    for number, space in enumerate(spaces):
        # The reader's own comes first and stands alone, and so does one that nobody lives in.
        alone = number == 0 or space.monotonic is None or not space.inside
        key = number if alone else (space.monotonic, space.boottime)
        row = first.get(key)
        first[key] = Row(space) if row is None else row._replace(alike=row.alike + 1)
    return list(first.values())


def _names(places: Sequence[Place], most: int = MOST_NAMES) -> str:
    return ", ".join(at_most([clean(place.name) for place in places], most))


def _ahead(offset: int | None) -> str:
    return "?" if offset is None else "yours" if offset == 0 else words(offset)


def _notes(spaces: Sequence[TimeNamespace], left_out: Sequence[Row]) -> list[str]:
    notes = [] if spaces else ["no process to look at"]
    if left_out:
        number = sum(1 + row.alike for row in left_out)
        spans = [_span(clock, left_out) for clock in CLOCKS]
        notes.append(f"… {number} more time namespaces, which are not drawn: {', '.join(spans)}")
    if any(space.ns is None for space in spaces):
        notes.append("? a process of somebody else's, whose time namespace may not be read")
    if any(space.monotonic is None and space.ns is not None for space in spaces):
        notes.append("? not known: nobody in it has a timens_offsets file that tells of it")
    return notes


def _span(clock: str, rows: Sequence[Row]) -> str:
    """From where to where the offsets of a clock go."""
    offsets = [getattr(row.space, clock) for row in rows]
    known = [offset for offset in offsets if offset is not None]
    return f"{clock} from {_ahead(min(known))} to {_ahead(max(known))}" if known else f"{clock} ?"


def _x(seconds: float) -> float:
    """Where an offset lies in the lane, to both sides of the middle: see `STEPS`."""
    far, before, place = abs(seconds), 0, 0.0
    for step in STEPS:
        if far <= step:
            place += math.log(far / before) / math.log(step / before) if before else far / step
            break
        before, place = step, place + 1
    else:  # beyond a year, up to the 146 of them in time_namespaces(7), ERANGE
        place += min(1, 0.45 * math.log10(far / before))
    return WIDTH - MARGIN - LANE / 2 + math.copysign(place * STEP, seconds)


def _scale(canvas: Canvas, space: Space) -> None:
    """What the lane says, in two lines."""
    y, middle = space.y, _x(0)
    canvas.text(middle - 22, y - 18, "← behind", 11, anchor="end", fill=SOFT_INK)
    canvas.text(middle, y - 18, "yours", 11, anchor="middle", bold=True)
    canvas.text(middle + 22, y - 18, "ahead →", 11, fill=SOFT_INK)
    for seconds, word in {0: "0", **STEPS}.items():
        for side in {-seconds, seconds}:
            canvas.text(_x(side), y, word, 10, anchor="middle", fill=SOFT_INK)


def _heading() -> Line:
    time, who, monotonic, boottime = (
        said(word, bold=True) for word in ("time", "who", "monotonic", "boottime")
    )
    cells = [time, who, Cell("realtime"), monotonic, boottime, Cell("", _scale)]
    return Line(cells, height=24, rule=True)


def _line(row: Row, letters: Letters, least: float) -> Line:
    """The row: a letter, who lives there, the offsets in words and as marks in the lane."""
    space, who = row.space, row.who()
    wrapped = [line for one in who for line in wrap(one, SAID, WHO - 20)]
    shown = [fit(line, SAID, WHO - 16) for line in wrapped]
    letter = letters.of("time", space.ns)
    cells = [
        Cell(letter, partial(legend.draw_letter, "time", letter)),
        Cell("\n".join(shorten(one, 70) for one in who), partial(_paragraph, shown, INK, False)),
        Cell("yours"),
        _offset(space.monotonic),
        _offset(space.boottime),
        Cell("", partial(_lane, space)),
    ]
    return Line(cells, height=max(least, LEADING * len(wrapped) + 8), rule=True)


def _offset(offset: int | None) -> Cell:
    ahead = _ahead(offset)
    lines = wrap(ahead, SAID, (OFFSET - 6) * SANS_ADVANCE / MONO_ADVANCE)
    return Cell(ahead, partial(_paragraph, lines, INK if offset else SOFT_INK, True))


def _paragraph(lines: list[str], ink: str, mono: bool, canvas: Canvas, space: Space) -> None:
    """Lines of text around the middle of a row."""
    for number, line in enumerate(lines):
        down = (number - (len(lines) - 1) / 2) * LEADING
        canvas.text(space.x, space.y + down, line, SAID, fill=ink, mono=mono)


def _lane(clocks: TimeNamespace, canvas: Canvas, space: Space) -> None:
    """The offsets as marks on the line of time."""
    middle, half, apart = space.y, space.height / 2 - 3, min(15, space.height * 0.3)
    for seconds in (*STEPS, *(-step for step in STEPS), 0):
        ink = RULE if seconds else TREE_LINE
        canvas.line(_x(seconds), middle - half, _x(seconds), middle + half, ink)
    _square(canvas, _x(0), middle)
    marks = ((clocks.monotonic, -apart, _disc), (clocks.boottime, apart, _diamond))
    for offset, lower, mark in marks:
        if offset is not None:
            x = _x(offset / SECOND)
            if abs(x - _x(0)) > 6:
                end = x - math.copysign(5.5, offset)
                canvas.line(_x(0), middle + lower, end, middle + lower, INK)
            mark(canvas, x, middle + lower)


def _square(canvas: Canvas, x: float, y: float) -> None:
    canvas.rect(x - 4.5, y - 4.5, 9, 9, fill="#FFFFFF", stroke=INK, line=1.5)


def _disc(canvas: Canvas, x: float, y: float) -> None:
    canvas.rect(x - 5, y - 5, 10, 10, fill=COLOUR, stroke=INK, radius=5)


def _diamond(canvas: Canvas, x: float, y: float) -> None:
    canvas.path(f"M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z", INK, 2)


def _marks(canvas: Canvas, y: float) -> float:
    x = MARGIN + 6.0
    for draw, word in ((_square, "realtime"), (_disc, "monotonic"), (_diamond, "boottime")):
        draw(canvas, x, y)
        canvas.text(x + 14, y, word, 12)
        x += 14 + measure(word, 12) + 26
    canvas.text(x, y, "equal steps: a second, a minute, an hour, a day, a year", 12, fill=SOFT_INK)
    return y + 16
