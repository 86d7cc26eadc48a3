"""The clocks of time namespaces on a line of time: how far ahead of the reader's, or behind."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nsedu.draw import legend
from nsedu.draw.canvas import Canvas, fit, measure, wrap
from nsedu.draw.names import Letters, clean, columns, pad, shorten
from nsedu.draw.picture import Picture
from nsedu.draw.style import INK, MARGIN, RULE, SOFT_INK, TREE_LINE, okabe_ito, tint
from nsedu.places import Place
from nsedu.timens import SECOND, TimeNamespace, words

TITLE = "Clocks, as far as they are ahead of yours or behind"
MOST = 40
"""So many namespaces are drawn; how many are left out is said."""
MOST_NAMES = 4
"""So many of those who live in one are named."""
WHO, OFFSET, LANE = 230.0, 132.0, 276.0
WIDTH = 2 * MARGIN + 34 + WHO + 2 * OFFSET + LANE
ROW = 50.0
MINUTE, DAY, YEAR = 60, 86400, 365 * 86400
FARTHEST = 146 * YEAR
"""A clock may not be shifted beyond that (time_namespaces(7), ERANGE)."""
TICKS = {-YEAR: "−1 y", -DAY: "−1 d", -MINUTE: "", 0: "yours",
         MINUTE: "", DAY: "+1 d", YEAR: "+1 y"}  # fmt: skip
COLOUR = okabe_ito["time"]
SENSE = (
    "realtime, the wall clock, is in no time namespace: it is the same everywhere",
    "monotonic and boottime are shifted by what is written here, and run on at the same speed",
)


def clocks(spaces: Sequence[TimeNamespace]) -> Picture:
    """The time namespaces, a row each, with their clocks as marks on a line of time.

    Args:
        spaces: what `nsedu.timens.look` found.
    """
    letters = Letters()
    for space in spaces:
        if space.ns is not None:
            letters.meet("time", space.ns)
    drawn, notes = spaces[:MOST], _notes(spaces)
    text = "\n".join(
        [*_table(drawn, letters), *legend.lines(letters, {}, ("time",)), *SENSE, *notes]
    )
    canvas = Canvas()
    y = canvas.heading(TITLE, [], WIDTH)
    y = _head(canvas, y)
    for space in drawn:
        y = _row(canvas, y, space, letters.of("time", space.ns))
    y = _marks(canvas, y + 14)
    y = legend.draw(canvas, y + 6, WIDTH, letters, {}, ("time",))
    for note in [*SENSE, *notes]:
        for line in wrap(note, 12, WIDTH - 2 * MARGIN):
            canvas.text(MARGIN, y, line, 12, fill=SOFT_INK)
            y += 17
    return canvas.picture(TITLE, text, WIDTH, y + 6)


def _names(places: Sequence[Place], most: int = MOST_NAMES) -> str:
    names = [clean(place.name) for place in places]
    more = f", … {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _who(space: TimeNamespace) -> list[str]:
    """Who lives there, and whose children will."""
    said = [_names(space.inside)] if space.inside else []
    if space.awaited:
        said.append(f"children to come of {_names(space.awaited)}")
    return said


def _ahead(offset: int | None) -> str:
    return "?" if offset is None else "yours" if offset == 0 else words(offset)


def _table(spaces: Sequence[TimeNamespace], letters: Letters) -> list[str]:
    rows = [("time", "who", "realtime", "monotonic", "boottime")]
    for space in spaces:
        for number, who in enumerate(_who(space)):
            offsets = ("yours", _ahead(space.monotonic), _ahead(space.boottime))
            first = (letters.of("time", space.ns), who, *offsets)
            rows.append(first if number == 0 else ("", who, "", "", ""))
    rows = [(row[0], shorten(row[1], 70), *row[2:]) for row in rows]
    widths = [max(columns(row[i]) for row in rows) for i in range(5)]
    return ["  ".join(map(pad, row, widths)).rstrip() for row in rows]


def _notes(spaces: Sequence[TimeNamespace]) -> list[str]:
    notes = [] if spaces else ["no process to look at"]
    if len(spaces) > MOST:
        notes.append(f"… {len(spaces) - MOST} more time namespaces, which are not drawn")
    if any(space.monotonic is None for space in spaces):
        notes.append("? not known: nobody in it has a timens_offsets file that tells of it")
    return notes


def _x(seconds: float) -> float:
    """Where an offset lies in the lane: by its logarithm, to both sides of the middle."""
    share = math.log10(1 + min(abs(seconds), FARTHEST)) / math.log10(1 + FARTHEST)
    return WIDTH - MARGIN - LANE / 2 + math.copysign(share * (LANE / 2 - 14), seconds)


def _head(canvas: Canvas, y: float) -> float:
    left = MARGIN + 34 + WHO
    for x, word in ((MARGIN, "time"), (MARGIN + 46, "who"), (left, "monotonic"),
                    (left + OFFSET, "boottime")):  # fmt: skip
        canvas.text(x, y + 6, word, 12, bold=True)
    for seconds, word in TICKS.items():
        canvas.text(_x(seconds), y + 6, word, 11, anchor="middle", fill=SOFT_INK)
    canvas.line(MARGIN, y + 18, WIDTH - MARGIN, y + 18, RULE)
    return y + 22


def _row(canvas: Canvas, y: float, space: TimeNamespace, letter: str) -> float:
    middle = y + ROW / 2
    for seconds in TICKS:
        ink = RULE if seconds else TREE_LINE
        canvas.line(_x(seconds), y + 4, _x(seconds), y + ROW - 4, ink)
    canvas.line(_x(-FARTHEST), middle, _x(FARTHEST), middle, RULE)
    canvas.rect(
        MARGIN, middle - 10, 28, 20, fill=tint(COLOUR, 0.3), stroke=tint(COLOUR, 0.7), radius=4
    )
    canvas.text(MARGIN + 14, middle, letter, 12, anchor="middle", mono=True, bold=True)
    said = [line for who in _who(space) for line in wrap(who, 12, WHO - 24)]
    if len(said) > 2:
        said[1:] = [" ".join(said[1:])]
    for number, who in enumerate(said):
        line = middle + (number - (len(said) - 1) / 2) * 16
        canvas.text(MARGIN + 46, line, fit(who, 12, WHO - 20), 12)
    left = MARGIN + 34 + WHO
    for number, offset in enumerate((space.monotonic, space.boottime)):
        word = fit(_ahead(offset), 12, OFFSET - 8, mono=True)
        ink = SOFT_INK if offset == 0 else INK
        canvas.text(left + number * OFFSET, middle, word, 12, mono=True, fill=ink)
    _square(canvas, _x(0), middle)
    if space.monotonic is not None:
        _disc(canvas, _x(space.monotonic / SECOND), middle - 13)
    if space.boottime is not None:
        _diamond(canvas, _x(space.boottime / SECOND), middle + 13)
    canvas.line(MARGIN, y + ROW, WIDTH - MARGIN, y + ROW, RULE)
    return y + ROW


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
    canvas.text(
        x, y, "the line is one of powers of ten: from seconds to 146 years", 12, fill=SOFT_INK
    )
    return y + 16
