"""Helper processes: started, asked one thing, and gone afterwards."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from awaiting import ended
from nsedu.agent import helper


def ask(code: str, question: str = "", *, seconds: float) -> str:
    return helper.run([sys.executable, "-I", "-S", "-c", code], question, seconds=seconds)


def test_a_fresh_python_calls_a_function_with_its_arguments() -> None:
    words = helper.python_command("builtins:print", "a'b", None, [1], unbuffered=True)
    assert helper.run(words, seconds=30) == "a'b None [1]\n"


def test_it_finds_this_package_and_what_is_given_but_no_other() -> None:
    first = "import sys; sys.path[:] = ['last']; "
    words = helper.python_command("builtins:exec", "print(sys.path)", path=["a", "b"], first=first)
    assert helper.run(words, seconds=30) == "['a', 'b', 'last']\n"


def test_it_reads_the_question_and_writes_the_answer() -> None:
    assert ask("print(input() + '!')", "é", seconds=30) == "é!\n"


def test_it_is_killed_with_all_it_has_started_when_it_takes_too_long(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"""
import os, time
fork = os.fork()
if fork:
    open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{fork}}")
time.sleep(1000)
"""
    with pytest.raises(TimeoutError, match=r"did not answer within 1 s"):
        ask(code, seconds=1)
    assert all(ended(int(pid)) for pid in pids.read_text().split())


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise ValueError('so')", "failed: ValueError: so"),
        ("import os; os._exit(3)", "failed: exit status 3"),
    ],
)
def test_one_that_fails_says_why(code: str, why: str) -> None:
    with pytest.raises(OSError, match=why):
        ask(code, seconds=30)


def test_a_question_that_is_not_read_is_no_trouble() -> None:
    code = "import os; os.close(0); print('fine')"
    assert ask(code, "x" * 1_000_000, seconds=30) == "fine\n"


def test_nothing_of_it_is_left() -> None:
    before = len(os.listdir("/proc/self/fd"))
    ask("print(1)", seconds=30)
    with pytest.raises(TimeoutError):
        ask("import time; time.sleep(1000)", seconds=0.1)
    assert len(os.listdir("/proc/self/fd")) == before
