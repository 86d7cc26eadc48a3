"""Pages of memory measured: each process is charged where its name says, and nothing is left."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from awaiting import ended, eventually
from nsedu.agent import cgroups
from nsedu.agent.limit_groups import LimitGroups
from nsedu.kernel.procfs import family
from nsedu.measurement.questions import pages
from nsedu.measurement.sampler.operations import Operation, PreparedProcess, Unmet

NAMES = [
    f"page, charged to {where}" for where in ("no group", "your group", "a group with a limit")
]


@pytest.fixture
def processor() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, allowed)


def group(pid: int) -> str:
    where = cgroups.controllers(f"/proc/{pid}")["memory"]
    return f"{where.mount}{where.path.rstrip('/')}"


@pytest.mark.needs("cgroup-write")
@pytest.mark.usefixtures("processor")
def test_each_process_is_in_the_group_of_its_row_and_the_group_goes() -> None:
    before, own = os.listdir("/proc/self/fd"), group(os.getpid())
    with ExitStack() as stack:
        found = pages.operations(stack)
        assert [entry.name for entry in found] == NAMES
        groups = {
            entry.name: group(entry.sample.__self__.pid)
            for entry in found
            if isinstance(entry, Operation)
        }
        limited = groups[NAMES[2]]
        assert limited.endswith(f"/nsedu-{os.getpid()}-pages")
        limits = [Path(limited, name) for name in cgroups.FILES["memory"]]
        assert [int(file.read_text()) for file in limits if file.exists()] == [pages.LIMIT]
        assert groups[NAMES[1]] == own
        root = cgroups.controllers()["memory"].mount
        assert groups.get(NAMES[0], root) == root
    assert not os.path.exists(limited)
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.needs("cgroup-write")
def test_the_group_goes_when_the_measurement_is_killed() -> None:
    measuring = (
        f"import sys; sys.path[:0] = {[str(Path(pages.__file__).parents[3])]!r}\n"
        "from contextlib import ExitStack\n"
        "from nsedu.measurement.questions import pages\n"
        "with ExitStack() as stack:\n"
        "    pages.operations(stack); print('ready', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", measuring],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        made = cgroups.named([f"nsedu-{process.pid}-pages"])
        assert len(made) == 1
        members = family(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert eventually(lambda: not os.path.exists(made[0]))
    assert all(ended(pid) for pid in members)


def refuse(*_: object) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/sys/fs/cgroup/memory/x")


@pytest.mark.usefixtures("processor")
def test_what_may_not_be_moved_is_unmet_and_says_which_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cgroups, "move", refuse)
    monkeypatch.setattr(LimitGroups, "hold", refuse)
    with ExitStack() as stack:
        none, own, limited = pages.operations(stack)
    assert isinstance(own, Operation)
    assert isinstance(limited, Unmet)
    assert (limited.reason["failed"], limited.reason["errno"]) == ("cgroup", errno.EACCES)
    assert isinstance(none, Unmet)


@pytest.mark.usefixtures("processor")
def test_a_root_of_all_groups_that_cannot_be_seen_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_INITIAL", 0)
    with ExitStack() as stack:
        none = pages.operations(stack)[0]
    assert none == Unmet(NAMES[0], none.reason)
    assert "in no container" in none.reason


def test_pages_are_given_back_and_touched_anew_each_time() -> None:
    with PreparedProcess(pages.map_pages, pages.touch_pages, faults) as stand:
        stand.call(0)
        before = stand.call(1)
        touched, again = stand.call(0)
        assert pages.PAGES <= stand.call(1) - before < 2 * pages.PAGES
    assert touched > again > 0


def faults() -> int:
    from resource import RUSAGE_SELF, getrusage

    return getrusage(RUSAGE_SELF).ru_minflt
