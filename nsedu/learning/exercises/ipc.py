"""The exercises of chapter 6: IPC namespaces."""

from __future__ import annotations

import itertools
import os

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.kernel import ipc_syscalls
from nsedu.kernel.ipc_syscalls import IPC_CREAT
from nsedu.kernel.mountinfo import parse_mountinfo
from nsedu.kernel.procfs import read
from nsedu.learning.exercises.model import Exercise, Finding, Keep, World
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


def _segment(world: World) -> Finding:
    contents = _contents(world)
    everything = [one for objects in contents.values() for one in objects]
    if any(one.kind == "shm" and one.size == _SIZE for one in everything):
        return True, f"a segment of {_SIZE} bytes that your own ipcs cannot see."
    if contents:
        return (
            False,
            f"found an IPC namespace of yours with {_kinds(everything)} in it, but no System V"
            f" shared memory of {_SIZE} bytes.",
        )
    return False, _NONE


def _made(keep: Keep, *objects: tuple[str, int | str]) -> None:
    """A namespace with some objects: ("shm", size), ("msg", key), ("mqueue", name)."""
    box = keep(Sandbox("ipc"))
    for kind, what in objects:
        _make(box, kind, what)


def _make(box: Sandbox, kind: str, what: int | str) -> None:
    if kind == "shm":
        box.call(ipc_syscalls.shmget, 0, what, IPC_CREAT | 0o600)
    elif kind == "msg":
        box.call(ipc_syscalls.msgget, what, IPC_CREAT | 0o600)
    else:
        box.call(ipc_syscalls.mq_open, what, os.O_RDWR | os.O_CREAT)


def _ended(keep: Keep) -> None:
    with Sandbox("ipc") as box:
        _make(box, "shm", _SIZE)


def _file(keep: Keep) -> None:
    box = keep(Sandbox("ipc", "mnt"))
    box.run(f"mount -t tmpfs tmpfs /dev/shm && truncate -s {_SIZE} /dev/shm/segment")


IPC_1 = Exercise(
    "ipc-1",
    "Memory that nobody else finds",
    task=(
        f"Have a System V shared memory segment of exactly {_SIZE} bytes in an IPC namespace other"
        " than this notebook's. Leave a process in that namespace running."
    ),
    hints=(
        "An object lives as long as its namespace, and that as long as a process is in it.",
        "ipcmk(1) makes objects; unshare(1) has one option for each type of namespace.",
        "First unshare --ipc; in it ipcmk --shmem with the size in bytes, and then sleep.",
    ),
    check=_segment,
    solution=lambda keep: _made(keep, ("shm", _SIZE)),
    wrong={
        "another size": lambda keep: _made(keep, ("shm", 4096)),
        "a queue": lambda keep: _made(keep, ("msg", 42)),
        "a file in /dev/shm": _file,
        "ended": _ended,
    },
    inside=f"ipcmk --shmem {_SIZE}",
    one_way=f"unshare -Ur --ipc sh -c 'ipcmk --shmem {_SIZE}; sleep 100'",
)


def _twins(world: World) -> Finding:
    contents = _contents(world)
    where: dict[tuple[str, str], int] = {}
    for objects in contents.values():
        for name in {(one.kind, one.name) for one in objects}:
            where[name] = where.get(name, 0) + 1
    twins = [name for (kind, name), n in where.items() if n > 1 and kind != "mqueue"]
    if any(int(name, 16) for name in twins):
        return True, "one key, two namespaces: two objects of the same kind."
    if twins:
        return (False, "found objects without a key (IPC_PRIVATE); it takes the same key.")
    if len(contents) > 1:
        return (
            False,
            f"found {len(contents)} IPC namespaces, but no key that two have.",
        )
    if contents:
        return False, "found one IPC namespace of yours; it takes two."
    return False, _NONE


def _both(keep: Keep, one: int, other: int) -> None:
    first = keep(Sandbox("ipc"))
    second = keep(Sandbox("ipc"))
    _make(first, "msg", one)
    _make(second, "msg", other)


