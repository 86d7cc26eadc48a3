"""The rows of a measurement, sorted into panels: what is compared with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nsedu.draw.style import NEUTRAL, okabe_ito
from nsedu.printable import clean

if TYPE_CHECKING:
    from nsedu.measurement.measure import Result
    from nsedu.measurement.result import Row

NULL = "none"
"""The name of the row of a null operation, where a question has one."""
SIMPLEST = "uts"
"""The type that others are compared with: it is little more than a copy of a few names."""
_PREPOSITIONS = ("at", "with", "by", "in", "of", "from", "to", "behind")


class Entry(NamedTuple):
    """A row: its name within its panel, its figures, and its samples far from all others."""

    label: str
    row: Row
    outliers: list[float]

    @property
    def x(self) -> float:
        """Where on the curve."""
        return self.row.x or 0.0

    @property
    def colour(self) -> str:
        """That of the namespace type it is about, if it is about one."""
        return okabe_ito.get(self.label.partition(",")[0], NEUTRAL)

    @property
    def figures(self) -> list[float]:
        """All that is drawn of it, but for its outliers."""
        row = self.row
        return [row.median, row.low, row.high, row.p5, row.p95, row.null]


class Panel(NamedTuple):
    """Rows of one series, in the order of the question.

    Attributes:
        series: what they have in common, "" for the only one.
        unit: of all their figures, as the rows have it.
        entries: the rows.
    """

    series: str
    unit: str
    entries: list[Entry]

    @property
    def is_curve(self) -> bool:
        """Whether they are points of a curve."""
        return len({entry.row.x for entry in self.entries} - {None}) > 1

    @property
    def reference(self) -> Entry | None:
        """The row that others are compared with; chosen by name, since figures vary."""
        labelled = {e.label: e for e in self.entries if e.label != NULL}
        if len(labelled) < 2:
            return None
        return labelled.get(SIMPLEST) or next(iter(labelled.values()))

    def times(self, entry: Entry) -> float | None:
        """How many times the reference's median a row's is; NaN unless both are above 0."""
        other = self.reference
        if other is None or entry.label == NULL:
            return None
        figures = entry.row.median, other.row.median
        return figures[0] / figures[1] if min(figures) > 0 else float("nan")

    @property
    def step(self) -> tuple[str, str]:
        """What x counts, and the word for a single step of it: "mounts", "mount"."""
        last = max(self.entries, key=lambda entry: entry.x)
        before, number, after = last.label.partition(f"{last.x:g}")
        if number and (noun := after.strip(" ,")):
            return noun, _singular(noun)
        words = before.split()
        noun = " ".join(words[1:] if words and words[0] in _PREPOSITIONS else words)
        return (noun, f"step of {noun}") if number and noun else ("", "step")


def _singular(noun: str) -> str:
    """One of them: "mount" of "mounts", "process" of "processes"."""
    word, blank, rest = noun.partition(" ")
    if word.endswith("sses"):
        word = word.removesuffix("es")
    elif not word.endswith("ss"):
        word = word.removesuffix("s")
    return word + blank + rest


def panels(result: Result) -> list[Panel]:
    """A panel for each series, and for each unit in it, in the order of the question."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for row, measured in zip(result.results, result.measured, strict=True):
        entry = Entry(clean(row.name), row, measured.outliers)
        found.setdefault((row.series, row.unit), []).append(entry)
    return [
        Panel(clean(name), unit, _shortened(name, all_)) for (name, unit), all_ in found.items()
    ]


def _shortened(series: str, entries: list[Entry]) -> list[Entry]:
    """The rows without the name of their series in their labels, if these stay distinct."""
    short = [
        entry.label.removeprefix(series).removesuffix(series).strip(" ,:") for entry in entries
    ]
    if not series or not all(short) or len(set(short)) < len(short):
        return entries
    return [e._replace(label=label) for e, label in zip(entries, short, strict=True)]
