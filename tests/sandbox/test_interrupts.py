"""Ctrl-C at whatever moment: nothing is left, and one sentence is shown.

By default ten interrupts are tried; NSEDU_INTERRUPTS=1000 tries a thousand.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from test_running import family
from traitlets.config import Config

from awaiting import PATIENCE, eventually, readable
from nsedu import Sandbox
from nsedu.kernel import interrupts
from nsedu.requirements import missing
from nsedu.sandbox import sandbox
from processes import children

pytestmark = [pytest.mark.faults, pytest.mark.needs("userns", "uts", "pid", "net")]
TIMES = int(os.environ.get("NSEDU_INTERRUPTS", "10"))
HERE = Path(__file__).parents[1] / "support"


class Interrupted:
    """A notebook played by interrupted.py."""

    def __init__(self, seed: int) -> None:
        limits = str(int(not missing(["cgroup-write"])))
        path = os.pathsep.join(filter(None, sys.path))
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "interrupted.py"), str(seed), limits],
            env={**os.environ, "PYTHONPATH": path, "TQDM_DISABLE": "1"}, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        self.read = b""

    def line(self) -> str:
        assert self.process.stdout is not None
        while b"\n" not in self.read:
            assert readable(self.process.stdout.fileno(), 60), "it hangs"
            more = os.read(self.process.stdout.fileno(), 65536)
            assert more, self.process.communicate(timeout=PATIENCE)[1].decode()
            self.read += more
        line, _, self.read = self.read.partition(b"\n")
        return line.decode(errors="replace")

    def until(self, start: str) -> str:
        while not (line := self.line()).startswith(start):
            pass
        return line


@pytest.mark.timeout(60 + 3 * TIMES)
@pytest.mark.parametrize("seed", [1, 2])
def test_an_interrupt_at_a_random_moment_leaves_nothing(seed: int) -> None:
    chance = random.Random(seed)
    played = Interrupted(seed)
    try:
        played.until("ready")
        left = []
        for _ in range(TIMES // 2):
            played.until("go")
            time.sleep(chance.random() * 0.3)  # somewhere in the middle of what it does
            os.kill(played.process.pid, signal.SIGINT)
            told = json.loads(played.until('{"how"'))
            if told["before"] != told["now"]:
                left.append(told)
        assert left == []
        assert played.process.communicate(b"stop\n", timeout=PATIENCE)[1] == b""
    finally:
        played.process.kill()
        played.process.communicate()


@pytest.fixture
def box() -> Sandbox:
    return Sandbox("uts", name="mars")


def test_a_stopped_cell_is_told_in_one_sentence(box: Sandbox) -> None:
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    try:
        shell.run_line_magic("load_ext", "nsedu")
        shell.user_ns["mars"] = box
        for cell in ("%%inside mars\nsleep 1000", "mars.run('sleep 1000')"):
            stop = threading.Thread(
                target=lambda: (
                    eventually(lambda: family(box.pid)) and os.kill(os.getpid(), signal.SIGINT)
                )
            )
            stop.start()
            with capture_output() as seen:
                shell.run_cell(cell)
            stop.join(PATIENCE)
            assert seen.stdout.strip() == interrupts.SENTENCE
            assert eventually(lambda: family(box.pid) == [])
    finally:
        shell.run_line_magic("unload_ext", "nsedu")
        InteractiveShell.clear_instance()
        box.close()


@pytest.mark.needs("cgroup-write")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands groups over")
def test_an_interrupt_while_a_control_group_is_handed_over_leaves_nothing(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = sandbox.await_reply

    def interrupted(server: Any, message: dict[str, Any]) -> bool:
        if message["op"] == "delegate":
            raise KeyboardInterrupt
        return ask(server, message)

    monkeypatch.setattr(sandbox, "await_reply", interrupted)
    before = os.listdir("/proc/self/fd"), children(box.agent_pid)
    with pytest.raises(KeyboardInterrupt):
        Sandbox("uts", limits={"pids": 50})
    assert os.listdir("/proc/self/fd") == before[0]
    assert eventually(lambda: children(box.agent_pid) == before[1])


def test_an_interrupt_waits_for_the_end_of_a_held_block() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), interrupts.held():
        os.kill(os.getpid(), signal.SIGINT)
        steps.append("goes on")
    assert steps == ["goes on"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("which", [0, 1], ids=["begins", "ends"])
def test_an_interrupt_just_as_a_held_block(which: int, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, change = itertools.count(), signal.signal

    def interrupted(*args: Any) -> object:
        if next(changes) == which:
            signal.raise_signal(signal.SIGINT)
        return change(*args)

    monkeypatch.setattr(signal, "signal", interrupted)
    with pytest.raises(KeyboardInterrupt), interrupts.held():  # it is not lost
        pass
    monkeypatch.undo()
    test_an_interrupt_waits_for_the_end_of_a_held_block()  # and others are held as before


def test_it_is_let_in_where_something_is_awaited() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.held():
        os.kill(os.getpid(), signal.SIGINT)
        with interrupts.awaiting():
            pytest.fail("it was not let in")


def test_it_is_not_let_in_while_something_is_closed() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), interrupts.held(), interrupts.held(closing=True):
        os.kill(os.getpid(), signal.SIGINT)
        with interrupts.awaiting():
            steps.append("goes on")
    assert steps == ["goes on"]


def test_it_is_not_let_in_while_something_forgotten_is_closed_during_a_wait() -> None:
    steps = []
    with (
        pytest.raises(KeyboardInterrupt), interrupts.held(), interrupts.awaiting(),
        interrupts.held(closing=True),
    ):  # fmt: skip
        os.kill(os.getpid(), signal.SIGINT)
        steps.append("goes on")
    assert steps == ["goes on"]


def test_a_notebook_that_ignores_interrupts_is_not_stopped() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.held():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
