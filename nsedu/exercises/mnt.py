"""The exercises of chapter 4: mount namespaces."""

from __future__ import annotations

import os
from collections.abc import Iterator

from nsedu.exercises.model import Exercise, Verdict, World
from nsedu.mountinfo import Mount, parse_mountinfo
from nsedu.procfs import read
from nsedu.records import Process
from nsedu.sandbox import Sandbox

_NOBODY = "found no running process of yours in another mount namespace."


def _mounts(process: Process | str) -> list[Mount]:
    """The mount table of a process, empty if it has ended or may not be read."""
    pid = process if isinstance(process, str) else process.pid
    try:
        return parse_mountinfo(read(f"/proc/{pid}/mountinfo"))
    except OSError:
        return []


def _tables(world: World) -> dict[int, list[Mount]]:
    """Inode number → mounts, for each mount namespace of the user's other than this one."""
    return {ns: _mounts(people[0]) for ns, people in world.elsewhere("mnt").items()}


def _drawer(world: World) -> Verdict:
    mine = {mount.device for mount in _mounts("self")}
    tables = _tables(world)
    at = [m for mounts in tables.values() for m in mounts if m.target == "/mnt"]
    if any(m.fstype == "tmpfs" and m.device not in mine for m in at):
        return Verdict("mnt-1", True, "a process of yours has a tmpfs at /mnt that you do not see.")
    others = [
        m.target
        for mounts in tables.values()
        for m in mounts
        if m.fstype == "tmpfs" and m.device not in mine
    ]
    if others:
        return Verdict("mnt-1", False, f"found a tmpfs that you do not see, but at {others[0]}.")
    if tables:
        found = "found a mount namespace of its own, but no tmpfs in it that you do not see."
        return Verdict("mnt-1", False, found)
    return Verdict("mnt-1", False, _NOBODY)


def _with_drawer() -> Iterator[None]:
    with Sandbox("mnt") as box:
        box.run("mount -t tmpfs drawer /mnt")
        yield


def _nothing_mounted() -> Iterator[None]:
    with Sandbox("mnt"):
        yield


def _elsewhere() -> Iterator[None]:
    with Sandbox("mnt") as box:
        box.run("mount -t tmpfs drawer /media")
        yield


def _ended() -> Iterator[None]:
    with Sandbox("mnt") as box:
        box.run("mount -t tmpfs drawer /mnt")
    yield


def _one_way(world: World) -> Verdict:
    tables = _tables(world)
    shared = {ns: {m.peer_group for m in mounts} - {None} for ns, mounts in tables.items()}
    slaves = {ns: {m.master for m in mounts} - {None} for ns, mounts in tables.items()}
    pairs = [(one, two) for one in tables for two in tables if one != two]
    if any(shared[one] & slaves[two] for one, two in pairs):
        found = "what is mounted in one of your mount namespaces appears in another, not back."
        return Verdict("mnt-2", True, found)
    if any(shared[one] & shared[two] for one, two in pairs):
        found = "found two mount namespaces with mounts in one peer group: they pass both ways."
        return Verdict("mnt-2", False, found)
    if len(tables) > 1:
        number = len(tables)
        found = f"found {number} mount namespaces of yours, but nothing passes between them."
        return Verdict("mnt-2", False, found)
    if tables:
        found = "found one mount namespace of yours; it takes a second one, a copy of the first."
        return Verdict("mnt-2", False, found)
    return Verdict("mnt-2", False, _NOBODY)


def _pair(propagation: str) -> Iterator[None]:
    with Sandbox("mnt") as box:
        box.run("mount -t tmpfs pool /mnt && mount --make-shared /mnt")
        script = ["sh", "-c", "echo; exec sleep 60"]
        with box.popen(["unshare", "--mount", "--propagation", propagation, *script]) as copy:
            copy.stdout.readline()  # now it is in its own namespace
            yield


def _slave() -> Iterator[None]:
    return _pair("slave")


def _peers() -> Iterator[None]:
    return _pair("unchanged")


def _private() -> Iterator[None]:
    return _pair("private")


