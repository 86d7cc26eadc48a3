"""A cell's Python runs as at a prompt, and its errors show its own lines."""

from __future__ import annotations

import errno
import os
import subprocess
from typing import Any

import pytest

from nsedu.notebook.cells import python_cell


def raised(source: str, names: dict[str, Any] | None = None) -> python_cell.CellFailed:
    try:
        python_cell.run(source, {} if names is None else names)
    except BaseException as error:
        return python_cell.CellFailed(**python_cell.report(error))
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("1 + 1", "2\n"),
        ("'a'", "'a'\n"),
        ("None", ""),
        ("x = 3", ""),
        ("x = 3\nx", "3\n"),
        ("3\nx = 4", ""),
        ("", ""),
        ("# nothing", ""),
    ],
)
def test_the_value_of_a_last_expression_is_shown(
    source: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    python_cell.run(source, {})
    assert capsys.readouterr().out == printed


def test_names_are_kept() -> None:
    names: dict[str, Any] = {}
    python_cell.run("x = 3", names)
    python_cell.run("y = x + 1", names)
    assert names["y"] == 4


def test_an_error_shows_the_lines_of_the_cell_that_led_to_it() -> None:
    error = raised("def f():\n    return 1 / 0\n\nf()\n")
    assert error._render_traceback_() == [
        "line 4: f()",
        "line 2, in f: return 1 / 0",
        "ZeroDivisionError: division by zero",
    ]


def test_an_error_below_the_cell_shows_the_line_of_the_cell_only() -> None:
    assert raised("import json\njson.loads('{')").lines == ["line 2: json.loads('{')"]


def test_a_function_of_an_earlier_cell_keeps_its_lines() -> None:
    names: dict[str, Any] = {}
    python_cell.run("def f():\n    boom", names, 1)
    with pytest.raises(NameError) as caught:
        python_cell.run("\n\nf()", names, 2)
    assert python_cell.report(caught.value)["lines"] == ["line 3: f()", "line 2, in f: boom"]


def test_a_syntax_error_shows_its_line() -> None:
    error = raised("x = 1\nif x\n    pass")
    assert error._render_traceback_() == ["line 2: if x", "SyntaxError: expected ':'"]


def test_a_refused_unshare_says_that_it_needs_a_user_namespace() -> None:
    def unshare() -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM), "unshare(CLONE_NEWUTS)")

    why = raised("unshare()", {"unshare": unshare}).why
    if os.geteuid() != 0:
        assert "a UTS namespace needs CAP_SYS_ADMIN" in why
        assert "add CLONE_NEWUSER" in why
    assert "What to do" in why


def test_a_refused_user_namespace_is_explained() -> None:
    def unshare() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "unshare(CLONE_NEWUSER|CLONE_NEWNS)")

    why = raised("unshare()", {"unshare": unshare}).why
    assert "Rule" in why and "What to do" in why


def test_an_ordinary_error_is_not_explained() -> None:
    assert raised("open('/nonexistent')").why == ""


def test_bash_says_which_line_failed_and_stops_there() -> None:
    done = subprocess.run(
        python_cell.bash("echo one\nfalse\necho two"), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "one\n")
    assert done.stderr == "line 2: exit status 1 from: false\n"


def test_bash_ends_with_a_failure_within_a_pipe_and_at_an_unset_variable() -> None:
    for script in ("false | cat", 'echo "$NSEDU_UNSET"'):
        assert subprocess.run(python_cell.bash(script), capture_output=True).returncode != 0
