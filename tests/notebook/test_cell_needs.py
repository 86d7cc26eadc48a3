"""A cell that says what it needs is not compared where that is missing, and any other cell is.

It runs all the same, as it does for a learner: what it makes is there for the next.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

import refresh_notebooks as refresher
from nsedu.requirements import NEEDS
from ordinary_user import Learner

ROOT = Path(__file__).resolve().parents[2]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cell(source: str, said: str, *needs: str) -> nbformat.NotebookNode:
    about: dict[str, Any] = {"nsedu": {"needs": list(needs)}} if needs else {}
    outputs = [new_output("stream", text=f"{said}\n")]
    return new_code_cell(source, metadata=about, outputs=outputs, execution_count=1)


def notebook(*more: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Three cells, of which the second needs strace, and more."""
    cells = [
        cell("print('one')", "one"),
        cell("made = 3\nprint('two')", "two, as another machine said", "strace"),
        cell("assert made == 3\nprint('three')", "three"),
        *more,
    ]
    return new_notebook(cells=cells)


def run(nb: nbformat.NotebookNode, path: Path, **more: str) -> str:
    """What pytest says of a notebook on a machine that has no programs at all."""
    path.write_text(nbformat.writes(refresher.normalise(nb)))
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider",
               "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), "--nbval",
               "--nbval-current-env", str(path)]  # fmt: skip
    found = os.pathsep.join(str(ROOT / part) for part in (".", "tools"))
    env = {**os.environ, "PATH": "/nowhere", "PYTHONPATH": found, **more}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=path.parent)
    return done.stdout + done.stderr


def test_a_cell_without_what_it_needs_is_skipped_and_where_that_was_promised_fails(
    tmp_path: Path,
) -> None:
    nb = notebook(cell("print('four')", "four, as another machine said", "lsns"))
    said = run(nb, tmp_path / "some.ipynb", NSEDU_MUST_HAVE="lsns")
    assert "1 failed, 2 passed, 1 skipped" in said
    assert "needs strace: the program strace is not installed" in said
    assert "lsns must be present here (NSEDU_MUST_HAVE)" in said


def test_re_executing_keeps_the_outputs_of_a_cell_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    nb = notebook()
    nb.cells[0].outputs = []
    refresher.execute(nb, tmp_path)
    assert [c.outputs[0].text for c in nb.cells] == [
        "one\n", "two, as another machine said\n", "three\n",
    ]  # fmt: skip
    assert [c.execution_count for c in nb.cells] == [1, 2, 3]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_what_a_cell_needs_is_known_and_is_not_what_its_notebook_needs(path: Path) -> None:
    nb = refresher.read(path)
    whole = set(nb.metadata.get("nsedu", {}).get("needs", []))
    for one in nb.cells:
        needs = set(one.metadata.get("nsedu", {}).get("needs", []))
        assert needs <= set(NEEDS) - whole, one.id


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_cell_with_needs_of_its_own_is_committed_as_it_ran_where_they_are_met(path: Path) -> None:
    # It may carry the tag raises-exception, which would let a refusal through.
    for one in refresher.read(path).cells:
        if one.metadata.get("nsedu", {}).get("needs"):
            assert [out for out in one.outputs if out.output_type == "error"] == [], one.id


@pytest.mark.needs("userns", "cgroup")
def test_without_a_test_runner_such_a_cell_says_in_a_sentence_what_is_missing(
    learner: Learner,
) -> None:
    code = """
import nsedu
try:
    nsedu.Sandbox("cgroup", limits={"pids": 5}).close()
except nsedu.NamespaceError as error:
    print("\\n".join(error._render_traceback_()))
"""
    said = learner.run_python(code).stdout
    if not said:
        pytest.skip("the ordinary user may make control groups here.")
    assert said.startswith("NamespaceError: could not make a control group for the limits")
    assert "What to do" in said
