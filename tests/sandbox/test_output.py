"""How much a command may write, and what is said of one that writes more."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from test_running import family
from traitlets.config import Config

from awaiting import ended, eventually
from nsedu import OutputTooLong, Sandbox
from nsedu.notebook.cells import byhand, interpreter
from nsedu.sandbox import output

pytestmark = pytest.mark.needs("userns", "uts", "pid")

MUCH = {
    "many small writes": "yes",
    "no newline": "cat /dev/zero",
    "binary": "cat /dev/urandom",
    "on its error": "yes >&2",
    "on both": "yes & yes >&2",
    "in the background, after its own end": "yes & sleep 0.2",
    "deaf to signals": "trap '' TERM INT HUP PIPE; while :; do printf '%065536d' 1; done",
}


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox("uts", "pid", name="mars") as sandbox:
        yield sandbox


@pytest.mark.parametrize("script", MUCH.values(), ids=MUCH)
def test_a_command_that_writes_without_end_is_killed_in_a_sentence(
    box: Sandbox, script: str
) -> None:
    with pytest.raises(OutputTooLong) as caught:
        box.run(script, output_limit=1 << 20)
    assert "wrote more than 1 MiB and was stopped. Allow more with output_limit=" in str(
        caught.value
    )
    assert eventually(lambda: not family(box.pid) or "background" in script)
    assert box.run(["echo", "fine"]).stdout == "fine\n"


def test_there_is_a_limit_without_asking_for_one(box: Sandbox) -> None:
    with pytest.raises(OutputTooLong, match="more than 64 MiB"):
        box.run("yes")


def test_just_what_is_allowed_is_taken(box: Sandbox) -> None:
    assert len(box.run("head -c 5000 /dev/zero", output_limit=5000).stdout) == 5000
    with pytest.raises(OutputTooLong, match="more than 4999 bytes"):
        box.run("head -c 5000 /dev/zero", output_limit=4999)


def test_all_is_taken_when_it_is_asked_for(box: Sandbox) -> None:
    size = output.KEPT + 5
    assert len(box.run(f"head -c {size} /dev/zero", output_limit=None).stdout) == size


def test_communicate_has_the_same_limit(box: Sandbox) -> None:
    command = box.popen("yes")
    with pytest.raises(OutputTooLong):
        command.communicate(output_limit=1 << 20)
    assert ended(command.pid)


def test_a_pipe_that_nobody_reads_makes_the_command_wait(box: Sandbox) -> None:
    with box.popen("yes") as command:
        assert command.stdout.readline() == "y\n"
        assert command.poll() is None


def flood() -> None:
    while True:
        print("x" * 1000)


def test_a_function_that_prints_without_end_is_killed(
    box: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "PRINTED", 1 << 20)
    with pytest.raises(OutputTooLong, match="Let it print less"):
        box.call(flood)
    assert len(capsys.readouterr().out) <= 1 << 20


CELLS: dict[str, Callable[[Sandbox], None]] = {
    "%%inside -p": lambda box: interpreter.of(box).run("while True: print('x' * 1000)", 30),
    "%%byhand": lambda box: byhand.run("while True: print('x' * 1000)"),
    "%%byhand, by a child": lambda box: byhand.run("import subprocess; subprocess.run('yes')"),
    "%%byhand, without newlines": lambda box: byhand.run(
        "import os\nwhile True: os.write(2, bytes(65536))"
    ),
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_a_cell_that_prints_without_end_is_stopped(
    box: Sandbox, cell: Callable[[Sandbox], None], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(output, "PRINTED", 1 << 20)
    with pytest.raises(OutputTooLong, match=r"wrote more than 1 MiB and was stopped\."):
        cell(box)
    said = capsys.readouterr()
    assert len(said.out) + len(said.err) <= 1 << 20


def test_an_interpreter_that_printed_too_much_keeps_its_names(
    box: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "PRINTED", 1 << 20)
    interpreter.of(box).run("kept = 5", 30)
    with pytest.raises(OutputTooLong):
        interpreter.of(box).run("while True: print('x' * 1000)", 30)
    capsys.readouterr()
    interpreter.of(box).run("print(kept)", 30)
    assert capsys.readouterr().out == "5\n"


def test_an_interrupt_that_comes_late_does_not_meet_the_next_cell(
    box: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell may have ended by its closed pipe before the sandbox sends the signal."""
    monkeypatch.setattr(output, "PRINTED", 1 << 20)
    interpreter.of(box).run("import time; kept = 5", 30)
    os.kill(box.pid, signal.SIGSTOP)
    threading.Timer(0.5, os.kill, (box.pid, signal.SIGCONT)).start()
    with pytest.raises(OutputTooLong):
        interpreter.of(box).run("while True: print('x' * 1000)", 30)
    capsys.readouterr()
    interpreter.of(box).run("time.sleep(0.6); print(kept)", 30)
    assert capsys.readouterr().out == "5\n"


@pytest.fixture
def shell(box: Sandbox) -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "nsedu")
    shell.user_ns["mars"] = box
    yield shell
    shell.run_line_magic("unload_ext", "nsedu")
    InteractiveShell.clear_instance()


def test_a_bash_cell_is_given_as_much_as_it_asks_for(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    script = f"head -c {(1 << 20) + 1} /dev/zero"
    with pytest.raises(OutputTooLong, match=r"Print less, or allow more: -o MIB\."):
        shell.run_cell_magic("inside", "-o 1 mars", script)
    assert len(capsys.readouterr().out) == 1 << 20
    shell.run_cell_magic("inside", "-o 2 mars", script)
    assert len(capsys.readouterr().out) == (1 << 20) + 1


def test_the_error_can_be_sent_elsewhere() -> None:
    error = OutputTooLong("yes", 5, "Do so.")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
