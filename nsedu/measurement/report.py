"""Results on paper: a report to keep, and two of them compared."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from nsedu.errors.namespace_error import NamespaceError
from nsedu.measurement.machine import record
from nsedu.measurement.questions import QUESTIONS
from nsedu.measurement.result import Result
from nsedu.measurement.statistics import Estimate, ratio, ratio_of_runs
from nsedu.measurement.units import quantity
from nsedu.printable import clean
from nsedu.table import Table


def attempt(question: str, repeat: int | None = None, budget: float | None = None) -> Result:
    """Measure, as `measure` does; where nothing can be measured, the result says so and why."""
    from nsedu.measurement.measure import measure

    try:
        return measure(question, repeat, budget)
    except NamespaceError as refused:
        sentence = " ".join(str(refused).split())
        return Result(question, QUESTIONS[question], record(), (), {"all of it": sentence})


def write(
    directory: str | os.PathLike[str],
    results: Iterable[Result],
    beside: Mapping[str, str] | None = None,
) -> Path:
    """Write results as one Markdown report, with a chart (SVG) and the samples (JSON) of each.

    Args:
        directory: where to; made if it is not there, and files of the same names are replaced.
        results: what was measured.
        beside: what else was measured: title → text.

    Returns:
        The path of the report.

    Raises:
        OSError: a file cannot be written.
    """
    place = Path(directory)
    place.mkdir(parents=True, exist_ok=True)
    parts = ["# What namespaces cost here"]
    for result in results:
        (place / f"{result.question}.json").write_text(result.to_json() + "\n", encoding="utf-8")
        if result.measured:
            result.picture().save(place / f"{result.question}.svg")
        parts.append(_section(result))
    for title, text in (beside or {}).items():
        parts.append(f"## {title}\n\n```\n{text.rstrip()}\n```")
    report = place / "report.md"
    report.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return report


def _section(result: Result) -> str:
    question = result.question
    lines = [f"## {question}: {result.title}", ""]
    if result.measured:
        lines += [f"![{result.title}]({question}.svg)", "", _markdown(result.table()), ""]
    lines += [f"- not measured: {_plain(f'{n}: {why}')}" for n, why in result.unmet.items()]
    lines += [
        "",
        f"{_plain(result.below)}; {result.machine['date']}."
        f" Samples: [{question}.json]({question}.json).",
    ]
    return "\n".join(lines)


def _markdown(table: Table) -> str:
    rows = [map(_plain, table.columns), ["---"] * len(table.columns)]
    rows += [map(_plain, row) for row in table.rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _plain(text: str) -> str:
    """Words in which Markdown finds no markup of its own."""
    return re.sub(r"[\\`*_\[\]<>|]", r"\\\g<0>", clean(text))


def load(path: str | os.PathLike[str]) -> dict[str, Result]:
    """The results of a report, or the one in a file: question → result.

    Args:
        path: a directory that `write` filled, or a file of ``nsedu bench QUESTION --json``.

    Raises:
        ValueError: there is none in it.
        OSError: it cannot be read.
    """
    place = Path(path)
    files = sorted(place.glob("*.json")) if place.is_dir() else [place]
    found = [Result.load(file) for file in files]
    if not found:
        raise ValueError(f"{place} holds no results; nsedu bench --report {place} puts them there.")
    return {result.question: result for result in found}


def compare(one: Mapping[str, Result], other: Mapping[str, Result]) -> str:
    """Two measurements side by side: the other's medians over the one's, with 95 % intervals.

    What is marked has an interval without 1 in it.  No interval knows of a machine that was slower
    as a whole on that day: it is slower in all rows, which the last line tells.
    """
    rows, ratios = [], []
    for question in [name for name in one if name in other]:
        first, second = one[question], other[question]
        known = {row.name for row in second.results}
        for row in first.results:
            if row.name not in known or not row.median:
                continue
            new = second[row.name]
            found = _ratio(second, first, row.name)
            more = "more" if found.low > 1 else "less" if found.high < 1 else ""
            rows.append((
                question, row.name, quantity(row.median, row.unit),
                quantity(new.median, new.unit), f"{found.value:.2f}",
                f"{found.low:.2f} – {found.high:.2f}", more,
            ))  # fmt: skip
            ratios.append(found.value)
    if not rows:
        return "The two have no operation in common, so there is nothing to compare."
    columns = ("question", "operation", "A", "B", "B / A", "95 % interval", "")
    table = Table(columns, rows).without_empty_columns()
    middle = sorted(ratios)[len(ratios) // 2]
    return "\n".join(
        [
            repr(table),
            f"Over all rows B takes {middle:.2f} times what A takes (the median of the ratios).",
            *_machines(one, other),
        ]
    )


def _ratio(one: Result, other: Result, name: str) -> Estimate:
    """The one's median over the other's: as between runs, where both know how far those vary."""
    if one.between_runs and other.between_runs:
        return ratio_of_runs(*(Estimate(*result[name][5:8]) for result in (one, other)))
    return ratio(one.samples(name), other.samples(name), paired=False)


_DECISIVE = ("kernel", "build", "cpu", "cores", "governor", "virtual", "cgroup", "clocksource")


def _machines(one: Mapping[str, Result], other: Mapping[str, Result]) -> list[str]:
    """What differs between the machines, in sentences."""
    first, second = (next(iter(results.values())).machine for results in (one, other))
    return [
        clean(f"The machines differ in {key}: {first[key]} and {second[key]}.")
        for key in (
            "kernel",
            "build",
            "cpu",
            "cores",
            "governor",
            "virtual",
            "cgroup",
            "clocksource",
        )
        if first.get(key) != second.get(key)
    ]
