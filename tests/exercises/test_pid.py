"""What the exercises on PID namespaces say of wrong answers: what was found, what is missing."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager

import pytest

from awaiting import eventually
from nsedu.exercises import EXERCISES
from nsedu.exercises.model import world
from nsedu.sandbox import Sandbox

pytestmark = pytest.mark.needs("userns", "pid", "mnt", "unshare")


@pytest.mark.parametrize(
    ("id", "name", "said"),
    [
        ("pid-1", "old /proc", r"found number 1 .* its /proc still shows the world outside"),
        ("pid-1", "without --fork", r"found a process that .* stayed outside: only its children"),
        ("pid-2", "one level", r"found two numbers, \d+ and 1: you are one level deep"),
        ("pid-2", "its first has ended", r"found a nested .* without its first .* died with it"),
        ("pid-2", "user instead", r"found no running process of yours in another PID namespace"),
        ("pid-3", "an init that reaps", r"found a PID namespace, but no zombie in it"),
        ("pid-3", "another parent", r"found a zombie, but its parent is not number 1"),
        ("pid-4", "a child", r"found one PID namespace, but all in it descend from its number 1"),
        ("pid-4", "two namespaces", r"found 2 PID namespaces: .* none has a guest"),
    ],
)
def test_a_wrong_answer_hears_its_own_fault(id: str, name: str, said: str) -> None:
    exercise = EXERCISES[id]
    with contextmanager(exercise.wrong[name])():
        assert eventually(lambda: re.match(said, exercise.check(world(os.getpid())).found)), (
            exercise.check(world(os.getpid()))
        )


def test_who_is_a_zombie_for_a_moment_only_does_not_count() -> None:
    exercise = EXERCISES["pid-3"]
    with Sandbox("pid") as box:
        for _ in range(3):
            box.run("sh -c 'true &'")
            assert not exercise.check(world(os.getpid())).solved
