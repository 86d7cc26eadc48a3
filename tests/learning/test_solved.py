"""What is solved is remembered: by several kernels at once, and whatever befalls the file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nsedu.learning import progress_store
from ordinary_user import Learner


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a learner's progress is kept, in a home of the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(progress_store, "memory", {})
    monkeypatch.setattr(progress_store, "quiz_memory", {})
    monkeypatch.setattr(progress_store, "said", set())
    return tmp_path / "nsedu" / "progress.json"


def test_at_first_nothing_is_solved_and_no_file_is_made(path: Path) -> None:
    assert progress_store.all_solved() == {}
    assert not path.parent.exists()


def test_the_first_time_counts() -> None:
    progress_store.record("uts-1", 83, 2)
    progress_store.record("uts-1", 5, 0)
    entry = progress_store.all_solved()["uts-1"]
    assert (entry.seconds, entry.hints) == (83, 2)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.solved)


_RECORD = (
    "import sys; from nsedu.learning import progress_store as solved\n"
    "for number in range(25): solved.record(f'{sys.argv[1]}-{number}')"
)


def test_several_kernels_at_once_lose_nothing(path: Path) -> None:
    kernels = [subprocess.Popen([sys.executable, "-c", _RECORD, name]) for name in "abcd"]
    assert [kernel.wait(60) for kernel in kernels] == [0] * 4
    assert len(progress_store.all_solved()) == 100
    assert sorted(os.listdir(path.parent)) == ["progress.json", "progress.lock"]


DAMAGED = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b"null",
    b'{"exercises": 5}',
    b'{"exercises": {"uts-1": {}}}',
    b'{"exercises": {}, "quizzes": {"uts": {"answered": "", "right": 4, "of": 3}}}',
    b'{"exercises": {}, "quizzes": []}',
    b'{"exercises": {"uts-1": {"solved": 5}}}',
    b'{"exercises": {"uts-1": {"solved": "x", "seconds": "y"}}}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: repr(text[:40]))
def test_a_damaged_file_is_set_aside_and_said_once(
    path: Path, capsys: pytest.CaptureFixture[str], text: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(text)
    assert progress_store.all_solved() == {}
    progress_store.record("uts-1")
    assert progress_store.all_solved().keys() == {"uts-1"}
    said = capsys.readouterr().err
    assert said.count("the file of your progress was damaged") == 1
    (aside,) = path.parent.glob("progress.damaged-*.json")
    assert str(aside) in said
    assert aside.read_bytes() == text


def test_without_a_home_it_is_remembered_as_long_as_the_program_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "missing"))
    progress_store.record("uts-1")
    progress_store.record("uts-2")
    assert progress_store.all_solved().keys() == {"uts-1", "uts-2"}
    assert not (tmp_path / "missing").exists()
    assert capsys.readouterr().err.count("there is no home directory") == 1


def test_where_a_file_is_in_the_way_it_is_said_once_and_remembered(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.parent.write_text("in the way")
    progress_store.record("uts-1")
    progress_store.record("uts-2")
    assert progress_store.all_solved().keys() == {"uts-1", "uts-2"}
    assert capsys.readouterr().err.count(f"cannot write {path}") == 1


def test_an_ordinary_user_whose_directory_is_not_theirs_goes_on(
    learner: Learner,
) -> None:
    code = (
        "from nsedu.learning.progress_store import all_solved, record;"
        " record('uts-1'); record('uts-2'); print(*all_solved())"
    )
    done = learner.run_python(code, env=learner.environment | {"XDG_DATA_HOME": "/proc"})
    assert done.stdout.split() == ["uts-1", "uts-2"]
    assert done.stderr.count("cannot write /proc/nsedu/progress.json") == 1


def test_reset_forgets_all_and_says_how_many(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    progress_store.record("uts-1")
    progress_store.reset_progress()
    assert capsys.readouterr().out == "Forgotten: 1 solved exercise.\n"
    assert progress_store.all_solved() == {}
    assert not path.exists()


def test_who_is_killed_while_writing_leaves_the_old_file_whole(path: Path) -> None:
    progress_store.record("uts-1")
    code = (
        "import os, signal; from nsedu.learning import progress_store as solved\n"
        "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "solved.record('uts-2')"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert json.loads(path.read_text())["exercises"].keys() == {"uts-1"}
    progress_store.record("uts-3")  # the lock has gone with its owner
    assert progress_store.all_solved().keys() == {"uts-1", "uts-3"}


def test_of_a_quiz_the_best_score_counts_and_exercises_stay(path: Path) -> None:
    progress_store.record("uts-1", 83, 2)
    for right in (1, 3, 2):
        progress_store.record_quiz("uts", right, 3)
    assert progress_store.all_answered()["uts"].right == 3
    assert list(progress_store.all_solved()) == ["uts-1"]
    assert json.loads(path.read_text())["quizzes"]["uts"]["of"] == 3


def test_a_file_from_before_there_were_scores_is_read(path: Path) -> None:
    path.parent.mkdir(parents=True)
    entry = {"solved": "2026-01-01T00:00:00Z", "seconds": 5, "hints": 0}
    path.write_text(json.dumps({"version": 1, "exercises": {"uts-1": entry}}))
    assert progress_store.all_answered() == {}
    progress_store.record_quiz("uts", 1, 3)
    assert list(progress_store.all_solved()) == ["uts-1"]


def test_forgetting_counts_quizzes_too(capsys: pytest.CaptureFixture[str]) -> None:
    progress_store.record_quiz("uts", 1, 3)
    progress_store.reset_progress()
    assert capsys.readouterr().out == "Forgotten: 0 solved exercises, 1 quiz.\n"
    assert progress_store.all_answered() == {}
