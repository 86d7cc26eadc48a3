"""The host after the whole course is what it was before."""

from __future__ import annotations

import copy
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from nbformat import NotebookNode

import nsedu as ns
import refresh_notebooks as refresher
from fingerprint import differences, fingerprint
from nsedu.doctor import missing

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.host


def every_cell_twice(nb: NotebookNode) -> NotebookNode:
    """The notebook as a learner runs it who runs a cell, looks, and runs it again."""
    nb = refresher.normalise(nb)
    again = copy.deepcopy(nb.cells)
    for cell in again:
        cell.id += "-again"
    nb.cells = [cell for pair in zip(nb.cells, again, strict=True) for cell in pair]
    return nb


@pytest.mark.needs("userns")
def test_the_course_in_any_order_each_cell_twice_leaves_nothing_behind() -> None:
    """Side by side, too, as many at once as there are cores."""
    found = {path: refresher.read(path) for path in (ROOT / "notebooks").glob("*.ipynb")}
    absent = missing({need for nb in found.values() for need in needs(nb)})
    paths = [path for path, nb in found.items() if not absent.keys() & needs(nb)]
    random.shuffle(paths)
    before = fingerprint()
    with ThreadPoolExecutor(os.cpu_count()) as several:
        runs = {
            path.stem: several.submit(refresher.execute, every_cell_twice(found[path]), path.parent)
            for path in paths
        }
    failed = {name: str(run.exception()) for name, run in runs.items() if run.exception()}
    assert failed == {}
    assert differences(before, fingerprint()) == {}


def needs(nb: NotebookNode) -> set[str]:
    return set(nb.metadata.get("nsedu", {}).get("needs", []))


@pytest.mark.parametrize("aspect", ["/tmp", "/dev/shm"])
def test_a_file_left_behind_would_be_seen(aspect: str) -> None:
    before = fingerprint()
    left = Path(aspect) / f"left-behind-{os.getpid()}"
    left.touch()
    try:
        assert differences(before, fingerprint()).keys() == {aspect}
    finally:
        left.unlink()


@pytest.mark.needs("userns", "cgroup-write")
def test_a_control_group_and_a_process_left_behind_would_be_seen() -> None:
    ns.shutdown()
    before = fingerprint()
    with ns.Sandbox("user", name="nsedu-left", limits={"pids": 20}):
        assert differences(before, fingerprint()).keys() == {"control groups", "processes"}
    ns.shutdown()
    assert differences(before, fingerprint()) == {}