def _new_root(world: World) -> Verdict:
    def identity(mounts: list[Mount]) -> list[tuple[str, str]]:
        return [(m.device, m.root) for m in mounts]

    old = identity([m for m in _mounts("self") if m.target == "/"])
    verdicts = {}
    for process in (p for people in world.elsewhere("mnt").values() for p in people):
        mounts = _mounts(process)
        try:
            directory = os.readlink(f"/proc/{process.pid}/root")
        except OSError:
            continue
        if directory != "/":
            verdicts[1] = f"found a process in a chroot, {directory}: a way back is open to it."
        elif set(identity([m for m in mounts if m.target == "/"])) & set(old):
            verdicts[3] = "found a mount namespace of its own, but its root is the old one."
        elif set(identity(mounts)) & set(old):
            verdicts[0] = "found a new root, but the old one is still mounted below it."
        elif mounts:
            return Verdict("mnt-3", True, "a process has a new root, and the old one is gone.")
    return Verdict("mnt-3", False, verdicts[min(verdicts)] if verdicts else _NOBODY)


_PROGRAMS = "for d in usr bin lib lib64 proc"
_BIND = "if [ -e /$d ]; then mkdir $d; mount --rbind /$d $d; fi"
_NEW_ROOT = f"mount -t tmpfs new /mnt; cd /mnt; mkdir old; {_PROGRAMS}; do {_BIND}; done"
_PIVOT = "PATH=$PATH:/usr/sbin:/sbin; pivot_root . old; cd /"
_STAY = "echo; exec sleep 60"


def _run(script: str) -> Iterator[None]:
    with Sandbox("mnt") as box, box.popen(["unshare", "--mount", "bash", "-ec", script]) as process:
        process.stdout.readline()
        yield


def _pivoted() -> Iterator[None]:
    return _run(f"{_NEW_ROOT}; {_PIVOT}; umount -l old; {_STAY}")


def _chrooted() -> Iterator[None]:
    return _run(f"{_NEW_ROOT}; PATH=$PATH:/usr/sbin:/sbin; exec chroot . sh -c '{_STAY}'")


def _old_kept() -> Iterator[None]:
    return _run(f"{_NEW_ROOT}; {_PIVOT}; {_STAY}")


def _overlay(world: World) -> Verdict:
    found = ""
    for people in world.elsewhere("mnt").values():
        for mount in _mounts(people[0]):
            if mount.fstype != "overlay":
                continue
            options = dict(o.partition("=")[::2] for o in mount.super_options)
            lower, upper = options.get("lowerdir", ""), options.get("upperdir", "")
            if not upper:
                found = found or "found an overlay without an upper directory: it is read-only."
            elif not lower.startswith("/"):
                found = f"found an overlay of {lower}; name its lower directory from the root, /…"
            elif _hides(people[0].pid, lower, mount.target):
                what = "the overlay hides a file that its lower directory still has."
                return Verdict("mnt-4", True, what)
            else:
                found = "found an overlay, but it shows every file of its lower directory."
    if not found and world.elsewhere("mnt"):
        found = "found a mount namespace of its own, but no overlay that is only there."
    return Verdict("mnt-4", False, found or _NOBODY)


def _hides(pid: int, lower: str, merged: str) -> bool:
    root = f"/proc/{pid}/root"
    try:
        return bool(set(os.listdir(root + lower)) - set(os.listdir(root + merged)))
    except OSError:
        return False


_LAYERS = "mount -t tmpfs layers /mnt; mkdir /mnt/lower /mnt/upper /mnt/work /mnt/merged"
_FILE = "echo hello > /mnt/lower/letter"
_OVERLAY = (
    "mount -t overlay overlay"
    " -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work,userxattr /mnt/merged"
)


def _layered(script: str) -> Iterator[None]:
    with Sandbox("mnt") as box:
        box.run(f"set -e; {script}")
        yield


def _hidden() -> Iterator[None]:
    return _layered(f"{_LAYERS}; {_FILE}; {_OVERLAY}; rm /mnt/merged/letter")


def _untouched() -> Iterator[None]:
    return _layered(f"{_LAYERS}; {_FILE}; {_OVERLAY}")


