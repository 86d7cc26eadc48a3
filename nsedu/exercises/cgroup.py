"""The exercises of chapter 8: cgroup namespaces, and the limits that they are not."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from nsedu.errors import NamespaceError
from nsedu.exercises.model import Exercise, Verdict, World
from nsedu.mountinfo import Mount, parse_mountinfo
from nsedu.observe import cgroup_view
from nsedu.observe.places import places
from nsedu.procfs import read
from nsedu.records import Process
from nsedu.sandbox import Sandbox

_NONE = "found no running process of yours in another cgroup namespace."
_LIMIT = 5
_MOUNT = "mount -t cgroup2 none /mnt"


def _of_its_own(world: World) -> Verdict:
    found = world.elsewhere("cgroup")
    if not found:
        return Verdict("cgroup-1", False, _NONE)
    people = next(iter(found.values()))
    paths = world.says(people[0], ["cat", "/proc/self/cgroup"]).splitlines()
    if paths and all(line.endswith(":/") for line in paths):
        return Verdict("cgroup-1", True, 'a process of yours reads "/" wherever it is.')
    return Verdict("cgroup-1", False, 'found a cgroup namespace, but not every path in it is "/".')


def _own_view() -> Iterator[None]:
    with Sandbox("cgroup"):
        yield


def _wrong_type() -> Iterator[None]:
    with Sandbox("user"):
        yield


def _ended() -> Iterator[None]:
    Sandbox("cgroup").close()
    yield


def _mounts(pid: int | str) -> list[Mount]:
    try:
        return parse_mountinfo(read(f"/proc/{pid}/mountinfo"))
    except OSError:  # it has ended, or is not ours to look at
        return []


def _fresh_mount(world: World) -> Verdict:
    # This process may be in the same mount namespace, where what was mounted before counts as old.
    old = {mount.target for mount in _mounts("self") if mount.fstype == "cgroup2"}
    people = [one for ones in world.elsewhere("cgroup").values() for one in ones]
    roots = set()
    for process in people:
        fresh = [m for m in _mounts(process.pid) if m.fstype == "cgroup2" and m.target not in old]
        for mount in fresh:
            root = _root(process)
            if mount.root == root:
                return Verdict(
                    "cgroup-2", True, "a mount of yours begins where its namespace has its root."
                )
            roots.add(mount.root)
    if roots:
        return Verdict("cgroup-2", False, "found a mount of cgroup2, but it begins further up.")
    if people:
        return Verdict(
            "cgroup-2", False, "found a cgroup namespace, but no new mount of cgroup2 in it."
        )
    return Verdict("cgroup-2", False, _NONE)


def _root(process: Process) -> str | None:
    """The root of a process's cgroup namespace in the hierarchy of version 2, as we call it."""
    try:
        view = cgroup_view.look(places(process.pid))
    except ValueError:  # it has ended
        return None
    return view.roots.get((process.links["cgroup"], ""))


def _mounted() -> Iterator[None]:
    with Sandbox("cgroup", "mnt") as box:
        box.run(_MOUNT)
        yield


def _not_mounted() -> Iterator[None]:
    with Sandbox("cgroup", "mnt"):
        yield


def _something_else() -> Iterator[None]:
    with Sandbox("cgroup", "mnt") as box:
        box.run("mount -t tmpfs none /mnt")
        yield


def _two_views(world: World) -> Verdict:
    owners: dict[int, set[int]] = {}
    for ns, people in world.elsewhere("cgroup").items():
        for process in people:
            owners.setdefault(process.links.get("user", 0), set()).add(ns)
    most = max((len(spaces) for spaces in owners.values()), default=0)
    if most > 1:
        return Verdict(
            "cgroup-3", True, "two cgroup namespaces have processes in one user namespace."
        )
    if len(owners) > 1:
        return Verdict(
            "cgroup-3", False, "found two cgroup namespaces, each in another user namespace."
        )
    if owners:
        return Verdict("cgroup-3", False, "found one cgroup namespace of yours; it takes two.")
    return Verdict("cgroup-3", False, _NONE)


def _one_owner() -> Iterator[None]:
    with Sandbox("cgroup") as box, box.popen(["unshare", "--cgroup", "sleep", "60"]) as command:
        while _comm(command.pid) != "sleep":
            pass  # until it has become sleep, and so has its namespace
        yield