IPC_2 = Exercise(
    "ipc-2",
    "One key, two objects",
    task=(
        "Have two IPC namespaces other than this notebook's, in each a System V object of the same"
        " kind with the same key. Leave a process in each running."
    ),
    hints=(
        "ipcmk(1) takes a key at random. Who lets you choose?",
        "shmget(2), semget(2), msgget(2), which nsedu.kernel.ipc_syscalls has.",
        "box.call(ipc_syscalls.msgget, key, IPC_CREAT | 0o600), in two sandboxes, one key.",
    ),
    check=_twins,
    solution=lambda keep: _both(keep, 42, 42),
    wrong={
        "two keys": lambda keep: _both(keep, 42, 43),
        "no key": lambda keep: _both(keep, ipc_syscalls.IPC_PRIVATE, ipc_syscalls.IPC_PRIVATE),
        "one namespace": lambda keep: _made(keep, ("msg", 42), ("shm", 4096)),
    },
    shell=(
        f"for n in 1 2; do unshare -Ur --ipc sh -c"
        f" 'python3 -c \"{_PYTHON}.msgget(42, 0o1600)\"; exec sleep 60' & done; wait"
    ),
    inside=(
        f"make='{_PYTHON}.msgget(42, 0o1600)'\n"
        'python3 -c "$make"; unshare --ipc sh -c "python3 -c \'$make\'; exec sleep 60" &'
    ),
    one_way=(
        "from nsedu.kernel import ipc_syscalls as ipc\n"
        'one, two = ns.Sandbox("ipc"), ns.Sandbox("ipc")\n'
        "for box in (one, two):\n"
        "    box.call(ipc.msgget, 42, ipc.IPC_CREAT | 0o600)"
    ),
)


def _queue(world: World) -> Finding:
    contents = _contents(world)
    everything = [one for objects in contents.values() for one in objects]
    if any(one.kind == "mqueue" and one.name == "/jobs" for one in everything):
        return True, "a POSIX queue /jobs in an IPC namespace of its own."
    if contents:
        return (
            False,
            f"found an IPC namespace of yours with {_kinds(everything)} in it, but no POSIX queue"
            " /jobs.",
        )
    return False, _NONE


def _queue_file(keep: Keep) -> None:
    box = keep(Sandbox("ipc", "mnt"))
    box.run("mount -t tmpfs tmpfs /mnt && touch /mnt/jobs")


IPC_3 = Exercise(
    "ipc-3",
    "A queue made by touch",
    task=(
        "Have a POSIX message queue called /jobs in an IPC namespace other than this notebook's."
        " Leave a process in that namespace running."
    ),
    hints=(
        "It has a name, but no path: not until something is mounted.",
        "mount -t mqueue, in a mount namespace of your own; then it is a directory.",
        "In that directory touch makes a queue: its name is that of the file, without a path.",
    ),
    check=_queue,
    solution=lambda keep: _made(keep, ("mqueue", "/jobs")),
    wrong={
        "another name": lambda keep: _made(keep, ("mqueue", "/letters")),
        "System V": lambda keep: _made(keep, ("msg", 42)),
        "a plain file": _queue_file,
    },
    inside="mount -t mqueue none /mnt && touch /mnt/jobs",
    one_way="unshare -Urm --ipc sh -c 'mount -t mqueue none /mnt; touch /mnt/jobs; sleep 100'",
)


