"""A control group for a sandbox's limits: made with it, removed with it.

Works on cgroup v2, on v1 and on the hybrid of both (cgroups(7)).  Nothing that exists is changed:
the group is made below the nearest group of ours whose children already have the controllers.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import NamedTuple

CPU_PERIOD = 100_000  # µs, the kernel's default for cpu.max and cpu.cfs_period_us

# limit name → (file of v2, file of v1)
FILES = {
    "pids": ("pids.max", "pids.max"),
    "memory": ("memory.max", "memory.limit_in_bytes"),
    "cpu": ("cpu.max", "cpu.cfs_quota_us"),
}


class Controller(NamedTuple):
    """Where one controller's hierarchy is: `version` 1 or 2, its `mount`, and our `path` in it."""

    version: int
    mount: str
    path: str


def controllers(proc: str = "/proc/self") -> dict[str, Controller]:
    """Controller name → hierarchy, for the controllers that can be used here."""
    with open(f"{proc}/cgroup") as file:
        memberships = [line.rstrip("\n").split(":", 2) for line in file]
    mounts: list[tuple[str, str, str, set[str]]] = []  # type, root, mount point, options
    with open(f"{proc}/mountinfo") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            fields, tail = left.split(), right.split()
            if tail and tail[0] in ("cgroup", "cgroup2"):
                mounts.append((tail[0], fields[3], fields[4], set(tail[-1].split(","))))
    found: dict[str, Controller] = {}
    for _, names, path in memberships:
        for kind, root, mount, options in mounts:
            if names == "" and kind == "cgroup2":
                with open(f"{mount}/cgroup.controllers") as file:
                    available = file.read().split()
                version = 2
            elif names and kind == "cgroup" and set(names.split(",")) <= options:
                available, version = names.split(","), 1
            else:
                continue
            inside = path if root == "/" else path.removeprefix(root) or "/"
            for name in available:
                found.setdefault(name, Controller(version, mount, inside))
    return found


def check_limits(limits: dict[str, object]) -> dict[str, int | float]:
    """Limits as numbers: "pids" (processes), "memory" (bytes), "cpu" (cores, may be a fraction).

    Raises:
        ValueError, TypeError: an unknown limit or a value that is none.
    """
    checked: dict[str, int | float] = {}
    for name, value in limits.items():
        if name not in FILES:
            raise ValueError(f"limits has no {name!r}; use any of: {', '.join(FILES)}.")
        if isinstance(value, bool) or not isinstance(value, int if name != "cpu" else (int, float)):
            unit = {"pids": "a number of processes", "memory": "bytes", "cpu": "cores"}[name]
            raise TypeError(f"limits[{name!r}] must be {unit}, not {value!r}.")
        if value <= 0:
            raise ValueError(f"limits[{name!r}] must be above zero, not {value!r}.")
        checked[name] = value
    return checked


def _candidates(where: Controller, name: str) -> list[str]:
    """Our own group and those above it, nearest first, whose children have the controller."""
    found, path = [], where.path
    while True:
        directory = where.mount + path.rstrip("/")
        if where.version == 1:
            found.append(directory)
        else:
            try:
                with open(f"{directory}/cgroup.subtree_control") as file:
                    if name in file.read().split():
                        found.append(directory)
            except OSError:
                pass
        if path in ("/", ""):
            return found
        path = os.path.dirname(path)


def create(label: str, limits: dict[str, int | float]) -> list[str]:
    """Make the groups that hold these limits; returns their directories, for `enter` and `remove`.

    Raises:
        OSError: ENOENT (no such controller here), EACCES, EROFS, … with the file concerned.
    """
    if not limits:
        return []
    made: list[str] = []
    known = controllers()
    try:
        for name, value in limits.items():
            where = known.get(name)
            if where is None:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), f"cgroup controller {name}")
            directory = _make(label, name, where, made)
            new, old = FILES[name]
            if name == "cpu":
                quota = max(1000, int(value * CPU_PERIOD))
                text = f"{quota} {CPU_PERIOD}" if where.version == 2 else str(quota)
            else:
                text = str(value)
            with open(f"{directory}/{new if where.version == 2 else old}", "w") as file:
                file.write(text)
    except OSError:
        remove(made)
        raise
    return made


def _make(label: str, name: str, where: Controller, made: list[str]) -> str:
    refused: OSError | None = None
    for parent in _candidates(where, name):
        directory = f"{parent}/{label}"
        if directory in made:
            return directory
        try:
            os.mkdir(directory)
        except OSError as error:
            refused = refused or error
            continue
        made.append(directory)
        return directory
    raise refused or OSError(errno.ENOENT, os.strerror(errno.ENOENT), f"cgroup controller {name}")


def enter(directories: list[str]) -> None:
    """Move the calling process into the groups.

    Raises:
        OSError: EACCES (no write access to the common ancestor), EBUSY.
    """
    for directory in directories:
        with open(f"{directory}/cgroup.procs", "w") as file:
            file.write("0")


def remove(directories: list[str]) -> None:
    """Remove empty groups, with the empty groups made below them; one that has gone is no error."""
    for directory in reversed(directories):
        for path, _, _ in os.walk(directory, topdown=False):
            with contextlib.suppress(OSError):  # gone already, or busy: then who is in it has it
                os.rmdir(path)
