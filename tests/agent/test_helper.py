"""A fresh interpreter that is asked one thing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from awaiting import ended
from nsedu import NamespaceError
from nsedu.agent import helper


def test_it_reads_the_question_and_writes_the_answer() -> None:
    assert helper.ask("print(input() + '!')", "é", seconds=30) == "é!\n"


def test_it_is_killed_with_all_it_has_started_when_it_takes_too_long(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"""
import os, time
fork = os.fork()
if fork:
    open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{fork}}")
time.sleep(1000)
"""
    with pytest.raises(NamespaceError, match=r"did not answer within 1 s"):
        helper.ask(code, seconds=1)
    assert all(ended(int(pid)) for pid in pids.read_text().split())


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise ValueError('so')", "failed: ValueError: so"),
        ("pass", "ended without an answer"),
        ("import os; os._exit(3)", "failed: exit status 3"),
    ],
)
def test_one_that_fails_says_why(code: str, why: str) -> None:
    with pytest.raises(NamespaceError) as caught:
        helper.ask(code, seconds=30)
    assert why in caught.value.cause


def test_it_can_wait_for_children_although_the_notebook_ignores_theirs() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        code = "import os; pid = os.fork(); pid or os._exit(3); print(os.waitpid(pid, 0)[1])"
        assert helper.ask(code, seconds=30) == f"{3 << 8}\n"
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_question_that_is_not_read_is_no_trouble() -> None:
    code = "import os; os.close(0); print('fine')"
    assert helper.ask(code, "x" * 1_000_000, seconds=30) == "fine\n"


def test_nothing_of_it_is_left() -> None:
    before = len(os.listdir("/proc/self/fd"))
    helper.ask("print(1)", seconds=30)
    with pytest.raises(NamespaceError):
        helper.ask("import time; time.sleep(1000)", seconds=0.1)
    assert len(os.listdir("/proc/self/fd")) == before
