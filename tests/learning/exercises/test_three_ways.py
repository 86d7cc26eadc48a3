"""An exercise is solved however the learner got there: in a cell, with %%inside, or in a terminal.

The cell is the exercise's own solution (test_exercises.py); here are the other two.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest
from _pytest.mark.structures import ParameterSet
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import nsedu as ns
from awaiting import eventually
from called import called
from nsedu.learning.exercises import EXERCISES, Exercise
from nsedu.learning.exercises.model import world
from ways import by_hand

pytestmark = pytest.mark.needs("userns", *ns.TYPES)


def tried(exercise: Exercise, way: str) -> ParameterSet:
    """An exercise, to be tried where this machine has what it needs and the programs it calls."""
    needs = pytest.mark.needs(*exercise.needs, *called(way))
    return pytest.param(exercise, id=exercise.id, marks=needs)


BY_HAND = [tried(e, by_hand(e)) for e in EXERCISES.values() if by_hand(e)]
INSIDE = [tried(e, e.inside) for e in EXERCISES.values() if e.inside]


def solved(exercise: Exercise) -> bool:
    return exercise.check(world(os.getpid()))[0]


def test_six_exercises_at_least_are_tried_in_all_three_ways() -> None:
    assert len([e for e in EXERCISES.values() if by_hand(e) and e.inside]) >= 6


def test_each_chapter_has_three_exercises_at_least() -> None:
    counts = Counter(e.id.partition("-")[0] for e in EXERCISES.values())
    assert len(counts) == 11
    assert min(counts.values()) >= 3


@pytest.mark.parametrize("exercise", BY_HAND)
def test_a_solution_by_hand_in_a_shell_is_found(exercise: Exercise) -> None:
    with subprocess.Popen(["bash", "-c", by_hand(exercise)], start_new_session=True) as shell:
        try:
            assert eventually(lambda: solved(exercise)), exercise.check(world(os.getpid()))
        finally:
            os.killpg(shell.pid, signal.SIGKILL)
    assert eventually(lambda: not solved(exercise)), "it was found by what it had left behind"


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "nsedu")
    yield shell
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("exercise", INSIDE)
def test_a_solution_inside_a_sandbox_is_found(shell: InteractiveShell, exercise: Exercise) -> None:
    with ns.Sandbox(*ns.TYPES) as box:
        shell.user_ns["box"] = box
        shell.run_cell_magic("inside", "box", exercise.inside)
        assert eventually(lambda: solved(exercise)), exercise.check(world(os.getpid()))
    assert not solved(exercise)
