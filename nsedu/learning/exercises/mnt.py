"""The exercises of chapter 4: mount namespaces."""

from __future__ import annotations

import os

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.kernel.mountinfo import Mount, parse_mountinfo
from nsedu.kernel.procfs import read
from nsedu.learning.exercises.model import Attempt, Exercise, Finding, Keep, World
from nsedu.observe import rooted_files
from nsedu.observe.records import Process
from nsedu.sandbox.sandbox import Sandbox

_NOBODY = "found no running process of yours in another mount namespace."

_MOST_PLACES = 100  # root directories that are looked at


def _mounts(process: Process) -> list[Mount]:
    """The mount table of a process, empty if it has ended or may not be read."""
    try:
        return parse_mountinfo(read(f"/proc/{process.pid}/mountinfo"))
    except OSError:
        return []


def _places(world: World) -> list[Process]:
    """A process for each mount namespace of yours other than this one, and root directory in it."""
    found: dict[tuple[int, str], Process] = {}
    for ns, people in world.elsewhere("mnt").items():
        for process in people:
            try:
                root = os.readlink(f"/proc/{process.pid}/root")
            except OSError:
                continue
            found.setdefault((ns, root), process)
    return list(found.values())[:_MOST_PLACES]


def _tables(world: World) -> dict[int, list[Mount]]:
    """Inode number → mounts, for each mount namespace of yours other than this one."""
    tables: dict[int, list[Mount]] = {}
    for ns, people in world.elsewhere("mnt").items():
        trees = (rooted_files.tree(process.pid, world.me.pid) for process in people[:_MOST_PLACES])
        whole = next((tree for tree in trees if tree is not None), None)
        tables[ns] = parse_mountinfo(whole.mountinfo) if whole else _mounts(people[0])
    return tables


def _drawer(world: World) -> Finding:
    mine = {mount.device for mount in _mounts(world.me)}
    found: dict[int, str] = {}  # how near it is → what it is
    for process in _places(world):
        mounts = {mount.id: mount for mount in _mounts(process)}
        seen = rooted_files.at(process.pid, "/mnt")
        mount = mounts.get(seen.mount) if seen else None
        if seen and mount and seen.is_root and mount.fstype == "tmpfs":
            if mount.device in mine:
                found[1] = "a tmpfs at /mnt, but you have it mounted, too"
            elif mount.root != "/":
                found[1] = f"at /mnt a directory of a tmpfs, {mount.root}, and not the whole of it"
            elif seen.names:
                found[0] = f"a tmpfs at /mnt, but it is not empty: {sorted(seen.names)[0]} is in it"
            else:
                what = "a process of yours has an empty tmpfs at /mnt that you do not see."
                return True, what
        elif any(m.fstype == "tmpfs" and m.target == "/mnt" for m in mounts.values()):
            found[2] = "a tmpfs at /mnt, but something else is mounted over it"
        others = [m.target for m in mounts.values() if m.fstype == "tmpfs" and m.device not in mine]
        if others:
            found.setdefault(3, f"a tmpfs that you do not see, but at {others[0]}")
    if found:
        return False, f"found {found[min(found)]}."
    if world.elsewhere("mnt"):
        what = "found a mount namespace of its own, but no tmpfs in it that you do not see."
        return False, what
    return False, _NOBODY


def _with_drawer(keep: Keep) -> None:
    box = keep(Sandbox("mnt"))
    box.run("mount -t tmpfs drawer /mnt")


def _elsewhere(keep: Keep) -> None:
    box = keep(Sandbox("mnt"))
    box.run("mount -t tmpfs drawer /media")


def _ended(keep: Keep) -> None:
    with Sandbox("mnt") as box:
        box.run("mount -t tmpfs drawer /mnt")


MNT_1 = Exercise(
    "mnt-1",
    "A drawer of its own",
    task=(
        "Have a process see an empty file system, a tmpfs, at /mnt, while this notebook does not"
        " have it mounted. Leave it running."
    ),
    hints=(
        "Mounts made in a mount namespace of its own do not show outside.",
        "In a terminal: unshare -Urm gives you one, with the right to mount in it.",
        "mount -t tmpfs takes a source, which may be any word, and the place.",
    ),
    check=_drawer,
    solution=_with_drawer,
    wrong={
        "nothing mounted": lambda keep: keep(Sandbox("mnt")),
        "another place": _elsewhere,
        "ended": _ended,
    },
    inside="mount -t tmpfs drawer /mnt",
    one_way="unshare -Urm sh -c 'mount -t tmpfs drawer /mnt; exec sleep 100'",
)


