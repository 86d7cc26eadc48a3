"""What must hold for every notebook as it is committed, without running it."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbval.plugin import comment_markers, find_comment_markers, find_metadata_tags

import refresh_notebooks as refresher

ROOT = Path(__file__).resolve().parent.parent
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))

every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list[NotebookNode]:
    return [cell for cell in refresher.read(path).cells if cell.cell_type == "code"]


def is_excluded(cell: NotebookNode) -> bool:
    """Whether nbval does not compare this cell's outputs."""
    options = dict(find_metadata_tags(cell.metadata)) | dict(find_comment_markers(cell.source))
    return options.get("check") is False or options.get("skip") is True


def gives_a_reason(cell: NotebookNode) -> bool:
    """Whether its metadata says why, or a comment of at least three words that is no marker."""
    if cell.metadata.get("nsedu", {}).get("not_compared"):
        return True
    comments = (
        line.strip().lstrip("# ") for line in cell.source.splitlines() if line.lstrip()[:1] == "#"
    )
    return any(len(text.split()) >= 3 for text in comments if text not in comment_markers)


@every_notebook
def test_every_code_cell_was_executed(path: Path) -> None:
    counts = [cell.execution_count for cell in code_cells(path)]
    assert None not in counts, "without an execution count nbval compares nothing: make notebooks"


@every_notebook
def test_the_file_is_in_normal_form(path: Path) -> None:
    assert refresher.out_of_form(path) is None


@every_notebook
def test_fewer_than_one_cell_in_eight_is_excluded_from_comparison(path: Path) -> None:
    cells = code_cells(path)
    excluded = [number for number, cell in enumerate(cells, start=1) if is_excluded(cell)]
    assert not excluded or len(excluded) * 8 < len(cells), f"excluded: {excluded} of {len(cells)}"


@every_notebook
def test_each_exclusion_says_why(path: Path) -> None:
    silent = [
        number
        for number, cell in enumerate(code_cells(path), start=1)
        if is_excluded(cell) and not gives_a_reason(cell)
    ]
    assert not silent, f"code cells {silent} are excluded from comparison without a word"


@every_notebook
def test_no_cell_shows_a_learner_what_is_meant_for_the_tests(path: Path) -> None:
    shown = [
        cell.id
        for cell in code_cells(path)
        if any(marker in cell.source for marker in ("NBVAL_", "# Not compared"))
    ]
    assert shown == []


@pytest.mark.parametrize(
    ("source", "tags", "excluded", "reasoned"),
    [
        ("1 + 1", [], False, False),
        ("1 / 0", ["raises-exception"], False, False),
        ("# NBVAL_IGNORE_OUTPUT\n1", [], True, False),
        ("# NBVAL_IGNORE_OUTPUT\n# the time differs from run to run\n1", [], True, True),
        ("# NBVAL_SKIP\n1", [], True, False),
        ("# a clock, never the same twice\n1", ["nbval-ignore-output"], True, True),
    ],
)
def test_an_exclusion_and_its_reason_are_recognised(
    source: str, tags: list[str], excluded: bool, reasoned: bool
) -> None:
    cell = NotebookNode(source=source, metadata={"tags": tags})
    assert (is_excluded(cell), gives_a_reason(cell)) == (excluded, reasoned)
