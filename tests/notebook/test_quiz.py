"""The quizzes as text, and what their questions keep to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nsedu as ns
from nsedu.kernel.namespace_types import NAMES
from nsedu.learning import progress_store
from nsedu.notebook.quiz import as_text, load, names, parts

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


@pytest.fixture
def scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Progress of the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(progress_store, "quiz_memory", {})
    yield


@pytest.mark.usefixtures("scores")
def test_it_is_answered_by_letters_and_the_best_score_is_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ns.quiz("uts", guess="aba")
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("✘ 1a) It would be, if new namespaces began empty")
    assert said[1].startswith("✔ 2b) Yes: CAP_SYS_ADMIN")
    assert said[-1] == "1 of 3 right at the first try."
    ns.quiz("uts", guess="C B b")
    assert capsys.readouterr().out.endswith("3 of 3 right at the first try.\n")
    ns.quiz("uts", guess="aaa")
    entry = progress_store.all_answered()["uts"]
    assert (entry.right, entry.of) == (3, 3)


@pytest.mark.usefixtures("scores")
@pytest.mark.parametrize("guess", ["", "ab", "abz", "abcd", 5, ["a", "b", "a"]])
def test_a_guess_that_is_no_letters_of_answers_is_refused(guess: Any) -> None:
    with pytest.raises(
        ValueError, match=r"guess must be 3 letters, one for each question \(a to c"
    ):
        ns.quiz("uts", guess=guess)
    assert progress_store.all_answered() == {}


@pytest.mark.usefixtures("scores")
def test_what_a_program_answers_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsedu.notebook.front_end.unattended", lambda: True)
    ns.quiz("uts", guess="cbb")
    assert progress_store.all_answered() == {}


def test_a_text_is_cut_into_words_code_and_links() -> None:
    assert parts("a &lt; <code>b&gt;</code> and [c(1)](https://man7.org/c.1.html).") == [
        {"text": "a < "},
        {"code": "b>"},
        {"text": " and "},
        {"text": "c(1)", "link": "https://man7.org/c.1.html"},
        {"text": "."},
    ]


@pytest.mark.usefixtures("scores")
def test_on_a_card_the_first_try_of_each_question_counts() -> None:
    from nsedu.notebook.widgets.quiz import QuizWidget

    card = QuizWidget("uts", load("uts"))
    for question, answer in ((0, 0), (0, 2), (1, 1), (2, 1)):
        assert card.score == ""
        card.receive(card, {"question": question, "answer": answer}, [])
    assert card.tried == [[0, 2], [1], [1]] and card.right == [True, True, True]
    assert card.score == "2 of 3 right at the first try."
    assert progress_store.all_answered()["uts"].right == 2
    card.receive(card, {"press": "again"}, [])
    assert card.tried == [[], [], []] and card.score == ""
