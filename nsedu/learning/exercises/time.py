"""The exercises of chapter 9: time namespaces."""

from __future__ import annotations

import sys
import time

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.learning.exercises.model import Exercise, Finding, Keep, World
from nsedu.observe import clocks
from nsedu.observe.clocks import SECOND, TimeNamespace
from nsedu.observe.viewpoints import Place
from nsedu.sandbox.sandbox import Sandbox

YEAR, HOUR = 365 * 86400, 3600

NONE = "found no running process of yours in another time namespace."


def _spaces(world: World) -> list[TimeNamespace]:
    """The time namespaces of yours other than this one, with their clocks."""
    places = (Place(process.name, process.pid) for process in world.yours)
    home = world.me.links.get("time")
    return [space for space in clocks.read_clocks(places) if space.ns not in (home, None)]


def _ahead(space: TimeNamespace) -> str:
    shifts = {"monotonic": space.monotonic, "boottime": space.boottime}
    return " and ".join(f"{name} {clocks.words(by)}" for name, by in shifts.items() if by) or (
        "the clocks that you have"
    )


def _old(world: World) -> Finding:
    spaces = [space for space in _spaces(world) if space.inside]
    for space in spaces:
        if (space.boottime or 0) >= YEAR * SECOND:
            return True, f"in there, the machine is older: {_ahead(space)}."
    if spaces:
        return (False, f"found a time namespace of its own, with {_ahead(spaces[0])}.")
    return False, NONE


TIME_1 = Exercise(
    "time-1",
    "An old machine",
    task=(
        "Have a process that believes the machine has been up for a year longer than you do, or"
        " more. Leave it running."
    ),
    hints=(
        "Two clocks can be shifted. Which of them does /proc/uptime follow?",
        "boottime; and the offset is given in seconds, before anybody is inside.",
        "unshare --time --boottime with the seconds of a year; --fork, for it is the child that"
        " is inside.",
    ),
    check=_old,
    solution=lambda keep: keep(Sandbox("time", boottime=10 * YEAR)),
    wrong={
        "no offset": lambda keep: keep(Sandbox("time")),
        "the other clock": lambda keep: keep(Sandbox("time", monotonic=10 * YEAR)),
        "ended": lambda keep: Sandbox("time", boottime=10 * YEAR).close(),
    },
    inside="unshare --time --boottime 315360000 --fork sleep 60 &",
    one_way="unshare -Ur --time --boottime 315360000 --fork sleep 100",
)


def _behind(world: World) -> Finding:
    spaces = [space for space in _spaces(world) if space.inside]
    for space in spaces:
        if (space.monotonic or 0) < 0 and space.boottime == 0:
            return (True, f"one clock is behind, the other is not: {_ahead(space)}.")
    if spaces:
        return (False, f"found a time namespace of its own, with {_ahead(spaces[0])}.")
    return False, NONE


def _both_behind(keep: Keep) -> None:
    back = -min(5, time.monotonic() / 2)  # a clock may not read less than 0
    keep(Sandbox("time", monotonic=back, boottime=back))


TIME_2 = Exercise(
    "time-2",
    "Behind",
    task=(
        "Have a process whose monotonic clock is behind yours while its boottime clock agrees with"
        " yours. Leave it running."
    ),
    hints=(
        "An offset may be negative, as long as the clock itself does not become so.",
        "Your machine has been up for longer than a few seconds.",
        "monotonic= of Sandbox takes a number below 0, and so does --monotonic= of unshare.",
    ),
    check=_behind,
    solution=lambda keep: keep(Sandbox("time", monotonic=-min(5, time.monotonic() / 2))),
    wrong={
        "both behind": _both_behind,
        "ahead": lambda keep: keep(Sandbox("time", monotonic=5)),
        "no offset": lambda keep: keep(Sandbox("time")),
    },
    shell="unshare -Ur --time --monotonic=-5 --fork sleep 60",
    inside="unshare --time --monotonic=-5 --fork sleep 60 &",
    one_way='slow = ns.Sandbox("time", monotonic=-5)',
)


def _empty(world: World) -> Finding:
    spaces = _spaces(world)
    waiting = [space for space in spaces if space.awaited and not space.inside]
    for space in waiting:
        if space.boottime == HOUR * SECOND:
            return (True, "a namespace is ready, an hour ahead, and nobody is in it.")
    if waiting:
        return False, f"found an empty one, with {_ahead(waiting[0])}."
    if spaces:
        return False, "found a time namespace, but somebody is in it already."
    return False, "found no process of yours that waits outside a new one."


def _by_hand(offset: str, flags: int = 0x80) -> str:
    """Python that makes a time namespace, sets its offsets and waits outside."""
    return (
        f"import ctypes, time; ctypes.CDLL(None).unshare({flags:#x});"
        f" open('/proc/self/timens_offsets', 'w').write('{offset}'); print('ready', flush=True);"
        " time.sleep(60)"
    )


