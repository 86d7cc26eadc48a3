"""The steps by which a sandbox is made wait for nobody for ever."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from awaiting import ended
from nsedu.agent import first_process
from nsedu.errors import explain
from nsedu.kernel.id_maps import IdRange


def test_a_newuidmap_that_does_not_end_is_killed_and_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, told = tmp_path / "newuidmap", tmp_path / "pid"
    program.write_text(f"#!/bin/sh\necho $$ > {told}\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(first_process, "PATIENCE", 1.0)
    ranges = [IdRange(0, 1000, 1), IdRange(1, 100000, 65536)]
    with pytest.raises(TimeoutError) as caught:
        first_process.ask_for_map("newuidmap", os.getpid(), ranges, "/etc/subuid")
    assert caught.value.errno == errno.ETIMEDOUT
    assert ended(int(told.read_text()))
    assert "did not finish within" in explain.explain("newuidmap", errno.ETIMEDOUT, {}).rule
