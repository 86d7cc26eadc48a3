"""The machine a figure was taken on: without it, the figure means nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nsedu.kernel.mountinfo import parse_mountinfo
from nsedu.kernel.procfs import read


def record() -> dict[str, Any]:
    """Kernel, processor, cores, governor, virtualisation, load, cgroup version, clock, date.

    "clock_ns" is the smallest step that the clock was seen to make: nothing shorter can be told.
    """
    system = os.uname()
    info = _cpuinfo()
    return {
        "kernel": system.release,
        "build": system.version,
        "machine": system.machine,
        "cpu": info.get("model name") or info.get("Model") or "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "governor": _line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "none",
        "virtual": _virtual(info),
        "load": round(os.getloadavg()[0], 2),
        "cgroup": _cgroup(),
        "clocksource": _line(
            "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        ) or "unknown",
        "clock_ns": _clock_step(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip


def line(machine: Mapping[str, Any]) -> str:
    """The record in a line, for the foot of a chart."""
    virtual = "" if machine["virtual"] == "no" else f" ({machine['virtual']})"
    steal = None if machine["virtual"] == "no" else machine.get("steal")
    taken = "" if steal is None else f", {steal:g} % stolen by its host"
    return (
        f"Linux {machine['kernel']}, {machine['cpu']}, {machine['cores']} cores{virtual},"
        f" load {machine['load']}{taken}"
    )


def stolen(since: tuple[int, int] | None = None) -> Any:
    """What the host of a virtual machine took from it: the ticks of /proc/stat, or a share of them.

    Args:
        since: what this has returned before.

    Returns:
        Ticks stolen and all ticks, of all processors (proc_stat(5)); or with `since`, how many
        in a hundred were stolen meanwhile, None where the kernel does not count them.
    """
    words = _line("/proc/stat").partition("\n")[0].split()[1:9]
    now = (int(words[7]), sum(map(int, words))) if len(words) == 8 else None
    if since is None:
        return now
    if now is None or now[1] <= since[1]:
        return None
    return round(100 * (now[0] - since[0]) / (now[1] - since[1]), 1)


def _line(path: str) -> str:
    try:
        return read(path).decode().strip()
    except OSError:
        return ""


def _cpuinfo() -> dict[str, str]:
    """The first processor's entries in /proc/cpuinfo."""
    first = _line("/proc/cpuinfo").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _virtual(info: dict[str, str]) -> str:
    """What kind of virtual machine this is, "no" where no sign of one is seen."""
    maker = _line("/sys/class/dmi/id/sys_vendor")
    if "hypervisor" in info.get("flags", "").split():
        return f"virtual machine, {maker}" if maker else "virtual machine"
    return "virtual machine, QEMU" if maker == "QEMU" else "no"


def _cgroup() -> str:
    """Whether cgroups are of version "2", "1", or "hybrid" (both are mounted)."""
    mounts = parse_mountinfo(_line("/proc/self/mountinfo").encode())
    both = {"cgroup", "cgroup2"} & {mount.fstype for mount in mounts}
    return (
        "hybrid" if len(both) == 2 else {"cgroup": "1", "cgroup2": "2"}.get("".join(both), "none")
    )


def _clock_step() -> int:
    steps = []
    for _ in range(100):
        start = now = time.perf_counter_ns()
        while now == start:
            now = time.perf_counter_ns()
        steps.append(now - start)
    return min(steps)
