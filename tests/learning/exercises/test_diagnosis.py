"""Exercises in which something is broken: made for the learner, mended or answered."""

from __future__ import annotations

import os

import pytest

import nsedu as ns
from awaiting import ended
from nsedu.learning.exercises import EXERCISES, Exercise, diagnosis
from nsedu.learning.exercises.model import judge as judged
from nsedu.learning.exercises.model import world
from ways import judge, made, python, running, standing


def test_an_exercise_without_anything_broken_says_so() -> None:
    with pytest.raises(ValueError, match="uts-1 has nothing broken: its task says"):
        ns.broken("uts-1")


def test_an_exercise_that_asks_nothing_takes_no_answer() -> None:
    with pytest.raises(ValueError, match="uts-1 asks no question"):
        ns.answer("uts-1", "phobos")


BROKEN = [
    pytest.param(e, id=e.id, marks=pytest.mark.needs("userns", *e.needs))
    for e in EXERCISES.values()
    if e.broken is not None
]


@pytest.mark.parametrize("exercise", BROKEN)
def test_made_again_what_is_broken_is_new_and_the_old_has_ended(exercise: Exercise) -> None:
    try:
        first = diagnosis.make(exercise)
        second = diagnosis.make(exercise)
        assert all(ended(box.pid) for box in first)
        assert not any(ended(box.pid, 0) for box in second)
        assert {box.name for box in first} == {box.name for box in second}
    finally:
        diagnosis.close(exercise.id)
    assert all(ended(box.pid) for box in second)


@pytest.mark.needs("userns", "uts")
def test_what_is_broken_solves_no_other_exercise() -> None:
    try:
        ns.broken("uts-4")  # five of one name, and two in one namespace
        here = world(os.getpid())
        assert EXERCISES["uts-3"].check(here)[0]
        assert not judged(EXERCISES["uts-3"], here).solved
        assert not judged(EXERCISES["uts-2"], here).solved
        assert judged(EXERCISES["uts-4"], here).found.startswith("found the five")
    finally:
        diagnosis.close("uts-4")


@pytest.mark.parametrize("exercise", BROKEN)
def test_the_task_and_the_way_that_is_shown_begin_with_making_it(exercise: Exercise) -> None:
    assert f'ns.broken("{exercise.id}")' in exercise.task
    assert f'ns.broken("{exercise.id}")' in exercise.one_way


def test_each_chapter_from_the_first_has_one() -> None:
    chapters = {id.split("-")[0] for id in EXERCISES}
    assert {one.values[0].id.split("-")[0] for one in BROKEN} == chapters


@pytest.mark.parametrize("exercise", BROKEN)
def test_what_was_made_for_one_solves_no_other(exercise: Exercise) -> None:
    with made(exercise.solution):
        assert judge(exercise.id).solved, judge(exercise.id)
        for other in EXERCISES.values():
            assert other is exercise or not judge(other.id).solved, other.id


@pytest.mark.parametrize("exercise", BROKEN)
def test_its_first_processes_bear_its_id(exercise: Exercise) -> None:
    with standing(exercise.id) as boxes:
        names = [box.name for box in boxes]
        assert all(name.startswith(exercise.id) for name in names)
        processes = diagnosis.found(world(os.getpid()), exercise.id, *names)
        assert [process.name for process in processes] == names
        assert [process.pid for process in processes] == [box.pid for box in boxes]


@pytest.mark.parametrize("exercise", BROKEN)
def test_what_only_bears_its_name_is_not_taken_for_it(exercise: Exercise) -> None:
    with standing(exercise.id) as boxes:
        names = [box.name for box in boxes]
        for box in reversed(boxes):
            box.close()
        with running(python(f"libc.prctl(15, b'{names[0]}', 0, 0, 0);")) as other:
            assert other.stdout is not None and other.stdout.readline() == "ready\n"
            assert diagnosis.found(world(os.getpid()), exercise.id, *names) == []
            assert judge(exercise.id).found.startswith(("found no ", "found 0 of "))


def test_it_is_another_thing_each_time() -> None:
    seen = set()
    for _ in range(12):
        with standing("ipc-5") as boxes:
            numbers = [box.namespaces["ipc"].ns for box in boxes[:6]]
            seen.add("".join("abcdef"[n] for n in range(6) if numbers.count(numbers[n]) == 2))
        if len(seen) > 2:
            return
    raise AssertionError(f"twelve times it was one of {seen}")


@pytest.mark.parametrize("exercise", [one for one in BROKEN if one.values[0].asks])
def test_an_answer_is_forgotten_when_it_is_made_again(exercise: Exercise) -> None:
    with made(exercise.solution):
        assert judge(exercise.id).solved
        diagnosis.make(exercise)
        assert not judge(exercise.id).solved
