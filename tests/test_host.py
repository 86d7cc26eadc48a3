"""The host after the whole course is what it was before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import nsedu as ns
import refresh_notebooks as refresher
from fingerprint import differences, fingerprint

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.host


@pytest.mark.needs("userns")
def test_the_notebooks_leave_nothing_behind() -> None:
    before = fingerprint()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        refresher.execute(refresher.read(path), path.parent)
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
