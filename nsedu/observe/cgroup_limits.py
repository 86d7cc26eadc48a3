"""What limits a control group has and what has come of them, of version 1 and 2 alike.

The files are those of the kernel's admin guide: cgroup-v2.rst, cgroup-v1/pids.rst, memory.rst, and
scheduler/sched-bwc.rst.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_UNLIMITED = 1 << 60  # version 1 says "no limit on memory" by the largest number of whole pages


class Limits(NamedTuple):
    """Limits of a group, None where there is none, and its counters, None where they are missing.

    Attributes:
        pids_max: processes and threads allowed.
        pids_now: how many there are.
        pids_refused: how many forks the limit has refused.
        memory_max: bytes allowed.
        memory_now: bytes used.
        oom_kills: how many processes were killed because the memory was used up.
        cpu_cores: how many cores' worth of time it may use.
        throttled: in how many periods it had used up its time before they were over.
    """

    pids_max: int | None = None
    pids_now: int | None = None
    pids_refused: int | None = None
    memory_max: int | None = None
    memory_now: int | None = None
    oom_kills: int | None = None
    cpu_cores: float | None = None
    throttled: int | None = None


# Where each number is found: files, and the key of its line; version 2 first.
_FILES = {
    "pids_max": ("pids.max", ""),
    "pids_now": ("pids.current", ""),
    "pids_refused": ("pids.events", "max"),
    "memory_now": ("memory.current memory.usage_in_bytes", ""),
    "memory_max": ("memory.max memory.limit_in_bytes", ""),
    "oom_kills": ("memory.events memory.oom_control", "oom_kill"),
    "throttled": ("cpu.stat", "nr_throttled"),
}


def limits_of(directories: Iterable[Path]) -> Limits:
    """The limits and counters of a group, whose controllers may lie in several directories.

    Args:
        directories: of one group in each hierarchy that is to be read.
    """
    found: dict[str, int | float | None] = {}
    for where in dict.fromkeys(directories):
        for name, (files, key) in _FILES.items():
            value = next((v for file in files.split() if (v := _number(where / file, key))), None)
            if value is not None:
                found[name] = int(value) if int(value) < _UNLIMITED else None
        cores = _cores(where)
        if cores is not None:
            found["cpu_cores"] = cores
    return Limits(**found)  # type: ignore[arg-type]


def words(limits: Limits) -> list[str]:
    """The limits and what has come of them, a phrase for each that is set."""
    said = []
    if limits.pids_max is not None:
        refused = f", {limits.pids_refused} refused" if limits.pids_refused else ""
        plural = "es" if limits.pids_max != 1 else ""
        said.append(f"at most {limits.pids_max} process{plural} ({limits.pids_now} now{refused})")
    if limits.memory_max is not None:
        killed = f" ({limits.oom_kills} killed)" if limits.oom_kills else ""
        said.append(f"at most {_bytes(limits.memory_max)} of memory{killed}")
    if limits.cpu_cores is not None:
        unit = "of a core" if limits.cpu_cores < 1 else "core" + "s" * (limits.cpu_cores > 1)
        cores = f"{limits.cpu_cores:g} {unit}"
        said.append(f"at most {cores}" + (" (slowed down)" if limits.throttled else ""))
    return said


def _bytes(number: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= size and number % (size >> 4) == 0:
            return f"{number / size:g} {unit}"
    return f"{number} bytes"


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # it is of the other version, or the group has gone
        return ""


def _number(file: Path, key: str) -> str | None:
    """The number in a file, or in its line that begins with the key."""
    for line in _text(file).splitlines():
        words = line.split()
        if key and words[:1] != [key]:
            continue
        if words and words[-1].isdigit():
            return words[-1]
    return None


def _cores(where: Path) -> float | None:
    words = _text(where / "cpu.max").split() or [
        _text(where / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
    ]
    quota, period = words if len(words) == 2 else ("", "")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None
