"""The exercises of chapter 8: cgroup namespaces, and the limits that they are not."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.errors.namespace_error import NamespaceError
from nsedu.kernel.mountinfo import Mount, parse_mountinfo
from nsedu.kernel.procfs import read
from nsedu.learning.exercises.model import Exercise, Finding, Keep, World
from nsedu.observe import cgroup_limits, cgroups, questions
from nsedu.observe.records import Process
from nsedu.observe.viewpoints import places
from nsedu.sandbox.sandbox import Sandbox

_NONE = "found no running process of yours in another cgroup namespace."

_LIMIT = 5

_MOUNT = "mount -t cgroup2 none /mnt"


def _of_its_own(world: World) -> Finding:
    below = ""
    for people in world.elsewhere("cgroup").values():
        pids = [process.pid for process in people]
        for text in (questions.answer_of(pids, "cgroup", "groups", pids) or {}).values():
            paths = set(cgroups.parse_cgroup(text).values())
            if paths == {"/"}:
                return True, 'a process of yours reads "/" wherever it is.'
            below = below or max(paths)
    if below:
        found = f'found a cgroup namespace, but a path in it is "{below}" and not "/".'
    elif world.elsewhere("cgroup"):
        found = "found a cgroup namespace of yours that this notebook may not enter."
    else:
        found = _NONE
    return False, found


CGROUP_1 = Exercise(
    "cgroup-1",
    "A root of its own",
    task=(
        'Have a process whose /proc/self/cgroup reads "/" in every hierarchy, because its view'
        " begins there: in a cgroup namespace other than this notebook's. Leave it running."
    ),
    hints=(
        "Nobody has to be moved for that: a new namespace has its root where you are.",
        "In a terminal: unshare has one option for each type, and -r to be root inside.",
        "-C or --cgroup is the one, and the program to leave running in it may be sleep.",
    ),
    check=_of_its_own,
    solution=lambda keep: keep(Sandbox("cgroup")),
    wrong={
        "user namespace instead": lambda keep: keep(Sandbox("user")),
        "ended": lambda keep: Sandbox("cgroup").close(),
    },
    one_way="unshare -Ur --cgroup sleep 100",
)


def _mounts(pid: int) -> list[Mount]:
    try:
        return parse_mountinfo(read(f"/proc/{pid}/mountinfo"))
    except OSError:  # it has ended, or is not ours to look at
        return []


def _fresh_mount(world: World) -> Finding:
    # The learner may be in the same mount namespace, where what was mounted before counts as old.
    old = {mount.target for mount in _mounts(world.me.pid) if mount.fstype == "cgroup2"}
    people = [one for ones in world.elsewhere("cgroup").values() for one in ones]
    roots = set()
    for process in people:
        fresh = [m for m in _mounts(process.pid) if m.fstype == "cgroup2" and m.target not in old]
        for mount in fresh:
            root = _root(process)
            if mount.root == root:
                return (True, "a mount of yours begins where its namespace has its root.")
            roots.add(mount.root)
    if roots:
        return False, "found a mount of cgroup2, but it begins further up."
    if people:
        return (False, "found a cgroup namespace, but no new mount of cgroup2 in it.")
    return False, _NONE


def _root(process: Process) -> str | None:
    """The root of a process's cgroup namespace in the hierarchy of version 2, as we call it."""
    try:
        view = cgroups.read_cgroups(places(process.pid))
    except ValueError:  # it has ended
        return None
    return view.roots.get((process.links["cgroup"], ""))


def _mounted(keep: Keep) -> None:
    box = keep(Sandbox("cgroup", "mnt"))
    box.run(_MOUNT)


def _something_else(keep: Keep) -> None:
    box = keep(Sandbox("cgroup", "mnt"))
    box.run("mount -t tmpfs none /mnt")


CGROUP_2 = Exercise(
    "cgroup-2",
    "Mounted from here",
    task=(
        "Mount the file system of version 2 anew, so that it begins at the root of a cgroup"
        " namespace that is not this notebook's, in a place where you see no such mount. Leave a"
        " process running there."
    ),
    hints=(
        "A mount shows the tree from the root of who mounts it, so first comes the namespace.",
        "A mount of one's own needs a mount namespace of one's own (chapter 4).",
        "Inside both: mount -t cgroup2 none, and a directory; then sleep.",
    ),
    check=_fresh_mount,
    solution=_mounted,
    wrong={
        "no mount": lambda keep: keep(Sandbox("cgroup", "mnt")),
        "another file system": _something_else,
    },
    inside=_MOUNT,
    one_way=f"unshare -Ur --cgroup --mount sh -c '{_MOUNT}; sleep 100'",
)


