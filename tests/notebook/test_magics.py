"""What `%load_ext nsedu` brings, in a bare IPython and in a real kernel."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

import refresh_notebooks as refresher
from nsedu.notebook.magics import CellTimedOut
from nsedu.sandbox import agent_client
from nsedu.sandbox.process import CommandFailed
from nsedu.sandbox.sandbox import Sandbox

pytestmark = pytest.mark.needs("userns", "uts")


@pytest.fixture(scope="module")
def ipython() -> Iterator[InteractiveShell]:
    """A bare IPython without a history file, which it would write when pytest has ended."""
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(ipython: InteractiveShell) -> Iterator[InteractiveShell]:
    """An IPython with the extension and a sandbox called mars."""
    ipython.run_line_magic("load_ext", "nsedu")
    with Sandbox("uts", hostname="mars", name="mars") as mars:
        ipython.user_ns["mars"] = mars
        yield ipython
    ipython.reset(new_session=False)
    ipython.run_line_magic("unload_ext", "nsedu")


def said(shell: InteractiveShell, source: str) -> tuple[str, str]:
    with capture_output() as seen:
        shell.run_cell(source).raise_error()
    return seen.stdout, seen.stderr


# %%inside


def test_a_bash_cell_runs_inside(shell: InteractiveShell) -> None:
    assert said(shell, "%%inside mars\nuname -n\necho trouble >&2") == ("mars\n", "trouble\n")


def test_a_sandbox_may_be_an_expression(shell: InteractiveShell) -> None:
    assert said(shell, "%%inside {'x':mars}['x']\nuname -n") == ("mars\n", "")


@pytest.mark.parametrize("magic", ["inside", "trace"])
@pytest.mark.parametrize(("cell", "why"), [("a\0b", "a NUL"), ("\ud800", "lone surrogate")])
def test_a_cell_that_no_shell_can_be_given_is_refused(
    shell: InteractiveShell, magic: str, cell: str, why: str
) -> None:
    with pytest.raises(UsageError, match=f"The cell must .*{why}"):
        shell.run_cell_magic(magic, "mars", cell)


def test_a_bash_cell_that_fails_raises_in_a_sentence(shell: InteractiveShell) -> None:
    with capture_output() as seen:
        result = shell.run_cell("%%inside mars\necho one\nfalse\necho two")
    assert isinstance(result.error_in_exec, CommandFailed)
    assert "Traceback" not in seen.stdout + seen.stderr
    assert seen.stdout.splitlines() == [
        "one",
        "CommandFailed: Command '%%inside mars' returned non-zero exit status 1.",
    ]
    assert seen.stderr == "line 2: exit status 1 from: false\n"


def test_a_python_cell_runs_inside_and_keeps_its_names(shell: InteractiveShell) -> None:
    said(shell, "%%inside -p mars\nimport socket\nx = socket.gethostname()")
    assert said(shell, "%%inside -p mars\nx") == ("'mars'\n", "")
    assert "x" not in shell.user_ns


def test_a_python_cell_that_fails_shows_its_own_line(shell: InteractiveShell) -> None:
    with capture_output() as seen:
        shell.run_cell("%%inside --python mars\nx = 1\n1 / 0")
    assert seen.stdout == "line 2: 1 / 0\nZeroDivisionError: division by zero\n"


@pytest.mark.parametrize("option", ["", "-p "])
def test_a_cell_gets_as_long_as_it_is_given(shell: InteractiveShell, option: str) -> None:
    slow = "import time; time.sleep(1000)" if option else "sleep 1000"
    with capture_output() as seen:
        result = shell.run_cell(f"%%inside {option}-t 0.3 mars\n{slow}")
    assert isinstance(result.error_in_exec, CellTimedOut)
    assert "still running after 0.3 s" in seen.stdout and "-t SECONDS" in seen.stdout


def test_a_cell_gets_the_sandboxs_own_timeout_unless_it_is_given_one(
    shell: InteractiveShell,
) -> None:
    shell.user_ns["mars"].timeout = 0.3
    for option in ("", "-p "):
        slow = "import time; time.sleep(1000)" if option else "sleep 1000"
        with capture_output():
            result = shell.run_cell(f"%%inside {option}mars\n{slow}")
        assert isinstance(result.error_in_exec, CellTimedOut)


def test_a_character_split_between_two_writes_arrives_whole(shell: InteractiveShell) -> None:
    assert said(shell, r"""%%inside mars