def _comm(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as file:
        return file.read().strip()
    return ""


def _two_owners() -> Iterator[None]:
    with Sandbox("cgroup"), Sandbox("cgroup"):
        yield


def _felt(world: World) -> Verdict:
    own, seen, low = cgroup_view.directories(os.getpid()).get("pids"), set(), []
    for process in world.yours:
        try:
            group = cgroup_view.directories(process.pid).get("pids")
        except ValueError:  # it has ended
            continue
        if group is not None and group != own and group not in seen:
            seen.add(group)
            found = cgroup_view.counters(process.pid)
            if found.pids_max is not None and found.pids_max <= _LIMIT:
                low.append(found)
    refused = max((found.pids_refused or 0 for found in low), default=0)
    if refused:
        return Verdict("cgroup-4", True, f"a limit on processes was felt: {refused} refused.")
    if low:
        return Verdict("cgroup-4", False, "found the limit, but its counter says 0: nobody hit it.")
    if seen:
        return Verdict("cgroup-4", False, f"found a group of its own, but no limit of {_LIMIT}.")
    return Verdict("cgroup-4", False, "found no running process of yours in another group.")


def _hit() -> Iterator[None]:
    with Sandbox("user", limits={"pids": _LIMIT}) as box:
        with contextlib.suppress(NamespaceError):  # the one that is refused
            _ = [box.popen(["sleep", "60"]) for _ in range(2 * _LIMIT)]
        yield


def _not_hit() -> Iterator[None]:
    with Sandbox("user", limits={"pids": _LIMIT}):
        yield


def _too_wide() -> Iterator[None]:
    with Sandbox("user", limits={"pids": 500}):
        yield


def _climb(world: World) -> Verdict:
    found = world.elsewhere("cgroup")
    for people in found.values():
        try:
            view = cgroup_view.look(places(*(process.pid for process in people)))
        except ValueError:  # one of them has ended
            continue
        inside = [path for member in view.members for path in (member.inside or {}).values()]
        if any(path.startswith("/..") for path in inside):
            return Verdict("cgroup-5", True, 'a process of yours finds itself at "/..".')
    if found:
        return Verdict(
            "cgroup-5", False, "found a cgroup namespace, but all in it are below its root."
        )
    return Verdict("cgroup-5", False, _NONE)


def _guest() -> Iterator[None]:
    with Sandbox("cgroup", limits={"pids": 20}) as host, Sandbox(join=host):
        yield


def _host_alone() -> Iterator[None]:
    with Sandbox("cgroup", limits={"pids": 20}):
        yield


EXERCISES = (
    Exercise(
        "cgroup-1",
        "A root of its own",
        'Have a process whose /proc/self/cgroup reads "/" in every hierarchy, because its view'
        " begins there: in a cgroup namespace other than this notebook's. Leave it running.",
        (
            "Nobody has to be moved for that: a new namespace has its root where you are.",
            "In a terminal: unshare has one option for each type, and -r to be root inside.",
            'unshare -Ur --cgroup sleep 100, or Sandbox("cgroup").',
        ),
        _of_its_own,
        _own_view,
        {"user namespace instead": _wrong_type, "ended": _ended},
        shell="exec unshare -Ur --cgroup sleep 60",
    ),
    Exercise(
        "cgroup-2",
        "Mounted from here",
        "Mount the file system of version 2 anew, so that it begins at the root of a cgroup"
        " namespace that is not this notebook's, in a place where you see no such mount. Leave a"
        " process running there.",
        (
            "A mount shows the tree from the root of who mounts it, so first comes the namespace.",
            "A mount of one's own needs a mount namespace of one's own (chapter 4).",
            f"unshare -Ur --cgroup --mount sh -c '{_MOUNT}; sleep 100'",
        ),
        _fresh_mount,
        _mounted,
        {"no mount": _not_mounted, "another file system": _something_else},
        shell=f"unshare -Ur --cgroup --mount sh -c '{_MOUNT}; exec sleep 60'",
        inside=_MOUNT,
    ),
    Exercise(
        "cgroup-3",
        "Two views, one user namespace",
        "Have two processes in one user namespace, which is not this notebook's, and in two"
        " different cgroup namespaces, of which neither is this notebook's. Leave both running.",
        (
            "The user namespace gives the right to make others: as many as you like.",
            "A cgroup namespace inside a sandbox that has one already: unshare --cgroup.",
            "unshare -Ur --cgroup sh -c 'unshare --cgroup sleep 100 & sleep 100'",
        ),
        _two_views,
        _one_owner,
        {"two user namespaces": _two_owners, "only one": _own_view},
        shell="unshare -Ur --cgroup sh -c 'unshare --cgroup sleep 60 & exec sleep 60'",
        inside="unshare --cgroup sleep 60 &",
    ),
    Exercise(
        "cgroup-4",
        "A limit that was felt",
        f"Have a process in a group that allows at most {_LIMIT} processes, and have a fork in it"
        " refused, so that the counter of the group says so. Leave the process running. (This takes"
        " the right to make control groups; the doctor calls it cgroup-write.)",
        (
            "A namespace limits nothing. What does?",
            f'Sandbox("user", limits={{"pids": {_LIMIT}}}), and then too many children in it.',
            'running = [box.popen(["sleep", "100"]) for _ in range(9)], which ends in an error',
        ),
        _felt,
        _hit,
        {"nobody hit it": _not_hit, "too wide": _too_wide},
        needs=("cgroup-write",),
    ),
    Exercise(
        "cgroup-5",
        "Above one's own root",
        'Have a process that reads "/.." in its own /proc/self/cgroup: it is in a cgroup namespace'
        " whose root lies below its group. Leave it running. (This takes the right to make control"
        " groups; the doctor calls it cgroup-write.)",
        (
            "You join a group by writing a pid, a namespace by setns. You may do just one of them.",
            'Who has a group of his own, and a view of it? Sandbox("cgroup", limits=…).',
            'host = Sandbox("cgroup", limits={"pids": 20}); guest = Sandbox(join=host)',
        ),
        _climb,
        _guest,
        {"no guest": _host_alone, "no group": _own_view},
        needs=("cgroup-write",),
    ),
)
