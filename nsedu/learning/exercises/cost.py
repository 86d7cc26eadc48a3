"""The exercises of chapter 11: what is cheap, and what is dear."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.kernel.namespace_types import NAMES
from nsedu.kernel.procfs import read
from nsedu.learning.exercises.model import Exercise, Verdict, World
from nsedu.observe.snapshot import snapshot
from nsedu.sandbox.sandbox import Sandbox

CHEAP = tuple(name for name in NAMES if name != "net")
CROWD = 100
LONG = 500


def _all_but_net(world: World) -> Verdict:
    best: list[str] = []
    dear = False
    for process in world.yours:
        new = [name for name in NAMES if process.links.get(name) != world.me.links.get(name)]
        if process.links and new == list(CHEAP):
            return Verdict("cost-1", True, "seven new ones, and the network is the one you have.")
        dear = dear or new == list(NAMES)
        best = max(best, [name for name in new if name != "net"], key=len) if new else best
    if dear:
        return Verdict("cost-1", False, "found all eight new, and the dearest is among them.")
    if best:
        absent = ", ".join(name for name in CHEAP if name not in best)
        return Verdict("cost-1", False, f"found a process with {len(best)}; no new {absent}.")
    return Verdict("cost-1", False, "found no process of yours in other namespaces than you.")


def _seven() -> Iterator[None]:
    with Sandbox(*CHEAP):
        yield


def _eight() -> Iterator[None]:
    with Sandbox(*NAMES):
        yield


def _no_clock() -> Iterator[None]:
    with Sandbox(*(name for name in CHEAP if name != "time")):
        yield


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


def _crowd(world: World) -> Verdict:
    counts = [(len(empty), len(held)) for held, empty in _kept(world).values()]
    empty, held = max(counts, default=(0, 0))
    if empty >= CROWD:
        return Verdict("cost-2", True, f"one process keeps {empty}, and nobody lives in any.")
    if held:
        return Verdict("cost-2", False, f"found one that keeps {held}, {empty} of them empty.")
    count = len(world.elsewhere("uts"))
    return Verdict("cost-2", False, f"found {count} UTS namespaces that processes live in.")


_LOOP = (
    "import ctypes, time; make = ctypes.CDLL(None).unshare;"
    " kept = [(make(0x4000000), open('/proc/self/ns/uts')) for _ in range({count})];"
    " make(0x4000000); print('ready', flush=True); time.sleep(60)"
)  # the last of them is left, too, so that nobody lives in any


def _holding(count: int) -> Iterator[None]:
    command = [sys.executable, "-I", "-c", _LOOP.format(count=count)]
    with Sandbox("uts") as box, box.popen(command) as holder:
        holder.stdout.readline()
        yield


def _hold() -> Iterator[None]:
    yield from _holding(CROWD)


def _hold_too_few() -> Iterator[None]:
    yield from _holding(CROWD // 2)


def _one_often() -> Iterator[None]:
    code = (
        "import time; kept = [open('/proc/self/ns/uts') for _ in range(150)];"
        " print('ready', flush=True); time.sleep(60)"
    )
    with Sandbox("uts") as box, box.popen([sys.executable, "-I", "-c", code]) as holder:
        holder.stdout.readline()
        yield


def _live_in_them() -> Iterator[None]:
    with Sandbox("uts") as box:
        _ = [box.popen(["unshare", "--uts", "sleep", "60"]) for _ in range(3)]
        yield


def _table(pid: int) -> int:
    """How many mounts a process sees, 0 if it has gone or may not be asked."""
    try:
        return read(f"/proc/{pid}/mountinfo").count(b"\n")
    except OSError:
        return 0


def _long(world: World) -> Verdict:
    own = _table(world.me.pid)
    tables = world.elsewhere("mnt")
    if not tables:
        return Verdict("cost-3", False, "found no process of yours in another mount namespace.")
    more = max(_table(process.pid) for people in tables.values() for process in people) - own
    if more >= LONG:
        return Verdict("cost-3", True, f"a table with {more} mounts more than yours.")
    return Verdict("cost-3", False, f"found a mount namespace with {max(more, 0)} more than yours.")


def _doubling(times: int) -> str:
    """Bash that mounts a tree into itself again and again: each time there are twice as many."""
    start = "mount -t tmpfs none /mnt; mkdir /mnt/x"
    return f"{start}; for i in {{1..{times}}}; do mount --rbind /mnt /mnt/x; done"


def _doubled(times: int) -> Iterator[None]:
    with Sandbox("mnt") as box:
        box.run(_doubling(times))
        yield


def _nine_times() -> Iterator[None]:
    yield from _doubled(9)


def _three_times() -> Iterator[None]:
    yield from _doubled(3)


def _copied() -> Iterator[None]:
    with Sandbox("mnt"):
        yield


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


def _counted(world: World) -> Verdict:
    most, said = _most(world), diagnosis.said("cost-4")
    if most is None:
        found = 'found no six sandboxes called "cost-4-a" to "cost-4-f": ns.broken("cost-4") makes'
        return Verdict("cost-4", False, f"{found} them.")
    if said is None:
        return Verdict("cost-4", False, "found the six sandboxes, and no answer yet.")
    if isinstance(said, bool) or not isinstance(said, int):
        return Verdict("cost-4", False, "found an answer that is no number of namespaces.")
    if said == most:
        return Verdict("cost-4", True, f"one process keeps {most} namespaces that nobody is in.")
    return Verdict("cost-4", False, f"found that it is not {said!r:.20} that the one keeps.")


def _told(change: int) -> Iterator[None]:
    with diagnosis.begun("cost-4", _hoards) as boxes:
        most = 0
        for box in boxes:
            found = snapshot(box.pid, deep=True).of_type("uts")
            most = max(most, sum(not ns.members for ns in found))
        diagnosis.say("cost-4", most + change)
        yield


def _count_descriptors() -> Iterator[None]:
    """Whoever has most descriptors is taken for whoever keeps most namespaces."""
    with diagnosis.begun("cost-4", _hoards) as boxes:
        counts = {0}
        for box in boxes:
            for ns in snapshot(box.pid, deep=True).of_type("uts"):
                if not ns.members:
                    counts.add(len(ns.pins))
        diagnosis.say("cost-4", max(counts))
        yield


EXERCISES = (
    Exercise(
        "cost-1",
        "All but the dearest",
        "Have a process in new namespaces of seven types: all but the dearest one."
        " Leave it running.",
        (
            "The chart says which is the dearest. Of that type, the process keeps what you have.",
            "unshare has a letter for each type; -T is time, and leaves it to the next child.",
            "All letters but n, with -r to be root inside and -f for the child.",
        ),
        _all_but_net,
        _seven,
        {"all eight": _eight, "six": _no_clock},
        shell="unshare -UrmpfuiCT sleep 60",
        one_way="unshare -UrmpfuiCT sleep 100",
    ),
    Exercise(
        "cost-2",
        "A hundred, and nobody in them",
        f"Have {CROWD} UTS namespaces that no process is in, all kept by one process: by its open"
        " descriptors, or by mounts in its mount namespace, which is not this notebook's. Leave it"
        " running.",
        (
            "What keeps a namespace that nobody is in? (chapter 10) A process each costs more.",
            "One process may make one, open its own /proc/self/ns/uts, make the next, and so on.",
            "The last one must be left, too: make one more, which is not opened, and move there.",
        ),
        _crowd,
        _hold,
        {"fifty": _hold_too_few, "lived in": _live_in_them, "one, held often": _one_often},
        shell=f'exec unshare -Ur python3 -c "{_LOOP.format(count=CROWD)}" > /dev/null',
        inside=f'python3 -c "{_LOOP.format(count=CROWD)}" > /dev/null &',
        one_way=f'unshare -Ur python3 -c "{_LOOP.format(count=CROWD)}"',
    ),
    Exercise(
        "cost-3",
        "A long table",
        f"Have a mount namespace with at least {LONG} mounts more than yours, so that a copy of it"
        " is dear. Leave a process running in it. Ten mount commands are enough.",
        (
            "A mount can be mounted once more, at another place: a bind mount.",
            "mount --rbind takes everything below along. Into itself, that is twice as many.",
            "A tmpfs of your own with a directory in it; then mount --rbind of the one on the"
            " other, nine times.",
        ),
        _long,
        _nine_times,
        {"three times only": _three_times, "copied, not more": _copied},
        shell=f"unshare -Urm bash -c '{_doubling(9)}; exec sleep 60'",
        inside=_doubling(9),
        one_way=f"unshare -Urm bash -c '{_doubling(9)}; sleep 100'",
    ),
    Exercise(
        "cost-4",
        "The hoard",
        'ns.broken("cost-4") makes six sandboxes, a to f, in each of them a process that has many'
        " descriptors open. In five they lead to a few UTS namespaces, in one each to another, and"
        " no process is in any of those: that one costs most. How many does it keep? Answer with"
        ' the number: ns.answer("cost-4", 100).',
        (
            "A descriptor costs little; what costs is the namespace behind it. How do you tell"
            " whether two lead to the same?",
            "readlink of /proc/PID/fd/N shows the number: count those that differ.",
            'ns.snapshot(box.pid, deep=True).of_type("uts") has each namespace once, with its'
            " members.",
        ),
        _counted,
        lambda: _told(0),
        {"one too many": lambda: _told(1), "descriptors instead": _count_descriptors},
        one_way='boxes = ns.broken("cost-4")\n'
        'found = [ns.snapshot(box.pid, deep=True).of_type("uts") for box in boxes]\n'
        'ns.answer("cost-4", max(sum(not one.members for one in all) for all in found))',
        asks=True,
        broken=_hoards,
    ),
)