def _pod(world: World) -> Finding:
    shared = {ns: people for ns, people in world.elsewhere("ipc").items() if len(people) > 1}
    own, same = _memory(world.me.pid), False
    for people in shared.values():
        memories = {_memory(process.pid) for process in people} - {None}
        if len(memories - {own}) > 1:
            return (
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
    return False, found


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


def _two_containers(keep: Keep, memory: str = _OWN_MEMORY) -> None:
    pod = keep(Sandbox("ipc"))
    one = keep(Sandbox("mnt", join=pod))
    two = keep(Sandbox("mnt", join=pod))
    one.run(memory)
    two.run(memory)


def _apart(keep: Keep) -> None:
    one = keep(Sandbox("ipc", "mnt"))
    two = keep(Sandbox("ipc", "mnt"))
    one.run(_OWN_MEMORY)
    two.run(_OWN_MEMORY)


def _all_shared(keep: Keep) -> None:
    first = keep(Sandbox("ipc", "mnt"))
    keep(Sandbox(join=first))
    first.run(_OWN_MEMORY)


IPC_4 = Exercise(
    "ipc-4",
    "One memory in common, one apart",
    task=(
        "Have two processes that share an IPC namespace, which is not this notebook's, while each"
        " has another file system, or another directory, at /dev/shm, and neither has yours: System"
        " V memory in common, POSIX memory apart. (In a Kubernetes pod both are in common.) Leave"
        " both running."
    ),
    hints=(
        "One of the two types is shared, the other is not: which call makes, which one joins?",
        "Join first, then make: setns(2) and unshare(2), or join= and a type.",
        "A new mount namespace is a copy: in each of the two something must be mounted.",
    ),
    check=_pod,
    solution=_two_containers,
    wrong={
        "two IPC namespaces": _apart,
        "everything shared": _all_shared,
        "mounts copied, nothing mounted": lambda keep: _two_containers(keep, "true"),
    },
    shell=(
        "unshare -Urm --ipc sh -c"
        f" '{_OWN_MEMORY}; unshare -m sh -c \"{_OWN_MEMORY}; exec sleep 60\" & exec sleep 60'"
    ),
    inside=f"{_OWN_MEMORY}\nunshare --mount sh -c '{_OWN_MEMORY}; exec sleep 60' &",
    one_way=(
        'pod = ns.Sandbox("ipc")\n'
        'one, two = ns.Sandbox("mnt", join=pod), ns.Sandbox("mnt", join=pod)\n'
        f'one.run("{_OWN_MEMORY}")\n'
        f'two.run("{_OWN_MEMORY}")'
    ),
)

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


def _room_mates(world: World) -> Finding:
    said = diagnosis.said("ipc-5")
    rooms = diagnosis.found(world, "ipc-5", *(f"ipc-5-{letter}" for letter in _LETTERS))
    if len(rooms) < len(_LETTERS):
        found = 'found no six sandboxes called "ipc-5-a" to "ipc-5-f": ns.broken("ipc-5") makes'
        return False, f"{found} them."
    if said is None:
        return False, "found the six sandboxes, and no answer yet."
    pair = sorted(diagnosis.letters(said, _LETTERS))
    if len(pair) != 2:
        return False, 'found an answer that is not two of the letters, as "ab".'
    one, other = pair
    first, second = (rooms[_LETTERS.index(letter)].links.get("ipc") for letter in pair)
    if first is not None and first == second:
        return True, f"{one} and {other} are in one IPC namespace."
    return False, f"found {one} and {other} in two different IPC namespaces."


def _answered(keep: Keep, right: bool) -> None:
    boxes = keep(diagnosis.begun("ipc-5", _rooms))
    homes = {letter: box.namespaces["ipc"].ns for letter, box in zip(_LETTERS, boxes, strict=False)}
    pairs = itertools.combinations(_LETTERS, 2)
    diagnosis.say(
        "ipc-5",
        next(one + other for one, other in pairs if (homes[one] == homes[other]) == right),
    )


IPC_5 = Exercise(
    "ipc-5",
    "Which two share?",
    task=(
        'ns.broken("ipc-5") makes six sandboxes, called a to f, all in one user namespace. In each'
        " a message queue has the key 42, and yet two of the six share their IPC namespace. Which?"
        ' Answer with their two letters: ns.answer("ipc-5", "ab").'
    ),
    hints=(
        "The key does not tell, for every IPC namespace has its own. What is there only once?",
        "The number of a namespace is its identity; or change something in one, and look who"
        " sees it.",
        "boxes[0].namespaces has the numbers of a, boxes[1].namespaces those of b, and so on.",
    ),
    check=_room_mates,
    solution=lambda keep: _answered(keep, True),
    wrong={
        "another two": lambda keep: _answered(keep, False),
        "no answer": lambda keep: keep(diagnosis.begun("ipc-5", _rooms)),
    },
    one_way=(
        'boxes = ns.broken("ipc-5")[:6]\n'
        'numbers = [box.namespaces["ipc"].ns for box in boxes]\n'
        'pair = [letter for letter, n in zip("abcdef", numbers) if numbers.count(n) == 2]\n'
        'ns.answer("ipc-5", "".join(pair))'
    ),
    asks=True,
    broken=_rooms,
)

EXERCISES = (IPC_1, IPC_2, IPC_3, IPC_4, IPC_5)
