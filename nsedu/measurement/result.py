"""What a question was answered: samples, and the rows that sum them up."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nsedu.errors import arguments
from nsedu.measurement.machine import line
from nsedu.measurement.statistics import (
    ENOUGH,
    Estimate,
    between_runs,
    difference,
    median,
    outliers,
    ratio,
    slope,
)
from nsedu.measurement.units import interval, quantity
from nsedu.printable import clean
from nsedu.suggestions import no_such
from nsedu.table import Table

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture


class Row(NamedTuple):
    """What was measured of one operation.

    Attributes:
        name: the operation.
        series: the curve or panel it belongs to, "" where the question has but one.
        x: where on the curve, None for what is no curve.
        unit: of all that follows: "us" (µs), "KiB" or "Gbit/s".
        n: how many samples; none is left out of anything.
        median: their median; `low` and `high` are its 95 % interval: between runs, if several
            processes took the samples, else within this run.
        p5, p95: between these lie nine samples in ten.
        null: the median of the null operation, taken beside each sample.
        above: the median of the differences to it; `above_low`, `above_high` its 95 % interval.
        outliers: how many samples lie far from the others (Tukey's fences); `worst` is the largest.
    """

    name: str
    series: str
    x: float | None
    unit: str
    n: int
    median: float
    low: float
    high: float
    p5: float
    p95: float
    null: float
    above: float
    above_low: float
    above_high: float
    outliers: int
    worst: float


class Measured(NamedTuple):
    """An operation and its samples, in the order in which they were taken."""

    name: str
    series: str
    x: float | None
    unit: str
    samples: tuple[float, ...]
    nulls: tuple[float, ...]

    @property
    def outliers(self) -> list[float]:
        """The samples far from all others, by Tukey's fences; they count like any other."""
        return outliers(self.samples)


@dataclass(frozen=True)
class Result:
    """The answer to a question: a chart in a notebook, a table elsewhere.

    Attributes:
        question: what was asked.
        title: the same in a line.
        machine: the record of the machine that gave the answer.
        measured: each operation with its samples; one sample of each was taken in every round.
        unmet: what could not be measured here, and why: name → sentence.
        parts: how many of the rounds each process took, one process after the other.
    """

    question: str
    title: str
    machine: Mapping[str, Any]
    measured: tuple[Measured, ...]
    unmet: Mapping[str, str]
    parts: tuple[int, ...] = ()

    @property
    def between_runs(self) -> bool:
        """Whether the intervals hold for another run, too; else for this one process alone."""
        return between_runs(self.parts)

    @property
    def unit(self) -> str:
        """The unit of the first row, "us" if there is none."""
        return self.measured[0].unit if self.measured else "us"

    @functools.cached_property
    def results(self) -> tuple[Row, ...]:
        """A row for each operation, in the order of the question."""
        return tuple(_row(operation, self.parts) for operation in self.measured)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The same as dictionaries, for ``pandas.DataFrame(result.rows)``."""
        return [{"question": self.question, **row._asdict()} for row in self.results]

    def __getitem__(self, name: str) -> Row:
        found = {row.name: row for row in self.results}
        if not isinstance(name, str):
            raise TypeError(f"name must be an operation's, any of: {', '.join(found)}.")
        if name in self.unmet:
            raise KeyError(f"{self.question} could not measure {name!r}: {self.unmet[name]}")
        if name not in found:
            what = f"{self.question} has no {name!r:.80}"
            raise KeyError(no_such(what, name, found, accepted="; it has"))
        return found[name]

    def samples(self, name: str) -> tuple[float, ...]:
        """The samples of one operation, in the order taken, in its unit."""
        self[name]
        return next(m.samples for m in self.measured if m.name == name)

    def nulls(self, name: str) -> tuple[float, ...]:
        """The null operations beside the samples of one operation, in the order taken."""
        self[name]
        return next(m.nulls for m in self.measured if m.name == name)

    def ratio(self, name: str, other: str) -> Estimate:
        """How many times the other's median the one's is, with its 95 % interval."""
        return ratio(self.samples(name), self.samples(other), self.parts)

    def difference(self, name: str, other: str) -> Estimate:
        """The median of the differences to another operation, round by round, and its interval."""
        return difference(self.samples(name), self.samples(other), self.parts)

    def share(self, name: str, other: str) -> float:
        """In what share of the rounds, from 0 to 1, the one was more than the other.

        That is what can be said where the machine is busy: a disturbance moves one round only.
        """
        pairs = zip(self.samples(name), self.samples(other), strict=True)
        more = [one > two for one, two in pairs]
        return sum(more) / len(more)

    def series(self, name: str) -> tuple[Row, ...]:
        """The rows of one curve or panel; none if it could not be measured."""
        if not isinstance(name, str):
            raise TypeError(f"name must be a curve's or panel's, not {name!r:.80}.")
        return tuple(row for row in self.results if row.series == name)

    def slope(self, series: str) -> Estimate:
        """By how much what is above the null operation grows for each step of x along a curve."""
        curve = [m for m in self.measured if m.series == series and m.x is not None]
        if len(curve) < 2:
            raise ValueError(f"{series!r} is no curve: a slope needs two points of one series.")
        above = [[a - b for a, b in zip(m.samples, m.nulls, strict=True)] for m in curve]
        return slope([(m.x or 0, taken) for m, taken in zip(curve, above, strict=True)], self.parts)

    def to_json(self) -> str:
        """As one JSON object: "machine", "unit", "results" (the rows), "unmet", and the samples."""
        return json.dumps(
            {
                "question": self.question,
                "title": self.title,
                "machine": dict(self.machine),
                "unit": self.unit,
                "results": [row._asdict() for row in self.results],
                "unmet": dict(self.unmet),
                "measured": [m._asdict() for m in self.measured],
                "parts": list(self.parts),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Result:
        """The result that `to_json` wrote; it draws and compares like a new one.

        Raises:
            ValueError: the text is not what `to_json` writes.
        """
        if not isinstance(text, str):
            raise TypeError(f"text must be what to_json() wrote, not {text!r:.80}.")
        try:
            data = json.loads(text)
            measured = tuple(
                Measured(**{**m, "samples": tuple(m["samples"]), "nulls": tuple(m["nulls"])})
                for m in data["measured"]
            )
            parts = tuple(data.get("parts", ()))
            if parts and any(sum(parts) != len(m.samples) for m in measured):
                raise ValueError("the parts of a result are not as long as its samples.")
            return cls(
                data["question"], data["title"], data["machine"], measured, data["unmet"], parts
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"this is no result of nsedu bench --json: {error!r}.") from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Result:
        """The result in a file that `nsedu bench QUESTION --json` wrote.

        Raises:
            OSError: there is no such file.
            ValueError: it is another's.
        """
        return cls.from_json(Path(arguments.path("path", path)).read_text(encoding="utf-8"))

    def table(self) -> Table:
        """Median, interval, what is above the null operation, and the spread, row by row."""
        columns = ("", "median", "95 % interval", "above null", "5 % – 95 %", "outliers", "n")
        return Table(columns, [_words(row) for row in self.results])

    @property
    def below(self) -> str:
        """The line under a table or chart: the machine, and how many samples of each."""
        counts = sorted({row.n for row in self.results})
        if not counts:
            return line(self.machine)
        by = f" by {len(self.parts)} processes, one after the other" if self.between_runs else ""
        few = f", too few for 95 %: that takes {ENOUGH}" if counts[0] < ENOUGH else ""
        within = "" if self.between_runs or few else "; its intervals hold within this run"
        return f"{line(self.machine)}; {counts[0]} samples of each{by}{few}{within}"

    def __repr__(self) -> str:
        unmet = [clean(f"not measured: {name}: {reason}") for name, reason in self.unmet.items()]
        return "\n".join([clean(self.title), repr(self.table()), *unmet, clean(self.below)])

    def picture(self) -> Picture:
        """The chart: dots and intervals on a log axis, or curves where the question grows."""
        from nsedu.measurement.charts.costs import costs

        return costs(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.picture()._repr_mimebundle_(include, exclude)


def _words(row: Row) -> Sequence[str]:
    middle, low, high = interval(row.median, row.low, row.high, row.unit)
    far = f"{row.outliers}, up to {quantity(row.worst, row.unit)}" if row.outliers else "none"
    return (
        row.name,
        middle,
        f"{low} – {high}",
        quantity(row.above, row.unit),
        f"{quantity(row.p5, row.unit)} – {quantity(row.p95, row.unit)}",
        far,
        str(row.n),
    )


def _row(m: Measured, parts: Sequence[int]) -> Row:
    import numpy

    middle = median(m.samples, parts)
    above = difference(m.samples, m.nulls, parts)
    p5, p95 = numpy.percentile(m.samples, [5, 95])
    far = m.outliers
    return Row(
        m.name, m.series, m.x, m.unit, len(m.samples), *middle, float(p5), float(p95),
        median(m.nulls, parts).value, *above, len(far), max(m.samples),
    )  # fmt: skip
