"""The exercises of chapter 5: PID namespaces."""

from __future__ import annotations

import os
import signal
import time

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.kernel.procfs import VANISHED, parse_stat, parse_status, read
from nsedu.learning.exercises.model import Exercise, Finding, Keep, World
from nsedu.observe import rooted_files
from nsedu.observe.records import Process
from nsedu.observe.snapshot import snapshot
from nsedu.sandbox.sandbox import Sandbox

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
    homes = {p.links["pid"] for p in world.seen.processes.values() if "pid" in p.links}
    return [
        p
        for p in world.yours
        if p.links.get("pid_for_children") not in homes and "mnt" in p.links  # a zombie has neither
    ]


def _is_init(process: Process) -> bool:
    return len(process.nspid) > 1 and process.nspid[-1] == 1


def _own_world(world: World) -> Finding:
    firsts = [p for p in _inside(world) if _is_init(p)]
    if any(rooted_files.proc_owner(p.pid) == p.links["pid"] for p in firsts):
        found = "a process of yours is number 1, and in its /proc number 1 is itself."
        return True, found
    if firsts:
        found = "found number 1 of a PID namespace, but its /proc still shows the world outside."
    elif _makers(world):
        found = _STAYED
    else:
        found = _NOBODY
    return False, found


def _without_fork(keep: Keep) -> None:
    box = keep(Sandbox("user"))
    keep(box.popen(["unshare", "--pid", "sleep", "60"]))


PID_1 = Exercise(
    "pid-1",
    "A world of its own",
    task=(
        "Have a process that is number 1 of a PID namespace, and whose /proc is that namespace's."
        " Leave it running."
    ),
    hints=(
        "Two things are needed: new numbers, and a new file system that shows them.",
        "A mount of one's own needs a mount namespace of one's own (chapter 4).",
        "Of unshare's options one makes a process number 1, and one more mounts /proc for it.",
    ),
    check=_own_world,
    solution=lambda keep: keep(Sandbox("pid", "mnt")),
    wrong={
        "old /proc": lambda keep: keep(Sandbox("pid")),
        "no pid": lambda keep: keep(Sandbox("mnt")),
        "without --fork": _without_fork,
    },
    one_way="unshare -Urpf --mount-proc sleep 100",
)


def _three_numbers(world: World) -> Finding:
    inside = _inside(world)
    if any(_is_init(p) and len(p.nspid) > 2 for p in inside):
        found = "a process of yours has three numbers or more, and its own is 1."
        return True, found
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
    return False, found


def _nested(keep: Keep) -> None:
    outer = keep(Sandbox("pid"))
    keep(outer.sandbox("pid"))


def _first_has_ended(keep: Keep) -> None:
    script = "/bin/true; echo gone; exec sleep 60"
    outer = keep(Sandbox("pid"))
    holder = keep(outer.popen(["unshare", "--pid", "bash", "-c", script]))
    holder.stdout.readline()


def _user_instead(keep: Keep) -> None:
    outer = keep(Sandbox("user"))
    keep(outer.sandbox("user"))


PID_2 = Exercise(
    "pid-2",
    "Two numbers outside",
    task=(
        "Have a process that is number 1 where it lives and has at least two more numbers further"
        " out. Leave it running."
    ),
    hints=(
        "A namespace inside a namespace.",
        "The line NSpid in /proc/PID/status counts the numbers; ns.pids() draws them.",
        "What makes one level, with --fork, may run the same thing again, in place of sleep.",
    ),
    check=_three_numbers,
    solution=_nested,
    wrong={
        "one level": lambda keep: keep(Sandbox("pid")),
        "its first has ended": _first_has_ended,
        "user instead": _user_instead,
    },
    inside="unshare --pid --fork sleep 60 &",
    one_way="unshare -Urpf unshare -pf sleep 100",
)


def _left_dead(world: World) -> Finding:
    yours = {p.pid: p for p in world.yours}
    dead = [p for p in world.yours if _is_zombie(p.pid)]
    waiting = {
        p.pid: (yours[p.ppid], _born(p.pid))
        for p in dead
        if p.ppid in yours and _is_init(yours[p.ppid])
    }
    now = time.monotonic()
    for who in _since.keys() - {(pid, born) for pid, (_, born) in waiting.items()}:
        del _since[who]
    for pid, (_, born) in waiting.items():
        _since.setdefault((pid, born), now)
    # An init that reaps has its time: every child is a zombie for a moment.
    for pid, (parent, born) in waiting.items():
        while _is_zombie(pid) and _born(pid) == born:
            if time.monotonic() >= _since[pid, born] + PATIENCE:
                found = f"a zombie waits in vain for its init, which is {parent.name}."
                return True, found
            time.sleep(0.02)
    if waiting:
        found = f"found a zombie, but its init has reaped it within {PATIENCE:g} s."
    elif any(_is_zombie(p.pid) for p in dead):
        found = "found a zombie, but its parent is not number 1 of a PID namespace."
    elif _inside(world):
        found = "found a PID namespace, but no zombie in it: its init reaps, or nobody has ended."
    else:
        found = _NOBODY
    return False, found