def _one_way(world: World) -> Finding:
    tables = _tables(world)
    talks = {ns: {m.peer_group for m in mounts} - {None} for ns, mounts in tables.items()}
    hears = {ns: {m.master for m in mounts} | talks[ns] for ns, mounts in tables.items()}
    onward: dict[int | None, set[int | None]] = {}  # a peer group → those that get its events
    for mounts in (*tables.values(), _mounts(world.me)):
        for mount in mounts:
            if mount.master is not None:
                onward.setdefault(mount.master, set()).add(mount.peer_group)
    reached = {ns: _reached(groups, onward) for ns, groups in talks.items()}
    pairs = [(one, two) for one in tables for two in tables if one != two]
    passing = {(one, two) for one, two in pairs if reached[one] & hears[two]}
    if any((two, one) not in passing for one, two in passing):
        found = "what is mounted in one of your mount namespaces appears in another, not back."
        return True, found
    if passing:
        found = "found two mount namespaces of yours, but what is mounted passes both ways."
        return False, found
    if len(tables) > 1:
        number = len(tables)
        found = f"found {number} mount namespaces of yours, but nothing passes between them."
        return False, found
    if tables:
        found = "found one mount namespace of yours; it takes a second one, a copy of the first."
        return False, found
    return False, _NOBODY


def _reached(groups: set[int | None], onward: dict[int | None, set[int | None]]) -> set[int | None]:
    """The peer groups that get what is mounted in one of these."""
    reached, todo = set(groups), list(groups)
    while todo:
        new = onward.get(todo.pop(), set()) - reached - {None}
        reached |= new
        todo += new
    return reached


def _pair(keep: Keep, propagation: str) -> None:
    box = keep(Sandbox("mnt"))
    box.run("mount -t tmpfs pool /mnt && mount --make-shared /mnt")
    script = ["sh", "-c", "echo; exec sleep 60"]
    copy = keep(box.popen(["unshare", "--mount", "--propagation", propagation, *script]))
    copy.stdout.readline()  # now it is in its own namespace


MNT_2 = Exercise(
    "mnt-2",
    "One way only",
    task=(
        "Make two mount namespaces, so that what is mounted at some place in the first appears in"
        " the second, but nothing mounted in the second appears in the first. Leave a process"
        " running in each."
    ),
    hints=(
        "Of the four propagation types, one listens and does not talk.",
        "Make a mount shared in the first, then copy the namespace, and look at the options"
        " of unshare(1) for the copy.",
        "mount --make-shared needs a mount of your own; unshare --mount makes the copy, and its"
        " --propagation takes the type.",
    ),
    check=_one_way,
    solution=lambda keep: _pair(keep, "slave"),
    wrong={
        "both ways": lambda keep: _pair(keep, "unchanged"),
        "not at all": lambda keep: _pair(keep, "private"),
        "one namespace": lambda keep: keep(Sandbox("mnt")),
    },
    inside=(
        "mount -t tmpfs pool /mnt; mount --make-shared /mnt;"
        " unshare --mount --propagation slave sleep 60 &"
    ),
    one_way=(
        "unshare -Urm sh -c 'mount -t tmpfs pool /mnt; mount --make-shared /mnt;"
        " unshare --mount --propagation slave sleep 100 & exec sleep 100'"
    ),
)


def _new_root(world: World) -> Finding:
    old = [mount for mount in _mounts(world.me) if mount.target == "/"]
    found: dict[int, str] = {}  # how near it is → what it is
    for process in [p for people in world.elsewhere("mnt").values() for p in people][:_MOST_PLACES]:
        tree = rooted_files.tree(process.pid, world.me.pid)
        if tree is None:
            found[6] = "a mount namespace of its own, which this notebook may not enter"
            continue
        mounts = parse_mountinfo(tree.mountinfo)
        kept = [m for m in mounts if any(_holds(m.device, m.root, one) for one in old)]
        who = f"{process.name} ({process.pid})"
        if any(m.id == tree.root for m in kept):
            found[5] = "a mount namespace of its own, but its root is the old one"
        elif any(_holds(device, directory, one) for device, directory in tree.under for one in old):
            found[4] = "a new root that only covers the old one, which is still mounted under it"
        elif kept:
            found[3] = f"a new root, but the old one is still mounted at {kept[0].target}"
        elif tree.its_root != tree.root or not tree.is_root:
            found[2] = f"a new root, but {who} has another root directory, as after chroot(2)"
        elif tree.ways_out:
            what = ", ".join(
                "its working directory (cd / leaves it)"
                if name == "cwd"
                else f"its descriptor {name}"
                for name in tree.ways_out
            )
            found[1] = f"a new root, but from {who} a way still leads to the old one: {what}"
        else:
            what = "a process has a new root, and no mount or descriptor leads to the old one."
            return True, what
    return False, f"found {found[min(found)]}." if found else _NOBODY


