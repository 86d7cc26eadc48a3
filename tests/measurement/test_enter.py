"""setns(2) timed: what is entered are other namespaces, and whoever enters is in them then."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

import nsedu as ns
from nsedu.errors import explain, process_facts
from nsedu.kernel import namespace_types
from nsedu.kernel.procfs import family
from nsedu.measurement.questions import enter
from nsedu.measurement.sampler.operations import Operation, PreparedProcess, Unmet

pytestmark = pytest.mark.needs("userns", *ns.TYPES)
WAYS = [*ns.TYPES, "all, one by one", "all, by a pidfd"]


def test_there_is_a_row_for_each_type_and_two_for_all() -> None:
    result = ns.measure("enter", 3)
    assert [row.name for row in result.results] == WAYS
    assert {(row.n, row.unit) for row in result.results} == {(3, "us")}
    assert not result.unmet


def links(pid: int | str, names: list[str]) -> list[str]:
    return [os.readlink(f"/proc/{pid}/ns/{name}") for name in names]


def test_outer_and_inner_process_have_all_namespaces_of_their_own() -> None:
    with PreparedProcess(
        partial(enter.make_nest, list(ns.TYPES)), lambda: enter.nested_pids
    ) as nest:
        outer, inner = nest.call()
        seen = [links(pid, list(ns.TYPES)) for pid in ("self", outer, inner)]
    assert all(len(set(each)) == 3 for each in zip(*seen, strict=True))


def test_each_way_leads_into_the_inner_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    for_children = {"pid": "pid_for_children"}
    targets: list[list[str]] = []

    def moved(call: Any, fd: int, flags: int, **_: object) -> tuple[float, float]:
        """Instead of the time: how many of the types are the target's before, and after."""
        now = [for_children.get(kind.name, kind.name) for kind in namespace_types.CATALOGUE]
        before = links("self", now)
        assert call(fd, flags) == 0
        same = zip(before, links("self", now), targets[0], strict=True)
        counts = [(old == target, new == target) for old, new, target in same]
        return sum(new for _, new in counts), sum(old for old, _ in counts)

    def nest_and_tell(prepare: Any, tell: Any) -> PreparedProcess:
        nest = PreparedProcess(prepare, tell)
        targets.append(links(nest.call()[1], list(ns.TYPES)))
        return nest

    monkeypatch.setattr(enter, "timed", moved)
    monkeypatch.setattr(enter, "PreparedProcess", nest_and_tell)
    with ExitStack() as stack:
        samples = {e.name: e.sample() for e in enter.operations(stack) if isinstance(e, Operation)}
    assert samples == {
        **dict.fromkeys(ns.TYPES, (1, 0)),
        "all, one by one": (sum(range(1, 9)), sum(range(8))),
        "all, by a pidfd": (8, 0),
    }


def test_a_type_that_the_kernel_does_not_have_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    there = os.path.lexists
    monkeypatch.setattr(os.path, "lexists", lambda path: "/time" not in path and there(path))
    monkeypatch.setattr(process_facts, "is_there", lambda path, _proc: "/time" not in path)
    with ExitStack() as stack:
        found = enter.operations(stack)
    assert [entry.name for entry in found] == [*(w for w in WAYS if w != "time"), "time"]
    assert isinstance(found[-1], Unmet)
    refused = explain.error(found[-1].reason)
    assert refused.errno == errno.EINVAL
    assert "CONFIG_TIME_NS" in refused.cause


def test_nothing_is_left_open_and_nobody_stays() -> None:
    def own() -> tuple[list[str], list[int]]:
        return os.listdir("/proc/self/fd"), family(os.getpid())

    before = own()
    with ExitStack() as stack:
        enter.operations(stack)
        assert len(family(os.getpid())) > len(before[1])
    assert own() == before
