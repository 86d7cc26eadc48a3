"""The command line: its output, its exit status, and its words when it is used wrongly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import nsedu as ns
from made_results import result
from nsedu.cli import main
from nsedu.learning.exercises import EXERCISES
from nsedu.measurement import report

KEYS = {"ns", "type", "nprocs", "pid", "command", "uid", "parent", "owner", "netnsid", "pins"}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "nsedu", *words], capture_output=True, text=True)


def test_ls_json_is_one_list_with_the_agreed_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {frozenset(row) for row in rows} == {frozenset(KEYS)}
    own = os.stat("/proc/self/ns/uts").st_ino
    assert any(row["ns"] == own and row["type"] == "uts" for row in rows)


def test_ls_of_one_type_lists_only_that(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "--json", "--type", "net"]) == 0
    assert {row["type"] for row in json.loads(capsys.readouterr().out)} == {"net"}


def test_ls_without_json_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls"]) == 0
    assert capsys.readouterr().out.split()[:4] == ["ns", "type", "nprocs", "pid"]


def test_doctor_json_has_a_row_for_each_type(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert [row["type"] for row in report["types"]] == list(ns.TYPES)
    assert status == (0 if all(row["can"] for row in report["types"]) else 1)


def test_the_exercises_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exercises"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(EXERCISES)


def test_an_unknown_exercise_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "uts-99"]) == 2
    assert "there is no exercise 'uts-99'" in capsys.readouterr().err


@pytest.mark.needs("userns", "uts")
def test_check_exits_with_0_for_a_solved_exercise() -> None:
    with ns.Sandbox("uts", hostname="phobos"):
        done = run("check", "uts-1")
    assert (done.returncode, done.stdout[:7]) == (0, "✔ uts-1")


@pytest.mark.needs("userns", "uts")
def test_what_check_finds_solved_is_progress_until_reset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with ns.Sandbox("uts", hostname="phobos"):
        main(["check", "uts-1"])
    assert main(["check", "uts-2"]) == 1
    capsys.readouterr()
    assert main(["progress", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"uts-1"}
    assert main(["progress"]) == 0
    assert "✔ uts-1  ○ uts-2" in capsys.readouterr().out
    assert main(["progress", "--reset"]) == 0
    assert capsys.readouterr().out == "Forgotten: 1 solved exercise.\n"


@pytest.mark.needs("userns")
def test_bench_create_has_one_row_for_each_type_and_none_and_all() -> None:
    done = run("bench", "create", "--json", "--repeat", "3")
    answer = json.loads(done.stdout)
    assert answer["unit"] == "us"
    assert [row["name"] for row in answer["results"]] == ["none", *ns.TYPES, "all"]
    assert all(row["low"] <= row["median"] <= row["high"] for row in answer["results"])
    assert {"kernel", "cpu", "cores"} <= answer["machine"].keys()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["ls", "--type", "network"],
        ["bench", "create", "--repeat", "0"],
        ["bench", "create", "--budget", "-1"],
        ["bench"],
        ["bench", "--compare", "only-one"],
    ],
    ids=["nothing", "no verb", "no type", "no rounds", "no time", "no question", "one report"],
)
def test_wrong_usage_exits_with_2(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_bench_writes_a_report_and_compares_two(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    report.write(one, [result()])
    report.write(other, [result(factor=2)])
    done = run("bench", "--compare", str(one), str(other))
    assert done.returncode == 0
    assert "Over all rows B takes 2.00 times what A takes" in done.stdout


def test_a_report_that_is_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    done = run("bench", "--compare", str(tmp_path), str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "holds no results" in done.stderr
    missing = run("bench", "--compare", str(tmp_path / "no.json"), str(tmp_path))
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)


def test_a_reader_that_stops_early_is_no_error() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m nsedu ls | head -1"], capture_output=True, text=True
    )
    assert done.stderr.count("Traceback") == 0


def test_a_call_from_a_program_leaves_its_signals_alone() -> None:
    before = signal.getsignal(signal.SIGPIPE)
    assert main(["exercises"]) == 0
    assert signal.getsignal(signal.SIGPIPE) == before
