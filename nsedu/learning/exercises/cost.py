"""The exercises of chapter 11: what is cheap, and what is dear."""

from __future__ import annotations

import sys

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.kernel.namespace_types import NAMES
from nsedu.kernel.procfs import read
from nsedu.learning.exercises.model import Exercise, Finding, Keep, World
from nsedu.observe.snapshot import snapshot
from nsedu.sandbox.sandbox import Sandbox

CHEAP = tuple(name for name in NAMES if name != "net")

CROWD = 100

LONG = 500


def _all_but_net(world: World) -> Finding:
    best: list[str] = []
    dear = False
    for process in world.yours:
        new = [name for name in NAMES if process.links.get(name) != world.me.links.get(name)]
        if process.links and new == list(CHEAP):
            return True, "seven new ones, and the network is the one you have."
        dear = dear or new == list(NAMES)
        best = max(best, [name for name in new if name != "net"], key=len) if new else best
    if dear:
        return False, "found all eight new, and the dearest is among them."
    if best:
        absent = ", ".join(name for name in CHEAP if name not in best)
        return False, f"found a process with {len(best)}; no new {absent}."
    return False, "found no process of yours in other namespaces than you."


COST_1 = Exercise(
    "cost-1",
    "All but the dearest",
    task=(
        "Have a process in new namespaces of seven types: all but the dearest one."
        " Leave it running."
    ),
    hints=(
        "The chart says which is the dearest. Of that type, the process keeps what you have.",
        "unshare has a letter for each type; -T is time, and leaves it to the next child.",
        "All letters but n, with -r to be root inside and -f for the child.",
    ),
    check=_all_but_net,
    solution=lambda keep: keep(Sandbox(*CHEAP)),
    wrong={
        "all eight": lambda keep: keep(Sandbox(*NAMES)),
        "six": lambda keep: keep(Sandbox(*(name for name in CHEAP if name != "time"))),
    },
    one_way="unshare -UrmpfuiCT sleep 100",
)


def _kept(world: World) -> dict[int, tuple[set[int], set[int]]]:
    """Pid → the UTS namespaces that a process of yours keeps, and those of them without a process.

    It keeps them by descriptors, or they are mounted in its mount namespace.
    """
    scope = "machine" if world.seen.scope == "machine" else int(world.seen.scope)
    seen = world.once("deep", lambda: snapshot(scope, deep=True))
    own_mounts, homes = world.me.links.get("mnt"), {p.pid: p.links.get("mnt") for p in world.yours}
    found: dict[int, tuple[set[int], set[int]]] = {}
    for ns in seen.of_type("uts"):
        lived_in = bool(ns.members) or any(pin.kind in ("process", "thread") for pin in ns.pins)
        for pin in ns.pins:
            mounted = pin.kind == "bind" and homes.get(pin.pid or 0) not in (None, own_mounts)
            if pin.pid in homes and (pin.kind == "fd" or mounted):
                held, empty = found.setdefault(pin.pid or 0, (set(), set()))
                held.add(ns.ns)
                if not lived_in:
                    empty.add(ns.ns)
    return found


def _crowd(world: World) -> Finding:
    counts = [(len(empty), len(held)) for held, empty in _kept(world).values()]
    empty, held = max(counts, default=(0, 0))
    if empty >= CROWD:
        return True, f"one process keeps {empty}, and nobody lives in any."
    if held:
        return False, f"found one that keeps {held}, {empty} of them empty."
    count = len(world.elsewhere("uts"))
    return False, f"found {count} UTS namespaces that processes live in."


_LOOP = (
    "import ctypes, time; make = ctypes.CDLL(None).unshare;"
    " kept = [(make(0x4000000), open('/proc/self/ns/uts')) for _ in range({count})];"
    " make(0x4000000); print('ready', flush=True); time.sleep(60)"
)  # the last of them is left, too, so that nobody lives in any


def _holding(keep: Keep, count: int) -> None:
    command = [sys.executable, "-I", "-c", _LOOP.format(count=count)]
    box = keep(Sandbox("uts"))
    holder = keep(box.popen(command))
    holder.stdout.readline()


