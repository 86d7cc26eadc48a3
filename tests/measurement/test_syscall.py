"""System calls outside and inside: what is compared, and that it is what the names say."""

from __future__ import annotations

import ctypes
import errno
import os
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

import nsedu as ns
from nsedu.agent import first_process
from nsedu.kernel import id_maps, namespace_types
from nsedu.measurement.measure import Result
from nsedu.measurement.questions import syscall
from nsedu.measurement.sampler import call_loop
from nsedu.measurement.sampler.call_loop import Loop
from nsedu.measurement.sampler.operations import Operation, PreparedProcess, Unmet

PAIRED = ("getpid", "clock by vDSO", "clock by system call", "stat", "openat 1", "openat 16")

needs_all = pytest.mark.needs(*namespace_types.NAMES)


@pytest.fixture(scope="module")
def answer() -> Result:
    before = Path("/proc/self/mountinfo").read_text(), os.listdir("/mnt"), os.sched_getaffinity(0)
    result = ns.measure("syscall", 3)
    after = Path("/proc/self/mountinfo").read_text(), os.listdir("/mnt"), os.sched_getaffinity(0)
    assert before == after
    return result


@needs_all
def test_each_call_is_made_outside_and_inside(answer: Result) -> None:
    for call in PAIRED:
        rows = answer.series(call)
        assert [row.name for row in rows][:2] == [f"{call} outside", f"{call} inside"]
    assert {(row.n, row.unit, row.x) for row in answer.results} == {(3, "ns", None)}


@needs_all
@pytest.mark.needs("overlay", "range")
def test_what_makes_a_difference_stands_beside_what_does_not(answer: Result) -> None:
    assert answer.series("openat 1")[-1].name == "openat 1 on overlayfs"
    assert answer.series("openat 16")[-1].name == "openat 16 through 16 mounts"
    assert [row.name for row in answer.series("fstat")] == [
        "fstat, id map of 1 line",
        "fstat, id map of 200 lines",
    ]
    assert [row.name for row in answer.series("status")] == [
        "status of a process in no PID namespace",
        "status of a process in 30 PID namespaces",
    ]
    assert answer.unmet == {}


@needs_all
def test_a_filter_stands_beside_none(answer: Result) -> None:
    assert [row.name for row in answer.series("seccomp")] == [
        "seccomp, no filter",
        "seccomp, a filter of 300 numbers",
        "seccomp, one that asks for an argument",
    ]


@pytest.mark.parametrize("argument", [False, True])
def test_what_is_under_a_filter_is_and_may_do_what_it_did(argument: bool) -> None:
    def mode() -> list[str]:
        lines = Path("/proc/self/status").read_text().splitlines()
        return [line.split()[1] for line in lines if line.startswith(("Seccomp:", "NoNewPrivs:"))]

    with PreparedProcess(partial(syscall.fork_filtered, argument=argument), mode) as stand:
        assert stand.call() == ["1", "2"]
    assert mode()[1] == "0"


def links() -> list[int]:
    return [os.stat(f"/proc/self/ns/{name}").st_ino for name in namespace_types.NAMES]


@needs_all
def test_inside_all_eight_namespaces_are_others_and_the_clock_is_ahead() -> None:
    with PreparedProcess(syscall.fork_inside, links, time.monotonic) as stand:
        assert not set(stand.call(0)) & set(links())
        assert stand.call(1) - time.monotonic() > syscall.DAY - 60


@needs_all
def test_through_mounts_every_component_is_a_mount_point_and_is_so_nowhere_else() -> None:
    def arrange() -> None:
        syscall.enter_tree()
        syscall.fork_inside(syscall.work_in_mounts)

    def places() -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [line.split()[4] for line in lines]

    with PreparedProcess(arrange, places, partial(os.path.exists, syscall.path_of(16))) as stand:
        below = [place for place in stand.call(0) if place.startswith("/mnt/mounted/")]
        assert below == [f"/mnt/mounted/{'d/' * n}d" for n in range(15)] + [
            f"/mnt/mounted/{os.fsdecode(syscall.path_of(16))}"
        ]
        assert stand.call(1)


@needs_all
@pytest.mark.needs("overlay")
def test_on_overlayfs_the_same_file_is_another_file_systems() -> None:
    def arrange() -> None:
        syscall.enter_tree()
        syscall.fork_inside(syscall.work_in_layers)

    with PreparedProcess(
        arrange, lambda: os.stat("f").st_dev, lambda: os.stat("/mnt/plain").st_dev
    ) as stand:
        assert stand.call(0) != stand.call(1)


