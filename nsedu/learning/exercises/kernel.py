"""The exercises of chapter 10: what keeps a namespace, and who enters it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.kernel import syscalls
from nsedu.learning.exercises.model import Exercise, Finding, Keep, World
from nsedu.observe.records import Namespace, Process, Snapshot
from nsedu.observe.snapshot import snapshot
from nsedu.sandbox.sandbox import Sandbox

_PINS = {"process": "a process", "thread": "a thread", "fd": "a descriptor", "bind": "a bind mount",
         "socket": "a socket", "child": "a child", "owned": "a namespace that it owns"}  # fmt: skip

_SHARED = ("net", "uts", "ipc")


def _kept(world: World, type: str) -> list[tuple[Namespace, set[str]]]:
    """The namespaces of a type that something of yours keeps, and the kinds of what does."""
    yours, seen = {process.pid for process in world.yours}, _deep(world)
    own = world.me.links.get(type)
    # What is mounted where all of yours began is another program's (docker and ip-netns do that),
    # and so is its copy in each mount namespace that was made from that one.
    began = next((process.links["mnt"] for process in world.yours if "mnt" in process.links), None)
    outside = {pid for pid, process in seen.processes.items() if process.links.get("mnt") == began}
    found = []
    for ns in seen.of_type(type):
        others = any(pin.kind == "bind" and pin.pid in outside for pin in ns.pins)
        children = {int(pin.detail) for pin in ns.pins if pin.kind == "child"}
        below = [other for other in seen.of_type(type) if other.ns in children]
        holders = {pin.pid for pin in ns.pins if not (others and pin.kind == "bind")}
        holders |= {pid for other in below for pid in other.members}
        if ns.ns != own and ns.pins and holders & yours:
            found.append((ns, {pin.kind for pin in ns.pins}))
    return found


def _deep(world: World) -> Snapshot:
    scope = "machine" if world.seen.scope == "machine" else int(world.seen.scope)
    return world.once("deep", lambda: snapshot(scope, deep=True))


def _alone(world: World, id: str, type: str, kind: str) -> Finding:
    """Whether a namespace of this type hangs from things of one kind and nothing else."""
    found = _kept(world, type)
    if any(kinds == {kind} for _, kinds in found):
        return True, f"a {type} namespace is kept by {_PINS[kind]} and nothing else."
    near = sorted((kinds for _, kinds in found if kind in kinds), key=lambda it: "process" in it)
    empty = [kinds for _, kinds in found if not kinds & {"process", "thread"}]
    if near:
        text = f"found {_PINS[kind]} that keeps one, but so does {_names(near[0] - {kind})}."
    elif empty:
        text = f"found one with nobody in it, but what keeps it is {_names(empty[0])}."
    elif found:
        text = f"found a {type} namespace of yours, but processes are in it, and nothing else."
    else:
        text = f"found no {type} namespace of yours beside this notebook's."
    return False, text


def _names(kinds: set[str]) -> str:
    return " and ".join(sorted(_PINS[kind] for kind in kinds))


def _by_a_mount(world: World) -> Finding:
    return _alone(world, "kernel-1", "net", "bind")


_KEEP = "mount -t tmpfs none /mnt; touch /mnt/net; unshare --net=/mnt/net true"


def _mounted(keep: Keep) -> None:
    box = keep(Sandbox("mnt"))
    box.run(_KEEP)


def _mounted_and_lived_in(keep: Keep) -> None:
    box = keep(Sandbox("mnt", "net"))
    box.run("mount -t tmpfs none /mnt; touch /mnt/net; mount --bind /proc/self/ns/net /mnt/net")


def _mounted_and_opened(keep: Keep) -> None:
    box = keep(Sandbox("mnt"))
    box.run(_KEEP)
    keep(open(f"/proc/{box.pid}/root/mnt/net"))


def _unmounted(keep: Keep) -> None:
    box = keep(Sandbox("mnt"))
    box.run(f"{_KEEP}; umount /mnt/net")


def _open(keep: Keep, type: str) -> None:
    with Sandbox(type) as box:
        keep(open(f"/proc/{box.pid}/ns/{type}"))


KERNEL_1 = Exercise(
    "kernel-1",
    "Kept by a mount",
    task=(
        "Have a network namespace that no process is in, and that nothing keeps but a bind mount,"
        " made in a mount namespace of your own. Leave a process running that sees the mount."
    ),
    hints=(
        "What you mount is the file in /proc/PID/ns. Who may end then?",
        "unshare has a form of --net that takes a path: it leaves the namespace there.",
        "The path must be a file, in a tmpfs of yours for instance; the program may be true.",
    ),
    check=_by_a_mount,
    solution=_mounted,
    wrong={
        "lived in": _mounted_and_lived_in,
        "opened by its mount": _mounted_and_opened,
        "unmounted": _unmounted,
        "no mount": lambda keep: keep(Sandbox("net")),
        "a descriptor instead": lambda keep: _open(keep, "net"),
    },
    inside=_KEEP,
    one_way=f"unshare -Urm sh -c '{_KEEP}; sleep 100'",
)


def _by_a_descriptor(world: World) -> Finding:
    return _alone(world, "kernel-2", "uts", "fd")


def _opened_and_lived_in(keep: Keep) -> None:
    box = keep(Sandbox("uts"))
    keep(open(f"/proc/{box.pid}/ns/uts"))


def _closed(keep: Keep) -> None:
    with Sandbox("uts") as box:
        os.close(syscalls.nsfd(box.pid, "uts"))


def _mounted_uts(keep: Keep) -> None:
    box = keep(Sandbox("mnt"))
    box.run("mount -t tmpfs none /mnt; touch /mnt/uts; unshare --uts=/mnt/uts true")


KERNEL_2 = Exercise(
    "kernel-2",
    "Kept by a descriptor",
    task=(
        "Have a UTS namespace that no process is in, and that nothing keeps but an open descriptor"
        " of a running process."
    ),
    hints=(
        "Opening is enough, if it stays open. Who has to leave then, and how?",
        "A process may open its own /proc/self/ns/uts, and then move on to another namespace.",
        "Of a sandbox: open the file of its first process from here, then close the sandbox.",
    ),
    check=_by_a_descriptor,
    solution=lambda keep: _open(keep, "uts"),
    wrong={
        "lived in": _opened_and_lived_in,
        "closed": _closed,
        "a mount instead": _mounted_uts,
    },
    inside="unshare --uts bash -c 'exec 9</proc/self/ns/uts; exec unshare --uts sleep 60' &",
    one_way=("unshare -Ur --uts bash -c 'exec 9</proc/self/ns/uts; exec unshare --uts sleep 100'"),
)


def _guest(world: World) -> Finding:
    """Who shares three namespaces with somebody, has mounts of its own, and must have entered."""
    away = [p for p in world.yours if "mnt" in p.links and _elsewhere(world, p)]
    inherited = siblings = same_mounts = False
    for number, one in enumerate(away):
        for other in away[number + 1 :]:
            if _three(one) != _three(other):
                continue
            if one.links["mnt"] == other.links["mnt"]:
                same_mounts = True
            elif _above(world, one, other) or _above(world, other, one):
                inherited = True
            elif any(
                _three(p) == _three(one) and _above(world, p, other) for p in _line(world, one)
            ):
                siblings = True
            else:
                found = "two processes share net, uts and ipc, each with mounts of its own."
                return True, found
    if siblings:
        found = "found two that share them, but both descend from one in there: nobody has entered."
    elif inherited:
        found = "found two that share them, but one descends from the other: nobody has entered."
    elif same_mounts:
        found = "found processes that share net, uts and ipc, but they share their mounts, too."
    elif away:
        found = "found a process in other net, uts and ipc namespaces, but it is alone there."
    else:
        found = "found no process of yours that has left net, uts and ipc, all three."
    return False, found


def _three(process: Process) -> list[int | None]:
    return [process.links.get(kind) for kind in _SHARED]


def _line(world: World, process: Process) -> Iterator[Process]:
    """The ancestors of a process, from its parent on, as far as they can be seen."""
    at = world.seen.processes.get(process.ppid)
    while at is not None:
        yield at
        at = world.seen.processes.get(at.ppid)


def _elsewhere(world: World, process: Process) -> bool:
    return all(process.links.get(kind) != world.me.links.get(kind) for kind in _SHARED)


def _above(world: World, ancestor: Process, process: Process) -> bool:
    return any(one.pid == ancestor.pid for one in _line(world, process))


def _pod(keep: Keep) -> None:
    pause = keep(Sandbox(*_SHARED))
    keep(Sandbox("mnt", join=pause))


def _descendant(keep: Keep) -> None:
    box = keep(Sandbox(*_SHARED))
    child = keep(box.popen(["unshare", "--mount", "sleep", "60"]))
    _await_name(child.pid, "sleep")


def _siblings(keep: Keep) -> None:
    """Two children of one that is in there, each with mounts of its own."""
    box = keep(Sandbox(*_SHARED))
    one = keep(box.popen(["unshare", "--mount", "sleep", "60"]))
    other = keep(box.popen(["unshare", "--mount", "sleep", "60"]))
    _await_name(one.pid, "sleep")
    _await_name(other.pid, "sleep")


def _await_name(pid: int, name: str) -> None:
    """Until a process has become this program."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as file:
            if file.read().strip() == name:
                return
        time.sleep(0.01)


