"""One thing as it is seen from several places, an eye for each."""

from __future__ import annotations

from functools import partial

from nsedu.draw.labels import shorten
from nsedu.draw.picture import Picture
from nsedu.draw.rows import Cell, Column, Line, Rows, Space, words
from nsedu.draw.style import INK, MARGIN, PANEL, SOFT_INK, TREE_LINE, okabe_ito, tint
from nsedu.draw.svg import Canvas, fit, measure, wrap
from nsedu.kernel.namespace_types import BY_NAME
from nsedu.observe.comparisons import Comparison, Observation
from nsedu.printable import clean

MOST = 40
"""So many places are drawn; how many more there are, is said."""
WIDTH = 760.0
EYE, NAME, SIGN = 40.0, 210.0, 34.0
ROOM = WIDTH - 2 * MARGIN - EYE - NAME - SIGN
COLUMNS = (
    Column(EYE, gap=0),
    Column(NAME - 8, 4),
    Column(SIGN, 4, least=1),
    Column(ROOM),
    Column(),
)
"""An eye, who, whether in the same namespace, what is seen, and why (in the drawing below that)."""
ROW, LEADING = 40.0, 16.0
SIGNS = {True: "=", False: "≠", None: "?"}


def eyes(view: Comparison) -> Picture:
    """What each place sees, a row each, the reader's own first.

    Args:
        view: from `nsedu.observe.comparisons`.
    """
    title = clean(f"{view.title}, as each place sees it")
    drawn, left_out = view.sights[:MOST], len(view.sights) - MOST
    notes = [*_meanings(view), view.how]
    if left_out > 0:
        notes.append(f"… {left_out} more places, which are not drawn")
    sheet = Rows(COLUMNS, [_line(sight, view.type, not n) for n, sight in enumerate(drawn)], ROW)
    canvas = Canvas()
    y = sheet.draw(canvas, canvas.heading(title, [], WIDTH) + 4)
    y = canvas.footnotes(notes, y + 16, WIDTH)
    text = [title, *sheet.text(), *notes, *([view.note] if view.note else [])]
    return canvas.picture(title, text, WIDTH, y + 6)


def _meanings(view: Comparison) -> list[str]:
    """What the signs mean that stand in this picture."""
    signs = {sight.same for sight in view.sights[1:MOST]}
    kind = f"{BY_NAME[view.type].title} namespace"
    said = {
        True: f"= in your {kind}",
        False: f"≠ in another {kind}",
        None: f"? in which {kind} it is may not be read",
    }
    words = [said[sign] for sign in said if sign in signs]
    return [", ".join(words)] if words else []


def _line(sight: Observation, type: str, own: bool) -> Line:
    rule = wrap(clean(sight.rule), 12, ROOM) if sight.rule else []
    below = LEADING * len(rule) + 4 if rule else 0
    name, sign = clean(sight.name), "" if own else SIGNS[sight.same]
    cells = [
        Cell("", partial(_eye, okabe_ito[type] if sight.same is False else TREE_LINE)),
        words(shorten(name, 40), 13, drawn=name, mono=True, bold=own),
        words(sign, 16, bold=True, anchor="middle"),
        Cell(clean(sight.told), partial(_seen, sight, okabe_ito[type], rule)),
        Cell(f"· {clean(sight.rule)}" if sight.rule else ""),
    ]
    return Line(cells, below=below, rule=True)


def _seen(sight: Observation, colour: str, rule: list[str], canvas: Canvas, space: Space) -> None:
    """What is seen, in a box, and why, below it."""
    x, y, room, _ = space
    fill = tint(colour, 0.22) if sight.same is False else PANEL
    edge = colour if sight.same is False else TREE_LINE
    shown = fit(clean(sight.drawn), 14, room - 24, mono=True)
    width = max(64.0, measure(shown, 14, mono=True) + 24)
    canvas.rect(x, y - 14, width, 28, fill=fill, stroke=edge, radius=6, dashed=sight.same is None)
    canvas.text(x + 12, y, shown, 14, mono=True, bold=True, fill=INK)
    for number, line in enumerate(rule):
        canvas.text(x, y + ROW / 2 + 6 + LEADING * number, line, 12, fill=SOFT_INK)


def _eye(colour: str, canvas: Canvas, space: Space) -> None:
    x, y = space.x + 14, space.y
    lid = f"M{x - 12:.1f} {y:.1f}q12 -13 24 0q-12 13 -24 0z"
    canvas.path(lid, INK, 1.4, fill=PANEL)
    canvas.rect(x - 4.5, y - 4.5, 9, 9, fill=colour, stroke=INK, radius=4.5)
