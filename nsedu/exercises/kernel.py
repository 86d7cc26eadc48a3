"""The exercises of chapter 10: what keeps a namespace, and who enters it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from nsedu import syscalls
from nsedu.exercises.model import Exercise, Verdict, World
from nsedu.records import Namespace, Process
from nsedu.sandbox import Sandbox
from nsedu.snapshot import snapshot

_PINS = {"process": "a process", "thread": "a thread", "fd": "a descriptor", "bind": "a bind mount",
         "socket": "a socket", "child": "a child", "owned": "a namespace that it owns"}  # fmt: skip
_SHARED = ("net", "uts", "ipc")


def _kept(world: World, type: str) -> list[tuple[Namespace, set[str]]]:
    """The namespaces of a type that something of yours keeps, and the kinds of what does."""
    yours = {process.pid for process in world.yours}
    scope = "machine" if world.seen.scope == "machine" else int(world.seen.scope)
    seen = world.once("deep", lambda: snapshot(scope, deep=True))
    own = world.me.links.get(type)
    found = []
    for ns in seen.of_type(type):
        children = {int(pin.detail) for pin in ns.pins if pin.kind == "child"}
        below = [other for other in seen.of_type(type) if other.ns in children]
        holders = {pin.pid for pin in ns.pins} | {pid for other in below for pid in other.members}
        if ns.ns != own and ns.pins and holders & yours:
            found.append((ns, {pin.kind for pin in ns.pins}))
    return found


def _alone(world: World, id: str, type: str, kind: str) -> Verdict:
    """Whether a namespace of this type hangs from things of one kind and nothing else."""
    found = _kept(world, type)
    if any(kinds == {kind} for _, kinds in found):
        return Verdict(id, True, f"a {type} namespace is kept by {_PINS[kind]} and nothing else.")
    near = [kinds for _, kinds in found if kind in kinds]
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
    """Who shares three namespaces with somebody who is not above it, and has mounts of its own."""
    away = [p for p in world.yours if "mnt" in p.links and _elsewhere(world, p)]
    inherited = same_mounts = False
    for number, one in enumerate(away):
        for other in away[number + 1 :]:
            if any(one.links[kind] != other.links[kind] for kind in _SHARED):
                continue
            if one.links["mnt"] == other.links["mnt"]:
                same_mounts = True
            elif _above(world, one, other) or _above(world, other, one):
                inherited = True
            else:
                found = "two processes share net, uts and ipc, each with mounts of its own."
                return Verdict("kernel-3", True, found)
    if inherited:
        found = "found two that share them, but one descends from the other: nobody has entered."
    elif same_mounts:
        found = "found processes that share net, uts and ipc, but they share their mounts, too."
    elif away:
        found = "found a process in other net, uts and ipc namespaces, but it is alone there."
    else:
        found = "found no process of yours that has left net, uts and ipc, all three."
    return Verdict("kernel-3", False, found)


def _elsewhere(world: World, process: Process) -> bool:
    return all(process.links.get(kind) != world.me.links.get(kind) for kind in _SHARED)


def _above(world: World, ancestor: Process, process: Process) -> bool:
    processes = world.seen.processes
    at: Process | None = process
    while at is not None and at.pid != ancestor.pid:
        at = processes.get(at.ppid)
    return at is not None


def _pod() -> Iterator[None]:
    with Sandbox(*_SHARED) as pause, Sandbox("mnt", join=pause):
        yield


def _descendant() -> Iterator[None]:
    with Sandbox(*_SHARED) as box, box.popen(["unshare", "--mount", "sleep", "60"]) as child:
        _await_name(child.pid, "sleep")
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
            f"unshare -Urm sh -c '{_KEEP}; sleep 100'",
        ),
        _by_a_mount,
        _mounted,
        {
            "lived in": _mounted_and_lived_in,
            "unmounted": _unmounted,
            "no mount": _lived_in,
            "a descriptor instead": _opened_net,
        },
        shell=f"unshare -Urm sh -c '{_KEEP}; exec sleep 60'",
        inside=_KEEP,
    ),
    Exercise(
        "kernel-2",
        "Kept by a descriptor",
        "Have a UTS namespace that no process is in, and that nothing keeps but an open descriptor"
        " of a running process.",
        (
            "Opening is enough, if it stays open. Who has to leave then, and how?",
            "A process may open its own /proc/self/ns/uts, and then move on to another namespace.",
            "unshare -Ur --uts bash -c 'exec 9</proc/self/ns/uts; exec unshare --uts sleep 100',"
            ' or open the file of a sandbox("uts") from here, and close the sandbox.',
        ),
        _by_a_descriptor,
        _opened,
        {"lived in": _opened_and_lived_in, "closed": _closed, "a mount instead": _mounted_uts},
        shell="unshare -Ur --uts bash -c 'exec 9</proc/self/ns/uts; exec unshare --uts sleep 60'",
        inside="unshare --uts bash -c 'exec 9</proc/self/ns/uts; exec unshare --uts sleep 60' &",
    ),
    Exercise(
        "kernel-3",
        "The guest",
        "Have two processes that share their network, UTS and IPC namespaces, none of them this"
        " notebook's, while each has a mount namespace of its own. Neither may descend from the"
        " other: one must have entered. Leave both running.",
        (
            "One makes the three namespaces. How does the other get in, with one call?",
            "setns takes a pidfd and several flags; nsenter takes --target and several options.",
            'pause = Sandbox("net", "uts", "ipc"), then Sandbox("mnt", join=pause), each kept in a'
            " name; or: nsenter --target PID -U --preserve-credentials -n -u -i unshare -m sleep"
            " 100",
        ),
        _guest,
        _pod,
        {"inherited": _descendant, "the same mounts": _one_world, "two worlds": _two_worlds},
        shell=f"unshare -Ur --net --uts --ipc sleep 60 & {_READY}; nsenter --target $! --user"
        " --preserve-credentials --net --uts --ipc unshare --mount sleep 60 & wait",
        inside=f"unshare --net --uts --ipc sleep 60 & {_READY}\n"
        "nsenter --target $! --net --uts --ipc unshare --mount sleep 60 &",
    ),
    Exercise(
        "kernel-4",
        "The empty parent",
        "Have a user namespace that no process is in, that owns nothing, and that is kept by its"
        " child alone. Leave a process running in the child.",
        (
            "A process is in one user namespace at a time. Where is it after making a second?",
            "Make one from within the other, without anybody staying behind.",
            "unshare -Ur unshare -Ur sleep 100",
        ),
        _by_a_child,
        _chain,
        {"it owns something": _owner, "somebody stayed": _nested, "one level": _one_level},
        shell="unshare -Ur unshare -Ur sleep 60",
        inside="unshare -Ur unshare -Ur sleep 60 &",
    ),
)
