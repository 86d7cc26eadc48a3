"""What a learner starts beside the sandboxes is an ordinary user's and ends with its cell."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import pytest

from awaiting import ended
from nsedu.agent import helper, lent_ids
from nsedu.errors.namespace_error import NamespaceError
from nsedu.kernel import syscalls
from nsedu.kernel.procfs import parse_stat, read
from nsedu.notebook.cells import byhand
from nsedu.notebook.cells.python_cell import CellFailed
from nsedu.sandbox import agent_client
from nsedu.sandbox.process import CommandTimedOut
from ordinary_user import Learner

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")


def said(source: str, capsys: pytest.CaptureFixture[str]) -> str:
    byhand.run(source)
    return capsys.readouterr().out


def test_no_capability_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert said("print(capget())", capsys) == "(0, 0, 0)\n"


@needs_root
def test_root_becomes_a_user_without_groups(capsys: pytest.CaptureFixture[str]) -> None:
    out = said("print(os.getresuid(), os.getresgid(), os.getgroups())", capsys)
    users, groups = re.findall(r"\((\d+), \1, \1\)", out)
    window = lent_ids.to_lend()
    assert window is not None and int(users) in window and users == groups
    assert out.endswith(" []\n")


@needs_root
def test_an_ordinary_user_stays_who_he_is(learner: Learner) -> None:
    done = learner.run_python(
        "from nsedu.notebook.cells import byhand\n"
        "byhand.run('print(os.getuid(), uid, gid, capget())')"
    )
    assert done.stdout == f"{learner.uid} {learner.uid} {learner.gid} (0, 0, 0)\n", done.stderr


# Each of them would do no harm even if it were let through: names are set to what they are.
@pytest.mark.parametrize(
    "mistake",
    [
        "sethostname(os.uname().nodename.encode())",
        'write("/proc/sys/kernel/hostname", os.uname().nodename)',
        'write("/etc/hostname", "")',
        "unshare(CLONE_NEWUTS)",
        "unshare(CLONE_NEWNS)",
        "setns(os.open('/proc/self/ns/uts', os.O_RDONLY))",
        "os.chroot('/')",
        "os.setuid(0)",
        "os.kill(os.getppid(), 0) or os.kill(1, 0)",
    ],
)
@needs_root
def test_a_mistake_of_roots_is_refused(mistake: str) -> None:
    with pytest.raises(CellFailed, match=r"PermissionError: \[Errno (1|13)\]"):
        byhand.run(mistake)


def test_what_is_executed_later_has_no_capability_either(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = said(
        'os.execvp("grep", ["grep", "-E", "Cap(Inh|Prm|Eff|Amb)", "/proc/self/status"])', capsys
    )
    assert {line.split()[1] for line in out.splitlines()} == {"0" * 16}


@pytest.mark.needs("userns")
def test_root_of_a_user_namespace_with_one_id_has_no_capability_after_an_exec(
    learner: Learner,
) -> None:
    code = "os.execvp('grep', ['grep', 'CapEff', '/proc/self/status'])"
    start = f"from nsedu.notebook.cells import byhand; byhand.run({code!r})"
    done = learner.run(["unshare", "-Ur", learner.python, "-c", start])
    assert done.stdout.split() == ["CapEff:", "0" * 16], done.stderr


@needs_root
def test_root_that_may_not_become_someone_else_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "capget", lambda: (0, 0, 0))
    with pytest.raises(NamespaceError, match="run the notebook as an ordinary user"):
        byhand.run("print(1)")


def test_no_descriptor_of_the_agents_is_inherited(capsys: pytest.CaptureFixture[str]) -> None:
    out = said('os.execvp("ls", ["ls", "/proc/self/fd"])', capsys)
    assert out.split() == ["0", "1", "2", "3"]  # 3 is the directory itself


def test_its_output_can_be_opened_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    byhand.run("write('/dev/stdout', 'out'); write('/dev/stderr', 'err')")
    assert capsys.readouterr() == ("out", "err")


def test_it_starts_in_the_notebooks_directory_as_it_is_now(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir("/usr")
    assert said("print(os.getcwd())", capsys) == "/usr\n"


def test_what_a_cell_leaves_running_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(
        "r, w = os.pipe()\nif os.fork() == 0:\n    os.close(w); os.read(r, 1)\n    print('late')",
        capsys,
    )
    assert out == "late\n"


LEAVES = """
import subprocess, time
left = subprocess.Popen(["sleep", "1000"], start_new_session=True)
print(os.getpid(), left.pid)
"""


def test_all_that_a_cell_started_ends_when_it_ran_too_long(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(CommandTimedOut):
        byhand.run(LEAVES, timeout=1)
    assert all(ended(int(pid)) for pid in capsys.readouterr().out.split())


@pytest.mark.faults
def test_all_that_a_cell_started_ends_with_the_notebook() -> None:
    code = f"from nsedu.notebook.cells import byhand; byhand.run({LEAVES!r})"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code], cwd=agent_client.ROOT, stdout=subprocess.PIPE, text=True
    ) as notebook:
        assert notebook.stdout is not None
        pids = [int(pid) for pid in notebook.stdout.readline().split()]
        notebook.kill()
    assert len(pids) == 2 and all(ended(pid) for pid in pids)


PARTIES = ("cell", "second", "first", "agent")
MOMENTS = (0.4e-3, 0.8e-3, 1.2e-3, 1.6e-3, 2e-3, 3e-3)


@contextlib.contextmanager
def parties(code: str, oldest: str) -> Iterator[dict[str, int]]:
    """The pids of all who run a cell in a notebook, and of what it started.

    Args:
        code: prints the pid of one of `PARTIES` and of a process that it has started.
        oldest: whose pid it is.
    """
    with subprocess.Popen(
        [sys.executable, "-u", "-c", f"from nsedu.notebook.cells.byhand import run; run({code!r})"],
        cwd=agent_client.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as notebook:  # fmt: skip
        assert notebook.stdout is not None
        pids = {}
        pids[oldest], pids["left"] = map(int, notebook.stdout.readline().split())
        for child, parent in itertools.pairwise(PARTIES[PARTIES.index(oldest) :]):
            pids[parent] = parse_stat(read(f"/proc/{pids[child]}/stat"))[1]
        yield pids


def kill_both(pids: dict[str, int], killed: Sequence[str], between: float) -> None:
    os.kill(pids[killed[0]], signal.SIGKILL)
    time.sleep(between)
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself meanwhile
        os.kill(pids[killed[1]], signal.SIGKILL)


@pytest.mark.faults
@pytest.mark.parametrize(
    "killed,between",
    [
        *((pair, 0) for pair in itertools.combinations(PARTIES, 2)),
        *((("first", "agent"), moment) for moment in MOMENTS),
    ],
)
def test_all_that_a_cell_started_ends_although_two_are_killed(
    killed: tuple[str, str], between: float
) -> None:
    with parties(LEAVES + "time.sleep(1000)", "cell") as pids:
        kill_both(pids, killed, between)
        if "agent" not in killed:
            del pids["agent"]
        assert [party for party, pid in pids.items() if not ended(pid)] == []


@pytest.mark.faults
@pytest.mark.parametrize("between", MOMENTS)
def test_all_that_a_cell_has_left_ends_although_two_are_killed(between: float) -> None:
    with parties(LEAVES.replace("getpid", "getppid"), "second") as pids:
        kill_both(pids, ("agent", "first"), between)
        assert [party for party, pid in pids.items() if not ended(pid)] == []


@pytest.mark.faults
def test_all_that_a_cell_started_ends_with_the_agent() -> None:
    code = (
        "import os, signal, threading\n"
        "from nsedu.notebook.cells import byhand; from nsedu.sandbox import agent_client\n"
        "agent = agent_client.agent().process.pid; print(agent, flush=True)\n"
        f"byhand.run({LEAVES!r})"
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        cwd=agent_client.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as notebook:  # fmt: skip
        assert notebook.stdout is not None and notebook.stderr is not None
        agent = int(notebook.stdout.readline())
        pids = [int(pid) for pid in notebook.stdout.readline().split()]
        os.kill(agent, 9)
        assert len(pids) == 2 and all(ended(pid) for pid in pids)
        assert "has ended: it was killed" in notebook.stderr.read()


@pytest.mark.parametrize("alive", [True, False])
def test_a_cell_whose_agent_was_killed_before_it_began_does_not_begin(
    alive: bool,
) -> None:
    read, write = os.pipe()
    command = helper.python_command(
        "nsedu.notebook.cells.unprivileged:main", "notebook.cells.byhand:main",
        first=f"import os; os.dup2({write}, 3); ", unbuffered=True,
    )  # fmt: skip
    gone = subprocess.Popen(["true"])
    gone.wait(30)
    window = lent_ids.to_lend()
    request = {
        "path": [*sys.path, agent_client.ROOT], "source": "print('begun')",
        "cells": window and window.cells,
        "agent": os.getpid() if alive else gone.pid,
    }  # fmt: skip
    done = subprocess.run(
        command, input=json.dumps(request), pass_fds=[write], capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    os.close(read), os.close(write)
    assert (done.stdout, done.returncode) == (("begun\n", 0) if alive else ("", -9)), done.stderr
