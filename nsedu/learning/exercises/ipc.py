"""The exercises of chapter 6: IPC namespaces."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.kernel import ipc_syscalls
from nsedu.kernel.ipc_syscalls import IPC_CREAT
from nsedu.kernel.mountinfo import parse_mountinfo
from nsedu.kernel.procfs import read
from nsedu.learning.exercises.model import Exercise, Verdict, World
from nsedu.observe import ipc
from nsedu.observe.ipc import IpcObject
from nsedu.observe.records import Process
from nsedu.observe.viewpoints import Place
from nsedu.sandbox.sandbox import Sandbox

_NONE = "found no running process of yours in another IPC namespace."
_SIZE = 12345
_TRIED = 3  # processes of one namespace
_PYTHON = "import ctypes; ctypes.CDLL(None)"


def _contents(world: World) -> dict[int, tuple[IpcObject, ...]]:
    """Inode number → what is in it, for each IPC namespace of the user's other than this one."""
    return world.once("ipc", lambda: _looked(world.elsewhere("ipc")))


def _looked(elsewhere: dict[int, list[Process]]) -> dict[int, tuple[IpcObject, ...]]:
    if not elsewhere:
        return {}
    found: dict[int, tuple[IpcObject, ...]] = {}
    for turn in range(_TRIED):  # whoever was asked first may have ended
        places = [
            Place(str(ns), people[turn].pid)
            for ns, people in elsewhere.items()
            if ns not in found and turn < len(people)
        ]
        spaces = ipc.read_ipc(places).namespaces if places else ()
        found |= {space.ns: space.objects for space in spaces if not space.refused}
    return dict.fromkeys(elsewhere, ()) | found


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
        box.call(ipc_syscalls.shmget, 0, what, IPC_CREAT | 0o600)
    elif kind == "msg":
        box.call(ipc_syscalls.msgget, what, IPC_CREAT | 0o600)
    else:
        box.call(ipc_syscalls.mq_open, what, os.O_RDWR | os.O_CREAT)


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
    shared = {ns: people for ns, people in world.elsewhere("ipc").items() if len(people) > 1}
    own, same = _memory(world.me.pid), False
    for people in shared.values():
        memories = {_memory(process.pid) for process in people} - {None}
        if len(memories - {own}) > 1:
            return Verdict(
                "ipc-4",
                True,
                "two processes share an IPC namespace, and each has its own /dev/shm.",
            )
        same = same or len({p.links["mnt"] for p in people if "mnt" in p.links}) > 1
    if same:
        found = (
            "found two processes that share an IPC namespace and have mounts of their own, but what"
            " is mounted at /dev/shm is not one of its own for each."
        )
    elif shared:
        found = "found an IPC namespace with several processes, but they share their mounts."
    elif world.elsewhere("ipc"):
        number = len(world.elsewhere("ipc"))
        found = f"found {number} other IPC namespace{'s' if number > 1 else ''}, none with two"
        found += " processes in it."
    else:
        found = _NONE
    return Verdict("ipc-4", False, found)


def _memory(pid: int) -> tuple[str, str] | None:
    """What a process has at /dev/shm: the file system's device, and which directory of it.

    The kernel's own table tells, from the root directory on from mount to mount; a process may make
    its files say what it likes.
    """
    try:
        mounts = parse_mountinfo(read(f"/proc/{pid}/mountinfo"))
    except OSError:  # it has ended, or is not ours to look at
        return None
    numbers = {mount.id for mount in mounts}
    at = next((m for m in mounts if m.target == "/" and m.parent not in numbers - {m.id}), None)
    for path in ("/", "/dev", "/dev/shm"):
        while on := [m for m in mounts if at and m.parent == at.id != m.id and m.target == path]:
            at = on[-1]
    if at is None:
        return None
    below = "/dev/shm".removeprefix(at.target.rstrip("/"))
    return at.device, f"{at.root.rstrip('/')}{below}"


_OWN_MEMORY = "mount -t tmpfs none /dev/shm"