def _one_world(keep: Keep) -> None:
    pause = keep(Sandbox(*_SHARED))
    keep(Sandbox(join=pause))


def _by_a_child(world: World) -> Finding:
    return _alone(world, "kernel-4", "user", "child")


def _chain(keep: Keep, *options: str) -> None:
    box = keep(Sandbox("user"))
    child = keep(box.popen(["unshare", "-Ur", *options, "unshare", "-Ur", "sleep", "60"]))
    _await_name(child.pid, "sleep")


def _nested(keep: Keep) -> None:
    box = keep(Sandbox("user"))
    keep(box.sandbox("user"))


_KEEPERS = """
import ctypes, os, time
unshare, old = ctypes.CDLL(None).unshare, os.open("/proc/self/ns/uts", os.O_RDONLY)
setns, chosen = ctypes.CDLL(None).setns, {chosen}
null = os.open("/dev/null", os.O_RDWR)
for number in range({count}):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        for fd in range(3):
            os.dup2(null, fd)
        if number == chosen:
            unshare(0x4000000)
        kept = os.open("/proc/self/ns/uts", os.O_RDONLY)
        if number == chosen:
            setns(old, 0x4000000)
        os.close(old)
        os.write(writing, b"!")
        os.close(writing)
        time.sleep(100000)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
"""  # each of them keeps a descriptor; that of one leads to a namespace that nobody is in