@pytest.mark.needs("userns", "range")
@pytest.mark.parametrize("lines", [1, syscall.LINES])
def test_the_id_map_is_as_long_as_said(lines: int) -> None:
    def lengths() -> list[int]:
        maps = (Path(f"/proc/self/{kind}_map").read_text() for kind in ("uid", "gid"))
        return [len(text.splitlines()) for text in maps]

    with PreparedProcess(partial(syscall.with_map, lines), lengths, os.getuid) as stand:
        assert stand.call(0) == [lines, lines]
        assert stand.call(1) == 0


@pytest.mark.needs("userns")
def test_without_a_grant_the_long_id_map_alone_is_unmet(monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = os.geteuid() or 54321
    monkeypatch.setattr(os, "geteuid", lambda: ordinary)
    monkeypatch.setattr(id_maps, "grants", lambda path, uid: [])
    with ExitStack() as stack:
        short, long = syscall.compare_id_maps(stack, Loop())
    assert isinstance(short, Operation)
    assert isinstance(long, Unmet)
    assert (long.reason["failed"], long.reason["errno"]) == ("newuidmap", errno.ENOENT)


@pytest.mark.needs("userns")
def test_where_there_is_no_inside_the_outside_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(then: object = None) -> None:
        raise first_process.StepFailed("unshare net", errno.EPERM, "unshare(2)")

    monkeypatch.setattr(syscall, "fork_inside", refused)
    with ExitStack() as stack:
        found = syscall.compare_places(stack, Loop())
    ensure_can_unshare = [row.name for row in found if isinstance(row, Operation)]
    assert ensure_can_unshare == [f"{call} outside" for call in PAIRED]
    unmet = {row.name: row.reason["failed"] for row in found if isinstance(row, Unmet)}
    assert unmet == dict.fromkeys(
        ("every call inside", "openat 1 on overlayfs", "openat 16 through 16 mounts"), "unshare net"
    )


def test_the_loop_makes_as_many_calls_as_said_and_hands_on_each_result() -> None:
    calls: list[tuple[int, ...]] = []
    results: list[int] = []
    words = [ctypes.c_long] * 5

    @ctypes.CFUNCTYPE(ctypes.c_long, *words)
    def call(*arguments: int) -> int:
        calls.append(arguments)
        return -len(calls)

    @ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long)
    def then(result: int) -> int:
        results.append(result)
        return 0

    value, null = Loop().sampler(call, 1, -2, 3, 4, 5, then=then, times=40)()
    assert calls == [(1, -2, 3, 4, 5)] * (4 + 40)  # before the clock is read, and after
    assert results == [-n for n in range(1, 45)]
    assert value > null > 0


def test_a_path_reaches_the_call_as_its_address() -> None:
    seen: list[bytes] = []

    @ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_char_p)
    def call(path: bytes) -> int:
        seen.append(path)
        return 0

    Loop().sampler(call, b"d/f", times=1)()
    assert seen == [b"d/f"] * 2


@pytest.mark.parametrize("name", sorted(syscall.NUMBERS))
def test_the_numbers_are_those_of_the_calls(name: str) -> None:
    into = ctypes.create_string_buffer(4096)
    arguments: dict[str, tuple[int | bytes | ctypes.Array, ...]] = {
        "getpid": (),
        "stat": (-100, b"/proc/self/stat", into, 0),
        "fstat": (0, into),
        "openat": (-100, b"/proc/self/stat", 0),
        "clock_gettime": (1, into),
        "pread": (os.open("/proc/self/stat", os.O_RDONLY), into, 4096, 0),
    }
    result = syscall.libc.syscall(syscall.NUMBERS[name], *arguments[name])
    if name in ("openat", "pread"):
        os.close(result if name == "openat" else int(arguments[name][0]))
    expected = {"getpid": os.getpid(), "openat": result, "pread": len(into.value)}
    assert result == expected.get(name, 0)


@pytest.mark.parametrize("refused", ["machine", "executable memory"])
def test_a_machine_without_the_loop_says_so(refused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if refused == "machine":
        monkeypatch.setattr(call_loop, "MACHINE", "s390x")
    else:
        monkeypatch.setattr(call_loop, "libc", type("libc", (), {"mprotect": lambda *_: -1}))
    with ExitStack() as stack:
        (unmet,) = syscall.operations(stack)
    assert unmet.name == "every call"
    assert unmet.reason.startswith("the loop around the call is machine code")
