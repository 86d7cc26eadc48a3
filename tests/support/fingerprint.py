"""What the host is like: everything that a careless notebook could change or leave behind."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

# What the kernel itself counts up, or sets anew whenever it is read.
RESTLESS = ("random", "ns_last_pid", "nr_open", "-nr", "-state", "pty", "sched_domain", "tainted")


def fingerprint() -> dict[str, object]:
    """Aspect of the host → a value that compares equal as long as nothing has changed."""
    return {name: look() for name, look in ASPECTS.items()}


def differences(before: dict[str, object], after: dict[str, object]) -> dict[str, object]:
    """Aspect → (what went, what came), for the aspects that differ."""
    return {
        name: (_only(before[name], after[name]), _only(after[name], before[name]))
        for name in before
        if before[name] != after[name]
    }


def _only(one: object, other: object) -> object:
    return sorted(set(one) - set(other)) if isinstance(one, list) else one  # type: ignore[call-overload]


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _command(*words: str) -> list[str]:
    if shutil.which(words[0]) is None:
        return []
    return subprocess.run(words, capture_output=True, text=True).stdout.splitlines()


def _sysctls() -> list[str]:
    found = []
    for directory, _, files in os.walk("/proc/sys"):
        for name in files:
            path = f"{directory}/{name}"
            if not any(word in path for word in RESTLESS):
                found += [f"{path}: {line}" for line in _lines(path)]
    return found


def _cgroups() -> list[str]:
    """The groups of sandboxes, but for those of notebooks that others run at the same time."""
    found = (path for path, _, _ in os.walk("/sys/fs/cgroup"))
    return [p for p in found if (name := _GROUP.search(p)) and not _is_anothers(int(name[1]))]


_GROUP = re.compile(r"/nsedu-(\d+)-")


def _is_anothers(pid: int) -> bool:
    """Whether a process is there, and neither this one nor below it."""
    status = _lines(f"/proc/{pid}/status")
    while pid not in (0, os.getpid()):
        parents = [int(line.split()[1]) for line in _lines(f"/proc/{pid}/status") if "PPid" in line]
        pid = parents[0] if parents else 0
    return bool(status) and pid != os.getpid()


def _processes() -> list[str]:
    """The short names of the processes below this one, and of the orphans that it has adopted."""
    pids = Path("/proc/thread-self/children").read_text().split()
    return sorted(line for pid in pids for line in _lines(f"/proc/{pid}/comm"))


def _listing(directory: str) -> list[str]:
    return sorted(f"{directory}/{name}" for name in os.listdir(directory))


def _routes() -> list[str]:
    # The counts of uses go up by themselves.
    fields = [line.split() for line in _lines("/proc/net/route") + _lines("/proc/net/ipv6_route")]
    return [" ".join(words[:4]) + " " + words[-1] for words in fields]


ASPECTS: dict[str, Callable[[], object]] = {
    "host name": lambda: os.uname().nodename,
    "domain name": lambda: _lines("/proc/sys/kernel/domainname"),
    "mounts": lambda: _lines("/proc/self/mountinfo"),
    "links": lambda: sorted(name for _, name in socket.if_nameindex()),
    "addresses": lambda: _lines("/proc/net/if_inet6") + _command("ip", "-o", "-4", "addr"),
    "routes": _routes,
    "firewall": lambda: _command("nft", "list", "ruleset"),
    "control groups": _cgroups,
    "sysctls": _sysctls,
    "IPC objects": lambda: [
        line for kind in ("shm", "sem", "msg") for line in _lines(f"/proc/sysvipc/{kind}")
    ],
    "/tmp": lambda: _listing("/tmp"),
    "/dev/shm": lambda: _listing("/dev/shm"),
    "/dev/mqueue": lambda: _listing("/dev/mqueue") if os.path.isdir("/dev/mqueue") else [],
    "users": lambda: _lines("/etc/passwd") + _lines("/etc/group"),
    "processes": _processes,
}
