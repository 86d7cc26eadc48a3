"""A cell that this machine cannot run says so in one sentence, and the notebook goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from traitlets.config import Config

import nsedu as ns
from nsedu import programs
from nsedu.notebook import unavailable


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "nsedu")
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two programs of the course are not on this machine, under whatever name it has them."""
    for table in (programs.PROGRAMS, programs.FURTHER):
        for name in ("no-ping", "no-strace"):
            monkeypatch.setitem(table, name, {"apt": f"{name}-package"})
    monkeypatch.setattr(programs, "manager", lambda: "apt")


def run(shell: InteractiveShell, *cells: str) -> list[ExecutionResult]:
    return [shell.run_cell(cell) for cell in cells]


def test_a_missing_program_is_one_sentence_and_no_error(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    (result,) = run(shell, "import subprocess; subprocess.run(['no-ping', 'x'])")
    assert result.success
    assert capsys.readouterr().out == (
        "no-ping is not on this machine, so this cell is skipped."
        " To have it: apt install no-ping-package.\n"
    )


def test_what_the_cell_would_have_made_is_missed_calmly(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = (
        "import subprocess\nanswer = subprocess.run(['no-ping'])",
        "twice = answer + answer",
        "def show():\n    return twice\nshow()",
    )
    assert all(result.success for result in run(shell, *cells))
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "This cell is skipped: answer would have been made with no-ping."
    assert said[2] == "This cell is skipped: twice would have been made with no-ping."


def test_any_other_error_stays_one(shell: InteractiveShell) -> None:
    cells = ("unknown_name", "1 / 0", "open('/no/such/file')", "raise ValueError('no-ping')")
    assert not any(result.success for result in run(shell, *cells))


def test_a_name_made_after_all_is_used(shell: InteractiveShell) -> None:
    cells = ("import subprocess\nx = subprocess.run(['no-ping'])", "x = 5", "assert x == 5")
    assert all(result.success for result in run(shell, *cells))


def test_a_shell_that_does_not_find_a_program_is_understood(shell: InteractiveShell) -> None:
    cell = "import subprocess; subprocess.run('no-ping -c 1', shell=True, check=True)"
    assert run(shell, cell)[0].success
    other = "import subprocess; subprocess.run('unheard-of', shell=True, check=True)"
    assert not run(shell, other)[0].success


def test_what_the_error_was_raised_from_counts(shell: InteractiveShell) -> None:
    cell = (
        "import subprocess\n"
        "try:\n    subprocess.run(['no-ping'])\n"
        "except OSError as error:\n    raise RuntimeError('no answer') from error"
    )
    assert run(shell, cell)[0].success


@pytest.mark.needs("userns", "uts")
@pytest.mark.parametrize(
    "cell",
    [
        "box.run(['no-ping'])",
        "box.run('no-ping -c 1')",
        "box.popen(['no-ping'])",
        "box.call(__import__('os').execvp, 'no-ping', ['no-ping'])",
        "%%inside box\nno-ping -c 1",
        "%%inside -p box\nimport os\nos.execvp('no-ping', ['no-ping'])",
        "%%byhand\nos.execvp('no-ping', ['no-ping'])",
    ],
)
def test_the_same_holds_in_a_sandbox(
    shell: InteractiveShell, cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with ns.Sandbox("uts") as box:
        shell.user_ns["box"] = box
        (result,) = run(shell, cell)
    assert result.success, result.error_in_exec
    assert "no-ping is not on this machine" in capsys.readouterr().out


def test_a_cell_may_say_what_it_needs(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons: dict[str, Any] = {"overlay": "the kernel refuses it", "veth": None}
    monkeypatch.setattr(unavailable, "why_missing", reasons.get)
    yes, no = run(
        shell, "import nsedu\nnsedu.needs('veth'); print('on')", "nsedu.needs('veth', 'overlay')"
    )
    assert yes.success and no.success
    said = capsys.readouterr().out
    assert said == "on\nThis machine cannot run this cell: the kernel refuses it.\n"


def test_outside_a_notebook_a_need_is_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unavailable, "why_missing", {"overlay": "the kernel refuses it"}.get)
    with pytest.raises(unavailable.Unavailable, match="the kernel refuses it") as caught:
        ns.needs("overlay")
    assert caught.value.lacks == "overlay"


def test_an_unknown_need_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match="'xyzzy' is not a need; use any of"):
        ns.needs("xyzzy")


def test_unloading_the_extension_leaves_errors_alone(shell: InteractiveShell) -> None:
    shell.run_line_magic("unload_ext", "nsedu")
    (result,) = run(shell, "import subprocess; subprocess.run(['no-ping'])")
    assert not result.success


def test_the_same_sandbox_refused_twice_is_explained_once(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.user_ns["lacking"] = unavailable.Unavailable("cgroup-write", "No group is yours.")
    first, second = run(shell, "raise lacking", "raise lacking")
    assert first.success and second.success
    assert capsys.readouterr().out == (
        "No group is yours.\nThis cell needs cgroup-write, too: see above.\n"
    )


def test_in_a_kernel_the_cells_after_it_run(tmp_path: Any) -> None:
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    import refresh_notebooks as refresher

    cells = [
        "%load_ext nsedu",
        "from nsedu import programs; programs.PROGRAMS['no-ping'] = {}",
        "import subprocess; a = subprocess.run(['no-ping'])",
        "print(a)",
        "print('on')",
    ]
    nb = refresher.normalise(new_notebook(cells=[new_code_cell(cell) for cell in cells]))
    refresher._run(nb, tmp_path)
    said = nbformat.writes(nb)
    assert said.count('"lacks": "no-ping"') == 2
    assert nb.cells[-1].outputs[0].text == "on\n"
    assert not [out for c in nb.cells for out in c.outputs if out.output_type == "error"]
