"""Kernel memory measured: there is a crowd with as many namespaces, and it is gone afterwards."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

import nsedu as ns
from awaiting import ended
from nsedu.agent import cgroups
from nsedu.kernel.procfs import family
from nsedu.measurement.questions import memory
from nsedu.measurement.sampler import kernel_memory
from nsedu.measurement.sampler.operations import (
    Operation,
    PreparedProcess,
    Refused,
    Unmet,
    own_user_namespace,
)
from nsedu.measurement.sampler.process_pool import ProcessPool, enter_pid_namespace

pytestmark = pytest.mark.needs("userns", *ns.TYPES)


def test_each_type_is_measured_in_each_way_that_there_is() -> None:
    result = ns.measure("memory", 1)
    measured = [row.name for row in result.results]
    ways = [way for way in memory.WAYS if way not in result.unmet]
    assert set(result.unmet) <= {"charged", "objects"}
    assert measured == [f"{name}, {way}" for way in ways for name in ns.TYPES]
    assert [row.series for row in result.results] == [way for way in ways for _ in ns.TYPES]
    assert {(row.unit, row.n) for row in result.results} == {("KiB", 1)}


crowds: list[ProcessPool] = []


def made(count: int, name: str) -> None:
    enter_pid_namespace()
    crowds.append(ProcessPool(count))  # whose stacks must stay
    crowds[0].grow(count, name)


@pytest.mark.parametrize("name", ["", *ns.TYPES])
def test_each_of_a_crowd_has_one_namespace_of_its_own(name: str) -> None:
    with PreparedProcess(partial(made, 5, name)) as stand:
        maker, *members = family(stand.pid)[1:]
        assert len(members) == 5
        for kind in ns.TYPES:
            link = "time_for_children" if kind == "time" else kind
            own = os.readlink(f"/proc/{maker}/ns/{link}")
            theirs = {os.readlink(f"/proc/{pid}/ns/{link}") for pid in members}
            if kind != name:
                assert theirs == {own}
            else:  # the last time namespace is the one for any child of the maker, too
                assert len(theirs - {own}) == (4 if kind == "time" else 5)
    assert all(ended(pid) for pid in (maker, *members))


def test_a_crowd_dies_with_its_maker_and_that_with_who_started_it() -> None:
    with PreparedProcess(partial(made, 3, "uts")) as stand:
        maker, *members = family(stand.pid)[1:]
        assert len(members) == 3
        os.kill(maker, 9)
        assert all(ended(pid) for pid in members)


def test_there_is_no_room_for_more_than_was_said() -> None:
    with pytest.raises(ValueError, match="no room for 2 more"):
        ProcessPool(1).grow(2)


def test_what_a_crowd_is_refused_is_told_with_its_type() -> None:
    def prepare() -> None:
        own_user_namespace()  # whose limits are its own
        enter_pid_namespace()
        Path("/proc/sys/user/max_uts_namespaces").write_text("2")
        ProcessPool(3).grow(3, "uts")

    with pytest.raises(Refused) as told:
        PreparedProcess(prepare)
    assert (told.value.message["failed"], told.value.message["errno"]) == (
        "unshare uts",
        errno.ENOSPC,
    )


class Counted:
    """Instead of a crowd: every process takes 5 KiB, every namespace of its own 3 more."""

    def __init__(self) -> None:
        self.taken = 0
        self.order: list[str] = []

    def grow(self, count: int, name: str = "") -> None:
        self.taken += count * (8 if name else 5)
        self.order.append(name)

    def end(self) -> None:
        self.taken = 0


def test_what_the_processes_take_is_taken_off_whoever_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd = Counted()
    monkeypatch.setattr(memory, "pools", [crowd])
    monkeypatch.setattr(memory, "readers", {"charged": lambda: crowd.taken})
    monkeypatch.setattr(memory, "turns", {"uts": 0})
    for place in (1, 0, 2):
        crowd.order.clear()
        assert memory.measured("uts") == {"charged": (3, 0)}
        assert crowd.order[2:].index("uts") == place


def groups(version: int, mount: Path, path: str) -> Callable[[], list[object]]:
    return lambda: [(["memory"], cgroups.Controller(version, str(mount), path))]


def test_the_charge_is_read_from_our_group_in_version_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "memory.kmem.usage_in_bytes").write_text("4096\n")
    monkeypatch.setattr(cgroups, "hierarchies", groups(1, tmp_path, "/ours"))
    charge = kernel_memory.charge()
    assert charge is not None
    assert charge() == 4


def test_the_charge_is_read_from_the_nearest_group_that_has_it_in_version_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "above" / "ours").mkdir(parents=True)
    (tmp_path / "memory.stat").write_text("kernel 1\n")
    (tmp_path / "above" / "memory.current").write_text("9\n")
    (tmp_path / "above" / "memory.stat").write_text("anon 1\nkernel 8192\nkernel_stack 1\n")
    monkeypatch.setattr(cgroups, "hierarchies", groups(2, tmp_path, "/above/ours"))
    charge = kernel_memory.charge()
    assert charge is not None
    assert charge() == 8


@pytest.mark.parametrize("stat", [None, "anon 1\n"])
def test_without_a_group_that_counts_there_is_no_charge(
    stat: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if stat:
        (tmp_path / "memory.current").write_text("1\n")
        (tmp_path / "memory.stat").write_text(stat)
    monkeypatch.setattr(cgroups, "hierarchies", groups(2, tmp_path, "/"))
    assert kernel_memory.charge() is None


@pytest.mark.parametrize("charge", [lambda: None, lambda: lambda: 7.0])
def test_what_is_not_charged_and_what_may_not_be_read_is_unmet(
    charge: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_memory, "charge", charge)
    monkeypatch.setattr(os, "access", lambda *_: False)
    before = os.listdir("/proc/self/fd"), family(os.getpid())
    with ExitStack() as stack:
        found = memory.operations(stack)
        next(entry for entry in found if isinstance(entry, Operation)).sample()
    assert [entry.name for entry in found] == [
        "charged",
        "objects",
        *(f"{name}, slabs" for name in ns.TYPES),
    ]
    assert [entry.name for entry in found if isinstance(entry, Unmet)] == ["charged", "objects"]
    assert (os.listdir("/proc/self/fd"), family(os.getpid())) == before


def test_memory_that_others_keep_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel_memory, "_PATIENCE", 0.02)
    figures = iter(range(1000))
    kernel_memory.MemoryBaseline(lambda: next(figures)).wait()
    assert next(figures) < 10
