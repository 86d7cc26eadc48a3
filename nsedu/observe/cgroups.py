"""The view of control groups: in which groups processes are, and what each sees of that itself.

A cgroup namespace has a root in every hierarchy, which cannot be read from outside.  But the path
of a group is told relative to the root of the reading process (cgroup_namespaces(7)), so a look
from inside and one from outside together give the root away.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from nsedu.kernel.cgroup_hierarchies import (
    Hierarchy,
    Paths,
    hierarchies,
    parse_cgroup,
    paths_of,
)
from nsedu.observe import cgroup_limits, questions
from nsedu.observe.cgroup_limits import Limits
from nsedu.observe.viewpoints import Place, place
from nsedu.sandbox.process_labels import roles


class Member(NamedTuple):
    """A process and the groups it is in.

    Attributes:
        name: what a picture calls it.
        pid: as the reader sees it.
        ns: inode number of its cgroup namespace, None where that may not be read.
        outside: its groups as the reader reads them.
        inside: the same as read from within its own cgroup namespace; None if it could not be
            entered.
    """

    name: str
    pid: int
    ns: int | None
    outside: Paths
    inside: Paths | None


@dataclass(frozen=True)
class CgroupView:
    """What a look finds.

    Attributes:
        hierarchies: those that the reader is in, version 2 last.
        own: the groups of the reader.
        ns: inode number of the reader's cgroup namespace, None for a kernel without.
        members: who was looked at, in the order given.
        roots: (namespace, key of a hierarchy) → its root as the reader would call it.  One that is
            not here could not be found out: all its processes in sight are outside of it.
        makers: name of a group's directory → the sandbox it was made for.
        limits: (key of a hierarchy, path) → the limits of the groups made for sandboxes.
        unread: how many namespaces could not be entered for a look from inside.
    """

    hierarchies: tuple[Hierarchy, ...]
    own: Paths
    ns: int | None
    members: tuple[Member, ...]
    roots: dict[tuple[int, str], str] = field(default_factory=dict)
    makers: dict[str, str] = field(default_factory=dict)
    limits: dict[tuple[str, str], Limits] = field(default_factory=dict)
    unread: int = 0


def kind(found: Iterable[Hierarchy]) -> str:
    """How control groups are set up: "v1", "v2", "hybrid" (both), or "none"."""
    versions = {hierarchy.version for hierarchy in found}
    return {(1,): "v1", (2,): "v2", (1, 2): "hybrid"}.get(tuple(sorted(versions)), "none")


def root_of(outside: str, inside: str) -> str | None:
    """The root of a cgroup namespace, from one group's path as read outside and inside.

    Returns:
        The root as the outside calls it; None if the group is not below it, and so says too little.
    """
    if inside.startswith("/..") or not outside.endswith(inside.rstrip("/")):
        return None
    return outside.removesuffix(inside.rstrip("/")) or "/"


def read_cgroups(members: list[Place], proc: str = "/proc") -> CgroupView:
    """Look at processes from outside, and from inside their cgroup namespaces.

    Args:
        members: of `nsedu.observe.viewpoints.places`.
        proc: where the proc file system is.

    Raises:
        ValueError: one of the processes has ended.
    """
    everywhere, own = hierarchies(f"{proc}/self"), paths_of(f"{proc}/self")
    ns = _namespace(proc, "self")
    about = dict.fromkeys(one.pid for one in (*members, *_sandboxes()))
    outside = {pid: paths_of(f"{proc}/{pid}") for pid in about if os.path.isdir(f"{proc}/{pid}")}
    spaces = {pid: _namespace(proc, pid) for pid in outside}
    ended = next((one for one in members if one.pid not in outside), None)
    if ended is not None:
        raise ValueError(f"process {ended.pid} ({ended.name}) has ended.")
    inside = {pid: outside[pid] for pid in outside if spaces[pid] == ns}
    closed = 0
    for space in dict.fromkeys(spaces[one.pid] for one in members if one.pid not in inside):
        pids = [pid for pid in outside if spaces[pid] == space and space is not None]
        seen = _read_inside(pids)
        closed += seen is None
        inside |= seen or {}
    roots: dict[tuple[int, str], str] = {}
    for pid in inside.keys() & outside.keys():
        for key in outside[pid].keys() & inside[pid].keys():
            root = root_of(outside[pid][key], inside[pid][key])
            if root is not None:
                roots[spaces[pid] or 0, key] = root
    found = tuple(
        Member(one.name, one.pid, spaces[one.pid], outside[one.pid], inside.get(one.pid))
        for one in members
    )
    view = CgroupView(
        everywhere, own, ns, found, roots, _makers(everywhere, outside, own), {}, closed
    )
    return replace(view, limits=_limits(view))


def _limits(view: CgroupView) -> dict[tuple[str, str], Limits]:
    """The limits of the groups made for sandboxes that a view shows."""
    spaces = {member.ns for member in view.members}
    shown = [(key, path) for member in view.members for key, path in member.outside.items()]
    shown += [(key, path) for (space, key), path in view.roots.items() if space in spaces]
    known = {hierarchy.key: hierarchy for hierarchy in view.hierarchies}
    found = {}
    for key, path in dict.fromkeys(shown):
        if os.path.basename(path) in view.makers and key in known:
            where = known[key].directory(path)
            if where is not None:
                found[key, path] = cgroup_limits.limits_of([where])
    return found


def counters(who: object) -> Limits:
    """The limits of the groups that a process is in, and what their counters say.

    Version 1, version 2 and the hybrid are read alike.

    Args:
        who: a sandbox, a process or a pid.

    Raises:
        TypeError, ValueError: it is none of these.
    """
    return cgroup_limits.limits_of(directories(who).values())


def directories(who: object) -> dict[str, Path]:
    """Where the groups of a process are in the file system: controller → directory.

    Under "" is its group of version 2, whatever controllers that has.

    Args:
        who: a sandbox, a process or a pid.

    Raises:
        TypeError, ValueError: it is none of these.
    """
    paths, found = paths_of(f"/proc/{place(who).pid}"), {}
    for hierarchy in hierarchies():
        where = hierarchy.directory(paths.get(hierarchy.key, "/.."))
        if where is not None:
            names = hierarchy.controllers + (() if hierarchy.key else ("",))
            found.update(dict.fromkeys(names, where))
    return found


def _namespace(proc: str, pid: int | str) -> int | None:
    try:
        return int(os.readlink(f"{proc}/{pid}/ns/cgroup")[8:-1])
    except OSError:  # another user's process, or a kernel without
        return None


def _sandboxes() -> list[Place]:
    """The first processes of all sandboxes of this notebook, oldest first."""
    return [Place(role, pid) for pid, role in list(roles.items()) if role.startswith("sandbox ")]


def _makers(
    everywhere: Iterable[Hierarchy], outside: Mapping[int, Paths], own: Paths
) -> dict[str, str]:
    """Name of a group's directory → the sandbox it was made for.

    That is the oldest one in it: those inside it, which may be in the group too, came later.
    """
    found: dict[str, str] = {}
    for name, pid in _sandboxes():
        for hierarchy in everywhere:
            path = outside.get(pid, {}).get(hierarchy.key, "/")
            label = os.path.basename(path)
            if path != own.get(hierarchy.key) and label.startswith("nsedu-"):
                found.setdefault(label, name)
    return found


def _read_inside(pids: list[int]) -> dict[int, Paths] | None:
    """What is read of each from within the cgroup namespace of these; None if it was refused."""
    for pid in pids:
        (found,) = questions.answers([pid], "cgroup", "groups", pids)
        if "value" in found:
            return {int(one): parse_cgroup(text) for one, text in found["value"].items()}
    return None