printf '\xe2\x89'; sleep 0.05; printf '\xa0\n'""") == ("≠\n", "")  # fmt: skip


# Wrong usage


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("%%inside venus\ntrue", r"There is no venus here; make it first: venus = nsedu.Sandbox"),
        ("%%inside 7\ntrue", r"7 is not a sandbox but a int; name one"),
        ("%%inside mars.x\ntrue", r"mars.x cannot be evaluated"),
        ("%%inside\ntrue", r"required: box"),
        ("%%inside -t soon mars\ntrue", r"-t takes a number of seconds above 0, not 'soon'"),
        ("%%inside -t -1 mars\ntrue", r"-t takes a number|expected one argument"),
        ("%%inside mars venus\ntrue", r"unrecognized arguments: venus"),
        ("%%byhand mars\ntrue", r"unrecognized arguments: mars"),
        ("%%trace venus\ntrue", r"There is no venus here"),
        ("%nstree venus", r"There is no venus here"),
        ("%nstree --type uts", r"invalid choice: 'uts'"),
        ("%nstree mars --machine", r"Name a sandbox or say --machine, not both"),
        ("%nsdiff", r"nothing to compare with yet; run %nsdiff start before"),
        ("%nsdiff stop", r"invalid choice: 'stop'"),
        ("%%nsdiff start\ntrue", r"%%nsdiff takes no word"),
    ],
)
def test_wrong_usage_is_said_in_a_sentence(
    shell: InteractiveShell, source: str, words: str
) -> None:
    with capture_output() as seen:
        result = shell.run_cell(source)
    assert isinstance(result.error_in_exec, UsageError)
    assert re.search(words, seen.stderr)
    assert len(seen.stderr.splitlines()) == 1


@pytest.mark.parametrize("magic", ["%%inside mars\n1", "%%inside -p mars\n1", "%%trace mars\n1"])
def test_a_closed_sandbox_is_said_in_a_sentence(shell: InteractiveShell, magic: str) -> None:
    shell.user_ns["mars"].close()
    with capture_output() as seen:
        result = shell.run_cell(magic)
    assert isinstance(result.error_in_exec, UsageError)
    assert 'sandbox "mars" has been closed' in seen.stderr
    assert seen.stderr.endswith("make a new one, or do this before closing it.\n")


def test_every_magic_says_what_it_does(shell: InteractiveShell) -> None:
    found = shell.magics_manager.magics
    for kind, name in [
        ("cell", "inside"), ("cell", "byhand"), ("cell", "trace"), ("line", "nstree"),
        ("line", "nsdiff"), ("cell", "nsdiff"),
    ]:  # fmt: skip
        assert len((found[kind][name].__doc__ or "").split()) > 10


def test_unloading_takes_the_magics_back(ipython: InteractiveShell) -> None:
    ipython.run_line_magic("load_ext", "nsedu")
    ipython.run_line_magic("unload_ext", "nsedu")
    found = ipython.magics_manager.magics
    assert not {"inside", "byhand", "trace", "nstree", "nsdiff"} & {*found["cell"], *found["line"]}


def test_importing_nsedu_does_not_import_ipython() -> None:
    code = "import sys, nsedu; sys.exit('IPython' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=agent_client.ROOT).returncode == 0


# %%byhand and %%trace


def test_by_hand(shell: InteractiveShell) -> None:
    source = (
        "%%byhand\nunshare(CLONE_NEWUSER | CLONE_NEWUTS)\nsethostname(b'x')\nos.uname().nodename"
    )
    assert said(shell, source) == ("'x'\n", "")


def test_by_hand_gets_as_long_as_it_is_given(shell: InteractiveShell) -> None:
    with capture_output() as seen:
        shell.run_cell("%%byhand -t 0.3\nimport time; time.sleep(1000)")
    assert seen.stdout.endswith("Give it longer: %%byhand -t SECONDS.\n")


@pytest.mark.needs("strace", "hostname")
def test_a_trace_in_a_sandbox(shell: InteractiveShell) -> None:
    out, _ = said(shell, "%%trace mars\nhostname phobos; hostname")
    assert out == 'A hostname  sethostname("phobos")\n\nphobos\n'


# %nstree and %nsdiff


def test_the_tree_shows_the_sandbox(shell: InteractiveShell) -> None:
    for source in ("%nstree", "%nstree mars", "%nstree --type user", "%nstree --machine"):
        with capture_output() as seen:
            shell.run_cell(source).raise_error()
        (picture,) = seen.outputs
        assert 'sandbox "mars"' in picture.data["text/plain"], source
        assert "image/svg+xml" in picture.data


def test_a_difference_is_shown_since_the_start(shell: InteractiveShell) -> None:
    assert said(shell, "%nsdiff start") == ("", "")
    said(shell, "import nsedu\nvenus = nsedu.Sandbox('uts', name='venus')")
    for _ in range(2):
        with capture_output() as seen:
            shell.run_cell("%nsdiff").raise_error()
        (picture,) = seen.outputs
        assert 'sandbox "venus"' in picture.data["text/plain"]


def test_a_difference_is_shown_for_a_cell(shell: InteractiveShell) -> None:
    with capture_output() as seen:
        shell.run_cell("%%nsdiff\nimport nsedu\nvenus = nsedu.Sandbox('uts', name='venus')\n7")
    assert seen.stdout.endswith("7\n")
    assert 'sandbox "venus"' in seen.outputs[-1].data["text/plain"]
    assert "venus" in shell.user_ns


def test_an_error_in_a_compared_cell_is_raised_once(shell: InteractiveShell) -> None:
    with capture_output() as seen:
        result = shell.run_cell("%%nsdiff\n1 / 0")
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    assert seen.stdout.count("division by zero") == 1


# In a real kernel

CELLS = {
    "%load_ext nsedu": "",
    "import nsedu\nmars = nsedu.Sandbox('uts', hostname='mars', name='mars')": "",
    "%%inside mars\nuname -n; echo trouble >&2": "mars\ntrouble\n",
    "%%inside -p mars\nimport os, socket\n_ = os.system('echo from below')\nsocket.gethostname()":
        "from below\n'mars'\n",
    "%%byhand\nunshare(CLONE_NEWUSER | CLONE_NEWUTS)\nsethostname(b'phobos')\n"
    "os.execvp('uname', ['uname', '-n'])": "phobos\n",
    "%%trace\nunshare -Ur --uts hostname phobos": """\