def _holds(device: str, directory: str, old: Mount) -> bool:
    """Whether a mount of this directory of a file system shows all of the old root."""
    return device == old.device and f"{old.root.rstrip('/')}/".startswith(
        f"{directory.rstrip('/')}/"
    )


_PROGRAMS = "for d in usr bin lib lib64 proc"

_BIND = "if [ -e /$d ]; then mkdir $d; mount --rbind /$d $d; fi"

_NEW_ROOT = f"mount -t tmpfs new /mnt; cd /mnt; mkdir old; {_PROGRAMS}; do {_BIND}; done"

_PIVOT = "PATH=$PATH:/usr/sbin:/sbin; pivot_root . old; cd /"

_STAY = "echo; exec sleep 60"


def _run(keep: Keep, script: str) -> None:
    box = keep(Sandbox("mnt"))
    process = keep(box.popen(["unshare", "--mount", "bash", "-ec", script]))
    process.stdout.readline()


MNT_3 = Exercise(
    "mnt-3",
    "A new root",
    task=(
        "Have a process run on a root file system of its own: its root directory is that of its"
        " mount namespace, in which the old root is mounted nowhere, and from no directory that it"
        ' has open does ".." lead there. Leave it running.'
    ),
    hints=(
        "chroot(2) moves a process's root directory; another call moves the root mount.",
        "The new root needs programs: bind what they need, such as /usr, into a new tmpfs.",
        "After pivot_root . old the old root is at /old: change to /, and unmount that lazily.",
    ),
    check=_new_root,
    solution=lambda keep: _run(keep, f"{_NEW_ROOT}; {_PIVOT}; umount -l old; {_STAY}"),
    wrong={
        "chroot": lambda keep: _run(
            keep, f"{_NEW_ROOT}; PATH=$PATH:/usr/sbin:/sbin; exec chroot . sh -c '{_STAY}'"
        ),
        "old root kept": lambda keep: _run(keep, f"{_NEW_ROOT}; {_PIVOT}; {_STAY}"),
        "nothing moved": lambda keep: keep(Sandbox("mnt")),
    },
    inside=f"unshare -m bash -ec '{_NEW_ROOT}; {_PIVOT}; umount -l old; exec sleep 60' &",
    one_way=f"unshare -Urm bash -ec '{_NEW_ROOT}; {_PIVOT}; umount -l old; exec sleep 100'",
)


def _overlay(world: World) -> Finding:
    found = ""
    for process in _places(world):
        for mount in _mounts(process):
            if mount.fstype != "overlay":
                continue
            options = [option.partition("=")[::2] for option in mount.super_options]
            lower = [path for key, path in options if key in ("lowerdir", "lowerdir+")]
            lower = [one for path in lower for one in path.split(":") if one]
            relative = next((path for path in lower if not path.startswith("/")), "")
            if not any(key == "upperdir" for key, _ in options):
                found = found or "found an overlay without an upper directory: it is read-only."
            elif relative:
                found = (
                    f"found an overlay of {relative}; name its lower directory from the root, /…"
                )
            elif rooted_files.hidden_file(process.pid, mount.target, lower):
                what = "the overlay hides a file that its lower directory still has."
                return True, what
            else:
                found = "found an overlay, but it shows every file of its lower directory."
    if not found and world.elsewhere("mnt"):
        found = "found a mount namespace of its own, but no overlay that is only there."
    return False, found or _NOBODY


_LAYERS = "mount -t tmpfs layers /mnt; mkdir /mnt/lower /mnt/upper /mnt/work /mnt/merged"

_FILE = "echo hello > /mnt/lower/letter"

_OVERLAY = (
    "mount -t overlay overlay"
    " -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work,userxattr /mnt/merged"
)


def _layered(keep: Keep, script: str) -> None:
    box = keep(Sandbox("mnt"))
    box.run(f"set -e; {script}")


MNT_4 = Exercise(
    "mnt-4",
    "Deleted, and yet still there",
    task=(
        "Mount an overlay, with an upper directory, in which a file of its lower directory is"
        " missing, while the lower directory still has it. Leave a process running that sees both."
    ),
    hints=(
        "An overlay writes to its upper directory only. How could it remember a deletion?",
        "You need four directories on a tmpfs: lower, upper, work, and where to mount.",
        "Mounted with -o lowerdir=…,upperdir=…,workdir=…,userxattr, it is a directory like any"
        " other: what deletes a file in it?",
    ),
    check=_overlay,
    solution=lambda keep: _layered(keep, f"{_LAYERS}; {_FILE}; {_OVERLAY}; rm /mnt/merged/letter"),
    wrong={
        "nothing deleted": lambda keep: _layered(keep, f"{_LAYERS}; {_FILE}; {_OVERLAY}"),
        "deleted below": lambda keep: _layered(
            keep, f"{_LAYERS}; {_FILE}; rm /mnt/lower/letter; {_OVERLAY}"
        ),
        "a bind mount": lambda keep: _layered(
            keep, f"{_LAYERS}; {_FILE}; mount --bind /mnt/lower /mnt/merged"
        ),
    },
    inside=f"{_LAYERS}; {_FILE}; {_OVERLAY}; rm /mnt/merged/letter",
    one_way=(
        f"unshare -Urm bash -ec '{_LAYERS}; {_FILE}; {_OVERLAY};"
        " rm /mnt/merged/letter; exec sleep 100'"
    ),
)