PATIENCE = 3.0  # seconds after which a zombie is one that its init does not reap

_since: dict[tuple[int, bytes], float] = {}  # when a zombie was first seen: by pid and start


def _born(pid: int) -> bytes:
    try:
        return parse_stat(read(f"/proc/{pid}/stat"))[4]
    except VANISHED:
        return b""


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended and can be reaped: all of its threads have, nobody traces it."""
    try:
        status = parse_status(read(f"/proc/{pid}/status"))
        alone = len(os.listdir(f"/proc/{pid}/task")) == 1
    except VANISHED:
        return False
    return alone and status["State"][:1] == "Z" and status["TracerPid"] == "0"


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


def _careless_init(keep: Keep) -> None:
    box = keep(Sandbox("user"))
    keep(box.popen(["unshare", "--pid", "--fork", "sh", "-c", _CARELESS]))
    _await_zombie(box)


def _reaping_init(keep: Keep) -> None:
    box = keep(Sandbox("pid"))
    box.run("sh -c 'true &'")


def _careless_parent(keep: Keep) -> None:
    box = keep(Sandbox("pid"))
    keep(box.popen(["sh", "-c", _PARENT]))
    _await_zombie(box)


PID_3 = Exercise(
    "pid-3",
    "The careless init",
    task=(
        "Have a zombie whose parent is number 1 of a PID namespace of yours, and which is still one"
        f" after {PATIENCE:g} seconds. Leave both as they are."
    ),
    hints=(
        "Who becomes the parent of an orphan? And who never asks how a child has ended?",
        "A sandbox's own first process reaps; take a program that does not: sleep.",
        "A shell in the shell leaves a short sleep behind as an orphan; when that ends, the"
        " outer one has become a long sleep, by exec.",
    ),
    check=_left_dead,
    solution=_careless_init,
    wrong={
        "an init that reaps": _reaping_init,
        "another parent": _careless_parent,
    },
    inside=f'unshare --pid --fork sh -c "{_CARELESS}" &',
    one_way="unshare -Urpf sh -c 'sh -c \"sleep 0.3 &\"; exec sleep 100'",
)


def _guest(world: World) -> Finding:
    inside = _inside(world)
    for process in inside:
        parent = world.seen.processes.get(process.ppid)
        if (
            parent is not None
            and not _is_init(process)
            and parent.links.get("pid") != process.links["pid"]
        ):
            found = f"number {process.nspid[-1]} in there has its parent outside: it was put in."
            return True, found
    spaces = len({p.links["pid"] for p in inside})
    if spaces > 1:
        found = f"found {spaces} PID namespaces: each has a first process, none has a guest."
    elif spaces:
        found = "found one PID namespace, but all in it descend from its number 1."
    else:
        found = _STAYED if _makers(world) else _NOBODY
    return False, found


def _joined(keep: Keep) -> None:
    first = keep(Sandbox("pid"))
    keep(Sandbox(join=first))


def _descendant(keep: Keep) -> None:
    box = keep(Sandbox("pid"))
    keep(box.popen(["sleep", "60"]))


PID_4 = Exercise(
    "pid-4",
    "A guest",
    task=(
        "Have a process in a PID namespace of yours that is not number 1 there and has its parent"
        " outside. Leave it running."
    ),
    hints=(
        "Children of number 1 have their parent inside. Who comes from outside?",
        "setns(2) lets the next child enter; nsenter(1) and join= are made of it.",
        "The second one is a sandbox with join=first; or nsenter -t PID with --user and --pid.",
    ),
    check=_guest,
    solution=_joined,
    wrong={
        "a child": _descendant,
        "two namespaces": lambda keep: (keep(Sandbox("pid")), keep(Sandbox("pid"))),
        "without --fork": _without_fork,
    },
    shell=(
        "unshare -Ur --pid --fork sleep 60 & sleep 0.3;"
        " nsenter --user=/proc/$!/ns/user --preserve-credentials"
        " --pid=/proc/$!/ns/pid_for_children sleep 60 & wait"
    ),
    inside=(
        "unshare --pid --fork sleep 60 & sleep 0.3;"
        " nsenter --pid=/proc/$!/ns/pid_for_children sleep 60 &"
    ),
    one_way='first = ns.Sandbox("pid"); guest = ns.Sandbox(join=first)',
)

_SERVICES = range(31411, 31416)  # five processes, by the seconds they are to sleep

_DURATION = "86400"


def _careless() -> tuple[Sandbox, ...]:
    """Five that never reap, and of one, by chance, the children have ended."""
    one = diagnosis.chance.choice(_SERVICES)
    box = Sandbox("pid", "mnt", name="pid-5")
    try:
        for seconds in _SERVICES:
            child = "sleep 0.01" if seconds == one else f"sleep {_DURATION}"
            script = f"{child} & {child} & {child} & exec sleep {seconds}"
            box.run(f"sh -c '{script}' > /dev/null 2>&1 &")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and len(_unreaped(_services(box.pid))) < 3:
            time.sleep(0.01)
    except BaseException:
        box.close()
        raise
    return (box,)


def _services(pid: int) -> dict[int, tuple[Process, list[Process]]]:
    """The services of a sandbox that run, by their seconds, with their children."""
    seen = snapshot(pid)
    return {
        seconds: (process, seen.children(process.pid))
        for process in seen.children(pid)
        for seconds in _SERVICES
        if process.command == f"sleep {seconds}" and not process.zombie
    }


def _unreaped(services: dict[int, tuple[Process, list[Process]]]) -> list[Process]:
    return [child for _, children in services.values() for child in children if child.zombie]


def _none_unreaped(world: World) -> Finding:
    boxes = diagnosis.found(world, "pid-5")
    if not boxes:
        found = 'found no sandbox of this exercise: box = ns.broken("pid-5") makes it.'
        return False, found
    try:
        services = _services(boxes[0].pid)
    except ProcessLookupError:
        services = {}
    dead = len(_unreaped(services))
    if dead:
        found = f"found {dead} zombies that nobody reaps, and {len(services)} services of 5."
    elif len(services) < len(_SERVICES) - 1:
        found = (
            f"found no zombie, but only {len(services)} services: all but one had to live on."
            ' box = ns.broken("pid-5") makes them anew.'
        )
    else:
        found = "the zombies are reaped, and the other services live."
        return True, found
    return False, found


def _end(box: Sandbox, *pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(
        child.zombie for child in snapshot(box.pid).children(box.pid)
    ):
        time.sleep(0.01)


def _end_their_parent(keep: Keep) -> None:
    (box,) = keep(diagnosis.begun("pid-5", _careless))
    _end(box, _unreaped(_services(box.pid))[0].ppid)


def _end_another(keep: Keep) -> None:
    (box,) = keep(diagnosis.begun("pid-5", _careless))
    services = _services(box.pid)
    wrong = {one.pid for one, _ in services.values()} - {_unreaped(services)[0].ppid}
    _end(box, min(wrong))


def _end_all(keep: Keep) -> None:
    (box,) = keep(diagnosis.begun("pid-5", _careless))
    _end(box, *(process.pid for process, _ in _services(box.pid).values()))


def _kill_the_dead(keep: Keep) -> None:
    (box,) = keep(diagnosis.begun("pid-5", _careless))
    for child in _unreaped(_services(box.pid)):
        os.kill(child.pid, signal.SIGKILL)


PID_5 = Exercise(
    "pid-5",
    "The dead stay",
    task=(
        "Five services run in a sandbox, sleep 31411 to 31415, each with three children. One of"
        " them lets its dead children lie. Make them with"
        ' box = ns.broken("pid-5"), find out which, and have the zombies reaped: the other four'
        " must live on."
    ),
    hints=(
        "A zombie cannot be killed: it has ended. Who has not asked how?",
        "Z is the state of a zombie in /proc/PID/stat, and its parent the number after it.",
        "When a parent ends, its children get another one, which in here does reap.",
    ),
    check=_none_unreaped,
    solution=_end_their_parent,
    wrong={
        "another one ended": _end_another,
        "all of them ended": _end_all,
        "the dead killed": _kill_the_dead,
    },
    one_way=(
        "import os, signal\n"
        'box = ns.broken("pid-5")\n'
        "dead = [p for p in ns.snapshot(box.pid).processes.values() if p.zombie]\n"
        "os.kill(dead[0].ppid, signal.SIGKILL)"
    ),
    broken=_careless,
)

EXERCISES = (PID_1, PID_2, PID_3, PID_4, PID_5)
