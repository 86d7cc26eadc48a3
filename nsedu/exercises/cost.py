"""The exercises of chapter 11: what is cheap, and what is dear."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from nsedu.exercises.model import Exercise, Verdict, World
from nsedu.nstypes import NAMES
from nsedu.observe.nsfiles import parse_link
from nsedu.procfs import read
from nsedu.records import Process
from nsedu.sandbox import Sandbox

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


def _held(process: Process) -> set[int]:
    """The UTS namespaces that a process holds by descriptors."""
    held = set()
    try:
        for number in os.listdir(f"/proc/{process.pid}/fd"):
            link = os.readlink(f"/proc/{process.pid}/fd/{number}".encode())
            kind, inode = parse_link(link) or ("", 0)
            if kind == "uts":
                held.add(inode)
    except OSError:
        return set()
    return held


def _crowd(world: World) -> Verdict:
    lived_in = {process.links.get("uts") for process in world.seen.processes.values()}
    counts = [(len(held - lived_in), len(held)) for held in map(_held, world.yours)]
    empty, held = max(counts, default=(0, 0))
    if empty >= CROWD:
        return Verdict("cost-2", True, f"one process holds {empty}, and nobody lives in any.")
    if held:
        return Verdict("cost-2", False, f"found one that holds {held}, {empty} of them empty.")
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
    more = max(_table(processes[0].pid) for processes in tables.values()) - own
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


EXERCISES = (
    Exercise(
        "cost-1",
        "All but the dearest",
        "Have a process in new namespaces of seven types: all but the dearest one."
        " Leave it running.",
        (
            "The chart says which is the dearest. Of that type, the process keeps what you have.",
            "unshare has a letter for each type; -T is time, and leaves it to the next child.",
            "unshare -UrmpfuiCT sleep 100",
        ),
        _all_but_net,
        _seven,
        {"all eight": _eight, "six": _no_clock},
        shell="unshare -UrmpfuiCT sleep 60",
    ),
    Exercise(
        "cost-2",
        "A hundred, and nobody in them",
        f"Have one process that keeps {CROWD} UTS namespaces alive, while nobody lives in any of"
        " them. Leave it running.",
        (
            "What keeps a namespace that nobody is in? (chapter 10) A process each costs more.",
            "One process may make one, open its own /proc/self/ns/uts, make the next, and so on.",
            f'unshare -Ur python3 -c "{_LOOP.format(count=CROWD)}"',
        ),
        _crowd,
        _hold,
        {"fifty": _hold_too_few, "lived in": _live_in_them},
        shell=f'exec unshare -Ur python3 -c "{_LOOP.format(count=CROWD)}" > /dev/null',
        inside=f'python3 -c "{_LOOP.format(count=CROWD)}" > /dev/null &',
    ),
    Exercise(
        "cost-3",
        "A long table",
        f"Have a mount namespace with at least {LONG} mounts more than yours, so that a copy of it"
        " is dear. Leave a process running in it. Ten mount commands are enough.",
        (
            "A mount can be mounted once more, at another place: a bind mount.",
            "mount --rbind takes everything below along. Into itself, that is twice as many.",
            f"unshare -Urm bash -c '{_doubling(9)}; sleep 100'",
        ),
        _long,
        _nine_times,
        {"three times only": _three_times, "copied, not more": _copied},
        shell=f"unshare -Urm bash -c '{_doubling(9)}; exec sleep 60'",
        inside=_doubling(9),
    ),
)