def _one_often(keep: Keep) -> None:
    code = (
        "import time; kept = [open('/proc/self/ns/uts') for _ in range(150)];"
        " print('ready', flush=True); time.sleep(60)"
    )
    box = keep(Sandbox("uts"))
    holder = keep(box.popen([sys.executable, "-I", "-c", code]))
    holder.stdout.readline()


def _live_in_them(keep: Keep) -> None:
    box = keep(Sandbox("uts"))
    _ = [box.popen(["unshare", "--uts", "sleep", "60"]) for _ in range(3)]


COST_2 = Exercise(
    "cost-2",
    "A hundred, and nobody in them",
    task=(
        f"Have {CROWD} UTS namespaces that no process is in, all kept by one process: by its open"
        " descriptors, or by mounts in its mount namespace, which is not this notebook's. Leave it"
        " running."
    ),
    hints=(
        "What keeps a namespace that nobody is in? (chapter 10) A process each costs more.",
        "One process may make one, open its own /proc/self/ns/uts, make the next, and so on.",
        "The last one must be left, too: make one more, which is not opened, and move there.",
    ),
    check=_crowd,
    solution=lambda keep: _holding(keep, CROWD),
    wrong={
        "fifty": lambda keep: _holding(keep, CROWD // 2),
        "lived in": _live_in_them,
        "one, held often": _one_often,
    },
    inside=f'python3 -c "{_LOOP.format(count=CROWD)}" > /dev/null &',
    one_way=f'unshare -Ur python3 -c "{_LOOP.format(count=CROWD)}"',
)


def _table(pid: int) -> int:
    """How many mounts a process sees, 0 if it has gone or may not be asked."""
    try:
        return read(f"/proc/{pid}/mountinfo").count(b"\n")
    except OSError:
        return 0


def _long(world: World) -> Finding:
    own = _table(world.me.pid)
    tables = world.elsewhere("mnt")
    if not tables:
        return False, "found no process of yours in another mount namespace."
    more = max(_table(process.pid) for people in tables.values() for process in people) - own
    if more >= LONG:
        return True, f"a table with {more} mounts more than yours."
    return False, f"found a mount namespace with {max(more, 0)} more than yours."


def _doubling(times: int) -> str:
    """Bash that mounts a tree into itself again and again: each time there are twice as many."""
    start = "mount -t tmpfs none /mnt; mkdir /mnt/x"
    return f"{start}; for i in {{1..{times}}}; do mount --rbind /mnt /mnt/x; done"


def _doubled(keep: Keep, times: int) -> None:
    box = keep(Sandbox("mnt"))
    box.run(_doubling(times))


COST_3 = Exercise(
    "cost-3",
    "A long table",
    task=(
        f"Have a mount namespace with at least {LONG} mounts more than yours, so that a copy of it"
        " is dear. Leave a process running in it. Ten mount commands are enough."
    ),
    hints=(
        "A mount can be mounted once more, at another place: a bind mount.",
        "mount --rbind takes everything below along. Into itself, that is twice as many.",
        "A tmpfs of your own with a directory in it; then mount --rbind of the one on the"
        " other, nine times.",
    ),
    check=_long,
    solution=lambda keep: _doubled(keep, 9),
    wrong={
        "three times only": lambda keep: _doubled(keep, 3),
        "copied, not more": lambda keep: keep(Sandbox("mnt")),
    },
    inside=_doubling(9),
    one_way=f"unshare -Urm bash -c '{_doubling(9)}; sleep 100'",
)

_LETTERS = "abcdef"

_HOARD = (
    "import ctypes, os, time\n"
    "make, null = ctypes.CDLL(None).unshare, os.open('/dev/null', os.O_RDWR)\n"
    "reading, writing = os.pipe()\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    [os.dup2(null, fd) for fd in range(3)]\n"
    "    kept = []\n"
    "    for number in range({descriptors}):\n"
    "        if number % {share} == 0:\n"
    "            make(0x4000000)\n"
    "        kept.append(os.open('/proc/self/ns/uts', os.O_RDONLY))\n"
    "    make(0x4000000)\n"
    "    os.write(writing, b'!')\n"
    "    time.sleep(100000)\n"
    "os.close(writing)\n"
    "os.read(reading, 1)\n"
)


def _hoards() -> tuple[Sandbox, ...]:
    """Six sandboxes with a process each that has many descriptors, one of them of as many."""
    hoard = diagnosis.chance.choice(_LETTERS)
    boxes = []
    for letter in _LETTERS:
        descriptors = diagnosis.chance.randint(80, 200)
        share = 1 if letter == hoard else diagnosis.chance.randint(20, 40)
        boxes.append(Sandbox("uts", name=f"cost-4-{letter}"))
        code = _HOARD.format(descriptors=descriptors, share=share)
        boxes[-1].run([sys.executable, "-I", "-c", code])
    return tuple(boxes)


def _most(world: World) -> int | None:
    """How many UTS namespaces that nobody is in the largest hoard has; None if it is not there."""
    boxes = diagnosis.found(world, "cost-4", *(f"cost-4-{letter}" for letter in _LETTERS))
    if len(boxes) < len(_LETTERS):
        return None
    family = {box.pid for box in boxes}
    for process in world.yours:  # parents come first
        if process.ppid in family:
            family.add(process.pid)
    return max((len(empty) for pid, (_, empty) in _kept(world).items() if pid in family), default=0)


def _counted(world: World) -> Finding:
    most, said = _most(world), diagnosis.said("cost-4")
    if most is None:
        found = 'found no six sandboxes called "cost-4-a" to "cost-4-f": ns.broken("cost-4") makes'
        return False, f"{found} them."
    if said is None:
        return False, "found the six sandboxes, and no answer yet."
    if isinstance(said, bool) or not isinstance(said, int):
        return False, "found an answer that is no number of namespaces."
    if said == most:
        return True, f"one process keeps {most} namespaces that nobody is in."
    return False, f"found that it is not {said!r:.20} that the one keeps."


def _told(keep: Keep, change: int) -> None:
    boxes = keep(diagnosis.begun("cost-4", _hoards))
    most = 0
    for box in boxes:
        found = snapshot(box.pid, deep=True).of_type("uts")
        most = max(most, sum(not ns.members for ns in found))
    diagnosis.say("cost-4", most + change)


def _count_descriptors(keep: Keep) -> None:
    """Whoever has most descriptors is taken for whoever keeps most namespaces."""
    boxes = keep(diagnosis.begun("cost-4", _hoards))
    counts = {0}
    for box in boxes:
        for ns in snapshot(box.pid, deep=True).of_type("uts"):
            if not ns.members:
                counts.add(len(ns.pins))
    diagnosis.say("cost-4", max(counts))


COST_4 = Exercise(
    "cost-4",
    "The hoard",
    task=(
        'ns.broken("cost-4") makes six sandboxes, a to f, in each of them a process that has many'
        " descriptors open. In five they lead to a few UTS namespaces, in one each to another, and"
        " no process is in any of those: that one costs most. How many does it keep? Answer with"
        ' the number: ns.answer("cost-4", 100).'
    ),
    hints=(
        "A descriptor costs little; what costs is the namespace behind it. How do you tell"
        " whether two lead to the same?",
        "readlink of /proc/PID/fd/N shows the number: count those that differ.",
        'ns.snapshot(box.pid, deep=True).of_type("uts") has each namespace once, with its members.',
    ),
    check=_counted,
    solution=lambda keep: _told(keep, 0),
    wrong={
        "one too many": lambda keep: _told(keep, 1),
        "descriptors instead": _count_descriptors,
    },
    one_way=(
        'boxes = ns.broken("cost-4")\n'
        'found = [ns.snapshot(box.pid, deep=True).of_type("uts") for box in boxes]\n'
        'ns.answer("cost-4", max(sum(not one.members for one in all) for all in found))'
    ),
    asks=True,
    broken=_hoards,
)

EXERCISES = (COST_1, COST_2, COST_3, COST_4)
