"""The doctor tries; `missing` answers a notebook that says what it needs."""

from __future__ import annotations

import json

import pytest

import nsedu as ns
from nsedu.requirements import NEEDS, Report, Row, missing


def test_there_is_a_row_for_each_type_in_catalogue_order() -> None:
    assert [row.type for row in ns.doctor().rows] == list(ns.TYPES)


@pytest.mark.needs("userns")
def test_what_it_says_can_be_made_can_be_made() -> None:
    for row in ns.doctor().rows:
        if row.can:
            ns.Sandbox(row.type).close()


def test_a_row_that_says_no_says_why_and_what_to_do() -> None:
    for row in ns.doctor().all:
        assert row.can or (row.note and row.remedy)


def test_the_report_reads_as_text_as_html_and_as_json() -> None:
    report = ns.doctor()
    assert repr(report).splitlines()[1].startswith("mnt")
    assert report._repr_html_().startswith(f"<p>{report.summary}</p>")
    assert len(json.loads(report.to_json())["types"]) == 8


def test_a_page_shows_what_does_not_work_and_folds_the_rest() -> None:
    rows = [Row("mnt", True, "directly", "", ""), Row("uts", False, "—", "forbidden", "ask root")]
    report = Report(rows, [Row("ip", True, "links", "", "")], {})
    shown, folded = report._repr_html_().split("<details>")
    assert "1 of the eight types work here: mnt." in shown
    assert "ask root" in shown
    assert "directly" not in shown
    assert "directly" in folded
    assert "ip (links)" in folded


def test_nothing_runs_any_more_after_it() -> None:
    before = len(ns.snapshot("mine").processes)
    ns.doctor()
    ns.shutdown()
    assert len(ns.snapshot("mine").processes) <= before


def test_an_unknown_need_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match=r"'magic' is not a need; use any of: userns, mnt"):
        missing(["magic"])


def test_a_program_that_is_not_installed_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert missing(["strace"]) == {"strace": "the program strace is not installed"}


def test_every_need_can_be_asked_for() -> None:
    assert missing(NEEDS).keys() <= set(NEEDS)