def _really_deleted() -> Iterator[None]:
    return _layered(f"{_LAYERS}; {_FILE}; rm /mnt/lower/letter; {_OVERLAY}")


def _bound() -> Iterator[None]:
    return _layered(f"{_LAYERS}; {_FILE}; mount --bind /mnt/lower /mnt/merged")


EXERCISES = (
    Exercise(
        "mnt-1",
        "A drawer of its own",
        "Have a process see an empty file system (a tmpfs) at /mnt while you do not see it."
        " Leave it running.",
        (
            "Mounts made in a mount namespace of its own do not show outside.",
            "In a terminal: unshare -Urm gives you one, with the right to mount in it.",
            "unshare -Urm sh -c 'mount -t tmpfs drawer /mnt; exec sleep 100'",
        ),
        _drawer,
        _with_drawer,
        {"nothing mounted": _nothing_mounted, "another place": _elsewhere, "ended": _ended},
        shell="unshare -Urm sh -c 'mount -t tmpfs drawer /mnt; exec sleep 60'",
        inside="mount -t tmpfs drawer /mnt",
    ),
    Exercise(
        "mnt-2",
        "One way only",
        "Make two mount namespaces, so that what is mounted at some place in the first appears in"
        " the second, but nothing mounted in the second appears in the first. Leave a process"
        " running in each.",
        (
            "Of the four propagation types, one listens and does not talk.",
            "Make a mount shared in the first, then copy the namespace, and look at the options"
            " of unshare(1) for the copy.",
            "In the first: mount --make-shared /mnt; then unshare --mount --propagation slave.",
        ),
        _one_way,
        _slave,
        {"both ways": _peers, "not at all": _private, "one namespace": _nothing_mounted},
        shell="unshare -Urm sh -c 'mount -t tmpfs pool /mnt; mount --make-shared /mnt;"
        " unshare --mount --propagation slave sleep 60 & exec sleep 60'",
        inside="mount -t tmpfs pool /mnt; mount --make-shared /mnt;"
        " unshare --mount --propagation slave sleep 60 &",
    ),
    Exercise(
        "mnt-3",
        "A new root",
        "Have a process run on a root file system of its own, from which no path leads to the old"
        " one: the old root must not even be mounted any more. Leave it running.",
        (
            "chroot(2) moves a process's root directory; another call moves the root mount.",
            "The new root needs programs: bind what they need, such as /usr, into a new tmpfs.",
            "mount -t tmpfs new /mnt; cd /mnt; mkdir old usr bin lib lib64 proc; mount --rbind"
            " each; pivot_root . old; cd /; umount -l old; exec sleep 100",
        ),
        _new_root,
        _pivoted,
        {"chroot": _chrooted, "old root kept": _old_kept, "nothing moved": _nothing_mounted},
        shell=f"unshare -Urm bash -ec '{_NEW_ROOT}; {_PIVOT}; umount -l old; exec sleep 60'",
        inside=f"unshare -m bash -ec '{_NEW_ROOT}; {_PIVOT}; umount -l old; exec sleep 60' &",
    ),
    Exercise(
        "mnt-4",
        "Deleted, and yet still there",
        "Mount an overlay in which a file of its lower directory is missing, while the lower"
        " directory still has it. Leave a process running that sees it.",
        (
            "An overlay writes to its upper directory only. How could it remember a deletion?",
            "You need four directories on a tmpfs: lower, upper, work, and where to mount.",
            "mount -t overlay overlay -o lowerdir=/mnt/lower,upperdir=/mnt/upper,"
            "workdir=/mnt/work,userxattr /mnt/merged; rm /mnt/merged/letter",
        ),
        _overlay,
        _hidden,
        {
            "nothing deleted": _untouched,
            "deleted below": _really_deleted,
            "a bind mount": _bound,
        },
        shell=f"unshare -Urm bash -ec '{_LAYERS}; {_FILE}; {_OVERLAY};"
        " rm /mnt/merged/letter; exec sleep 60'",
        inside=f"{_LAYERS}; {_FILE}; {_OVERLAY}; rm /mnt/merged/letter",
    ),
)
