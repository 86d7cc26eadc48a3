"""Every exercise: its solution passes, its wrong answers and the untouched start do not."""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest

import nsedu as ns
from nsedu.exercises import EXERCISES, Exercise, Verdict
from nsedu.exercises.model import world

ALL = list(EXERCISES.values())
MADE = [pytest.param(e, id=e.id, marks=pytest.mark.needs(*e.needs)) for e in ALL]
WRONG = [
    pytest.param(e, name, id=f"{e.id} {name}", marks=pytest.mark.needs(*e.needs))
    for e in ALL
    for name in e.wrong
]

pytestmark = pytest.mark.needs("userns", "uts")


def judge(exercise: Exercise) -> Verdict:
    """The verdict on what this test process has made, whatever runs beside it."""
    return exercise.check(world(os.getpid()))


@pytest.mark.parametrize("exercise", MADE)
def test_the_solution_passes(exercise: Exercise) -> None:
    with contextmanager(exercise.solution)():
        verdict = judge(exercise)
    assert verdict.solved, verdict


@pytest.mark.parametrize(("exercise", "name"), WRONG)
def test_a_wrong_answer_fails_and_hears_what_was_found(exercise: Exercise, name: str) -> None:
    with contextmanager(exercise.wrong[name])():
        verdict = judge(exercise)
    assert not verdict.solved
    assert verdict.found.startswith(("found", "this very process"))


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_the_untouched_start_fails(exercise: Exercise) -> None:
    assert not judge(exercise).solved


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_there_are_three_hints_and_two_wrong_answers_at_least(exercise: Exercise) -> None:
    assert len(exercise.hints) >= 3
    assert len(exercise.wrong) >= 2


def test_an_unknown_exercise_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match=r"there is no exercise 'uts-99'; there are: uts-1"):
        ns.check("uts-99")


def test_hints_come_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    ns.exercise("uts-1", hints=1)
    said = capsys.readouterr().out
    assert EXERCISES["uts-1"].hints[0] in said
    assert EXERCISES["uts-1"].hints[1] not in said


def test_more_hints_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="hints must be a number from 0 to 3"):
        ns.exercise("uts-1", hints=4)
