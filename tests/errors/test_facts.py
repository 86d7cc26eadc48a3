"""The facts of a refusal can be had whatever the files of /proc hold."""

from __future__ import annotations

import os
from pathlib import Path

from nsedu.errors import process_facts


def test_a_name_of_a_mount_need_not_be_text(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/mountinfo").write_bytes(b"1 1 0:1 / /proc/caf\xe9 rw - tmpfs x rw\n")
    proc = os.open(tmp_path, os.O_PATH)
    assert process_facts.facts(proc)["masked"] == ["/proc/caf\udce9"]
    os.close(proc)
