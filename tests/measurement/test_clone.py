"""clone3(2) timed: the process is as large as said, the flags arrive, and no child stays."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from functools import partial

import pytest

import nsedu as ns
import seccomp_filter
from nsedu.errors import explain
from nsedu.measurement.questions import clone
from nsedu.measurement.sampler.operations import (
    PreparedProcess,
    Refused,
    Unmet,
    ensure_can_unshare,
    own_user_namespace,
)

pytestmark = pytest.mark.needs("userns", *ns.TYPES)


def test_there_is_a_row_for_nothing_for_each_type_and_for_all_from_both_processes() -> None:
    result = ns.measure("clone", 3)
    for size in ("from a small process", "from 500 MB"):
        if size not in result.unmet:
            names = [row.name for row in result.series(size)]
            assert names == [f"{name} {size}" for name in ("none", *ns.TYPES, "all")]
    assert result.unmet.keys() <= {"from 500 MB"}
    assert {(row.n, row.unit) for row in result.results} == {(3, "us")}


def kilobytes(file: str, field: str) -> int:
    with open(file) as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(field))


def test_the_large_process_has_its_memory_in_small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clone, "SIZE", 64 << 20)
    figures = [("/proc/self/status", "VmRSS:"), ("/proc/self/status", "VmPTE:")]
    looks = [partial(kilobytes, *figure) for figure in figures]
    huge = partial(kilobytes, "/proc/self/smaps_rollup", "AnonHugePages:")
    with (
        PreparedProcess(ensure_can_unshare, *looks) as small,
        PreparedProcess(clone.grow, *looks, huge) as large,
    ):
        assert large.call(0) >= small.call(0) + (64 << 10) * 0.95
        assert large.call(1) >= small.call(1) + (64 << 10) / 512 * 0.95  # 8 bytes for each page
        assert large.call(2) == 0


def forbid() -> None:
    """In a user namespace in which nobody may make any namespace."""
    own_user_namespace()
    for name in ns.TYPES:
        with open(f"/proc/sys/user/max_{name}_namespaces", "w") as file:
            file.write("0")


def test_each_flag_asks_for_its_type_and_no_child_stays() -> None:
    births = [partial(clone.timed_clone, name, flags) for name, flags in clone.FLAGS.items()]
    with PreparedProcess(forbid, *births, lambda: os.waitpid(-1, os.WNOHANG)) as stand:
        assert stand.call(0) > 0
        for which, name in list(enumerate(clone.FLAGS))[1:]:
            with pytest.raises(Refused) as told:
                stand.call(which)
            assert told.value.message["errno"] == errno.ENOSPC
            assert told.value.message["failed"] == ("fork" if name == "all" else f"unshare {name}")
        with pytest.raises(Refused, match=os.strerror(errno.ECHILD)):
            stand.call(len(births))


def test_without_the_memory_only_the_small_process_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clone, "available_memory", lambda: 300 << 20)
    with ExitStack() as stack:
        found = clone.operations(stack)
        refused = [entry for entry in found if isinstance(entry, Unmet)]
    assert len(found) == len(clone.FLAGS) + 1
    assert [name for name, _ in refused] == ["from 500 MB"]
    assert "only 300 MB are free" in refused[0].reason


def test_a_large_process_that_is_killed_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clone, "grow", lambda: os.kill(os.getpid(), 9))
    with ExitStack() as stack:
        assert [e.name for e in clone.operations(stack) if isinstance(e, Unmet)] == ["from 500 MB"]


@pytest.mark.skipif(
    not seccomp_filter.KNOWN, reason="the filter is written for x86_64 and aarch64."
)
def test_a_filter_that_hides_clone3_is_named() -> None:
    birth = partial(clone.timed_clone, "uts", clone.FLAGS["uts"])
    with (
        PreparedProcess(partial(seccomp_filter.forbid, 0), birth) as stand,
        pytest.raises(Refused) as told,
    ):
        stand.call()
    refused = explain.error(told.value.message)
    assert refused.errno == errno.ENOSYS
    assert "seccomp filter" in refused.cause