def _wait_outside(keep: Keep, offset: str) -> None:
    box = keep(Sandbox("user"))
    process = keep(box.popen([sys.executable, "-c", _by_hand(offset)]))
    process.stdout.readline()


TIME_3 = Exercise(
    "time-3",
    "Ready, but empty",
    task=(
        "Make a time namespace whose boottime is one hour ahead of yours, with nobody in it yet: a"
        " process of yours waits outside, and its first child would be born inside. Leave it."
    ),
    hints=(
        "Who calls unshare(2) with CLONE_NEWTIME stays where it is.",
        "Neither a fork nor an exec may come after it, so the shell will not do. Python will.",
        "Before it sleeps, it writes 'boottime 3600 0' to its /proc/self/timens_offsets.",
    ),
    check=_empty,
    solution=lambda keep: _wait_outside(keep, "boottime 3600 0"),
    wrong={
        "inside already": lambda keep: keep(Sandbox("time", boottime=HOUR)),
        "a minute": lambda keep: _wait_outside(keep, "boottime 60 0"),
    },
    inside=f'python3 -c "{_by_hand("boottime 3600 0")}" > /dev/null &',
    one_way=f'python3 -c "{_by_hand("boottime 3600 0", 0x10000080)}"',
)

_LETTERS = "abc"

_NEAR = 2  # seconds that may pass between two readings by hand


def _three_clocks() -> tuple[Sandbox, ...]:
    """Three sandboxes: one has its boottime shifted, the other two their monotonic clock."""
    older = diagnosis.chance.choice(_LETTERS)
    boxes = []
    for letter in _LETTERS:
        name, seconds = f"time-4-{letter}", diagnosis.chance.randint(1000, 1_000_000)
        if letter == older:
            boxes.append(Sandbox("time", name=name, boottime=seconds))
        else:
            boxes.append(Sandbox("time", name=name, monotonic=seconds))
    return tuple(boxes)


def _shift(world: World) -> int | None:
    """How far the one that is shifted says the machine has been up for too long, in seconds."""
    boxes = diagnosis.found(world, "time-4", *(f"time-4-{letter}" for letter in _LETTERS))
    spaces = clocks.read_clocks(Place(box.name, box.pid) for box in boxes)
    shifts = [space.boottime for space in spaces if space.inside and space.boottime]
    return shifts[0] // SECOND if len(boxes) == len(_LETTERS) and len(shifts) == 1 else None


def _uptime(world: World) -> Finding:
    shift, said = _shift(world), diagnosis.said("time-4")
    if shift is None:
        found = 'found no three sandboxes called "time-4-a" to "time-4-c": ns.broken("time-4")'
        return False, f"{found} makes them."
    if said is None:
        return False, "found the three sandboxes, and no answer yet."
    if isinstance(said, bool) or not isinstance(said, int | float) or not abs(said) < 1 << 62:
        return False, "found an answer that is no number of seconds."
    if abs(said - shift) <= _NEAR:
        return True, f"it adds {shift} s to the time since the start."
    found = f"found no uptime that is {said:g} s ahead of yours."
    return False, found


def _told(keep: Keep, clock: str) -> None:
    boxes = keep(diagnosis.begun("time-4", _three_clocks))
    spaces = clocks.read_clocks(Place(box.name, box.pid) for box in boxes)
    shifts = [getattr(space, clock) for space in spaces]
    diagnosis.say("time-4", next(shift for shift in shifts if shift) / SECOND)


TIME_4 = Exercise(
    "time-4",
    "Which of them is wrong, and by how much?",
    task=(
        'ns.broken("time-4") makes three sandboxes, a, b and c. One of them says that the machine'
        " has been up for longer than it has; the others have another clock shifted. By how many"
        f' seconds is that one ahead of you? ns.answer("time-4", seconds) takes {_NEAR} s more or'
        " less."
    ),
    hints=(
        "What tells how long the machine has been up, and which clock does it follow?",
        "Read /proc/uptime in each, and out here. Or let the kernel tell: it has a file for"
        " the offsets of a process's time namespace.",
        "/proc/PID/timens_offsets has a line for each clock; the one that counts is boottime.",
    ),
    check=_uptime,
    solution=lambda keep: _told(keep, "boottime"),
    wrong={
        "the other clock": lambda keep: _told(keep, "monotonic"),
        "no answer": lambda keep: keep(diagnosis.begun("time-4", _three_clocks)),
    },
    one_way=(
        'boxes = ns.broken("time-4")\n'
        'up = [float(box.run("cat /proc/uptime").stdout.split()[0]) for box in boxes]\n'
        'ns.answer("time-4", max(up) - float(open("/proc/uptime").read().split()[0]))'
    ),
    asks=True,
    broken=_three_clocks,
)

EXERCISES = (TIME_1, TIME_2, TIME_3, TIME_4)
