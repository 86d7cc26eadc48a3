"""Which letter is which namespace: the list below a picture, as text and drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nsedu.draw.labels import Letters, columns, identity
from nsedu.draw.rows import Space
from nsedu.draw.style import MARGIN, RULE, SOFT_INK, okabe_ito, tint
from nsedu.draw.svg import Canvas, measure
from nsedu.kernel.namespace_types import NAMES

MOST = 24
"""How many namespaces of one type are listed."""
PER_LINE = 4

Marks = Mapping[tuple[str, int], str]
"""(type, inode number) → "+" for a namespace that came, "−" for one that went."""


def lines(letters: Letters, marks: Marks, types: tuple[str, ...] = NAMES) -> Iterator[str]:
    """The list as text: a line for each type with several namespaces, one for all other types."""
    several, single = _split(letters, marks, types)
    for type in several:
        entries, left_out = _entries(letters, marks, type)
        words = [f"{name} {which}" for name, which in entries]
        head = f"{type} "
        for start in range(0, len(words), PER_LINE):
            yield head + "  ".join(words[start : start + PER_LINE])
            head = " " * columns(head)
        if left_out:
            yield f"{head}… {left_out} more {type} namespaces"
    if single:
        yield "only A " + "  ".join(identity(type, ns) for type, ns in single)


def draw(
    canvas: Canvas,
    y: float,
    width: float,
    letters: Letters,
    marks: Marks,
    types: tuple[str, ...] = NAMES,
) -> float:
    """The same list on a canvas; returns the y below it."""
    several, single = _split(letters, marks, types)
    canvas.line(MARGIN, y - 4, width - MARGIN, y - 4, RULE)
    y += 14
    pitch = 24 + measure("cgroup:[4026531835]", 11, mono=True) + 14
    per_line = max(1, int((width - 2 * MARGIN - 56) // pitch))
    for type in several:
        entries, left_out = _entries(letters, marks, type)
        canvas.text(MARGIN, y, type, 12, mono=True, bold=True)
        for index, (name, which) in enumerate(entries):
            x = MARGIN + 56 + index % per_line * pitch
            if index and index % per_line == 0:
                y += 19
            draw_letter(type, name, canvas, Space(x, y, 24, 16))
            canvas.text(x + 28, y, which, 11, mono=True, fill=SOFT_INK)
        if left_out:
            y += 19
            text = f"… {left_out} more {type} namespaces"
            canvas.text(MARGIN + 56, y, text, 11, fill=SOFT_INK)
        y += 22
    if single:
        canvas.text(MARGIN, y, "only A", 12, mono=True, bold=True)
        for index, (type, ns) in enumerate(single):
            if index and index % per_line == 0:
                y += 19
            x = MARGIN + 56 + index % per_line * pitch
            canvas.text(x, y, identity(type, ns), 11, mono=True, fill=SOFT_INK)
        y += 22
    return y


def _split(
    letters: Letters, marks: Marks, types: tuple[str, ...]
) -> tuple[list[str], list[tuple[str, int]]]:
    several, single = [], []
    for type in types:
        met = letters.of_type(type)
        if len(met) > 1 or any((type, ns) in marks for ns in met):
            several.append(type)
        else:
            single += [(type, ns) for ns in met]
    return several, single


def _entries(letters: Letters, marks: Marks, type: str) -> tuple[list[tuple[str, str]], int]:
    met = letters.of_type(type)
    if len(met) > MOST:  # of many, those that came or went say most
        marked = [ns for ns in met if (type, ns) in marks]
        chosen = set((marked or list(met))[:MOST])
        met = {ns: name for ns, name in met.items() if ns in chosen}
    entries = [(marks.get((type, ns), "") + name, identity(type, ns)) for ns, name in met.items()]
    return entries, len(letters.of_type(type)) - len(entries)


def draw_letter(type: str, letter: str, canvas: Canvas, space: Space) -> None:
    """The letter of a namespace, on the colour of its type."""
    colour, x, y = okabe_ito[type], space.x, space.y
    canvas.rect(x, y - 8, 24, 16, fill=tint(colour, 0.3), stroke=tint(colour, 0.7), radius=3)
    canvas.text(x + 12, y, letter, 11, anchor="middle", mono=True, bold=True)
