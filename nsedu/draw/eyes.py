"""One thing as it is seen from several places, an eye for each."""

from __future__ import annotations

from nsedu.draw.labels import columns, pad, shorten
from nsedu.draw.picture import Picture
from nsedu.draw.style import INK, MARGIN, PANEL, RULE, SOFT_INK, TREE_LINE, okabe_ito, tint
from nsedu.draw.svg import Canvas, fit, measure, wrap
from nsedu.kernel.namespace_types import BY_NAME
from nsedu.observe.comparisons import Comparison, Observation
from nsedu.printable import clean

MOST = 40
"""So many places are drawn; how many more there are, is said."""
WIDTH = 760.0
EYE, NAME, SIGN = 40.0, 210.0, 34.0
SEEN = MARGIN + EYE + NAME + SIGN
ROOM = WIDTH - MARGIN - SEEN
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
    canvas = Canvas()
    y = canvas.heading(title, [], WIDTH) + 4
    for number, sight in enumerate(drawn):
        y = _row(canvas, y, sight, view.type, own=number == 0)
    y += 16
    for note in notes:
        for line in wrap(clean(note), 12, WIDTH - 2 * MARGIN):
            canvas.text(MARGIN, y, line, 12, fill=SOFT_INK)
            y += 17
    twin = [*notes, view.note] if view.note else notes
    text = [title, *_table(drawn), *twin]
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


def _table(sights: tuple[Observation, ...]) -> list[str]:
    names = [shorten(clean(sight.name), 40) for sight in sights]
    told = [clean(sight.told) for sight in sights]
    widths = max(map(columns, names)), max(columns(t) for t in told)
    lines = []
    for number, sight in enumerate(sights):
        sign = SIGNS[sight.same] if number else " "
        rule = f"  · {clean(sight.rule)}" if sight.rule else ""
        line = f"{pad(names[number], widths[0])}  {sign}  {pad(told[number], widths[1])}{rule}"
        lines.append(line.rstrip())
    return lines


def _row(canvas: Canvas, y: float, sight: Observation, type: str, own: bool) -> float:
    colour = okabe_ito[type]
    rule = wrap(clean(sight.rule), 12, ROOM) if sight.rule else []
    height = ROW + LEADING * len(rule) + (4 if rule else 0)
    middle = y + ROW / 2
    _eye(canvas, MARGIN + 14, middle, colour if sight.same is False else TREE_LINE)
    name = fit(clean(sight.name), 13, NAME - 8, mono=True)
    canvas.text(MARGIN + EYE, middle, name, 13, mono=True, bold=own)
    if not own:
        canvas.text(SEEN - SIGN / 2 - 4, middle, SIGNS[sight.same], 16, anchor="middle", bold=True)
    fill = tint(colour, 0.22) if sight.same is False else PANEL
    edge = colour if sight.same is False else TREE_LINE
    words = fit(clean(sight.drawn), 14, ROOM - 24, mono=True)
    width = max(64.0, measure(words, 14, mono=True) + 24)
    canvas.rect(SEEN, middle - 14, width, 28, fill=fill, stroke=edge, radius=6,
                dashed=sight.same is None)  # fmt: skip
    canvas.text(SEEN + 12, middle, words, 14, mono=True, bold=True, fill=INK)
    for number, line in enumerate(rule):
        canvas.text(SEEN, y + ROW + 6 + LEADING * number, line, 12, fill=SOFT_INK)
    canvas.line(MARGIN, y + height, WIDTH - MARGIN, y + height, RULE)
    return y + height


def _eye(canvas: Canvas, x: float, y: float, colour: str) -> None:
    lid = f"M{x - 12:.1f} {y:.1f}q12 -13 24 0q-12 13 -24 0z"
    canvas.path(lid, INK, 1.4, fill=PANEL)
    canvas.rect(x - 4.5, y - 4.5, 9, 9, fill=colour, stroke=INK, radius=4.5)
