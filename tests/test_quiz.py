"""The quizzes as text, and what their questions keep to."""

from __future__ import annotations

import re

import pytest

import nsedu as ns
from nsedu.nstypes import NAMES
from nsedu.quiz import as_text, load, names

SOURCE = re.compile(r"\[[^]]+\]\(https://(man7\.org|docs\.kernel\.org)/[^)]+\)")
every_quiz = pytest.mark.parametrize("name", names())


def test_each_type_has_one_and_so_have_three_chapters_about_no_type() -> None:
    assert names() == sorted([*NAMES, "basics", "kernel", "cost"])


@every_quiz
def test_it_has_two_or_three_questions_with_one_right_answer_each(name: str) -> None:
    questions = load(name)
    assert len(questions) in (2, 3)
    for question in questions:
        assert question["type"] == "multiple_choice"
        assert [answer["correct"] for answer in question["answers"]].count(True) == 1


@every_quiz
def test_each_answer_is_told_why_with_a_source(name: str) -> None:
    told = [answer["feedback"] for question in load(name) for answer in question["answers"]]
    assert [feedback for feedback in told if not SOURCE.search(feedback)] == []


@every_quiz
def test_the_right_answer_is_not_always_in_the_same_place(name: str) -> None:
    places = [[a["correct"] for a in question["answers"]].index(True) for question in load(name)]
    assert len(set(places)) > 1


@every_quiz
def test_the_text_has_no_marks_of_the_browser(name: str) -> None:
    text = as_text(load(name), answers=True)
    assert not re.search(r"<\w|</|\]\(|&\w+;|https?:", text)


def test_it_is_printed_without_its_answers(capsys: pytest.CaptureFixture[str]) -> None:
    ns.quiz("uts")
    said = capsys.readouterr().out
    assert said.startswith("1. A process gets a new UTS namespace, and nobody sets a name.")
    assert "\n   b) `localhost`\n" in said
    assert "✔" not in said
    assert "uts_namespaces(7)" not in said


def test_it_is_printed_with_them_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    ns.quiz("uts", answers=True)
    said = capsys.readouterr().out
    assert "   ✔ c) the one outside\n        Yes: the names are copied" in said
    assert "   ✘ a) empty\n" in said


def test_a_quiz_that_is_none_is_refused() -> None:
    with pytest.raises(
        ValueError, match="there is no quiz 'dns'; there are: basics, cgroup, cost, ipc"
    ):
        ns.quiz("dns")
