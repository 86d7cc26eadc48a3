"""The process that looks: started once, no part of what is seen, and trusting nobody it visits."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

import nsedu as ns
from awaiting import ended
from nsedu.kernel import syscalls
from nsedu.observe import helper as module
from nsedu.observe.helper import Helper, enter, in_fork
from nsedu.observe.incremental import Watch
from ordinary_user import Learner

PR_GET_DUMPABLE = 3  # prctl(2)
NAMES = "nsedu.observe.questions:answer"
QUESTION = {"pids": [], "type": "uts", "question": "name", "subject": 0}
ATTACH = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
refused = libc.ptrace(16, int(sys.argv[1]), 0, 0) < 0  # PTRACE_ATTACH
print(os.strerror(ctypes.get_errno()) if refused else "attached")
"""


@pytest.fixture
def helper() -> Iterator[Helper]:
    """A helper of its own."""
    found = Helper()
    yield found
    found.close()


def pid_of(helper: Helper) -> int:
    assert helper.process is not None
    return helper.process.pid


def about_me() -> dict[str, object]:
    return {**QUESTION, "pids": [os.getpid()]}


def test_it_answers_from_where_a_process_lives(helper: Helper) -> None:
    assert helper.ask(NAMES, about_me()) == [{"value": os.uname().nodename}]


def test_it_is_started_once(helper: Helper) -> None:
    helper.ask(NAMES, QUESTION)
    first = pid_of(helper)
    helper.ask(NAMES, QUESTION)
    assert pid_of(helper) == first


def test_it_is_given_more_descriptors_than_one_message_may_carry(helper: Helper) -> None:
    with open(os.devnull) as file:
        given = helper.ask("operator:concat", [], [file.fileno()] * 450)
    assert len(set(given)) == 450


def test_one_that_takes_too_long_ends_with_what_it_has_started(helper: Helper) -> None:
    helper.ask(NAMES, QUESTION)
    pid = pid_of(helper)
    with pytest.raises(ns.NamespaceError, match="a process of ours that goes there to look"):
        helper.ask(NAMES, about_me(), seconds=0)
    assert ended(pid)


def test_it_is_no_part_of_what_is_seen(helper: Helper) -> None:
    helper.ask(NAMES, QUESTION)
    assert os.path.exists(f"/proc/{pid_of(helper)}")
    for look in (ns.snapshot(), ns.snapshot("machine"), Watch("mine").look()):
        assert pid_of(helper) not in look.processes


def test_one_that_was_killed_is_replaced(helper: Helper) -> None:
    helper.ask(NAMES, QUESTION)
    os.kill(pid_of(helper), signal.SIGKILL)
    assert ended(pid_of(helper))
    assert helper.ask(NAMES, about_me()) == [{"value": os.uname().nodename}]


def test_a_shutdown_ends_it(helper: Helper) -> None:
    helper.ask(NAMES, QUESTION)
    pid = pid_of(helper)
    ns.shutdown()
    assert ended(pid) and not os.path.exists(f"/proc/{pid}")
    assert helper.ask(NAMES, about_me()) == [{"value": os.uname().nodename}]


def test_it_ends_with_who_started_it() -> None:
    code = (
        "from nsedu.observe import helper, questions as visit; import os, time;"
        "visit.answers([os.getpid()], 'uts', 'name');"
        "print(helper.helper.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        pid = int(reader.stdout.readline())
        reader.kill()
        assert ended(pid)


def test_it_answers_a_reader_that_ignores_the_end_of_children() -> None:
    code = (
        "import os, signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
        "from nsedu.observe.questions import answers; print(answers([os.getpid()], 'uts', 'name'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{[{'value': os.uname().nodename}]}\n", done.stderr


def test_a_fork_of_the_reader_leaves_it_alone(helper: Helper) -> None:
    helper.ask(NAMES, QUESTION)
    pid = os.fork()
    if pid == 0:
        helper.after_fork()
        helper.close()
        os._exit(0)
    os.waitpid(pid, 0)
    assert helper.ask(NAMES, about_me()) == [{"value": os.uname().nodename}]


def test_a_fault_of_ours_is_told_and_ends_nothing(helper: Helper) -> None:
    with pytest.raises(OSError, match="KeyError"):
        helper.ask(NAMES, {**about_me(), "question": "nonsense"})
    assert helper.ask(NAMES, about_me()) == [{"value": os.uname().nodename}]


# A fork of it


def test_a_fork_may_not_be_traced() -> None:
    assert in_fork(lambda: syscalls.prctl(PR_GET_DUMPABLE))["value"] == 0


def test_a_fork_holds_no_descriptor_but_its_own() -> None:
    def held() -> list[int]:
        found = []
        for fd in range(3, 256):
            try:
                os.fstat(fd)
            except OSError:
                continue
            found.append(fd)
        return found

    reading, writing = os.pipe()
    try:
        found = in_fork(held, [reading])["value"]
        assert reading in found and writing not in found
        assert len(found) == 2  # the other is where its answer goes
    finally:
        os.close(reading)
        os.close(writing)


def test_a_fork_imports_nothing_any_more() -> None:
    with pytest.raises(RuntimeError, match="ModuleNotFoundError"):
        in_fork(lambda: __import__("antigravity"))


def test_one_that_waits_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1)
    assert in_fork(lambda: time.sleep(600)) == {"errno": errno.ETIMEDOUT}


def test_one_that_says_too_much_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 1000)
    assert in_fork(lambda: "x" * 100_000) == {"errno": errno.ETIMEDOUT}


def test_one_that_dies_has_no_answer() -> None:
    assert "errno" in in_fork(lambda: os.kill(os.getpid(), signal.SIGKILL))


@pytest.mark.needs("userns", "uts")
def test_another_process_with_the_same_number_is_not_taken_for_it() -> None:
    with ns.Sandbox("uts") as box:
        assert in_fork(lambda: enter(box.pid, "uts", 1)) == {"errno": errno.ESRCH}


@pytest.mark.needs("userns", "nsenter")
def test_who_owns_the_user_namespace_cannot_trace_the_fork_in_it(learner: Learner) -> None:
    if os.geteuid() != 0:
        pytest.skip("the fork of an ordinary user's helper is that user's own")
    command = ["unshare", "-Ur", "sh", "-c", "echo ready; exec sleep 60"]
    with subprocess.Popen(
        command,
        user=learner.uid,
        group=learner.gid,
        extra_groups=[],
        cwd=learner.home,
        env=learner.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as place:
        assert place.stdout is not None
        assert place.stdout.readline() == "ready\n"
        reading, writing = os.pipe()
        go, begin = os.pipe()
        said = []

        def visit() -> bool:
            entered = enter(place.pid, "user")
            os.write(writing, str(os.getpid()).encode())
            os.read(go, 1)
            return entered

        def attack() -> None:
            pid = os.read(reading, 16).decode()
            inside = ["nsenter", "-t", str(place.pid), "-U", "--preserve-credentials"]
            said.append(learner.run([*inside, learner.python, "-c", ATTACH, pid]).stdout.strip())
            os.write(begin, b"!")

        found = in_fork(visit, [writing, go], attack)
        place.kill()
    assert found["value"] is False
    assert said == ["Operation not permitted"]
