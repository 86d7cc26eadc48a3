"""The answer to a question: its rows, its JSON, its table."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from made_results import curve, result
from nsedu.measurement.result import Result


def test_a_row_sums_up_all_samples() -> None:
    row = result()["uts"]
    assert (row.n, row.median, row.null, row.above) == (3, 5.0, 1.0, 4.0)
    assert row.low <= row.median <= row.high
    assert row.p5 <= row.median <= row.p95


def test_an_unknown_row_is_refused_with_the_list() -> None:
    with pytest.raises(KeyError, match="create has no 'fork'; it has: none, uts, net"):
        result()["fork"]


def test_json_gives_back_the_same_result() -> None:
    first = curve()
    second = Result.from_json(first.to_json())
    assert second == first
    assert second.results == first.results


def test_json_has_the_rows_that_others_read() -> None:
    answer = json.loads(result().to_json())
    assert answer["unit"] == "us"
    assert answer["machine"]["kernel"] == "6.1.0"
    assert {"name", "median", "low", "high", "n"} <= answer["results"][0].keys()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"measured": 3}'])
def test_what_is_no_result_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="this is no result of nsedu bench --json"):
        Result.from_json(text)


def test_rows_are_made_for_a_data_frame() -> None:
    rows = result().rows
    assert [row["name"] for row in rows] == ["none", "uts", "net"]
    assert {row["question"] for row in rows} == {"create"}
    assert len({tuple(row) for row in rows}) == 1


def test_a_ratio_has_an_interval() -> None:
    found = result().ratio("net", "uts")
    assert found.value == 80
    assert found.low < 80 < found.high


def test_a_share_is_of_the_rounds_in_which_one_was_more() -> None:
    found = result(uts=[1.0, 5.0, 3.0, 2.0], net=[2.0, 4.0, 4.0, 2.0])
    assert found.share("net", "uts") == 0.5
    assert found.share("uts", "net") == 0.25


def test_a_difference_is_that_of_the_rounds_and_the_nulls_are_there() -> None:
    found = result(uts=[1.0, 5.0, 3.0], net=[2.0, 4.0, 6.0])
    assert found.difference("net", "uts").value == 1
    assert found.nulls("net") == (1.0, 1.0, 1.0)
    with pytest.raises(KeyError, match="create has no 'ipc'"):
        found.nulls("ipc")


def test_a_slope_is_of_what_is_above_the_null_operation() -> None:
    assert curve().slope("fork").value == pytest.approx(2)


def test_what_is_no_curve_has_no_slope() -> None:
    with pytest.raises(ValueError, match="'' is no curve"):
        result().slope("")


def test_printed_it_is_a_table_with_the_machine_below_and_what_is_missing() -> None:
    lines = repr(curve()).splitlines()
    assert lines[0] == "What a fork takes"
    assert lines[-2] == "not measured: depth 31: too deep."
    assert lines[-1].startswith("Linux 6.1.0, A Processor, 2 cores")
    assert lines[-1].endswith("3 samples of each, too few for 95 %: that takes 6")


def test_the_intervals_of_one_process_are_said_to_hold_within_this_run() -> None:
    one = result(uts=[4.0, 5.0, 6.0] * 2)
    assert one.below.endswith("; 6 samples of each; its intervals hold within this run")
    assert not one.between_runs


def test_the_intervals_of_several_processes_hold_between_runs() -> None:
    five = replace(result(uts=[4.0, 5.0, 6.0] * 5), parts=(3,) * 5)
    assert five.below.endswith("; 15 samples of each by 5 processes, one after the other")
    assert five.between_runs


def test_json_keeps_how_many_samples_each_process_took() -> None:
    five = replace(result(uts=[4.0, 5.0, 6.0] * 5), parts=(3,) * 5)
    assert Result.from_json(five.to_json()) == five
    with pytest.raises(ValueError, match="not as long as its samples"):
        Result.from_json(replace(five, parts=(3,) * 4).to_json())


def test_a_result_written_before_there_were_parts_is_one_of_one_process() -> None:
    data = json.loads(result().to_json())
    del data["parts"]
    assert Result.from_json(json.dumps(data)) == result()


def test_what_could_not_be_measured_says_why_when_asked_for() -> None:
    with pytest.raises(KeyError, match="fork could not measure 'depth 31': too deep"):
        curve()["depth 31"]
