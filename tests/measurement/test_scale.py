"""Growth measured: so many namespaces do stand while it is, and none of them afterwards."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import nsedu as ns
from nsedu.kernel import namespace_types
from nsedu.kernel.procfs import family
from nsedu.measurement.questions import scale
from nsedu.measurement.sampler.operations import (
    Operation,
    PreparedProcess,
    Refused,
    Unmet,
    ensure_can_unshare,
    own_user_namespace,
)
from nsedu.observe.snapshot import snapshot

pytestmark = pytest.mark.needs("userns", "uts", "net", "proc")
CURVES = {
    "create uts": (1, 10, 100, 1000),
    "create net": (1, 10, 100),
    "look": (1, 10, 100, 1000),
    "deep look": (1, 10, 100, 1000),
}


def test_there_are_four_curves() -> None:
    result = ns.measure("scale", 1)
    assert not result.unmet
    curves = {name: tuple(row.x for row in result.series(name)) for name in CURVES}
    assert curves == CURVES
    assert len(result.results) == sum(map(len, CURVES.values()))
    assert {(row.unit, row.n) for row in result.results} == {("us", 1)}


@pytest.mark.parametrize("name", ["uts", "net"])
def test_so_many_namespaces_stand_while_one_more_is_made(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def standing(_: Callable[[], Any]) -> list[str]:
        found = []
        for fd in os.listdir("/proc/self/fd"):
            try:
                found.append(os.readlink(f"/proc/self/fd/{fd}"))
            except FileNotFoundError:  # the one by which they were listed
                continue
        return [text for text in found if text.startswith(f"{name}:")]

    monkeypatch.setattr(scale, "in_child", standing)
    with PreparedProcess(
        ensure_can_unshare, partial(scale.create_at, name, 7), partial(standing, ensure_can_unshare)
    ) as stand:
        assert len(set(stand.call(0))) == 7
        assert stand.call(1) == []


def seen(deep: bool) -> list[Any]:
    """Instead of the time a look takes: processes, UTS namespaces, and what keeps these alive."""
    look = snapshot("machine", deep)
    names = [n for n in look.namespaces.values() if n.type == "uts"]
    return [len(look.processes), len(names), sorted({pin.kind for n in names for pin in n.pins})]


def test_a_look_finds_so_many_processes_and_their_namespaces_or_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scale, "second_snapshot", seen)
    ways = [partial(look, 5, kind) for look in (scale.plain_snapshot, scale.deep_snapshot)
            for kind in ("uts", "")]  # fmt: skip
    with PreparedProcess(scale.begin_snapshots, *ways) as stand:
        own, beside, held, same = (stand.call(which) for which in range(len(ways)))
    assert (own[:2], beside[:2]) == ([6, 6], [6, 1])
    # The one that was made last is also that of the process.
    assert held == [1, 5, ["fd", "process"]]
    assert same[:2] == [1, 1]


def test_what_cannot_be_held_open_is_unmet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    with ExitStack() as stack:
        found = scale.operations(stack)
    unmet = {entry.name: entry.reason for entry in found if isinstance(entry, Unmet)}
    assert list(unmet) == ["create uts, 1000 namespaces", "deep look, 1000 namespaces"]
    assert all("256 descriptors open here (RLIMIT_NOFILE)" in why for why in unmet.values())


def test_a_limit_on_namespaces_is_told_and_nothing_stays_open() -> None:
    def prepare() -> None:
        own_user_namespace()  # whose limits are its own
        Path("/proc/sys/user/max_uts_namespaces").write_text("5")

    hold = partial(scale.hold, 9, "uts", int(namespace_types.get("uts").flag))
    with PreparedProcess(prepare, lambda: os.listdir("/proc/self/fd"), hold) as stand:
        before = stand.call(0)
        with pytest.raises(Refused) as told:
            stand.call(1)
        assert told.value.message["failed"] == "unshare uts"
        assert told.value.message["errno"] == errno.ENOSPC
        assert stand.call(0) == before


def test_nothing_is_left_open_and_nobody_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def own() -> tuple[list[str], list[int]]:
        return os.listdir("/proc/self/fd"), family(os.getpid())

    monkeypatch.setattr(scale, "LEVELS", {"uts": (1, 5), "net": (1, 3)})
    before = own()
    with ExitStack() as stack:
        for entry in scale.operations(stack):
            assert isinstance(entry, Operation)
            entry.sample()
        assert len(family(os.getpid())) > len(before[1])
    assert own() == before
