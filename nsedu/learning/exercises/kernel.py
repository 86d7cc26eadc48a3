"""The exercises of chapter 10: what keeps a namespace, and who enters it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.kernel import syscalls
from nsedu.learning.exercises.model import Exercise, Verdict, World
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


def _alone(world: World, id: str, type: str, kind: str) -> Verdict:
    """Whether a namespace of this type hangs from things of one kind and nothing else."""
    found = _kept(world, type)
    if any(kinds == {kind} for _, kinds in found):
        return Verdict(id, True, f"a {type} namespace is kept by {_PINS[kind]} and nothing else.")
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
    return Verdict(id, False, text)


def _names(kinds: set[str]) -> str:
    return " and ".join(sorted(_PINS[kind] for kind in kinds))


def _by_a_mount(world: World) -> Verdict:
    return _alone(world, "kernel-1", "net", "bind")


_KEEP = "mount -t tmpfs none /mnt; touch /mnt/net; unshare --net=/mnt/net true"


def _mounted() -> Iterator[None]:
    with Sandbox("mnt") as box:
        box.run(_KEEP)
        yield


def _mounted_and_lived_in() -> Iterator[None]:
    with Sandbox("mnt", "net") as box:
        box.run("mount -t tmpfs none /mnt; touch /mnt/net; mount --bind /proc/self/ns/net /mnt/net")
        yield


def _mounted_and_opened() -> Iterator[None]:
    with Sandbox("mnt") as box:
        box.run(_KEEP)
        fd = os.open(f"/proc/{box.pid}/root/mnt/net", os.O_RDONLY)
        try:
            yield
        finally:
            os.close(fd)


def _unmounted() -> Iterator[None]:
    with Sandbox("mnt") as box:
        box.run(f"{_KEEP}; umount /mnt/net")
        yield


def _lived_in() -> Iterator[None]:
    with Sandbox("net"):
        yield


def _open(type: str) -> Iterator[None]:
    with Sandbox(type) as box:
        fd = syscalls.nsfd(box.pid, type)
    try:
        yield
    finally:
        os.close(fd)


def _opened_net() -> Iterator[None]:
    yield from _open("net")


def _by_a_descriptor(world: World) -> Verdict:
    return _alone(world, "kernel-2", "uts", "fd")


def _opened() -> Iterator[None]:
    yield from _open("uts")


def _opened_and_lived_in() -> Iterator[None]:
    with Sandbox("uts") as box, open(f"/proc/{box.pid}/ns/uts"):
        yield


def _closed() -> Iterator[None]:
    with Sandbox("uts") as box:
        os.close(syscalls.nsfd(box.pid, "uts"))
    yield


def _mounted_uts() -> Iterator[None]:
    with Sandbox("mnt") as box:
        box.run("mount -t tmpfs none /mnt; touch /mnt/uts; unshare --uts=/mnt/uts true")
        yield


def _guest(world: World) -> Verdict:
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
                return Verdict("kernel-3", True, found)
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
    return Verdict("kernel-3", False, found)


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


def _pod() -> Iterator[None]:
    with Sandbox(*_SHARED) as pause, Sandbox("mnt", join=pause):
        yield


def _descendant() -> Iterator[None]:
    with Sandbox(*_SHARED) as box, box.popen(["unshare", "--mount", "sleep", "60"]) as child:
        _await_name(child.pid, "sleep")
        yield


def _siblings() -> Iterator[None]:
    """Two children of one that is in there, each with mounts of its own."""
    with (
        Sandbox(*_SHARED) as box,
        box.popen(["unshare", "--mount", "sleep", "60"]) as one,
        box.popen(["unshare", "--mount", "sleep", "60"]) as other,
    ):
        _await_name(one.pid, "sleep")
        _await_name(other.pid, "sleep")
        yield


def _await_name(pid: int, name: str) -> None:
    """Until a process has become this program."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as file:
            if file.read().strip() == name:
                return
        time.sleep(0.01)


def _one_world() -> Iterator[None]:
    with Sandbox(*_SHARED) as pause, Sandbox(join=pause):
        yield


def _two_worlds() -> Iterator[None]:
    with Sandbox(*_SHARED, "mnt"), Sandbox("net", "mnt"):
        yield


def _by_a_child(world: World) -> Verdict:
    return _alone(world, "kernel-4", "user", "child")


def _chain(*options: str) -> Iterator[None]:
    with (
        Sandbox("user") as box,
        box.popen(["unshare", "-Ur", *options, "unshare", "-Ur", "sleep", "60"]) as child,
    ):
        _await_name(child.pid, "sleep")
        yield


def _owner() -> Iterator[None]:
    yield from _chain("--net")


def _nested() -> Iterator[None]:
    with Sandbox("user") as box, box.sandbox("user"):
        yield


def _one_level() -> Iterator[None]:
    with Sandbox("user"):
        yield


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


def _why(world: World) -> Verdict:
    kept, said = _kept_by(world), diagnosis.said("kernel-5")
    if kept is None:
        found = 'found no such namespace: ns.broken("kernel-5") makes it.'
        return Verdict("kernel-5", False, found)
    number, keepers = kept
    if said is None:
        return Verdict("kernel-5", False, f"found uts:[{number}], and no answer yet.")
    if isinstance(said, bool) or not isinstance(said, int):
        return Verdict("kernel-5", False, "found an answer that is no pid.")
    if said in keepers:
        return Verdict("kernel-5", True, f"process {said} keeps it, by a descriptor.")
    return Verdict("kernel-5", False, f"found that process {said!r:.20} does not keep it.")


