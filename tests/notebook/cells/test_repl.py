"""A sandbox has a Python interpreter of its own, which keeps its names between cells."""

from __future__ import annotations

import gc
import os
import signal
import socket
import weakref
from collections.abc import Iterator

import pytest

from awaiting import ended, eventually
from nsedu.errors.namespace_error import NamespaceError
from nsedu.notebook.cells import interpreter as repl
from nsedu.notebook.cells.python_cell import CellFailed
from nsedu.observe.snapshot import snapshot
from nsedu.sandbox.process import CommandTimedOut
from nsedu.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.needs("userns", "uts")


@pytest.fixture
def mars() -> Iterator[Sandbox]:
    with Sandbox("uts", hostname="mars", name="mars") as box:
        yield box


def run(box: Sandbox, source: str, timeout: float = 30) -> None:
    repl.of(box).run(source, timeout)


def test_a_cell_runs_inside(mars: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    run(mars, "import socket\nsocket.gethostname()")
    assert capsys.readouterr() == ("'mars'\n", "")
    assert socket.gethostname() != "mars"


def test_names_are_kept_between_cells(mars: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    run(mars, "x = 20")
    run(mars, "x + 1")
    assert capsys.readouterr().out == "21\n"


def test_each_sandbox_has_names_of_its_own(
    mars: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox("uts") as venus:
        run(mars, "x = 'mars'")
        run(venus, "x = 'venus'")
        run(mars, "x")
    assert capsys.readouterr().out == "'mars'\n"


def test_both_streams_arrive_and_so_does_what_a_program_prints(
    mars: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        mars,
        "import subprocess, sys\nprint('é')\nprint('trouble', file=sys.stderr)\n"
        "subprocess.run('echo out; echo err >&2', shell=True, check=True)\nNone",
    )
    assert capsys.readouterr() == ("é\nout\n", "trouble\nerr\n")


def test_an_exception_shows_the_users_lines_and_keeps_the_names(
    mars: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    run(mars, "def f():\n    return 1 / 0")
    with pytest.raises(CellFailed) as caught:
        run(mars, "x = 1\nf()")
    assert caught.value._render_traceback_() == [
        "line 2: f()",
        "line 2, in f: return 1 / 0",
        "ZeroDivisionError: division by zero",
    ]
    run(mars, "x")
    assert capsys.readouterr().out == "1\n"


def test_an_exit_leaves_the_interpreter_running(mars: Sandbox) -> None:
    run(mars, "x = 1")
    with pytest.raises(CellFailed, match="SystemExit: 3"):
        run(mars, "import sys; sys.exit(3)")
    run(mars, "x")


def test_it_can_import_what_the_notebook_can(
    mars: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    run(mars, "import cloudpickle, nsedu.kernel.syscalls\nprint(cloudpickle.__name__)")
    assert capsys.readouterr().out == "cloudpickle\n"


def test_it_has_one_thread_and_may_unshare(
    mars: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    run(mars, "from nsedu.kernel.syscalls import *\nunshare(CloneFlag.NEWUSER)\nos.getuid()")
    assert capsys.readouterr().out == "65534\n"


def test_a_child_that_the_cell_forked_does_not_run_the_next_cell(
    mars: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    run(mars, "import os\npid = os.fork()\nif pid:\n    os.waitpid(pid, 0)")
    run(mars, "print('once')")
    assert capsys.readouterr().out == "once\n"


def test_a_cell_that_runs_too_long_is_interrupted_and_the_names_stay(
    mars: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    run(mars, "import time\nx = 1")
    with pytest.raises(CommandTimedOut):
        run(mars, "time.sleep(1000)", timeout=0.5)
    run(mars, "x")
    assert capsys.readouterr().out == "1\n"


def test_a_cell_that_ignores_the_interrupt_ends_with_its_interpreter(
    mars: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(repl, "_GRACE", 0.2)
    with pytest.raises(CommandTimedOut):
        run(
            mars,
            "import os, signal, time\nprint(os.getpid(), flush=True)\n"
            "signal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(1000)",
            timeout=0.5,
        )
    assert ended(int(capsys.readouterr().out))
    with pytest.raises(CellFailed, match="NameError"):
        run(mars, "time")
    assert "had ended; its variables are gone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("import os; os._exit(3)", "ended with exit status 3"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
    ],
)
def test_an_interpreter_that_ended_is_said_and_started_anew(
    mars: Sandbox, source: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CellFailed, match=f'of sandbox "mars" {how}; its variables are gone'):
        run(mars, source)
    run(mars, "'again'")
    assert capsys.readouterr() == ("'again'\n", "")


def test_an_interpreter_that_ended_between_cells_is_said_too(
    mars: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    run(mars, "import os\nprint(os.getpid())")
    interpreter = repl.of(mars)
    os.kill(int(capsys.readouterr().out), signal.SIGKILL)
    assert eventually(lambda: not interpreter.alive)
    run(mars, "1")
    assert "its variables are gone" in capsys.readouterr().err


def test_a_picture_calls_it_by_name(mars: Sandbox) -> None:
    run(mars, "x = 1")
    roles = [process.role for process in snapshot().processes.values()]
    assert 'Python of sandbox "mars"' in roles


def test_it_ends_with_the_sandbox(capsys: pytest.CaptureFixture[str]) -> None:
    with Sandbox("uts") as box:
        run(box, "import os\nprint(os.getpid())")
    assert ended(int(capsys.readouterr().out))


def test_a_closed_sandbox_holds_no_descriptor_for_it() -> None:
    Sandbox("uts").close()
    before = os.listdir("/proc/self/fd")
    box = Sandbox("uts")
    run(box, "x = 1")
    box.close()
    assert os.listdir("/proc/self/fd") == before


def test_it_keeps_no_sandbox_alive(capsys: pytest.CaptureFixture[str]) -> None:
    box = Sandbox("uts")
    run(box, "import os\nprint(os.getpid())")
    forgotten = weakref.ref(box)
    del box
    gc.collect()
    assert forgotten() is None
    assert ended(int(capsys.readouterr().out))


@pytest.mark.faults
def test_a_sandbox_that_dies_during_a_cell_is_said(mars: Sandbox) -> None:
    with pytest.raises(NamespaceError, match='the first process of sandbox "mars"'):
        run(mars, f"import os, time; os.kill({mars.pid}, 9); time.sleep(1000)")


def test_a_closed_sandbox_has_no_interpreter() -> None:
    box = Sandbox("uts")
    box.close()
    with pytest.raises(NamespaceError, match="has been closed"):
        run(box, "1")