def _two_containers(memory: str = _OWN_MEMORY) -> Iterator[None]:
    with Sandbox("ipc") as pod, Sandbox("mnt", join=pod) as one, Sandbox("mnt", join=pod) as two:
        one.run(memory)
        two.run(memory)
        yield


def _two_copies() -> Iterator[None]:
    yield from _two_containers("true")


def _apart() -> Iterator[None]:
    with Sandbox("ipc", "mnt") as one, Sandbox("ipc", "mnt") as two:
        one.run(_OWN_MEMORY)
        two.run(_OWN_MEMORY)
        yield


def _all_shared() -> Iterator[None]:
    with Sandbox("ipc", "mnt") as first, Sandbox(join=first):
        first.run(_OWN_MEMORY)
        yield


_LETTERS = "abcdef"


def _rooms() -> tuple[Sandbox, ...]:
    """Six sandboxes, two of which share their IPC namespace; in each a queue with the same key."""
    house = Sandbox("user", name="ipc-5-house")
    one, other = sorted(diagnosis.chance.sample(_LETTERS, 2))
    boxes: dict[str, Sandbox] = {}
    for letter in _LETTERS:
        name = f"ipc-5-{letter}"
        if letter == other:
            boxes[letter] = Sandbox(name=name, join={"user": house, "ipc": boxes[one]})
        else:
            boxes[letter] = Sandbox("ipc", name=name, join={"user": house})
            _make(boxes[letter], "msg", 42)
    return (*boxes.values(), house)


def _room_mates(world: World) -> Verdict:
    said = diagnosis.said("ipc-5")
    rooms = diagnosis.found(world, "ipc-5", *(f"ipc-5-{letter}" for letter in _LETTERS))
    if len(rooms) < len(_LETTERS):
        found = 'found no six sandboxes called "ipc-5-a" to "ipc-5-f": ns.broken("ipc-5") makes'
        return Verdict("ipc-5", False, f"{found} them.")
    if said is None:
        return Verdict("ipc-5", False, "found the six sandboxes, and no answer yet.")
    pair = sorted(diagnosis.letters(said, _LETTERS))
    if len(pair) != 2:
        return Verdict("ipc-5", False, 'found an answer that is not two of the letters, as "ab".')
    one, other = pair
    first, second = (rooms[_LETTERS.index(letter)].links.get("ipc") for letter in pair)
    if first is not None and first == second:
        return Verdict("ipc-5", True, f"{one} and {other} are in one IPC namespace.")
    return Verdict("ipc-5", False, f"found {one} and {other} in two different IPC namespaces.")


def _answered(right: bool) -> Iterator[None]:
    with diagnosis.begun("ipc-5", _rooms) as boxes:
        homes = {
            letter: box.namespaces["ipc"].ns for letter, box in zip(_LETTERS, boxes, strict=False)
        }
        pairs = itertools.combinations(_LETTERS, 2)
        diagnosis.say(
            "ipc-5",
            next(one + other for one, other in pairs if (homes[one] == homes[other]) == right),
        )
        yield