_COUNT = 8


def _keepers() -> tuple[Sandbox, ...]:
    """A sandbox with eight processes, one of which keeps a UTS namespace that nobody is in."""
    box = Sandbox("uts", name="kernel-5")
    code = _KEEPERS.format(count=_COUNT, chosen=diagnosis.chance.randrange(_COUNT))
    box.run([sys.executable, "-I", "-c", code])
    return (box,)


def _kept_by(world: World) -> tuple[int, set[int]] | None:
    """The UTS namespace in question and the pids of what keeps it; None if it is not there."""
    boxes = diagnosis.found(world, "kernel-5", "kernel-5")
    if not boxes:
        return None
    seen, family = _deep(world), {boxes[0].pid}
    for process in seen.processes.values():  # parents come first
        if process.ppid in family:
            family.add(process.pid)
    for ns in seen.of_type("uts"):
        keepers = {pin.pid for pin in ns.pins if pin.kind == "fd" and pin.pid in family}
        if keepers and not ns.members:
            return ns.ns, {pid for pid in keepers if pid is not None}
    return None


def _why(world: World) -> Finding:
    kept, said = _kept_by(world), diagnosis.said("kernel-5")
    if kept is None:
        found = 'found no such namespace: ns.broken("kernel-5") makes it.'
        return False, found
    number, keepers = kept
    if said is None:
        return False, f"found uts:[{number}], and no answer yet."
    if isinstance(said, bool) or not isinstance(said, int):
        return False, "found an answer that is no pid."
    if said in keepers:
        return True, f"process {said} keeps it, by a descriptor."
    return False, f"found that process {said!r:.20} does not keep it."


