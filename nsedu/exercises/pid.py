"""The exercises of chapter 5: PID namespaces."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from nsedu.exercises.model import Exercise, Verdict, World
from nsedu.procfs import VANISHED, read
from nsedu.records import Process
from nsedu.sandbox import Sandbox
from nsedu.snapshot import snapshot

_NOBODY = "found no running process of yours in another PID namespace."
_STAYED = (
    "found a process that made a PID namespace and stayed outside: only its children move, and the"
    " first of them must live on."
)


def _inside(world: World) -> list[Process]:
    """Your processes in PID namespaces other than this one."""
    return [p for people in world.elsewhere("pid").values() for p in people]


def _makers(world: World) -> list[Process]:
    """Your processes whose children live elsewhere, though nobody is there."""
    homes = {p.links.get("pid") for p in world.seen.processes.values()}
    return [
        p
        for p in world.yours
        if p.links.get("pid_for_children") not in homes and "mnt" in p.links  # a zombie has neither
    ]


def _is_init(process: Process) -> bool:
    return len(process.nspid) > 1 and process.nspid[-1] == 1


def _own_world(world: World) -> Verdict:
    firsts = [p for p in _inside(world) if _is_init(p)]
    if any(_proc_shows(p) for p in firsts):
        found = "a process of yours is number 1, and in its /proc number 1 is itself."
        return Verdict("pid-1", True, found)
    if firsts:
        found = "found number 1 of a PID namespace, but its /proc still shows the world outside."
    elif _makers(world):
        found = _STAYED
    else:
        found = _NOBODY
    return Verdict("pid-1", False, found)


def _proc_shows(first: Process) -> bool:
    try:
        return os.stat(f"/proc/{first.pid}/root/proc/1/ns/pid").st_ino == first.links["pid"]
    except OSError:  # number 1 in that /proc is somebody else's process, or has ended
        return False


def _fresh_proc() -> Iterator[None]:
    with Sandbox("pid", "mnt"):
        yield


def _old_proc() -> Iterator[None]:
    with Sandbox("pid"):
        yield


def _mounts_only() -> Iterator[None]:
    with Sandbox("mnt"):
        yield


def _without_fork() -> Iterator[None]:
    with Sandbox("user") as box, box.popen(["unshare", "--pid", "sleep", "60"]):
        yield


def _three_numbers(world: World) -> Verdict:
    inside = _inside(world)
    if any(_is_init(p) and len(p.nspid) > 2 for p in inside):
        found = "a process of yours has three numbers or more, and its own is 1."
        return Verdict("pid-2", True, found)
    deep = [p for p in inside if len(p.nspid) > 2]
    firsts = [p for p in inside if _is_init(p)]
    if deep:
        found = f"found three numbers, but the last is {deep[0].nspid[-1]}, not 1."
    elif inside and _makers(world):
        found = "found a nested PID namespace without its first process: it died with it."
    elif firsts:
        numbers = " and ".join(map(str, firsts[0].nspid))
        found = f"found two numbers, {numbers}: you are one level deep."
    else:
        found = _STAYED if _makers(world) else _NOBODY
    return Verdict("pid-2", False, found)


def _nested() -> Iterator[None]:
    with Sandbox("pid") as outer, outer.sandbox("pid"):
        yield


def _first_has_ended() -> Iterator[None]:
    script = "/bin/true; echo gone; exec sleep 60"
    with (
        Sandbox("pid") as outer,
        outer.popen(["unshare", "--pid", "bash", "-c", script]) as holder,
    ):
        holder.stdout.readline()
        yield


def _user_instead() -> Iterator[None]:
    with Sandbox("user") as outer, outer.sandbox("user"):
        yield


def _left_dead(world: World) -> Verdict:
    dead = [p for p in world.yours if _is_zombie(p.pid)]
    parents = {p.pid: world.seen.processes.get(p.ppid) for p in dead}
    waiting = {pid: parent for pid, parent in parents.items() if parent and _is_init(parent)}
    if waiting:  # everybody is one for a moment; an init that reaps has had its time after this
        time.sleep(0.3)
    for pid, parent in waiting.items():
        if _is_zombie(pid):
            found = f"a zombie waits in vain for its init, which is {parent.name}."
            return Verdict("pid-3", True, found)
    if any(_is_zombie(p.pid) for p in dead):
        found = "found a zombie, but its parent is not number 1 of a PID namespace."
    elif _inside(world):
        found = "found a PID namespace, but no zombie in it: its init reaps, or nobody has ended."
    else:
        found = _NOBODY
    return Verdict("pid-3", False, found)


def _is_zombie(pid: int) -> bool:
    try:
        return read(f"/proc/{pid}/stat").rpartition(b") ")[2][:1] == b"Z"
    except VANISHED:
        return False


_PARENT = "sleep 0.3 & exec sleep 60"
_CARELESS = "sh -c 'sleep 0.3 &'; exec sleep 60"


def _await_zombie(box: Sandbox) -> None:
    deadline = time.monotonic() + 10
    # The shell that started it is a zombie for a moment, too, until its parent becomes sleep.
    while time.monotonic() < deadline and not any(
        process.name == "sleep" and _is_zombie(process.pid)
        for process in snapshot(box.pid).processes.values()
    ):
        time.sleep(0.02)


def _careless_init() -> Iterator[None]:
    with Sandbox("user") as box, box.popen(["unshare", "--pid", "--fork", "sh", "-c", _CARELESS]):
        _await_zombie(box)
        yield


def _reaping_init() -> Iterator[None]:
    with Sandbox("pid") as box:
        box.run("sh -c 'true &'")
        yield


def _careless_parent() -> Iterator[None]:
    with Sandbox("pid") as box, box.popen(["sh", "-c", _PARENT]):
        _await_zombie(box)
        yield


def _guest(world: World) -> Verdict:
    inside = _inside(world)
    for process in inside:
        parent = world.seen.processes.get(process.ppid)
        if (
            parent is not None
            and not _is_init(process)
            and parent.links.get("pid") != process.links["pid"]
        ):
            found = f"number {process.nspid[-1]} in there has its parent outside: it was put in."
            return Verdict("pid-4", True, found)
    spaces = len({p.links["pid"] for p in inside})
    if spaces > 1:
        found = f"found {spaces} PID namespaces: each has a first process, none has a guest."
    elif spaces:
        found = "found one PID namespace, but all in it descend from its number 1."
    else:
        found = _STAYED if _makers(world) else _NOBODY
    return Verdict("pid-4", False, found)


def _joined() -> Iterator[None]:
    with Sandbox("pid") as first, Sandbox(join=first):
        yield


def _descendant() -> Iterator[None]:
    with Sandbox("pid") as box, box.popen(["sleep", "60"]):
        yield


def _two_worlds() -> Iterator[None]:
    with Sandbox("pid"), Sandbox("pid"):
        yield


EXERCISES = (
    Exercise(
        "pid-1",
        "A world of its own",
        "Have a process that is number 1, and whose /proc shows nobody but its own PID namespace."
        " Leave it running.",
        (
            "Two things are needed: new numbers, and a new file system that shows them.",
            "A mount of one's own needs a mount namespace of one's own (chapter 4).",
            'Sandbox("pid", "mnt"), or: unshare -Urpf --mount-proc sleep 100',
        ),
        _own_world,
        _fresh_proc,
        {"old /proc": _old_proc, "no pid": _mounts_only, "without --fork": _without_fork},
        shell="unshare -Ur --pid --fork --mount-proc sleep 60",
    ),
    Exercise(
        "pid-2",
        "Two numbers outside",
        "Have a process that is number 1 where it lives and has at least two more numbers further"
        " out. Leave it running.",
        (
            "A namespace inside a namespace.",
            "The line NSpid in /proc/PID/status counts the numbers; ns.pids() draws them.",
            'Sandbox("pid").sandbox("pid"), each kept in a name; or: unshare -Urpf unshare -pf'
            " sleep 100",
        ),
        _three_numbers,
        _nested,
        {
            "one level": _old_proc,
            "its first has ended": _first_has_ended,
            "user instead": _user_instead,
        },
        shell="unshare -Ur --pid --fork unshare --pid --fork sleep 60",
        inside="unshare --pid --fork sleep 60 &",
    ),
    Exercise(
        "pid-3",
        "The careless init",
        "Have a zombie whose parent is number 1 of a PID namespace of yours, and stays a zombie."
        " Leave both as they are.",
        (
            "Who becomes the parent of an orphan? And who never asks how a child has ended?",
            "A sandbox's own first process reaps; take a program that does not: sleep.",
            "unshare -Urpf sh -c 'sh -c \"sleep 0.3 &\"; exec sleep 100': the inner shell leaves an"
            " orphan, and the outer one has become sleep when it ends.",
        ),
        _left_dead,
        _careless_init,
        {"an init that reaps": _reaping_init, "another parent": _careless_parent},
        shell=f'unshare -Ur --pid --fork sh -c "{_CARELESS}"',
        inside=f'unshare --pid --fork sh -c "{_CARELESS}" &',
    ),
    Exercise(
        "pid-4",
        "A guest",
        "Have a process in a PID namespace of yours that is not number 1 there and has its parent"
        " outside. Leave it running.",
        (
            "Children of number 1 have their parent inside. Who comes from outside?",
            "setns(2) lets the next child enter; nsenter(1) and join= are made of it.",
            'first = Sandbox("pid"); guest = Sandbox(join=first)',
        ),
        _guest,
        _joined,
        {"a child": _descendant, "two namespaces": _two_worlds, "without --fork": _without_fork},
        shell="unshare -Ur --pid --fork sleep 60 & sleep 0.3;"
        " nsenter --user=/proc/$!/ns/user --preserve-credentials"
        " --pid=/proc/$!/ns/pid_for_children sleep 60 & wait",
        inside="unshare --pid --fork sleep 60 & sleep 0.3;"
        " nsenter --pid=/proc/$!/ns/pid_for_children sleep 60 &",
    ),
)
