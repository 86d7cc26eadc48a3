"""Reports: written, read back, compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from made_results import MACHINE, curve, result
from nsedu.measurement import report
from nsedu.measurement.result import Result


def test_a_report_holds_a_chart_the_samples_and_the_table(tmp_path: Path) -> None:
    path = report.write(tmp_path / "new", [result(), curve()], {"Against C": "uts 5 µs"})
    assert {file.name for file in path.parent.iterdir()} == {
        "report.md", "create.json", "create.svg", "fork.json", "fork.svg",
    }  # fmt: skip
    text = path.read_text()
    assert "![What it takes](create.svg)" in text
    assert "| net | 400 µs |" in text
    assert "- not measured: depth 31: too deep." in text
    assert "## Against C\n\n```\nuts 5 µs\n```" in text
    assert "Linux 6.1.0, A Processor" in text


def test_a_report_reads_back(tmp_path: Path) -> None:
    report.write(tmp_path, [result(), curve()])
    assert report.load(tmp_path) == {"create": result(), "fork": curve()}
    assert report.load(tmp_path / "fork.json") == {"fork": curve()}


def test_an_empty_directory_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no results; nsedu bench --report"):
        report.load(tmp_path)


def test_what_nothing_could_be_measured_of_is_a_sentence_in_the_report(tmp_path: Path) -> None:
    empty = Result("vm", "A machine", MACHINE, (), {"all of it": "the program qemu is not there"})
    text = report.write(tmp_path, [empty]).read_text()
    assert "- not measured: all of it: the program qemu is not there" in text
    assert ".svg" not in text


def test_a_comparison_marks_what_differs_beyond_its_interval() -> None:
    one = result(uts=[4.9, 5.0, 5.1] * 9, net=[390.0, 400.0, 410.0] * 9)
    other = result(uts=[9.9, 10.0, 10.1] * 9, net=[389.0, 401.0, 409.0] * 9)
    uts, net = report.compare({"create": one}, {"create": other}).splitlines()[1:3]
    assert uts.endswith("more") and "2.00" in uts
    assert net.split()[-1] not in ("more", "less")


def test_runs_by_several_processes_are_compared_by_how_far_those_lie_apart() -> None:
    spread = [[v * f for f in (0.9, 1, 1.1)] for v in (4, 6, 5, 4.5, 5.5)]
    one = replace(result(uts=[x for part in spread for x in part]), parts=(3,) * 5)
    other = replace(result(factor=1.2, uts=[x for part in spread for x in part]), parts=(3,) * 5)
    (row,) = report.compare({"create": one}, {"create": other}).splitlines()[1:2]
    assert row.split()[-1] not in ("more", "less")


def test_a_comparison_tells_of_a_machine_that_was_slower_as_a_whole() -> None:
    text = report.compare({"create": result()}, {"create": result(factor=1.5)})
    assert "Over all rows B takes 1.50 times what A takes" in text


def test_a_comparison_names_what_differs_between_the_machines() -> None:
    other = Result("create", "", {**MACHINE, "kernel": "6.2.0"}, result().measured, {})
    text = report.compare({"create": result()}, {"create": other})
    assert "The machines differ in kernel: 6.1.0 and 6.2.0." in text


def test_two_with_nothing_in_common_are_not_compared() -> None:
    assert "nothing to compare" in report.compare({"create": result()}, {"fork": curve()})


def test_a_report_has_no_markup_that_a_machine_or_a_program_put_there(tmp_path: Path) -> None:
    machine = {**MACHINE, "cpu": "\x1b[2J<b>[x](y)|`z`"}
    measured = result(**{"<i>|\x07": [4.0, 5.0, 6.0]}).measured
    unmet = {"docker": "said \x1b]0;x\x07<script>"}
    text = report.write(tmp_path, [Result("create", "", machine, measured, unmet)]).read_text()
    assert text.replace("\n", "").isprintable()
    assert r"said \\x1b\]0;x\\x07\<script\>" in text
    assert r"| \<i\>\|\\x07 |" in text


def test_what_a_report_of_somebody_elses_says_is_cleaned_before_a_terminal_gets_it() -> None:
    other = Result(
        "create", "\x07", {**MACHINE, "kernel": "\x1b[2J"}, result().measured, {"\r": ""}
    )
    text = report.compare({"create": result()}, {"create": other}) + repr(other)
    assert text.replace("\n", "").isprintable()
