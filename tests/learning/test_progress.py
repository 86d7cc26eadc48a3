"""The map of the course with what is solved, as text and as HTML."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nsedu as ns
from nsedu.learning import progress_store
from nsedu.learning.exercises import EXERCISES

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setattr(progress_store, "memory", {})
    monkeypatch.setattr(progress_store, "quiz_memory", {})


@pytest.fixture
def two_chapters(tmp_path: Path) -> Path:
    for name, title, asks in (
        ("00_start", "# 0 · Start", 'ns.exercise("uts-1")'),
        ("02_uts", "# 2 · <UTS>", 'ns.exercise("uts-1")\nns.exercise("uts-2", hints=1)'),
    ):
        cells = [{"cell_type": "markdown", "source": [title]}, {"source": [asks]}]
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"metadata": {}, "cells": cells}))
    return tmp_path


def test_an_exercise_belongs_to_the_chapter_that_asks_for_it_last(two_chapters: Path) -> None:
    assert ns.progress(two_chapters).rows == [
        ["0 · Start", "", ""],
        ["2 · <UTS>", "0 of 2", "○ uts-1  ○ uts-2"],
    ]


def test_what_is_solved_is_marked_by_shape_and_words(
    two_chapters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(two_chapters)
    progress_store.record("uts-2")
    shown = ns.progress()
    assert shown.rows[1] == ["2 · <UTS>", "1 of 2", "○ uts-1  ✔ uts-2"]
    page = shown._repr_html_()
    assert "<a href='02_uts.ipynb'>2 · &lt;UTS&gt;</a>" in page
    assert "title='A guest joins: solved'>✔ uts-2" in page
    assert "title='A name of its own: not yet'>○ uts-1" in page


def test_without_notebooks_the_exercises_are_listed_by_their_subjects(tmp_path: Path) -> None:
    rows = ns.progress(tmp_path).rows
    assert rows[1] == ["uts", "0 of 4", "○ uts-1  ○ uts-2  ○ uts-3  ○ uts-4"]
    assert " ".join(row[2] for row in rows).count("○") == len(EXERCISES)


def test_the_course_asks_for_every_exercise_there_is() -> None:
    assert str(ns.progress(NOTEBOOKS)).count("○") == len(EXERCISES) + 1  # and the heading


def test_the_score_of_a_chapters_quiz_is_shown(two_chapters: Path) -> None:
    book = two_chapters / "02_uts.ipynb"
    book.write_text(book.read_text().replace("ns.exercise(", 'ns.quiz(\\"uts\\"); ns.exercise(', 1))
    assert [row[-1] for row in ns.progress(two_chapters).rows] == ["", "not yet"]
    progress_store.record_quiz("uts", 2, 3)
    shown = ns.progress(two_chapters)
    assert shown.columns[-1] == "quiz: right at once"
    assert [row[-1] for row in shown.rows] == ["", "2 of 3"]
    assert ">2 of 3</td>" in shown._repr_html_()


def test_without_notebooks_the_scores_are_shown_too(tmp_path: Path) -> None:
    progress_store.record_quiz("basics", 1, 2)
    progress_store.record_quiz("uts", 2, 3)
    scores = {row[0]: row[-1] for row in ns.progress(tmp_path).rows}
    assert (scores["uts"], scores["basics"], scores["pid"]) == ("2 of 3", "1 of 2", "")


def test_a_demonstration_is_no_exercise_of_its_chapter(two_chapters: Path) -> None:
    book = two_chapters / "00_start.ipynb"
    book.write_text(book.read_text().replace('uts-1\\")', 'uts-3\\", demo=True)'))
    assert "uts-3" not in str(ns.progress(two_chapters))
