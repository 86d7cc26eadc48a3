"""The hierarchies of control groups, and a process's group in each (cgroups(7))."""

from __future__ import annotations

import os
from collections import namedtuple

from nsedu.kernel.mountinfo import parse_mountinfo
from nsedu.kernel.procfs import VANISHED, read

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from pathlib import Path

Paths = dict[str, str]
"""Key of a hierarchy → the path of a group in it."""


class Hierarchy(namedtuple("Hierarchy", "key version controllers mount root")):
    """One tree of control groups.

    Attributes:
        key: its controllers as /proc/PID/cgroup names them: "pids", "cpu,cpuacct", "name=systemd";
            "" for the one tree of version 2.
        version: 1 or 2.
        controllers: their names; of version 2 those that can be used, often none in a hybrid.
        mount: where its file system is mounted, "" if it is not.
        root: what of it is mounted there, as the reader's namespace tells it.
    """

    __slots__ = ()
    key: str
    version: int
    controllers: tuple[str, ...]
    mount: str
    root: str

    def directory(self, path: str) -> Path | None:
        """The directory of a group, None if none that is mounted shows it."""
        from pathlib import Path  # which the agent has no use for

        # "/.." in a path: the group is above our root; in a root: it was mounted further out.
        climbs = "/.." in (path[:3], self.root[:3])
        if not self.mount or climbs or os.path.commonpath((self.root, path)) != self.root:
            return None
        return Path(self.mount, os.path.relpath(path, self.root))


def parse_cgroup(text: str) -> Paths:
    """The content of a /proc/PID/cgroup file: key of each hierarchy → path."""
    fields = (line.split(":", 2) for line in text.split("\n") if line)
    return {key: path for _, key, path in fields}


def paths_of(process: str) -> Paths:
    """The groups of a process; none if it has ended, or the kernel has no control groups.

    Args:
        process: its directory in /proc.
    """
    try:
        return parse_cgroup(os.fsdecode(read(f"{process}/cgroup")))
    except VANISHED:
        return {}


def hierarchies(process: str = "/proc/self") -> tuple[Hierarchy, ...]:
    """The hierarchies that a process is in, version 2 last; argument as of `paths_of`."""
    mounts = parse_mountinfo(read(f"{process}/mountinfo"))
    found = []
    for key in sorted(paths_of(process), key=lambda key: (key == "", key)):
        names = set(key.split(","))
        at = [
            m
            for m in mounts
            if (m.fstype == "cgroup2" if not key else m.fstype == "cgroup"
                and names <= {option.strip() for option in m.super_options})
        ]  # fmt: skip
        mount, root = (at[0].target, at[0].root) if at else ("", "/")
        controllers = sorted(names) if key else _available(mount)
        found.append(Hierarchy(key, 1 if key else 2, tuple(controllers), mount, root))
    return tuple(found)


def _available(mount: str) -> list[str]:
    """The controllers of version 2 that can be used."""
    try:
        return read(f"{mount}/cgroup.controllers").decode().split() if mount else []
    except FileNotFoundError:
        return []