def _not_answered() -> Iterator[None]:
    with diagnosis.begun("ipc-5", _rooms):
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
            "First unshare --ipc; in it ipcmk --shmem with the size in bytes, and then sleep.",
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
        one_way=f"unshare -Ur --ipc sh -c 'ipcmk --shmem {_SIZE}; sleep 100'",
    ),
    Exercise(
        "ipc-2",
        "One key, two objects",
        "Have two IPC namespaces other than this notebook's, in each a System V object of the same"
        " kind with the same key. Leave a process in each running.",
        (
            "ipcmk(1) takes a key at random. Who lets you choose?",
            "shmget(2), semget(2), msgget(2), which nsedu.kernel.ipc_syscalls has.",
            "box.call(ipc_syscalls.msgget, key, IPC_CREAT | 0o600), in two sandboxes, one key.",
        ),
        _twins,
        lambda: _both(42, 42),
        {
            "two keys": lambda: _both(42, 43),
            "no key": lambda: _both(ipc_syscalls.IPC_PRIVATE, ipc_syscalls.IPC_PRIVATE),
            "one namespace": lambda: _made(("msg", 42), ("shm", 4096)),
        },
        shell=f"for n in 1 2; do unshare -Ur --ipc sh -c"
        f" 'python3 -c \"{_PYTHON}.msgget(42, 0o1600)\"; exec sleep 60' & done; wait",
        inside=f"make='{_PYTHON}.msgget(42, 0o1600)'\n"
        'python3 -c "$make"; unshare --ipc sh -c "python3 -c \'$make\'; exec sleep 60" &',
        one_way="from nsedu.kernel import ipc_syscalls as ipc\n"
        'one, two = ns.Sandbox("ipc"), ns.Sandbox("ipc")\n'
        "for box in (one, two):\n"
        "    box.call(ipc.msgget, 42, ipc.IPC_CREAT | 0o600)",
    ),
    Exercise(
        "ipc-3",
        "A queue made by touch",
        "Have a POSIX message queue called /jobs in an IPC namespace other than this notebook's."
        " Leave a process in that namespace running.",
        (
            "It has a name, but no path: not until something is mounted.",
            "mount -t mqueue, in a mount namespace of your own; then it is a directory.",
            "In that directory touch makes a queue: its name is that of the file, without a path.",
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
        one_way="unshare -Urm --ipc sh -c 'mount -t mqueue none /mnt; touch /mnt/jobs; sleep 100'",
    ),
    Exercise(
        "ipc-4",
        "One memory in common, one apart",
        "Have two processes that share an IPC namespace, which is not this notebook's, while each"
        " has another file system, or another directory, at /dev/shm, and neither has yours: System"
        " V memory in common, POSIX memory apart. (In a Kubernetes pod both are in common.) Leave"
        " both running.",
        (
            "One of the two types is shared, the other is not: which call makes, which one joins?",
            "Join first, then make: setns(2) and unshare(2), or join= and a type.",
            "A new mount namespace is a copy: in each of the two something must be mounted.",
        ),
        _pod,
        _two_containers,
        {
            "two IPC namespaces": _apart,
            "everything shared": _all_shared,
            "mounts copied, nothing mounted": _two_copies,
        },
        shell="unshare -Urm --ipc sh -c"
        f" '{_OWN_MEMORY}; unshare -m sh -c \"{_OWN_MEMORY}; exec sleep 60\" & exec sleep 60'",
        inside=f"{_OWN_MEMORY}\nunshare --mount sh -c '{_OWN_MEMORY}; exec sleep 60' &",
        one_way='pod = ns.Sandbox("ipc")\n'
        'one, two = ns.Sandbox("mnt", join=pod), ns.Sandbox("mnt", join=pod)\n'
        f'one.run("{_OWN_MEMORY}")\n'
        f'two.run("{_OWN_MEMORY}")',
    ),
    Exercise(
        "ipc-5",
        "Which two share?",
        'ns.broken("ipc-5") makes six sandboxes, called a to f, all in one user namespace. In each'
        " a message queue has the key 42, and yet two of the six share their IPC namespace. Which?"
        ' Answer with their two letters: ns.answer("ipc-5", "ab").',
        (
            "The key does not tell, for every IPC namespace has its own. What is there only once?",
            "The number of a namespace is its identity; or change something in one, and look who"
            " sees it.",
            "boxes[0].namespaces has the numbers of a, boxes[1].namespaces those of b, and so on.",
        ),
        _room_mates,
        lambda: _answered(True),
        {"another two": lambda: _answered(False), "no answer": _not_answered},
        one_way='boxes = ns.broken("ipc-5")[:6]\n'
        'numbers = [box.namespaces["ipc"].ns for box in boxes]\n'
        'pair = [letter for letter, n in zip("abcdef", numbers) if numbers.count(n) == 2]\n'
        'ns.answer("ipc-5", "".join(pair))',
        asks=True,
        broken=_rooms,
    ),
)
