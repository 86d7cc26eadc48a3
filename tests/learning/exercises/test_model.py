"""Whose processes count for an exercise, and what is said of those that do not."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

import nsedu as ns
from awaiting import eventually
from nsedu.learning.exercises import EXERCISES, Verdict
from nsedu.learning.exercises.model import World, judge, world
from ordinary_user import Learner

pytestmark = pytest.mark.needs("userns", "uts", "unshare", "hostname")

PHOBOS = ["unshare", "-Ur", "--uts", "sh", "-c", "hostname phobos; echo ready; exec sleep 60"]
CHECK = """
import os, sys
from nsedu.learning.exercises import EXERCISES
from nsedu.learning.exercises.model import judge, world
print(judge(EXERCISES["uts-1"], world(int(sys.argv[1]))).found)
"""

SUDO = """
import os, subprocess, sys
with subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, text=True) as process:
    process.stdout.readline()
    os.setresuid(*[int(sys.argv[1])] * 3)  # as if an ordinary user had started it by sudo
    print(process.pid, flush=True)
"""


@contextlib.contextmanager
def phobos(**options: object) -> Iterator[subprocess.Popen[str]]:
    """Somebody who has solved uts-1."""
    with subprocess.Popen(PHOBOS, stdout=subprocess.PIPE, text=True, **options) as process:  # type: ignore[call-overload]
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def uts_1(here: World, everywhere: bool = False) -> Verdict:
    return judge(EXERCISES["uts-1"], here, everywhere)


def test_what_another_user_has_does_not_count_and_is_named(learner: Learner) -> None:
    if os.geteuid() != 0:
        pytest.skip("it takes root to start another user's process.")
    with phobos(user=learner.uid, group=learner.gid, extra_groups=[]) as process:
        verdict = uts_1(world(os.getpid()))
    assert not verdict.solved
    assert f"({process.pid}), user {learner.uid}'s, has it, but does not count" in verdict.found


def test_what_root_has_cannot_be_looked_at_by_an_ordinary_user(learner: Learner) -> None:
    if os.geteuid() != 0:
        pytest.skip("it takes root to start a process of root's.")
    command = [sys.executable, "-c", SUDO, str(learner.uid), *PHOBOS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        pid = int(shell.stdout.readline())
        said = learner.run([learner.python, "-c", CHECK, str(shell.pid)])
        os.kill(pid, signal.SIGKILL)
    assert f"({pid}), root's, cannot be looked at, and does not count" in said.stdout, said


def test_processes_of_others_on_the_machine_are_not_named(learner: Learner) -> None:
    if os.geteuid() != 0:
        pytest.skip("it takes root to start another user's process.")
    with phobos() as process:
        said = learner.run([learner.python, "-c", CHECK, "1"])
    assert "root's" not in said.stdout, (process.pid, said)


def test_what_has_left_the_notebook_is_named() -> None:
    """A shell in the background ends, and what it has started is the child of somebody else."""
    with subprocess.Popen(
        ["sh", "-c", '"$@" & echo $!', "sh", *PHOBOS], stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as shell:  # fmt: skip
        assert shell.stdout is not None
        pid = int(shell.stdout.readline())
        try:
            assert shell.stdout.readline() == "ready\n"
            shell.wait()
            assert pid not in ns.snapshot("mine").processes
            near, far = uts_1(world(os.getpid())), uts_1(world(os.getpid()), everywhere=True)
        finally:
            os.kill(pid, signal.SIGKILL)
    assert not near.solved and not far.solved
    assert "daemon" not in near.found
    # On a busy machine it may be another's that is named.
    assert "has it, but is no child of this notebook" in far.found


def test_nobody_is_named_where_nobody_has_it() -> None:
    with subprocess.Popen(["unshare", "-Ur", "sleep", "60"]) as process:
        assert eventually(lambda: "user" in str(os.readlink(f"/proc/{process.pid}/ns/user")))
        verdict = uts_1(world(os.getpid()))
        process.kill()
    assert verdict.found == "found no running process of yours in another UTS namespace."


def test_a_grader_can_look_from_outside() -> None:
    with ns.Sandbox("uts", hostname="deimos") as kernel:
        # For a learner in there its own namespace is no other one.
        found = uts_1(world(kernel.pid, me=kernel.pid)).found
        assert found == "found no running process of yours in another UTS namespace."
        with kernel.sandbox("uts", hostname="phobos") as inside:
            assert inside.pid
            assert uts_1(world(kernel.pid, me=kernel.pid)).solved


@pytest.mark.parametrize("me", [-1, 0, 2**31 - 1])
def test_who_is_not_there_cannot_be_looked_at(me: int) -> None:
    with pytest.raises(ValueError, match="me must be the pid of a process"):
        world(me=me)
