"""The room that runtimes are run in: what happens there ends there."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from awaiting import eventually
from nsedu.agent import cgroups
from nsedu.measurement.runtimes import isolation
from nsedu.measurement.sampler.operations import PreparedProcess

ENTER = partial(isolation.enter, ("mnt", "pid"))


@pytest.mark.needs("userns", "proc")
def test_what_is_left_running_in_a_room_ends_with_it() -> None:
    def lurk() -> list[str]:
        assert isolation.run(["sh", "-c", "setsid sleep 1000 & echo $! > /run/nsedu/pid"])
        pid = Path("/run/nsedu/pid").read_text().strip()
        return [os.readlink(f"/proc/{pid}/ns/pid")]

    with PreparedProcess(ENTER, lurk) as stand:
        (lair,) = stand.call()
        assert inhabitants(lair)
    assert eventually(lambda: not inhabitants(lair))


def inhabitants(namespace: str) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/ns/pid") == namespace:
                found.append(pid)
        except OSError:
            pass
    return found


@pytest.mark.needs("userns", "proc")
def test_what_is_written_in_a_room_is_seen_nowhere_else() -> None:
    def write() -> list[str]:
        Path("/run/nsedu/here").touch()
        Path("/dev/shm/nsedu-here").touch()
        return os.listdir("/dev/shm")

    with PreparedProcess(ENTER, write) as stand:
        assert stand.call() == ["nsedu-here"]
        assert not os.path.exists("/run/nsedu/here")
        assert not os.path.exists("/dev/shm/nsedu-here")


def test_only_new_control_groups_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = [([], cgroups.Controller(1, str(tmp_path), "/own"))]
    monkeypatch.setattr(cgroups, "hierarchies", lambda: here)
    (tmp_path / "own").mkdir()
    (tmp_path / "payload").mkdir()
    with isolation.without_new_groups(["payload", "supervisor"]):
        (tmp_path / "own" / "payload" / "inner").mkdir(parents=True)
        (tmp_path / "supervisor").mkdir()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["own", "payload"]
