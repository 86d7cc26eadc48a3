"""Scripts that bring about what an exercise asks for, or only look as if: run them, ask its check.

A script runs in bash. It says "ready" where a test must not ask before.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from awaiting import eventually
from called import called
from nsedu import Sandbox
from nsedu.learning.exercises import EXERCISES, Exercise, Verdict, diagnosis, model
from nsedu.learning.exercises.model import Attempt, world

Scripts = Mapping[str, Mapping[str, str]]
"""Exercise → what the attempt is called → a script for bash."""

PACKAGES = {"bwrap": "bubblewrap", "systemd-nspawn": "systemd-container", "busybox": "busybox"}

BWRAP = "bwrap --unshare-user --dev-bind / /"
READY = "echo ready; exec sleep 60"
UNSHARE = (
    "import ctypes, os, time; libc = ctypes.CDLL(None); uid, gid = os.geteuid(), os.getegid();"
)
ENDS = r"print('ready\n', end='', flush=True); time.sleep(60)"  # in one piece, should two say it
FAKE = (  # a program that says what the check would like to hear, in the place of a real one
    'mount -t tmpfs none /mnt; echo "#!/bin/sh" > /mnt/fake; echo "echo {says}" >> /mnt/fake;'
    " chmod +x /mnt/fake; for p in {programs}; do [ ! -e $p ] || mount --bind /mnt/fake $p; done;"
)
SERVER = """
import socket, sys, time
server = socket.create_server(("", int(sys.argv[1])))
print("ready", flush=True)
time.sleep(60)
"""
SERVE = '"$PYTHON" -c "$SERVER" 8080'  # the two are in the environment, to be quoted only once
MAP = (  # the ids of who has just made a user namespace: 0 inside
    "open('/proc/self/setgroups', 'w').write('deny');"
    " open('/proc/self/uid_map', 'w').write(f'0 {uid} 1');"
    " open('/proc/self/gid_map', 'w').write(f'0 {gid} 1');"
)
ROOT = "# root"
"""A script that begins so is for root only."""
ENTER = "nsenter -t $! -U --preserve-credentials"


def python(code: str) -> str:
    """A process that calls libc and stays."""
    return f'exec "$PYTHON" -c "{UNSHARE} {code} {ENDS}"'


def entering(options: str, command: str) -> str:
    """A script that enters the user namespace, and others, of a sleep that was started last."""
    return f"until grep -q sleep /proc/$!/comm; do sleep 0.05; done; {ENTER} {options} {command}"


def until(command: str) -> str:
    """A command that is tried until it works: what it enters must be there first."""
    return f"until {command}; do sleep 0.05; done"


def is_python(code: str) -> bool:
    """Whether something that is shown to learners is for a cell, and not for a terminal."""
    try:
        compile(code, "one way", "exec")
    except SyntaxError:
        return False
    return True


def by_hand(exercise: Exercise) -> str:
    """The command for a terminal that solves an exercise; "" if there is none."""
    return exercise.shell if is_python(exercise.one_way) else exercise.one_way


def judge(id: str) -> Verdict:
    """What a check says of what this test has made, whatever runs beside it."""
    return model.judge(EXERCISES[id], world(os.getpid()))


def answered(id: str, answer: object) -> bool:
    """Whether an answer is right, to what this test has made."""
    diagnosis.say(id, answer)
    return judge(id).solved


@contextmanager
def made(attempt: Attempt) -> Iterator[None]:
    """What a solution or a wrong answer makes, for as long as this stands."""
    with ExitStack() as stack:
        attempt(stack.enter_context)
        yield


@contextmanager
def standing(id: str) -> Iterator[tuple[Sandbox, ...]]:
    """What is broken in an exercise, for as long as this stands."""
    broken = EXERCISES[id].broken
    assert broken is not None
    with diagnosis.begun(id, broken) as boxes:
        yield boxes


@contextmanager
def running(script: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A script that runs for as long as this stands; its pid leads all that it starts."""
    for program, package in PACKAGES.items():
        if f"{program} " in script and not shutil.which(program):
            pytest.skip(f"{program} is not installed: apt install {package}.")
    if script.startswith(ROOT) and os.geteuid() != 0:
        pytest.skip("it takes root.")
    path = f"{os.environ['PATH']}:/usr/sbin"
    ours = {"PATH": path, "PYTHON": sys.executable, "SERVER": SERVER}
    known = {**os.environ, **ours, **variables}
    # Whatever a script of root's mounts, it is not on the host.
    apart = ["unshare", "--mount"] if script.startswith(ROOT) and "mount" in script else []
    with subprocess.Popen(
        [*apart, "bash", "-c", script],
        env=known,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            yield shell
        finally:
            os.killpg(shell.pid, signal.SIGKILL)


def cases(scripts: Scripts) -> list[object]:
    """One for each script, where the machine has what it calls and its exercise needs."""
    return [
        pytest.param(
            id,
            name,
            id=f"{id} {name}",
            marks=pytest.mark.needs(*EXERCISES[id].needs, *called(script)),
        )
        for id, named in scripts.items()
        for name, script in named.items()
    ]


def assert_solves(id: str, script: str, **variables: str) -> None:
    """Run a script, and wait until the exercise is solved."""
    with running(script, **variables):
        assert eventually(lambda: judge(id).solved, 15), judge(id)


def assert_refused(id: str, script: str, said: str = "", **variables: str) -> None:
    """Run a script until it says that it is ready: the exercise is not solved.

    Args:
        id: the exercise.
        script: that ends in "ready".
        said: what must be in the verdict.
        variables: what is in its environment, too.
    """
    with running(script, **variables) as shell:
        assert shell.stdout is not None
        assert shell.stdout.readline() == "ready\n"
        verdict = judge(id)
    assert not verdict.solved
    assert verdict.found.startswith("found")
    assert said in verdict.found, verdict
