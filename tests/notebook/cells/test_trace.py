"""A command under strace shows how it uses namespaces."""

from __future__ import annotations

import shutil

import pytest

from nsedu.notebook.cells import trace
from nsedu.sandbox.process import CommandFailed, CommandTimedOut
from nsedu.sandbox.sandbox import Sandbox
from ordinary_user import Learner

pytestmark = pytest.mark.needs("strace", "hostname", "userns", "uts")

PHOBOS = "unshare --user --map-root-user --uts sh -c 'hostname phobos; hostname'"
PHOBOS_SHOWN = """\
A unshare   unshare(CLONE_NEWUTS|CLONE_NEWUSER)
A unshare   write("/proc/self/uid_map", "0 ID 1")
A unshare   write("/proc/self/setgroups", "deny")
A unshare   write("/proc/self/gid_map", "0 ID 1")
B hostname  sethostname("phobos")

phobos
"""


def test_the_calls_come_first_and_then_what_the_command_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trace.run(PHOBOS)
    assert capsys.readouterr() == (PHOBOS_SHOWN, "")


def test_an_ordinary_user_sees_the_same(learner: Learner) -> None:
    done = learner.run_python(f"from nsedu.notebook.cells import trace; trace.run({PHOBOS!r})")
    assert (done.stdout, done.stderr) == (PHOBOS_SHOWN, "")


def test_in_a_sandbox_the_ids_are_the_sandboxs(capsys: pytest.CaptureFixture[str]) -> None:
    with Sandbox("uts", hostname="mars") as mars:
        trace.run("hostname; hostname phobos; hostname", mars)
        assert capsys.readouterr().out == 'A hostname  sethostname("phobos")\n\nmars\nphobos\n'
        trace.run("unshare -Ur true", mars)
        assert '"/proc/self/uid_map", "0 0 1"' in capsys.readouterr().out


def test_a_process_in_a_new_pid_namespace_is_followed(capsys: pytest.CaptureFixture[str]) -> None:
    trace.run("unshare -Urpfm --mount-proc sh -c 'nsenter -u -t 1 true || umount /proc'")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "A unshare  unshare(CLONE_NEWNS|CLONE_NEWUSER|CLONE_NEWPID)"
    assert 'B unshare  mount("none", "/", NULL, MS_REC|MS_PRIVATE, NULL)' in lines
    assert any(line.startswith('C nsenter  open("/proc/1/ns/uts") = uts:[') for line in lines)
    assert lines[-1] == 'D umount   umount2("/proc", 0)'


def test_a_command_without_such_calls_is_said_to_have_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trace.run("echo hello; echo trouble >&2")
    assert capsys.readouterr() == ("No call had to do with namespaces.\n\nhello\n", "trouble\n")


def test_the_command_does_not_see_the_descriptor_of_the_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trace.run("ls /proc/$$/fd")
    assert capsys.readouterr().out.split()[-4:] == ["namespaces.", "0", "1", "2"]


def test_a_refused_call_shows_its_error_and_a_failure_raises(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(CommandFailed):
        trace.run("echo before\nhostname phobos")
    out, err = capsys.readouterr()
    assert out == 'A hostname  sethostname("phobos") = EPERM (Operation not permitted)\n\nbefore\n'
    assert err.endswith("line 2: exit status 1 from: hostname phobos\n")


def test_a_command_that_runs_too_long_is_stopped_and_its_calls_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(CommandTimedOut):
        trace.run("unshare -U true; sleep 1000", timeout=1)
    assert capsys.readouterr().out == "A unshare  unshare(CLONE_NEWUSER)\n"


def test_without_strace_the_learner_is_told_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(trace.TraceRefused, match="apt install strace"):
        trace.run("true")


def test_a_refused_ptrace_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "echo strace: PTRACE_SEIZE: Operation not permitted >&2; exit 1"
    monkeypatch.setattr(trace, "_STRACE", ["sh", "-c", words])
    with pytest.raises(trace.TraceRefused, match=r"PTRACE_SEIZE: .* ptrace\(2\) is refused here"):
        trace.run("true")