def _pointed_at(right: bool) -> Iterator[None]:
    with diagnosis.begun("kernel-5", _keepers) as (box,):
        seen = snapshot(box.pid, deep=True)
        (kept,) = (ns for ns in seen.of_type("uts") if not ns.members)
        keepers = [pin.pid for pin in kept.pins]
        pids = [pid for pid in seen.processes if pid != box.pid and (pid in keepers) == right]
        diagnosis.say("kernel-5", pids[0])
        yield


def _the_first() -> Iterator[None]:
    with diagnosis.begun("kernel-5", _keepers) as (box,):
        diagnosis.say("kernel-5", box.pid)
        yield


_READY = "until grep -q sleep /proc/$!/comm; do sleep 0.05; done"

EXERCISES = (
    Exercise(
        "kernel-1",
        "Kept by a mount",
        "Have a network namespace that no process is in, and that nothing keeps but a bind mount,"
        " made in a mount namespace of your own. Leave a process running that sees the mount.",
        (
            "What you mount is the file in /proc/PID/ns. Who may end then?",
            "unshare has a form of --net that takes a path: it leaves the namespace there.",
            "The path must be a file, in a tmpfs of yours for instance; the program may be true.",
        ),
        _by_a_mount,
        _mounted,
        {
            "lived in": _mounted_and_lived_in,
            "opened by its mount": _mounted_and_opened,
            "unmounted": _unmounted,
            "no mount": _lived_in,
            "a descriptor instead": _opened_net,
        },
        shell=f"unshare -Urm sh -c '{_KEEP}; exec sleep 60'",
        inside=_KEEP,
        one_way=f"unshare -Urm sh -c '{_KEEP}; sleep 100'",
    ),
    Exercise(
        "kernel-2",
        "Kept by a descriptor",
        "Have a UTS namespace that no process is in, and that nothing keeps but an open descriptor"
        " of a running process.",
        (
            "Opening is enough, if it stays open. Who has to leave then, and how?",
            "A process may open its own /proc/self/ns/uts, and then move on to another namespace.",
            "Of a sandbox: open the file of its first process from here, then close the sandbox.",
        ),
        _by_a_descriptor,
        _opened,
        {"lived in": _opened_and_lived_in, "closed": _closed, "a mount instead": _mounted_uts},
        shell="unshare -Ur --uts bash -c 'exec 9</proc/self/ns/uts; exec unshare --uts sleep 60'",
        inside="unshare --uts bash -c 'exec 9</proc/self/ns/uts; exec unshare --uts sleep 60' &",
        one_way="unshare -Ur --uts bash -c"
        " 'exec 9</proc/self/ns/uts; exec unshare --uts sleep 100'",
    ),
    Exercise(
        "kernel-3",
        "The guest",
        "Have two processes that share their network, UTS and IPC namespaces, none of them this"
        " notebook's, while each has a mount namespace of its own. Neither may descend from the"
        " other, nor both from a third that is in there: one must have entered. Leave both"
        " running.",
        (
            "One makes the three namespaces. How does the other get in, with one call?",
            "setns takes a pidfd and several flags; nsenter takes --target and several options.",
            "What enters makes its mount namespace then: unshare --mount behind nsenter, or"
            ' Sandbox("mnt", join=…).',
        ),
        _guest,
        _pod,
        {
            "inherited": _descendant,
            "siblings": _siblings,
            "the same mounts": _one_world,
            "two worlds": _two_worlds,
        },
        shell=f"unshare -Ur --net --uts --ipc sleep 60 & {_READY}; nsenter --target $! --user"
        " --preserve-credentials --net --uts --ipc unshare --mount sleep 60 & wait",
        inside=f"unshare --net --uts --ipc sleep 60 & {_READY}\n"
        "nsenter --target $! --net --uts --ipc unshare --mount sleep 60 &",
        one_way='pause = ns.Sandbox("net", "uts", "ipc")\nguest = ns.Sandbox("mnt", join=pause)',
    ),
    Exercise(
        "kernel-4",
        "The empty parent",
        "Have a user namespace that no process is in, that owns nothing, and that is kept by its"
        " child alone. Leave a process running in the child.",
        (
            "A process is in one user namespace at a time. Where is it after making a second?",
            "Make one from within the other, without anybody staying behind.",
            "unshare becomes the program that it starts; that may be unshare once more.",
        ),
        _by_a_child,
        _chain,
        {"it owns something": _owner, "somebody stayed": _nested, "one level": _one_level},
        shell="unshare -Ur unshare -Ur sleep 60",
        inside="unshare -Ur unshare -Ur sleep 60 &",
        one_way="unshare -Ur unshare -Ur sleep 100",
    ),
    Exercise(
        "kernel-5",
        "Who keeps it?",
        f'box = ns.broken("kernel-5") makes a sandbox with {_COUNT} processes more. Among their UTS'
        " namespaces is one that no process is in. Which process keeps it? Answer with its pid, as"
        ' this notebook knows it: ns.answer("kernel-5", 12345).',
        (
            "Nobody is in it, so it is no link in /proc/PID/ns that tells. What else can keep one?",
            "/proc/PID/fd lists descriptors. Each of the processes has one for a UTS namespace;"
            " which of them leads where nobody is?",
            "Compare the number behind the descriptor with that of /proc/PID/ns/uts; or let"
            " ns.snapshot(box.pid, deep=True) list the pins of each namespace.",
        ),
        _why,
        lambda: _pointed_at(True),
        {"another process": lambda: _pointed_at(False), "the first process": _the_first},
        one_way='box = ns.broken("kernel-5")\n'
        'found = ns.snapshot(box.pid, deep=True).of_type("uts")\n'
        'ns.answer("kernel-5", [one.pins[0].pid for one in found if not one.members][0])',
        asks=True,
        broken=_keepers,
    ),
)