def _two_views(world: World) -> Finding:
    owners: dict[int, set[int]] = {}
    own = world.me.links.get("user")
    for ns, people in world.elsewhere("cgroup").items():
        for process in people:
            if "user" in process.links:
                owners.setdefault(process.links["user"], set()).add(ns)
    at_home = len(owners.pop(own, ())) if own is not None else 0
    most = max((len(spaces) for spaces in owners.values()), default=0)
    if most > 1:
        return (True, "two cgroup namespaces have processes in one user namespace.")
    if at_home > 1:
        found = "found two cgroup namespaces, but their processes are in your own user namespace."
    elif len(owners) + bool(at_home) > 1:
        found = "found two cgroup namespaces, each in another user namespace."
    elif owners or at_home:
        found = "found one cgroup namespace of yours; it takes two."
    else:
        found = _NONE
    return False, found


def _one_owner(keep: Keep) -> None:
    box = keep(Sandbox("cgroup"))
    command = keep(box.popen(["unshare", "--cgroup", "sleep", "60"]))
    while _comm(command.pid) != "sleep":
        pass  # until it has become sleep, and so has its namespace


def _comm(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as file:
        return file.read().strip()
    return ""


def _no_owner(keep: Keep) -> None:
    """As root: two cgroup namespaces without a user namespace; for anybody else just one."""
    stack = keep(contextlib.ExitStack())
    for _ in range(2):
        with contextlib.suppress(NamespaceError, ValueError):
            stack.enter_context(Sandbox("cgroup", user=False))
    if os.geteuid() != 0:
        stack.enter_context(Sandbox("cgroup"))


CGROUP_3 = Exercise(
    "cgroup-3",
    "Two views, one user namespace",
    task=(
        "Have two processes in one user namespace, which is not this notebook's, and in two"
        " different cgroup namespaces, of which neither is this notebook's. Leave both running."
    ),
    hints=(
        "The user namespace gives the right to make others: as many as you like.",
        "A cgroup namespace inside a sandbox that has one already: unshare --cgroup.",
        "In the shell that unshare -Ur --cgroup starts: that command once more, with sleep &.",
    ),
    check=_two_views,
    solution=_one_owner,
    wrong={
        "two user namespaces": lambda keep: (keep(Sandbox("cgroup")), keep(Sandbox("cgroup"))),
        "only one": lambda keep: keep(Sandbox("cgroup")),
        "your own user namespace": _no_owner,
    },
    inside="unshare --cgroup sleep 60 &",
    one_way="unshare -Ur --cgroup sh -c 'unshare --cgroup sleep 100 & sleep 100'",
)


def _felt(world: World) -> Finding:
    own, seen, low = cgroups.directories(world.me.pid).get("pids"), set(), []
    for process in world.yours:
        try:
            group = cgroups.directories(process.pid).get("pids")
        except ValueError:  # it has ended
            continue
        if group is not None and group != own and group not in seen:
            seen.add(group)
            found = cgroups.counters(process.pid)
            if found.pids_max is not None and found.pids_max <= _LIMIT:
                low.append(found)
    refused = max((found.pids_refused or 0 for found in low), default=0)
    if refused:
        return True, f"a limit on processes was felt: {refused} refused."
    if low:
        return False, "found the limit, but its counter says 0: nobody hit it."
    if seen:
        return False, f"found a group of its own, but no limit of {_LIMIT}."
    return False, "found no running process of yours in another group."


def _hit(keep: Keep) -> None:
    box = keep(Sandbox("user", limits={"pids": _LIMIT}))
    with contextlib.suppress(NamespaceError):  # the one that is refused
        _ = [box.popen(["sleep", "60"]) for _ in range(2 * _LIMIT)]


CGROUP_4 = Exercise(
    "cgroup-4",
    "A limit that was felt",
    task=(
        "Have a process in a control group other than this notebook's that allows at most"
        f" {_LIMIT} processes, and have a fork in it refused, so that the counter of the group says"
        " so. Leave the process running. (This takes the right to make control groups; the doctor"
        " calls it cgroup-write.)"
    ),
    hints=(
        "A namespace counts no processes. What does?",
        f'Sandbox("user", limits={{"pids": {_LIMIT}}}), and then too many children in it.',
        "box.popen starts one, and leaves it. Once is not enough; keep what it returns.",
    ),
    check=_felt,
    solution=_hit,
    wrong={
        "nobody hit it": lambda keep: keep(Sandbox("user", limits={"pids": _LIMIT})),
        "too wide": lambda keep: keep(Sandbox("user", limits={"pids": 500})),
    },
    needs=("cgroup-write",),
    one_way=(
        "import errno\n"
        f'box = ns.Sandbox("user", limits={{"pids": {_LIMIT}}})\n'
        "kept = []\n"
        'with ns.expect(errno.EAGAIN, "fork(2), the group is full"):\n'
        "    for _ in range(9):\n"
        '        kept.append(box.popen(["sleep", "100"]))'
    ),
)


def _climb(world: World) -> Finding:
    found = world.elsewhere("cgroup")
    for people in found.values():
        try:
            view = cgroups.read_cgroups(places(*(process.pid for process in people)))
        except ValueError:  # one of them has ended
            continue
        inside = [path for member in view.members for path in (member.inside or {}).values()]
        if any(path.startswith("/..") for path in inside):
            return True, 'a process of yours finds itself at "/..".'
    if found:
        return (False, "found a cgroup namespace, but all in it are below its root.")
    return False, _NONE


def _guest(keep: Keep) -> None:
    host = keep(Sandbox("cgroup", limits={"pids": 20}))
    keep(Sandbox(join=host))


CGROUP_5 = Exercise(
    "cgroup-5",
    "Above one's own root",
    task=(
        'Have a process that reads "/.." in its own /proc/self/cgroup: it is in a cgroup namespace'
        " whose root lies below its group. Leave it running. (This takes the right to make control"
        " groups; the doctor calls it cgroup-write.)"
    ),
    hints=(
        "You join a group by writing a pid, a namespace by setns. You may do just one of them.",
        'A sandbox with a group of its own, and a view of it: Sandbox("cgroup", limits=…).',
        "A second one that joins it enters the namespace, and stays in your group.",
    ),
    check=_climb,
    solution=_guest,
    wrong={
        "no guest": lambda keep: keep(Sandbox("cgroup", limits={"pids": 20})),
        "no group": lambda keep: keep(Sandbox("cgroup")),
    },
    needs=("cgroup-write",),
    one_way='host = ns.Sandbox("cgroup", limits={"pids": 20})\nguest = ns.Sandbox(join=host)',
)

_LETTERS = "abcdef"


def _views() -> tuple[Sandbox, ...]:
    """Six sandboxes: some in a cgroup namespace of their own, some in another's, some in ours."""
    away = diagnosis.chance.sample(_LETTERS, diagnosis.chance.randint(2, 4))
    maker, boxes = None, []
    for letter in _LETTERS:
        name = f"cgroup-6-{letter}"
        if letter not in away:
            boxes.append(Sandbox("uts", name=name))
        elif maker is None:
            maker = Sandbox("uts", "cgroup", name=name)
            boxes.append(maker)
        else:
            boxes.append(Sandbox("uts", join=maker, name=name))
    return tuple(boxes)


def _other_views(world: World) -> Finding:
    boxes = diagnosis.found(world, "cgroup-6", *(f"cgroup-6-{letter}" for letter in _LETTERS))
    said = diagnosis.said("cgroup-6")
    if len(boxes) < len(_LETTERS):
        found = 'found no six sandboxes called "cgroup-6-a" to "cgroup-6-f": ns.broken("cgroup-6")'
        return False, f"{found} makes them."
    if said is None:
        return False, "found the six sandboxes, and no answer yet."
    named = diagnosis.letters(said, _LETTERS)
    if not named:
        found = 'found an answer that is not some of the letters a to f, as "ace".'
        return False, found
    own = world.me.links.get("cgroup")
    views = {letter: box.links.get("cgroup") for letter, box in zip(_LETTERS, boxes, strict=True)}
    other = {letter for letter, ns in views.items() if ns != own}
    if named == other and None not in views.values():
        return True, f"{', '.join(sorted(other))}: their view is not yours."
    wrong = "too many" if other < named else "too few" if named < other else "others"
    return False, f"found {wrong} than have a view of their own."


def _told(keep: Keep, right: bool) -> None:
    boxes = keep(diagnosis.begun("cgroup-6", _views))
    own = os.stat("/proc/self/ns/cgroup").st_ino
    views = zip(_LETTERS, boxes, strict=True)
    diagnosis.say(
        "cgroup-6",
        "".join(one for one, box in views if (box.namespaces["cgroup"].ns != own) == right),
    )


CGROUP_6 = Exercise(
    "cgroup-6",
    "Whose view is it?",
    task=(
        'ns.broken("cgroup-6") makes six sandboxes, a to f. Which of them are in another cgroup'
        ' namespace than this notebook? Answer with their letters: ns.answer("cgroup-6", "ace").'
    ),
    hints=(
        "What /proc/self/cgroup says inside may be the same with and without: at the root of"
        " all groups there is nothing above to hide.",
        "A namespace is known by its number: a link in /proc/PID/ns, here and there.",
        'boxes[0].namespaces["cgroup"].ns is the number of a; os.stat("/proc/self/ns/cgroup")'
        " has yours in st_ino.",
    ),
    check=_other_views,
    solution=lambda keep: _told(keep, True),
    wrong={
        "the others": lambda keep: _told(keep, False),
        "no answer": lambda keep: keep(diagnosis.begun("cgroup-6", _views)),
    },
    one_way=(
        "import os\n"
        'boxes = ns.broken("cgroup-6")\n'
        'own = os.stat("/proc/self/ns/cgroup").st_ino\n'
        'views = dict(zip("abcdef", [box.namespaces["cgroup"].ns for box in boxes]))\n'
        'ns.answer("cgroup-6", "".join(one for one in views if views[one] != own))'
    ),
    asks=True,
    broken=_views,
)

_ROOM, _TIGHT, _WIDE = 10, 7, 100


def full(tight: int | None = None) -> tuple[Sandbox, ...]:
    """A sandbox in another, each with a group of its own, one of which is too small.

    Args:
        tight: which: 0 the outer one, 1 the inner one; either unless given.
    """
    limits = [_WIDE, _WIDE]
    limits[diagnosis.chance.randint(0, 1) if tight is None else tight] = _TIGHT
    outer = Sandbox("user", limits={"pids": limits[0]}, name="cgroup-7-outer")
    box = outer.sandbox("user", limits={"pids": limits[1]}, name="cgroup-7-box")
    return box, outer


def _room(world: World) -> Finding:
    boxes = diagnosis.found(world, "cgroup-7", "cgroup-7-box")
    if not boxes:
        found = 'found no sandbox called "cgroup-7-box": ns.broken("cgroup-7") makes it.'
        return False, found
    own = cgroups.directories(world.me.pid).get("pids")
    group = cgroups.directories(boxes[0].pid).get("pids")
    if group is None or group == own:
        return False, "found the sandbox, but it is in no group of its own."
    groups = [group, *(one for one in group.parents if one.name.startswith("nsedu-"))]
    free = min(map(_free, groups))
    if free >= _ROOM:
        return True, f"there is room for {free} processes more."
    return False, f"found room for {max(free, 0)} more; it takes {_ROOM}."


def _free(group: Path) -> int:
    found = cgroup_limits.limits_of([group])
    return _WIDE if found.pids_max is None else found.pids_max - (found.pids_now or 0)


def _widen(keep: Keep, *which: int) -> None:
    boxes = keep(diagnosis.begun("cgroup-7", full))
    for number in which:
        (cgroups.directories(boxes[number])["pids"] / "pids.max").write_text(f"{_WIDE}")


def _widen_the_wrong_one(keep: Keep) -> None:
    boxes = keep(diagnosis.begun("cgroup-7", full))
    for box in boxes:
        file = cgroups.directories(box)["pids"] / "pids.max"
        if file.read_text().strip() == f"{_WIDE}":
            file.write_text("1000")


CGROUP_7 = Exercise(
    "cgroup-7",
    "No room",
    task=(
        'box, outer = ns.broken("cgroup-7") makes a sandbox in another, each in a control group.'
        f" In box, a command that starts {_ROOM} processes is refused one. Find the limit that"
        f" refuses it, and make room for {_ROOM} processes more than there are. (This takes the"
        " right to make control groups; the doctor calls it cgroup-write.)"
    ),
    hints=(
        "A group is inside another, and its processes count in both: which of the two is full?",
        "/proc/PID/cgroup names the group of a process. Its directory below /sys/fs/cgroup has"
        " pids.max and pids.current, and so has the directory above it.",
        "Write a larger number into the pids.max that is too small.",
    ),
    check=_room,
    solution=lambda keep: _widen(keep, 0, 1),
    wrong={
        "nothing done": _widen,
        "the wrong one": _widen_the_wrong_one,
    },
    needs=("cgroup-write",),
    one_way=(
        "from nsedu.observe.cgroups import directories\n"
        'for box in ns.broken("cgroup-7"):\n'
        f'    (directories(box)["pids"] / "pids.max").write_text("{_WIDE}")'
    ),
    broken=full,
)

EXERCISES = (CGROUP_1, CGROUP_2, CGROUP_3, CGROUP_4, CGROUP_5, CGROUP_6, CGROUP_7)
