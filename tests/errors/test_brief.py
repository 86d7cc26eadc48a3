"""Errors of ours as IPython shows them: a sentence, without frames of ours."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.utils.capture import capture_output
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

import refresh_notebooks as refresher
from nsedu.errors import short_tracebacks

HERE = str(Path(short_tracebacks.__file__).parent.parent)


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """An IPython in which nsedu is imported, and no more."""
    made = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    short_tracebacks.watch(made)
    made.run_cell("import nsedu as ns")
    try:
        yield made
    finally:
        made.set_custom_exc((), None)
        InteractiveShell.clear_instance()
        # An AttributeError holds the object that it is of, here a sandbox (obj, Python 3.10).
        sys.last_type = sys.last_value = sys.last_traceback = None
        made.last_execution_result = made.InteractiveTB.evalue = made.InteractiveTB.tb = None
        gc.collect()


def shown(shell: InteractiveShell, source: str) -> tuple[str, ExecutionResult]:
    with capture_output() as seen:
        result = shell.run_cell(source)
    return seen.stdout + seen.stderr, result


WRONG = {
    "ns.check('uts1')": "ValueError: there is no exercise 'uts1'; did you mean 'uts-1'?\n",
    "ns.sandbox('uts')": "TypeError: nsedu.sandbox is a module, which cannot be called;"
    " did you mean nsedu.Sandbox?\n",
    "ns.boxes": "AttributeError: module 'nsedu' has no attribute 'boxes'; nsedu.help() says what"
    " there is\n",
    "ns.Sandbox('uts', hostnme='x')": "TypeError: Sandbox.__init__() got an unexpected keyword"
    " argument 'hostnme'; did you mean hostname?\n",
    "ns.claim('one is two', 1 == 2)": "ClaimFailed: ✘ one is two\n  seen: False\n",
    "ns.course('/nowhere')": None,
}


@pytest.mark.parametrize("source", WRONG)
def test_an_error_of_ours_is_its_sentence_alone(shell: InteractiveShell, source: str) -> None:
    assert shell.run_cell("ns.Sandbox").success
    said, result = shown(shell, source)
    error = result.error_in_exec
    assert error is not None and said == f"{type(error).__name__}: {error}\n"
    assert HERE not in said and "Traceback" not in said
    if WRONG[source] is not None and "claim" not in source:
        assert said == WRONG[source]


def test_tb_still_shows_all_of_it(shell: InteractiveShell) -> None:
    shown(shell, "ns.check('uts1')")
    said, _ = shown(shell, "%tb")
    assert "Traceback (most recent call last)" in said and "find" in said
    assert f"{HERE}/learning/exercises" in said.replace("~", os.path.expanduser("~"))


def test_an_error_of_the_learners_own_keeps_its_traceback(shell: InteractiveShell) -> None:
    said, _ = shown(shell, "def half(x):\n    return x / 0\nhalf(3)")
    assert "Traceback" in said and "half" in said


@pytest.mark.needs("userns", "uts")
def test_what_a_function_raised_inside_keeps_its_traceback(shell: InteractiveShell) -> None:
    said, _ = shown(shell, "with ns.Sandbox('uts') as box: box.call(int, 'x')")
    assert "Traceback" in said and "raised inside the sandbox" in said


def test_a_fault_of_ours_keeps_its_traceback(shell: InteractiveShell) -> None:
    """An operation failed in our code, which no raise statement of ours says."""
    said, _ = shown(shell, "from nsedu.printable import clean; clean(7)")
    assert "Traceback" in said
    assert f"{HERE}/printable.py" in said.replace("~", os.path.expanduser("~"))


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("%%insid box\necho", "did you mean %%inside?"),
        ("%nstre", "did you mean %nstree?"),
        ("%%inside box\necho", "run %load_ext nsedu first"),
        ("ns.exercise('uts-1', hint=1)", "did you mean hints?"),
        ("ns.Sandbox('uts').runn('x')", "did you mean run?"),
    ],
)
@pytest.mark.needs("userns", "uts")
def test_a_name_of_ours_is_told_with_the_one_that_was_meant(
    shell: InteractiveShell, source: str, meant: str
) -> None:
    assert meant in shown(shell, source)[0]


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("%nstree --machne", "did you mean --machine?"),
        ("%nstree --type usr", "did you mean user?"),
        ("%nsdiff strat", "did you mean start?"),
        ("marsbox = 1\n", ""),
    ],
)
def test_so_is_an_option_of_a_magic(shell: InteractiveShell, source: str, meant: str) -> None:
    shell.run_line_magic("load_ext", "nsedu")
    try:
        assert meant in shown(shell, source)[0]
    finally:
        shell.run_line_magic("unload_ext", "nsedu")


def test_names_that_are_not_ours_are_left_alone(shell: InteractiveShell) -> None:
    said, _ = shown(shell, "class A:\n    name = 1\nA().nam")
    assert "did you mean" not in said
    said, _ = shown(shell, "def f(a): pass\nf(aa=1)")
    assert "did you mean" not in said


def test_plain_python_keeps_its_traceback() -> None:
    code = "import nsedu; nsedu.check('uts1')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Traceback (most recent call last)" in ended.stderr
    assert ended.stderr.endswith("there is no exercise 'uts1'; did you mean 'uts-1'?\n")


def test_what_runs_a_notebook_sees_the_class_and_the_message(tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell("import nsedu\nnsedu.check('uts1')")
    book = nbformat.v4.new_notebook(cells=[cell])
    with pytest.raises(CellExecutionError) as caught:
        refresher.execute(book, tmp_path)
    assert caught.value.ename == "ValueError"
    assert caught.value.evalue == "there is no exercise 'uts1'; did you mean 'uts-1'?"
