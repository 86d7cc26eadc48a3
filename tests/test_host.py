"""The host after the whole course is what it was before."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import nsedu as ns
import refresh_notebooks as refresher
from fingerprint import differences, fingerprint

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.host


@pytest.mark.needs("userns")
def test_the_notebooks_side_by_side_and_in_any_order_leave_nothing_behind() -> None:
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    random.shuffle(paths)
    before = fingerprint()
    with ThreadPoolExecutor(os.cpu_count()) as several:
        runs = {
            path.stem: several.submit(refresher.execute, refresher.read(path), path.parent)
            for path in paths
        }
    failed = {name: str(run.exception()) for name, run in runs.items() if run.exception()}
    assert failed == {}
    assert differences(before, fingerprint()) == {}


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
