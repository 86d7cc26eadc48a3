"""A learner runs a cell, looks, and runs it again."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

import refresh_notebooks as refresher

ROOT = Path(__file__).resolve().parent.parent


def every_notebook() -> list[object]:
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    return [
        pytest.param(
            path,
            id=path.stem,
            marks=pytest.mark.needs(
                *refresher.read(path).metadata.get("nsedu", {}).get("needs", [])
            ),
        )
        for path in paths
    ]


@pytest.mark.parametrize("path", every_notebook())
def test_every_cell_can_be_run_twice_in_a_row(path: Path) -> None:
    nb = refresher.normalise(refresher.read(path))
    again = copy.deepcopy(nb.cells)
    for cell in again:
        cell.id += "-again"
    nb.cells = [cell for pair in zip(nb.cells, again, strict=True) for cell in pair]
    refresher.execute(nb, path.parent)
