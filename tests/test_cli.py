"""The command line: its output, its exit status, and its words when it is used wrongly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

import nsedu as ns
from nsedu.cli import main
from nsedu.exercises import EXERCISES

KEYS = {"ns", "type", "nprocs", "pid", "command", "uid", "parent", "owner", "pins"}


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
    [[], ["nonsense"], ["ls", "--type", "network"], ["bench", "create", "--repeat", "0"]],
    ids=["nothing", "no such verb", "no such type", "no rounds"],
)
def test_wrong_usage_exits_with_2(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_reader_that_stops_early_is_no_error() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m nsedu ls | head -1"], capture_output=True, text=True
    )
    assert done.stderr.count("Traceback") == 0


def test_a_call_from_a_program_leaves_its_signals_alone() -> None:
    before = signal.getsignal(signal.SIGPIPE)
    assert main(["exercises"]) == 0
    assert signal.getsignal(signal.SIGPIPE) == before
