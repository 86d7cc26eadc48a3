"""The exercises of chapter 6: IPC namespaces."""

from __future__ import annotations

import os
from collections.abc import Iterator

from nsedu import ipc_calls
from nsedu.exercises.model import Exercise, Verdict, World
from nsedu.ipc_calls import IPC_CREAT
from nsedu.observe import ipc_objects
from nsedu.observe.ipc_objects import IpcObject
from nsedu.observe.places import Place
from nsedu.records import Process
from nsedu.sandbox import Sandbox

_NONE = "found no running process of yours in another IPC namespace."
_SIZE = 12345
_PYTHON = "import ctypes; ctypes.CDLL(None)"


def _contents(world: World) -> dict[int, tuple[IpcObject, ...]]:
    """Inode number → what is in it, for each IPC namespace of the user's other than this one."""
    return world.once("ipc", lambda: _looked(world.elsewhere("ipc")))


def _looked(elsewhere: dict[int, list[Process]]) -> dict[int, tuple[IpcObject, ...]]:
    if not elsewhere:
        return {}
    places = [Place(str(ns), people[0].pid) for ns, people in elsewhere.items()]
    return {space.ns: space.objects for space in ipc_objects.look(places).namespaces}


def _kinds(objects: list[IpcObject]) -> str:
    """What objects there are, in words."""
    names = {"shm": "a segment of {0} bytes", "sem": "a semaphore set", "msg": "a message queue",
             "mqueue": "a POSIX queue {1}"}  # fmt: skip
    words = dict.fromkeys(names[one.kind].format(one.size, one.name) for one in objects)
    return ", ".join(words) or "nothing"


def _segment(world: World) -> Verdict:
    contents = _contents(world)
    everything = [one for objects in contents.values() for one in objects]
    if any(one.kind == "shm" and one.size == _SIZE for one in everything):
        return Verdict("ipc-1", True, f"a segment of {_SIZE} bytes that your own ipcs cannot see.")
    if contents:
        return Verdict(
            "ipc-1",
            False,
            f"found an IPC namespace of yours with {_kinds(everything)} in it, but no System V"
            f" shared memory of {_SIZE} bytes.",
        )
    return Verdict("ipc-1", False, _NONE)


def _made(*objects: tuple[str, int | str]) -> Iterator[None]:
    """A namespace with some objects: ("shm", size), ("msg", key), ("mqueue", name)."""
    with Sandbox("ipc") as box:
        for kind, what in objects:
            _make(box, kind, what)
        yield


def _make(box: Sandbox, kind: str, what: int | str) -> None:
    if kind == "shm":
        box.call(ipc_calls.shmget, 0, what, IPC_CREAT | 0o600)
    elif kind == "msg":
        box.call(ipc_calls.msgget, what, IPC_CREAT | 0o600)
    else:
        box.call(ipc_calls.mq_open, what, os.O_RDWR | os.O_CREAT)


def _ended() -> Iterator[None]:
    with Sandbox("ipc") as box:
        _make(box, "shm", _SIZE)
    yield


def _file() -> Iterator[None]:
    with Sandbox("ipc", "mnt") as box:
        box.run(f"mount -t tmpfs tmpfs /dev/shm && truncate -s {_SIZE} /dev/shm/segment")
        yield


def _twins(world: World) -> Verdict:
    contents = _contents(world)
    where: dict[tuple[str, str], int] = {}
    for objects in contents.values():
        for name in {(one.kind, one.name) for one in objects}:
            where[name] = where.get(name, 0) + 1
    twins = [name for (kind, name), n in where.items() if n > 1 and kind != "mqueue"]
    if any(int(name, 16) for name in twins):
        return Verdict("ipc-2", True, "one key, two namespaces: two objects of the same kind.")
    if twins:
        return Verdict(
            "ipc-2", False, "found objects without a key (IPC_PRIVATE); it takes the same key."
        )
    if len(contents) > 1:
        return Verdict(
            "ipc-2",
            False,
            f"found {len(contents)} IPC namespaces, but no key that two have.",
        )
    if contents:
        return Verdict("ipc-2", False, "found one IPC namespace of yours; it takes two.")
    return Verdict("ipc-2", False, _NONE)


def _both(one: int, other: int) -> Iterator[None]:
    with Sandbox("ipc") as first, Sandbox("ipc") as second:
        _make(first, "msg", one)
        _make(second, "msg", other)
        yield


def _queue(world: World) -> Verdict:
    contents = _contents(world)
    everything = [one for objects in contents.values() for one in objects]
    if any(one.kind == "mqueue" and one.name == "/jobs" for one in everything):
        return Verdict("ipc-3", True, "a POSIX queue /jobs in an IPC namespace of its own.")
    if contents:
        return Verdict(
            "ipc-3",
            False,
            f"found an IPC namespace of yours with {_kinds(everything)} in it, but no POSIX queue"
            " /jobs.",
        )
    return Verdict("ipc-3", False, _NONE)


def _queue_file() -> Iterator[None]:
    with Sandbox("ipc", "mnt") as box:
        box.run("mount -t tmpfs tmpfs /mnt && touch /mnt/jobs")
        yield


