"""What a learner starts beside the sandboxes is an ordinary user's and ends with its cell."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from awaiting import ended
from nsedu import client, syscalls
from nsedu.cells import byhand, ordinary
from nsedu.cells.cell import CellFailed
from nsedu.errors import NamespaceError
from nsedu.process import CommandTimedOut
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
    one = ordinary.ORDINARY_ID
    assert out == f"({one}, {one}, {one}) ({one}, {one}, {one}) []\n"


@needs_root
def test_an_ordinary_user_stays_who_he_is(learner: Learner) -> None:
    done = learner.run_python(
        "from nsedu.cells import byhand; byhand.run('print(os.getuid(), uid, gid, capget())')"
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
def test_root_of_a_user_namespace_with_one_id_has_no_capability_after_an_exec() -> None:
    code = "os.execvp('grep', ['grep', 'CapEff', '/proc/self/status'])"
    done = subprocess.run(
        ["unshare", "-Ur", sys.executable, "-c",
         f"from nsedu.cells import byhand; byhand.run({code!r})"],
        capture_output=True, text=True, cwd=client.ROOT,
    )  # fmt: skip
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
    code = f"from nsedu.cells import byhand; byhand.run({LEAVES!r})"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code], cwd=client.ROOT, stdout=subprocess.PIPE, text=True
    ) as notebook:
        assert notebook.stdout is not None
        pids = [int(pid) for pid in notebook.stdout.readline().split()]
        notebook.kill()
    assert len(pids) == 2 and all(ended(pid) for pid in pids)


@pytest.mark.faults
def test_all_that_a_cell_started_ends_with_the_agent() -> None:
    code = (
        "import os, signal, threading; from nsedu import client; from nsedu.cells import byhand\n"
        "agent = client.agent().process.pid; print(agent, flush=True)\n"
        f"byhand.run({LEAVES!r})"
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        cwd=client.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as notebook:  # fmt: skip
        assert notebook.stdout is not None and notebook.stderr is not None
        agent = int(notebook.stdout.readline())
        pids = [int(pid) for pid in notebook.stdout.readline().split()]
        os.kill(agent, 9)
        assert len(pids) == 2 and all(ended(pid) for pid in pids)
        assert "has ended: it was killed" in notebook.stderr.read()
