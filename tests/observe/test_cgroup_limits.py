"""Limits and counters of made-up groups, as version 1 and version 2 write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nsedu.observe.cgroup_limits import Limits, limits_of, words

NEW = {
    "pids.max": "5\n", "pids.current": "2\n", "pids.events": "max 7\n",
    "memory.max": "33554432\n", "memory.current": "4096\n",
    "memory.events": "low 0\nhigh 0\nmax 93\noom 1\noom_kill 1\noom_group_kill 0\n",
    "cpu.max": "25000 100000\n",
    "cpu.stat": "usage_usec 9\nnr_periods 11\nnr_throttled 8\nthrottled_usec 3876\n",
}  # fmt: skip
OLD = {
    "pids.max": "5\n", "pids.current": "2\n", "pids.events": "max 7\n",
    "memory.limit_in_bytes": "33554432\n", "memory.usage_in_bytes": "4096\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "cpu.cfs_quota_us": "25000\n", "cpu.cfs_period_us": "100000\n",
    "cpu.stat": "nr_periods 11\nnr_throttled 8\nthrottled_time 387605360\n",
}  # fmt: skip
FREE_NEW = {"pids.max": "max\n", "memory.max": "max\n", "cpu.max": "max 100000\n"}
FREE_OLD = {
    "pids.max": "max\n", "memory.limit_in_bytes": "9223372036854771712\n",
    "cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n",
}  # fmt: skip
FOUND = Limits(5, 2, 7, 33554432, 4096, 1, 0.25, 8)


def group(directory: Path, files: dict[str, str]) -> Path:
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


@pytest.mark.parametrize("files", [NEW, OLD], ids=["version 2", "version 1"])
def test_both_versions_are_read_alike(tmp_path: Path, files: dict[str, str]) -> None:
    assert limits_of([group(tmp_path, files)]) == FOUND


def test_the_controllers_of_version_one_may_lie_apart(tmp_path: Path) -> None:
    apart = [
        group(tmp_path / kind, {n: t for n, t in OLD.items() if n.startswith(kind)})
        for kind in ("pids", "memory", "cpu")
    ]
    assert limits_of(apart) == FOUND


@pytest.mark.parametrize("files", [FREE_NEW, FREE_OLD, {}], ids=["version 2", "version 1", "gone"])
def test_what_is_not_limited_is_none(tmp_path: Path, files: dict[str, str]) -> None:
    assert limits_of([group(tmp_path, files)]) == Limits()
    assert words(Limits()) == []


@pytest.mark.parametrize(
    ("limits", "phrase"),
    [
        (Limits(pids_max=1, pids_now=1, pids_refused=0), "at most 1 process (1 now)"),
        (Limits(pids_max=5, pids_now=2, pids_refused=7), "at most 5 processes (2 now, 7 refused)"),
        (Limits(memory_max=32 << 20, oom_kills=0), "at most 32 MiB of memory"),
        (Limits(memory_max=3 << 29, oom_kills=2), "at most 1.5 GiB of memory (2 killed)"),
        (Limits(memory_max=12345), "at most 12345 bytes of memory"),
        (Limits(cpu_cores=0.25, throttled=0), "at most 0.25 of a core"),
        (Limits(cpu_cores=1.0, throttled=3), "at most 1 core (slowed down)"),
        (Limits(cpu_cores=2.0), "at most 2 cores"),
    ],
)
def test_a_limit_is_said_in_words(limits: Limits, phrase: str) -> None:
    assert words(limits) == [phrase]
