"""The room that runtimes are run in: what happens there ends there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from awaiting import eventually
from nsedu.sampling.operations import Stand
from nsedu.sampling.room import Room, _remove


@pytest.mark.needs("userns", "proc")
def test_what_is_left_running_in_a_room_ends_with_it() -> None:
    room = Room(("mnt", "pid"), ())

    def lurk() -> list[str]:
        assert room.run(["sh", "-c", "setsid sleep 1000 & echo $! > /run/nsedu/pid"])
        pid = Path("/run/nsedu/pid").read_text().strip()
        return [os.readlink(f"/proc/{pid}/ns/pid")]

    with Stand(room.enter, lurk) as stand:
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

    with Stand(Room(("mnt", "pid"), ()).enter, write) as stand:
        assert stand.call() == ["nsedu-here"]
        assert not os.path.exists("/run/nsedu/here")
        assert not os.path.exists("/dev/shm/nsedu-here")


def test_a_group_that_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "payload").mkdir()
    _remove(str(tmp_path / "payload"))
    _remove(str(tmp_path / "payload"))
    assert not (tmp_path / "payload").exists()