def _pointed_at(keep: Keep, right: bool) -> None:
    (box,) = keep(diagnosis.begun("kernel-5", _keepers))
    seen = snapshot(box.pid, deep=True)
    (kept,) = (ns for ns in seen.of_type("uts") if not ns.members)
    keepers = [pin.pid for pin in kept.pins]
    pids = [pid for pid in seen.processes if pid != box.pid and (pid in keepers) == right]
    diagnosis.say("kernel-5", pids[0])


def _the_first(keep: Keep) -> None:
    (box,) = keep(diagnosis.begun("kernel-5", _keepers))
    diagnosis.say("kernel-5", box.pid)


_READY = "until grep -q sleep /proc/$!/comm; do sleep 0.05; done"

KERNEL_3 = Exercise(
    "kernel-3",
    "The guest",
    task=(
        "Have two processes that share their network, UTS and IPC namespaces, none of them this"
        " notebook's, while each has a mount namespace of its own. Neither may descend from the"
        " other, nor both from a third that is in there: one must have entered. Leave both"
        " running."
    ),
    hints=(
        "One makes the three namespaces. How does the other get in, with one call?",
        "setns takes a pidfd and several flags; nsenter takes --target and several options.",
        "What enters makes its mount namespace then: unshare --mount behind nsenter, or"
        ' Sandbox("mnt", join=…).',
    ),
    check=_guest,
    solution=_pod,
    wrong={
        "inherited": _descendant,
        "siblings": _siblings,
        "the same mounts": _one_world,
        "two worlds": lambda keep: (keep(Sandbox(*_SHARED, "mnt")), keep(Sandbox("net", "mnt"))),
    },
    shell=(
        f"unshare -Ur --net --uts --ipc sleep 60 & {_READY}; nsenter --target $! --user"
        " --preserve-credentials --net --uts --ipc unshare --mount sleep 60 & wait"
    ),
    inside=(
        f"unshare --net --uts --ipc sleep 60 & {_READY}\n"
        "nsenter --target $! --net --uts --ipc unshare --mount sleep 60 &"
    ),
    one_way='pause = ns.Sandbox("net", "uts", "ipc")\nguest = ns.Sandbox("mnt", join=pause)',
)

KERNEL_4 = Exercise(
    "kernel-4",
    "The empty parent",
    task=(
        "Have a user namespace that no process is in, that owns nothing, and that is kept by its"
        " child alone. Leave a process running in the child."
    ),
    hints=(
        "A process is in one user namespace at a time. Where is it after making a second?",
        "Make one from within the other, without anybody staying behind.",
        "unshare becomes the program that it starts; that may be unshare once more.",
    ),
    check=_by_a_child,
    solution=_chain,
    wrong={
        "it owns something": lambda keep: _chain(keep, "--net"),
        "somebody stayed": _nested,
        "one level": lambda keep: keep(Sandbox("user")),
    },
    inside="unshare -Ur unshare -Ur sleep 60 &",
    one_way="unshare -Ur unshare -Ur sleep 100",
)

KERNEL_5 = Exercise(
    "kernel-5",
    "Who keeps it?",
    task=(
        f'box = ns.broken("kernel-5") makes a sandbox with {_COUNT} processes more. Among their UTS'
        " namespaces is one that no process is in. Which process keeps it? Answer with its pid, as"
        ' this notebook knows it: ns.answer("kernel-5", 12345).'
    ),
    hints=(
        "Nobody is in it, so it is no link in /proc/PID/ns that tells. What else can keep one?",
        "/proc/PID/fd lists descriptors. Each of the processes has one for a UTS namespace;"
        " which of them leads where nobody is?",
        "Compare the number behind the descriptor with that of /proc/PID/ns/uts; or let"
        " ns.snapshot(box.pid, deep=True) list the pins of each namespace.",
    ),
    check=_why,
    solution=lambda keep: _pointed_at(keep, True),
    wrong={
        "another process": lambda keep: _pointed_at(keep, False),
        "the first process": _the_first,
    },
    one_way=(
        'box = ns.broken("kernel-5")\n'
        'found = ns.snapshot(box.pid, deep=True).of_type("uts")\n'
        'ns.answer("kernel-5", [one.pins[0].pid for one in found if not one.members][0])'
    ),
    asks=True,
    broken=_keepers,
)

EXERCISES = (KERNEL_1, KERNEL_2, KERNEL_3, KERNEL_4, KERNEL_5)
