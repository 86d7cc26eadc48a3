"""Every exercise: its solution passes, its wrong answers and the untouched start do not."""

from __future__ import annotations

import importlib
import os
import sys

import pytest

import nsedu as ns
from awaiting import eventually
from called import called
from nsedu.learning.exercises import EXERCISES, Exercise, diagnosis
from nsedu.learning.exercises.model import world
from ways import READY, is_python, judge, made, running

ALL = list(EXERCISES.values())
MADE = [pytest.param(e, id=e.id, marks=pytest.mark.needs(*e.needs)) for e in ALL]
WRONG = [
    pytest.param(e, name, id=f"{e.id} {name}", marks=pytest.mark.needs(*e.needs))
    for e in ALL
    for name in e.wrong
]

pytestmark = pytest.mark.needs("userns", "uts")


@pytest.mark.parametrize("exercise", MADE)
def test_the_solution_passes(exercise: Exercise) -> None:
    with made(exercise.solution):
        verdict = judge(exercise.id)
    assert verdict.solved, verdict


@pytest.mark.parametrize(("exercise", "name"), WRONG)
def test_a_wrong_answer_fails_and_hears_what_was_found(exercise: Exercise, name: str) -> None:
    with made(exercise.wrong[name]):
        verdict = judge(exercise.id)
    assert not verdict.solved
    assert verdict.found.startswith(("found", "this very process"))


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_the_untouched_start_fails(exercise: Exercise) -> None:
    assert not judge(exercise.id).solved


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_there_are_three_hints_and_none_of_them_is_the_whole(exercise: Exercise) -> None:
    assert len(exercise.hints) == 3
    assert exercise.one_way
    for hint in exercise.hints:
        for line in exercise.one_way.splitlines():
            assert len(line) < 30 or line not in hint


@pytest.mark.parametrize("exercise", [e for e in ALL if e.broken is None], ids=lambda e: e.id)
def test_there_are_three_other_ways_and_three_wrong_ones(exercise: Exercise) -> None:
    if exercise.needs == ("cgroup-write",):
        pytest.skip("those of control groups are tests of their own, in test_cgroup.py.")
    tests = importlib.import_module(f"test_{exercise.id.split('-')[0]}")
    assert len(tests.RIGHT[exercise.id]) >= 3
    assert len(tests.CHEATS.get(exercise.id, {})) + len(exercise.wrong) >= 3


IN_A_CELL = [
    pytest.param(e, id=e.id, marks=pytest.mark.needs("nested", *e.needs, *called(e.one_way)))
    for e in ALL
    if is_python(e.one_way)  # the others are for a terminal: test_three_ways.py
]


@pytest.mark.parametrize("exercise", IN_A_CELL)
def test_the_solution_that_is_shown_solves_it_as_it_stands(exercise: Exercise) -> None:
    names: dict[str, object] = {"ns": ns, "os": os}
    try:
        exec(exercise.one_way, names)
        assert eventually(lambda: judge(exercise.id).solved, 10), judge(exercise.id)
    finally:
        diagnosis.close(exercise.id)
        for one in names.values():
            if isinstance(one, ns.Sandbox):
                one.close()


def test_an_unknown_exercise_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match=r"there is no exercise 'nfs'; there are: link-1, link-2"):
        ns.check("nfs")


def test_hints_come_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    ns.exercise("uts-1", hints=1)
    said = capsys.readouterr().out
    assert EXERCISES["uts-1"].hints[0] in said
    assert EXERCISES["uts-1"].hints[1] not in said


def test_more_hints_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="hints must be a number from 0 to 3"):
        ns.exercise("uts-1", hints=4)


def test_a_solution_is_shown_to_who_asks_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    ns.exercise("uts-1")
    assert EXERCISES["uts-1"].one_way not in capsys.readouterr().out
    ns.exercise("uts-1", solution=True)
    assert f"one way: {EXERCISES['uts-1'].one_way}" in capsys.readouterr().out


@pytest.mark.needs("mnt", "net", "nested")
def test_what_another_program_has_mounted_is_not_yours_nor_are_its_copies() -> None:
    code = """
import os, nsedu as ns
from nsedu.learning.exercises import EXERCISES
from nsedu.learning.exercises.model import world
with ns.Sandbox("mnt"):
    print(*EXERCISES["kernel-1"].check(world(os.getpid())))
with ns.Sandbox("mnt") as box:
    box.run("mount -t tmpfs none /mnt; touch /mnt/net; unshare --net=/mnt/net true")
    print(*EXERCISES["kernel-1"].check(world(os.getpid())))
"""
    with ns.Sandbox("mnt") as machine:  # on which a container engine has left a network namespace
        machine.run("mount -t tmpfs none /mnt; touch /mnt/web; unshare --net=/mnt/web true")
        first, second = machine.run([sys.executable, "-c", code]).stdout.splitlines()
    assert first == "False found no net namespace of yours beside this notebook's."
    assert second == "True a net namespace is kept by a bind mount and nothing else."


@pytest.mark.needs("mnt")
def test_a_descriptor_that_was_opened_by_a_mount_is_one_like_any_other() -> None:
    with ns.Sandbox("mnt") as box:
        box.run("mount -t tmpfs none /mnt; touch /mnt/uts; unshare --uts=/mnt/uts true")
        with open(f"/proc/{box.pid}/root/mnt/uts"):
            box.run("umount --lazy /mnt/uts")
            verdict = judge("kernel-2")
    assert verdict.solved, verdict


@pytest.mark.needs("ipc", "net", "cgroup", "uts", "unshare", "ipcmk")
def test_a_container_of_roots_without_a_user_namespace_counts_as_any() -> None:
    if os.geteuid() != 0:
        pytest.skip("without a user namespace it takes root to make a container.")
    script = (
        "exec unshare --pid --fork --mount-proc --net --uts --ipc --cgroup sh -c"
        f" 'ipcmk --shmem 12345 > /dev/null; {READY}'"
    )
    with running(script) as shell:
        assert shell.stdout is not None and shell.stdout.readline() == "ready\n"
        assert judge("ipc-1").solved, judge("ipc-1")
        assert judge("cgroup-1").solved, judge("cgroup-1")
        assert judge("net-1").found.startswith("found another network namespace, but nobody")
        inside = [p for p in world(os.getpid()).yours if p.ppid == shell.pid]
        with ns.Sandbox(join=inside[0].pid) as guest:
            assert "12345" in guest.run("cat /proc/sysvipc/shm").stdout
