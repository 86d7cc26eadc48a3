"""A cell that a test or a converter has sent: text instead of widgets, and nobody's progress."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

import nsedu as ns
import refresh_notebooks as refresher
from nsedu.learning.progress_store import all_solved
from nsedu.notebook import front_end

CELLS = """import sys, nsedu as ns
from nsedu.notebook import front_end as front
ns.exercise('uts-1')
ns.terminal()
box = ns.Sandbox('uts', hostname='phobos')
solved = ns.check('uts-1')
box.close()
print(front.interactive(), front.unattended(), {'ipywidgets', 'anywidget'} & {*sys.modules})"""


@pytest.mark.needs("userns", "uts")
def test_a_converter_gets_text_and_solves_nothing_for_the_learner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELLS)])
    refresher.execute(book, tmp_path)
    ((output,),) = (cell.outputs for cell in book.cells)
    said = output.text.splitlines()
    assert said[0] == "uts-1 · A name of its own"
    assert said[-2].startswith("✔ uts-1")
    assert said[-1] == "False True set()"
    assert all_solved() == {}


def test_a_script_shows_text_but_somebody_has_started_it() -> None:
    assert not front_end.interactive()
    assert not front_end.unattended()


@pytest.mark.needs("userns", "uts")
def test_what_a_script_solves_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with ns.Sandbox("uts", hostname="phobos"):
        ns.check("uts-1")
    assert all_solved().keys() == {"uts-1"}