def _pod(world: World) -> Verdict:
    shared = world.elsewhere("ipc")
    own = world.me.links.get("mnt")
    for people in shared.values():
        mounts = {p.links["mnt"] for p in people if p.links.get("mnt") not in (None, own)}
        if len(mounts) > 1:
            return Verdict(
                "ipc-4", True, "two processes share an IPC namespace, and each has its own mounts."
            )
    if len(shared) > 1:
        return Verdict(
            "ipc-4",
            False,
            f"found {len(shared)} IPC namespaces, none with two sets of mounts.",
        )
    if shared:
        return Verdict(
            "ipc-4", False, "found one IPC namespace, but not two of your own sets of mounts in it."
        )
    return Verdict("ipc-4", False, _NONE)


def _two_containers() -> Iterator[None]:
    with Sandbox("ipc") as pod, Sandbox("mnt", join=pod), Sandbox("mnt", join=pod):
        yield


def _apart() -> Iterator[None]:
    with Sandbox("ipc", "mnt"), Sandbox("ipc", "mnt"):
        yield


def _all_shared() -> Iterator[None]:
    with Sandbox("ipc", "mnt") as first, Sandbox(join=first):
        yield


EXERCISES = (
    Exercise(
        "ipc-1",
        "Memory that nobody else finds",
        f"Have a System V shared memory segment of exactly {_SIZE} bytes in an IPC namespace other"
        " than this notebook's. Leave a process in that namespace running.",
        (
            "An object lives as long as its namespace, and that as long as a process is in it.",
            "ipcmk(1) makes objects; unshare(1) has one option for each type of namespace.",
            f"unshare -Ur --ipc sh -c 'ipcmk --shmem {_SIZE}; sleep 100', or ipcmk in %%inside.",
        ),
        _segment,
        lambda: _made(("shm", _SIZE)),
        {
            "another size": lambda: _made(("shm", 4096)),
            "a queue": lambda: _made(("msg", 42)),
            "a file in /dev/shm": _file,
            "ended": _ended,
        },
        shell=f"unshare -Ur --ipc sh -c 'ipcmk --shmem {_SIZE}; exec sleep 60'",
        inside=f"ipcmk --shmem {_SIZE}",
    ),
    Exercise(
        "ipc-2",
        "One key, two objects",
        "Have two IPC namespaces other than this notebook's, in each a System V object of the same"
        " kind with the same key. Leave a process in each running.",
        (
            "ipcmk(1) takes a key at random. Who lets you choose?",
            "shmget(2), semget(2), msgget(2): nsedu.ipc_calls has them, and so has ctypes.",
            "for each of two sandboxes: box.call(ipc_calls.msgget, 42, IPC_CREAT | 0o600)",
        ),
        _twins,
        lambda: _both(42, 42),
        {
            "two keys": lambda: _both(42, 43),
            "no key": lambda: _both(ipc_calls.IPC_PRIVATE, ipc_calls.IPC_PRIVATE),
            "one namespace": lambda: _made(("msg", 42), ("shm", 4096)),
        },
        shell=f"for n in 1 2; do unshare -Ur --ipc sh -c"
        f" 'python3 -c \"{_PYTHON}.msgget(42, 0o1600)\"; exec sleep 60' & done; wait",
        inside=f"make='{_PYTHON}.msgget(42, 0o1600)'\n"
        'python3 -c "$make"; unshare --ipc sh -c "python3 -c \'$make\'; exec sleep 60" &',
    ),
    Exercise(
        "ipc-3",
        "A queue made by touch",
        "Have a POSIX message queue called /jobs in an IPC namespace other than this notebook's."
        " Leave a process in that namespace running.",
        (
            "It has a name, but no path: not until something is mounted.",
            "mount -t mqueue, in a mount namespace of your own; then it is a directory.",
            "unshare -Urm --ipc sh -c 'mount -t mqueue none /mnt; touch /mnt/jobs; sleep 100'",
        ),
        _queue,
        lambda: _made(("mqueue", "/jobs")),
        {
            "another name": lambda: _made(("mqueue", "/letters")),
            "System V": lambda: _made(("msg", 42)),
            "a plain file": _queue_file,
        },
        shell="unshare -Urm --ipc sh -c"
        " 'mount -t mqueue none /mnt && touch /mnt/jobs; exec sleep 60'",
        inside="mount -t mqueue none /mnt && touch /mnt/jobs",
    ),
    Exercise(
        "ipc-4",
        "A pod",
        "Have two processes that share an IPC namespace, but not their mounts: System V memory in"
        " common, /dev/shm to each its own. Neither namespace may be this notebook's.",
        (
            "One of the two types is shared, the other is not: which call makes, which one joins?",
            "Join first, then make: setns(2) and unshare(2), or join= and a type.",
            'pod = Sandbox("ipc"); Sandbox("mnt", join=pod), twice',
        ),
        _pod,
        _two_containers,
        {"two IPC namespaces": _apart, "everything shared": _all_shared},
        shell="unshare -Urm --ipc sh -c 'unshare -m sleep 60 & exec sleep 60'",
        inside="unshare --mount sleep 60 &",
    ),
)
