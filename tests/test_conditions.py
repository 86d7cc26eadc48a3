"""Whatever the process was started with: each call ends in its result or in one NamespaceError."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from nsedu.sandbox.agent_client import ROOT
from ordinary_user import Learner

pytestmark = pytest.mark.needs("userns", "uts", "pid", "net", "mnt", "ipc")

USES = r"""
import json, os, sys
import nsedu as ns
from nsedu.notebook.cells import byhand, interpreter as repl, trace

told = {}

def use(name, function):
    try:
        value = function()
        told[name] = "fine"
        return value
    except ns.NamespaceError as error:
        told[name] = "NamespaceError" if error.cause and error.remedy else "unexplained"
    except BaseException as error:
        told[name] = f"{type(error).__name__}: {error}"

types = ("uts", "net", "ipc", "mnt")
box = use("sandbox", lambda: ns.Sandbox(*types, hostname="mars", name="m\xe4rs"))
if box is not None:
    use("run", lambda: box.run("echo \xe9; uname -n"))
    use("popen", lambda: box.popen("cat").communicate("\xe9"))
    use("call", lambda: box.call(print, "\xe9"))
    use("repl", lambda: repl.of(box).run("print('\xe9')", 20))
    use("eyes", lambda: ns.eyes(box, hostname=True))
    use("clock", lambda: ns.eyes(box, clock="boottime"))
    use("why_alive", lambda: ns.why_alive(box, "uts"))
    use("predict", lambda: ns.predict(links=["uts"]).grade(box))
for name in ("tree", "matrix", "pids", "topology", "ipc", "mounts", "idmap", "ownership", "clocks",
             "cgroup_tree", "explore", "doctor", "progress"):
    use(name, lambda: str(getattr(ns, name)()))
use("snapshot", lambda: ns.snapshot(deep=True))
use("byhand", lambda: byhand.run("unshare(CLONE_NEWUSER | CLONE_NEWUTS); print('\xe9')"))
use("measure", lambda: ns.measure("create", repeat=3))
use("claim", lambda: ns.claim("\xe9", True))
use("exercise", lambda: ns.exercise("uts-1"))
use("quiz", lambda: ns.quiz("uts"))
if box is not None:
    use("close", box.close)
print("\n" + json.dumps(told))
"""

LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_{0}, ({1}, {1}))\n"
ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


def ends(before: str = "", words: tuple[str, ...] = (), **variables: str) -> dict[str, str]:
    """How each call ends in a program that begins so: "fine", "NamespaceError", or what else."""
    code = USES.encode("ascii", "backslashreplace").decode()
    done = subprocess.run(
        [*words, sys.executable, "-W", "ignore", "-c", before + code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([ROOT, *filter(None, sys.path)]),
             **variables},
        capture_output=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    told: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return told


def not_fine(told: dict[str, str]) -> dict[str, str]:
    return {name: how for name, how in told.items() if how != "fine"}


def unsaid(told: dict[str, str]) -> dict[str, str]:
    return {name: how for name, how in not_fine(told).items() if how != "NamespaceError"}


def test_all_is_fine_as_a_rule() -> None:
    assert not_fine(ends()) == {}


def test_signals_of_children_may_be_ignored() -> None:
    assert not_fine(ends("import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n")) == {}


@pytest.mark.parametrize("limit", [200, 64])
def test_few_files_may_be_open(limit: int) -> None:
    assert not_fine(ends(LIMIT.format("NOFILE", limit))) == {}


def test_very_few_files_are_too_few_in_a_sentence() -> None:
    assert unsaid(ends(LIMIT.format("NOFILE", 12))) == {}


def test_a_terminal_need_not_know_unicode() -> None:
    assert not_fine(ends(**ASCII)) == {}


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take it away for a trial")


@needs_root
def test_without_proc_a_sentence_says_so() -> None:
    words = ("unshare", "-m", "sh", "-c", 'umount -l /proc; exec "$@"', "sh")
    assert unsaid(ends(words=words)) == {}


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare: apt install util-linux")
@needs_root
def test_in_a_pid_namespace_without_a_proc_of_its_own_what_can_be_said_is_right() -> None:
    told = ends(words=("unshare", "-pf"))
    assert unsaid(told) == {}
    assert {name for name, how in told.items() if how == "fine"} >= {
        "sandbox",
        "run",
        "tree",
        "pids",
    }


@pytest.mark.parametrize("limit", [1, 4, 6, 8])
def test_too_few_processes_are_a_sentence(limit: int, learner: Learner) -> None:
    code = USES.encode("ascii", "backslashreplace").decode()
    done = learner.run_python(LIMIT.format("NPROC", limit) + code)
    told = json.loads(done.stdout.splitlines()[-1])
    expected = ("CellFailed: the cell's process ended with exit status 1", "CommandFailed", "fine")
    wrong = {name: how for name, how in unsaid(told).items() if not how.startswith(expected)}
    assert wrong == {}
