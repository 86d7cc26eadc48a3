"""A control group for a sandbox's limits: made with it, removed with it.

Works on cgroup v2, on v1 and on the hybrid of both (cgroups(7)).  Nothing that exists is changed:
the group is made below the nearest group of ours whose children already have the controllers.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections import namedtuple
from collections.abc import Callable, Collection, Container, Iterable, Mapping

from nsedu.kernel import cgroup_hierarchies

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from typing import Any

CPU_PERIOD = 100_000  # µs, the kernel's default for cpu.max and cpu.cfs_period_us

# limit name → (file of v2, file of v1)
FILES = {
    "pids": ("pids.max", "pids.max"),
    "memory": ("memory.max", "memory.limit_in_bytes"),
    "cpu": ("cpu.max", "cpu.cfs_quota_us"),
}
_ALSO = {"processes": "pids", "mem": "memory", "ram": "memory", "bytes": "memory", "cores": "cpu"}


class Controller(namedtuple("Controller", "version mount path")):
    """Where one controller's hierarchy is: `version` 1 or 2, its `mount`, and our `path` in it."""

    __slots__ = ()
    version: int
    mount: str
    path: str


def hierarchies(process: str = "/proc/self") -> list[tuple[tuple[str, ...], Controller]]:
    """The hierarchies that are mounted, each with its controllers; version 2 may have none."""
    paths, found = cgroup_hierarchies.paths_of(process), []
    for hierarchy in cgroup_hierarchies.hierarchies(process):
        if hierarchy.mount:
            path = paths.get(hierarchy.key, "/")
            inside = path if hierarchy.root == "/" else path.removeprefix(hierarchy.root) or "/"
            where = Controller(hierarchy.version, hierarchy.mount, inside)
            found.append((hierarchy.controllers, where))
    return found


def controllers(process: str = "/proc/self") -> dict[str, Controller]:
    """Controller name → hierarchy, for the controllers that can be used here."""
    found: dict[str, Controller] = {}
    for names, where in hierarchies(process):
        for name in names:
            found.setdefault(name, where)
    return found


def check_limits(limits: Any) -> dict[str, int | float]:
    """Limits as numbers: "pids" (processes), "memory" (bytes), "cpu" (cores, may be a fraction).

    Raises:
        TypeError, ValueError: an unknown limit or a value that is none.
    """
    if limits is not None and not isinstance(limits, Mapping):
        raise TypeError(f"limits must map any of {', '.join(FILES)} to a number, not {limits!r}.")
    checked: dict[str, int | float] = {}
    for name, value in (limits or {}).items():
        if name not in FILES:
            from nsedu.suggestions import (
                no_such,  # not before it is needed: the agent loads this module
            )

            what = f"limits has no {name!r:.80}"
            raise ValueError(no_such(what, name, FILES, _ALSO, "; use any of"))
        if isinstance(value, bool) or not isinstance(value, int if name != "cpu" else (int, float)):
            unit = {"pids": "a number of processes", "memory": "bytes", "cpu": "cores"}[name]
            raise TypeError(f"limits[{name!r}] must be {unit}, not {value!r}.")
        if not 0 < value < 1 << 62:
            raise ValueError(f"limits[{name!r}] must be above zero and below 2**62, not {value!r}.")
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


def create(label: str, limits: dict[str, int | float], around: Iterable[str] = ()) -> list[str]:
    """Make the groups that hold these limits, for `move` and `remove`.

    Args:
        label: what to name them.
        limits: as `check_limits` returns them.
        around: groups made before for the caller, whose limits shall hold here too (v1; a group of
            v2 that has processes can have no groups below it).

    Returns:
        The directories.

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
            inside = [g for g in around if where.version == 1 and g.startswith(f"{where.mount}/")]
            directory = _make(label, inside or _candidates(where, name), made)
            if directory not in made:
                made.append(directory)
            new, old = FILES[name]
            if name == "cpu":
                quota = max(1000, int(value * CPU_PERIOD))
                text = f"{quota} {CPU_PERIOD}" if where.version == 2 else str(quota)
            else:
                text = str(value)
            with open(f"{directory}/{new if where.version == 2 else old}", "w") as file:
                file.write(text)
            if name == "memory":
                count_swap(directory, where.version, text)
    except OSError:
        remove(made)
        raise
    return made


def count_swap(directory: str, version: int, limit: str) -> None:
    """Let swap space be no way round the limit on memory."""
    file, text = (
        ("memory.swap.max", "0") if version == 2 else ("memory.memsw.limit_in_bytes", limit)
    )
    with contextlib.suppress(FileNotFoundError):  # the kernel does not account for swap space
        fd = os.open(f"{directory}/{file}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)


def _make(label: str, parents: list[str], made: Container[str]) -> str:
    """Make a group below the first of these that allows it, unless that has been done already."""
    refused = OSError(errno.ENOENT, os.strerror(errno.ENOENT), "cgroup.subtree_control")
    for parent in parents:
        directory = f"{parent}/{label}"
        if directory not in made:
            try:
                os.mkdir(directory)
            except OSError as error:
                refused = error if parent == parents[0] else refused
                continue
        return directory
    raise refused


def named(labels: Iterable[str], around: Iterable[str] = ()) -> list[str]:
    """The groups of sandboxes so labelled, and of those inside them: LABEL and LABEL.NUMBER.

    Args:
        labels: as given to `create`.
        around: where to look besides our own groups and those above.
    """
    exact = set(labels)
    inner = tuple(f"{label}." for label in exact)
    return _groups(lambda name: name in exact or name.startswith(inner), around)


def of_notebook(pid: int) -> list[str]:
    """The groups of all sandboxes of a notebook."""
    return _groups(lambda name: name.startswith(f"nsedu-{pid}-"), ())


def _groups(wanted: Callable[[str], bool], around: Iterable[str]) -> list[str]:
    found: set[str] = set()
    with contextlib.suppress(OSError):  # a machine without control groups
        places = {where.mount + where.path.rstrip("/") for _, where in hierarchies()}
        places |= {p for name, where in controllers().items() for p in _candidates(where, name)}
        for place in places.union(around):
            found.update(f"{place}/{name}" for name in os.listdir(place) if wanted(name))
    return sorted(found)


def move(pid: int, directories: Iterable[str]) -> None:
    """Move a process, as /proc here calls it, into the groups.

    Raises:
        OSError: EACCES (no write access to the common ancestor), EBUSY, ESRCH.
    """
    for directory in directories:
        path = f"{directory}/cgroup.procs"
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, str(pid).encode())
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
        finally:
            os.close(fd)


_DELEGATED = "", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks"


def delegate(directories: Iterable[str], uid: int) -> None:
    """Let a user, and the group of the same number, have groups below these (cgroups(7)).

    The limits themselves stay ours.
    """
    for directory in directories:
        for name in _DELEGATED:
            with contextlib.suppress(FileNotFoundError):  # one of the other version
                os.chown(f"{directory}/{name}", uid, uid)


def remove(directories: Collection[str]) -> list[str]:
    """Remove empty groups, with the empty groups made below them; one that has gone is no error.

    Returns:
        Those that are still there, because a process is in them.
    """
    for directory in directories:
        for path, _, _ in os.walk(directory, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(path)
    return [directory for directory in directories if os.path.exists(directory)]