_SIZE = "size=3144k"  # by which the first of several file systems is known

_first: dict[int, int] = {}  # pid of a sandbox → the number of the mount that its letters are in


def _covered() -> tuple[Sandbox, ...]:
    """A tmpfs that others cover, by chance one to three of them, and that is read-only."""
    box = Sandbox("mnt", name="mnt-5")
    try:
        box.run(f"set -e; mount -t tmpfs -o {_SIZE} letters /mnt; echo hello > /mnt/letter")
        seen = rooted_files.at(box.pid, "/mnt")
        read_only = diagnosis.chance.choice(("remount,ro", "remount,bind,ro"))
        covers = "mount -t tmpfs letters /mnt;" * diagnosis.chance.randint(1, 3)
        box.run(f"set -e; mount -o {read_only} letters /mnt; {covers}")
    except BaseException:
        box.close()
        raise
    _first.clear()
    _first[box.pid] = seen.unique if seen else 0
    return (box,)


def _uncovered(world: World) -> Finding:
    boxes = diagnosis.found(world, "mnt-5")
    if not boxes:
        found = 'found no sandbox of this exercise: box = ns.broken("mnt-5") makes it.'
        return False, found
    mounts = {mount.id: mount for mount in _mounts(boxes[0])}
    letters = [m for m in mounts.values() if m.fstype == "tmpfs" and _SIZE in m.super_options]
    seen = rooted_files.at(boxes[0].pid, "/mnt")
    mount = mounts.get(seen.mount) if seen else None
    if not letters:
        found = (
            "found the file system of the letters nowhere: it was unmounted, and they are lost."
            ' box = ns.broken("mnt-5") makes it anew.'
        )
    elif seen is None or mount not in letters or not seen.is_root:
        found = "found the file system of the letters, but what is seen at /mnt is another one."
    elif _first.get(boxes[0].pid, 0) not in (0, seen.unique):
        found = "found at /mnt a mount that was made later, and not the one the letters were in."
    elif "ro" in mount.options or "ro" in mount.super_options:
        who = "the mount" if "ro" in mount.options else "the file system"
        found = f"found the letters again, but {who} is read-only."
    else:
        found = "the letters are seen at /mnt again, and can be written."
        return True, found
    return False, found


def _mending(script: str) -> Attempt:
    return lambda keep: keep(diagnosis.begun("mnt-5", _covered))[0].run(script)


_UPPERMOST = "grep ' /mnt ' /proc/self/mountinfo | tail -n1"

_UNCOVER = f"until {_UPPERMOST} | grep -q {_SIZE}; do umount /mnt; done"


MNT_5 = Exercise(
    "mnt-5",
    "The lost letters",
    task=(
        "A sandbox had a file system with a letter at /mnt, and could write there. Then somebody"
        " was at work, and now nothing of it is seen. Make it with"
        ' box = ns.broken("mnt-5"), find out what happened, and mend it in there: at /mnt that'
        " mount is to be seen again, and to be writable. Mount nothing new."
    ),
    hints=(
        "A mount hides what was there before, and leaves it as it is.",
        "The last line for /mnt in /proc/self/mountinfo is the one you see. The letters are in"
        f" the one with {_SIZE}.",
        "umount takes away the uppermost only. Then look at both, the options of the mount and"
        " those of the file system: a remount changes them (name the source, letters, and the"
        " place, or mount takes over options that do not hold in here).",
    ),
    check=_uncovered,
    solution=_mending(f"{_UNCOVER}; mount -o remount,rw letters /mnt"),
    wrong={
        "still covered": _mending("true"),
        "still read-only": _mending(_UNCOVER),
        "written anew": _mending("mount -t tmpfs letters /mnt && echo hello > /mnt/letter"),
        "all unmounted": _mending("while umount /mnt 2> /dev/null; do :; done"),
    },
    one_way=(
        f"box = ns.broken(\"mnt-5\")\nbox.run('''{_UNCOVER}''')\n"
        "box.run('mount -o remount,rw letters /mnt')"
    ),
    broken=_covered,
)

EXERCISES = (MNT_1, MNT_2, MNT_3, MNT_4, MNT_5)
