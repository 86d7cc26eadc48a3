"""Mounts copied and propagated: the tables and the peer groups are as large as said."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

import nsedu as ns
from nsedu.kernel import syscalls
from nsedu.kernel.namespace_types import CloneFlag
from nsedu.measurement.questions import mount
from nsedu.measurement.sampler.operations import PreparedProcess, Refused

pytestmark = pytest.mark.needs("userns", "mnt")


def test_each_curve_has_its_points_and_the_mounts_stay_as_they_were() -> None:
    before = Path("/proc/self/mountinfo").read_text(), os.listdir("/mnt")
    result = ns.measure("mount", 3)
    assert (Path("/proc/self/mountinfo").read_text(), os.listdir("/mnt")) == before
    assert [row.x for row in result.series("unshare by mounts")] == list(mount.MOUNTS)
    for call in ("mount", "umount"):
        assert [row.x for row in result.series(f"{call} by peers")] == list(mount.PEERS)
    assert {(row.n, row.unit) for row in result.results} == {(3, "us")}
    assert result.unmet == {}


@pytest.mark.parametrize("number", [1, 2, 30])
def test_the_table_has_as_many_mounts_as_said_and_none_of_the_machine(number: int) -> None:
    def points() -> list[str]:
        os.lseek(mount.open_files["mountinfo"], 0, os.SEEK_SET)
        lines = os.read(mount.open_files["mountinfo"], 1 << 16).decode().splitlines()
        return [line.split()[4] for line in lines]

    with PreparedProcess(
        partial(mount.fill, number), mount.mount_count, points, partial(os.listdir, "/")
    ) as at:
        assert at.call(0) == number
        assert at.call(1) == ["/", *(f"/{n}" for n in range(1, number))]
        assert sorted(at.call(2)) == sorted(str(n) for n in range(1, number))


@pytest.mark.parametrize("peers", [1, 2, 10])
def test_a_shared_mount_appears_in_every_peer_and_a_private_one_in_none(peers: int) -> None:
    def seen(place: str) -> list[bool]:
        syscalls.mount("/", place, None, syscalls.MS_BIND)
        answers = [os.path.exists(f"{place}/private")]
        for fd in mount.kept_fds:
            syscalls.setns(fd, CloneFlag.NEWNS)
            answers.append(os.path.exists(f"{place}/private"))
        return answers

    arrange = partial(mount.share, peers)
    with PreparedProcess(arrange, partial(seen, "/shared/here")) as stand:
        assert stand.call() == [True] * peers
    with PreparedProcess(arrange, partial(seen, "/private/here")) as stand:
        assert stand.call() == [True] + [False] * (peers - 1)


def test_a_change_is_undone_when_it_has_been_timed() -> None:
    def left() -> list[bool]:
        return [os.path.exists(f"/{place}/here/private") for place in ("shared", "private")]

    with PreparedProcess(partial(mount.share, 2), *mount.CHANGES.values(), left) as stand:
        for which in (0, 1):
            assert min(stand.call(which)) > 0
        assert stand.call(2) == [False, False]


def test_a_refused_step_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(22, "Invalid argument", "pivot_root(., old)")

    monkeypatch.setattr(syscalls, "pivot_root", refused)
    with pytest.raises(Refused) as told:
        PreparedProcess(mount.leave_the_mounts)
    assert (told.value.message["failed"], told.value.message["errno"]) == ("pivot_root", 22)


def test_nobody_lives_in_the_peers() -> None:
    with PreparedProcess(partial(mount.share, 5), partial(len, mount.kept_fds)) as stand:
        assert stand.call() == 4
        assert Path(f"/proc/{stand.pid}/task/{stand.pid}/children").read_text() == ""