A unshare   unshare(CLONE_NEWUTS|CLONE_NEWUSER)
A unshare   write("/proc/self/uid_map", "0 ID 1")
A unshare   write("/proc/self/setgroups", "deny")
A unshare   write("/proc/self/gid_map", "0 ID 1")
A hostname  sethostname("phobos")
""",
}  # fmt: skip
FAILING = {
    "%%inside mars\nfalse": ("CommandFailed", "Command '%%inside mars' returned non-zero exit"),
    "%%inside -p mars\n1 / 0": ("CellFailed", "ZeroDivisionError: division by zero"),
    "%%byhand\n1 / 0": ("CellFailed", "ZeroDivisionError: division by zero"),
    "%%trace\nfalse": ("CommandFailed", "Command '%%trace' returned non-zero exit"),
}
PICTURES = ["%nstree", "%nstree mars", "%nstree --type user", "%nsdiff start", "%nsdiff"]


def executed(sources: list[str], directory: Path) -> list[nbformat.NotebookNode]:
    """The cells, run in a kernel, each of them twice in a row."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources for _ in "ab"]
    for cell in cells:
        cell.metadata["tags"] = ["raises-exception"]
    nb = nbformat.v4.new_notebook(cells=cells)
    refresher.execute(nb, directory)
    return refresher.normalise(nb).cells


@pytest.mark.needs("strace", "hostname")
def test_in_a_kernel_every_magic_says_the_same_twice(tmp_path: Path) -> None:
    cells = executed([*CELLS], tmp_path)
    for (source, expected), first, second in zip(
        list(CELLS.items())[1:], cells[2::2], cells[3::2], strict=True
    ):
        for cell in (first, second):
            assert {output.output_type for output in cell.outputs} <= {"stream"}, cell.outputs
            assert "".join(output.text for output in cell.outputs) == expected, source


@pytest.mark.needs("strace")
def test_in_a_kernel_a_failure_is_an_error_of_few_words(tmp_path: Path) -> None:
    cells = executed([*list(CELLS)[:2], *FAILING], tmp_path)[4:]
    for (name, words), first, second in zip(FAILING.values(), cells[::2], cells[1::2], strict=True):
        for cell in (first, second):
            error = cell.outputs[-1]
            assert error.output_type == "error", cell.outputs
            assert error.ename == name and error.evalue.startswith(words)
            assert len(error.traceback) <= 2


def test_in_a_kernel_pictures_are_displayed_and_compare_equal(tmp_path: Path) -> None:
    cells = executed([*list(CELLS)[:2], *PICTURES], tmp_path)[4:]
    for source, first, second in zip(PICTURES, cells[::2], cells[1::2], strict=True):
        texts = [[o.data["text/plain"] for o in cell.outputs] for cell in (first, second)]
        assert texts[0] == texts[1]
        assert len(texts[0]) == (0 if source == "%nsdiff start" else 1)


class Signpost(io.StringIO):
    """A stream that tells when "ready" has been written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = threading.Event()

    def write(self, text: str) -> int:
        if "ready" in text:
            self.ready.set()
        return super().write(text)


@pytest.mark.parametrize(
    ("magic", "cell"),
    [
        ("%%inside mars", "echo ready; sleep 1000"),
        ("%%inside -p mars", "import time\nprint('ready')\ntime.sleep(1000)"),
        ("%%byhand", "import time\nprint('ready')\ntime.sleep(1000)"),
    ],
)
def test_an_interrupt_stops_a_cell(
    shell: InteractiveShell, magic: str, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdout = Signpost()
    monkeypatch.setattr(sys, "stdout", stdout)

    def interrupt() -> None:
        stdout.ready.wait(30)
        # From another process, as a notebook's server does it: a signal that a thread of ours sends
        # may arrive just before this one sleeps.
        subprocess.run(["kill", "-INT", str(os.getpid())], check=True)

    thread = threading.Thread(target=interrupt)
    thread.start()
    name, _, line = magic[2:].partition(" ")
    with pytest.raises(KeyboardInterrupt):
        shell.run_cell_magic(name, line, cell)
    thread.join()
