"""Predictions as text: the question, and the grade that the kernel's answer gives a guess."""

from __future__ import annotations

import os
from typing import Any

import pytest

import nsedu as ns

TWO = "Which two?"


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.removesuffix("\n")


def verdict(capsys: pytest.CaptureFixture[str], guess: Any, *answer: object) -> str:
    capsys.readouterr()
    guess.grade(*answer)
    return printed(capsys)


def test_a_question_is_printed_with_its_choices(capsys: pytest.CaptureFixture[str]) -> None:
    ns.predict("Does it die?", ["yes", "no"])
    assert printed(capsys) == "? Does it die?\n  ( ) yes   ( ) no"


def test_where_several_can_hold_there_are_boxes(capsys: pytest.CaptureFixture[str]) -> None:
    ns.predict(TWO, ["a", "b", "c"], several=True, guess=["c", "a"])
    assert printed(capsys) == f"? {TWO}\n  [x] a   [ ] b   [x] c"


def test_a_typed_guess_stands_below_its_question(capsys: pytest.CaptureFixture[str]) -> None:
    ns.predict("How many?", guess=8)
    assert printed(capsys) == "? How many?\n  8"


def test_the_ten_links_are_offered(capsys: pytest.CaptureFixture[str]) -> None:
    ns.predict(links=["uts"])
    question, *lines = printed(capsys).splitlines()
    choices = "\n".join(lines)
    assert question == "? Which of the ten links of /proc/self/ns will differ?"
    assert max(map(len, lines)) <= 90
    assert choices.count("[") == 10
    assert choices.count("[x] uts") == choices.count("[x]") == 1


@pytest.mark.needs("userns", "uts")
def test_links_are_graded_by_a_sandbox(capsys: pytest.CaptureFixture[str]) -> None:
    guess = ns.predict("Which?", links=["uts"])
    with ns.Sandbox("uts", user=True) as box:
        said = verdict(capsys, guess, box)
    assert said == "… Which?\n  You said uts; the kernel changed uts and user"
    assert guess.right is False


@pytest.mark.needs("userns", "uts")
def test_links_are_graded_by_a_pid(capsys: pytest.CaptureFixture[str]) -> None:
    guess = ns.predict("Which?", links=["user", "uts"])
    with ns.Sandbox("uts", user=True) as box:
        said = verdict(capsys, guess, box.pid)
    assert said == "✔ Which?\n  You said uts and user, and so it is"
    assert guess.right is True


def test_nothing_changed_is_an_answer_too(capsys: pytest.CaptureFixture[str]) -> None:
    guess = ns.predict("Which?", links=["mnt"])
    said = verdict(capsys, guess, os.getpid())
    assert said == "… Which?\n  You said mnt; the kernel changed none of them"


@pytest.mark.parametrize(
    ("guess", "right", "said"),
    [
        (None, None, "· Dies?\n  You made no guess; the answer is: no"),
        ("no", True, "✔ Dies?\n  You said no, and so it is"),
        ("yes", False, "… Dies?\n  You said yes; the answer is: no"),
    ],
)
def test_one_of_several_is_graded(
    capsys: pytest.CaptureFixture[str], guess: str | None, right: bool | None, said: str
) -> None:
    made = ns.predict("Dies?", ["yes", "no"], guess=guess)
    assert verdict(capsys, made, "no") == said
    assert made.right is right


@pytest.mark.parametrize(("told", "answer"), [(True, "yes"), (False, "no")])
def test_what_holds_or_not_answers_yes_or_no(
    capsys: pytest.CaptureFixture[str], told: bool, answer: str
) -> None:
    made = ns.predict("Dies?", ["yes", "no"])
    assert verdict(capsys, made, told).endswith(f"the answer is: {answer}")


def test_several_are_right_only_together(capsys: pytest.CaptureFixture[str]) -> None:
    made = ns.predict(TWO, ["a", "b", "c"], several=True, guess=["a"])
    said = verdict(capsys, made, ["c", "a"])
    assert said == f"… {TWO}\n  You said a; the answer is: a and c"


def test_none_of_several_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    made = ns.predict(TWO, ["a", "b"], several=True, guess=["a"])
    assert verdict(capsys, made, []).endswith("the answer is: none of them")


def test_a_number_is_a_choice_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    made = ns.predict("How many?", [1, 2, 3], guess=2)
    assert verdict(capsys, made, 2) == "✔ How many?\n  You said 2, and so it is"


def test_capitals_of_what_was_typed_do_not_matter(capsys: pytest.CaptureFixture[str]) -> None:
    made = ns.predict("Which name?", guess="Mars")
    assert verdict(capsys, made, "mars") == "✔ Which name?\n  You said Mars; the answer is: mars"


@pytest.mark.parametrize(("guess", "mark"), [("30", "✔"), ("300", "✔"), ("29", "…"), ("x", "…")])
def test_a_measured_number_may_be_off_by_a_factor(
    capsys: pytest.CaptureFixture[str], guess: str, mark: str
) -> None:
    made = ns.predict("How many times?", guess=guess)
    capsys.readouterr()
    made.grade(90, within=4 if guess == "300" else 3)
    assert printed(capsys) == f"{mark} How many times?\n  You said {guess}; the answer is: ≈ 90"


def test_it_can_be_graded_twice(capsys: pytest.CaptureFixture[str]) -> None:
    made = ns.predict("Dies?", ["yes", "no"], guess="yes")
    assert verdict(capsys, made, "no") == verdict(capsys, made, "no")


def test_at_the_end_of_a_cell_it_is_not_shown_once_more(capsys: pytest.CaptureFixture[str]) -> None:
    made = ns.predict("Dies?", ["yes", "no"])
    capsys.readouterr()
    made._ipython_display_()
    assert printed(capsys) == ""


def test_an_answer_that_was_not_offered_is_refused() -> None:
    with pytest.raises(ValueError, match="'maybe' is none of the choices: yes, no"):
        ns.predict("Dies?", ["yes", "no"]).grade("maybe")


def test_a_guess_that_was_not_offered_is_refused() -> None:
    with pytest.raises(ValueError, match="'host' is none of the choices: mnt, uts"):
        ns.predict(links=["host"])


def test_a_prediction_asks_something() -> None:
    with pytest.raises(ValueError, match="ask something"):
        ns.predict()


def test_links_have_their_own_choices() -> None:
    with pytest.raises(TypeError, match="links brings its own choices"):
        ns.predict("Which?", ["mnt"], links=True)


def test_choices_are_a_list() -> None:
    with pytest.raises(TypeError, match="choices must be a list"):
        ns.predict("Dies?", "yes")


@pytest.mark.parametrize("told", ["mars", None, True, 1.5])
def test_links_are_those_of_a_process(told: object) -> None:
    with pytest.raises(TypeError, match="told must be a sandbox or a pid"):
        ns.predict(links=True).grade(told)


def test_a_pid_that_nobody_has_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no process 4194305"):
        ns.predict(links=True).grade(4194305)


def test_within_is_a_factor() -> None:
    with pytest.raises(ValueError, match="within is a factor of at least 1"):
        ns.predict("How many?", guess=1).grade(2, within=0.5)
