"""The exercises of chapter 1: the ten links, and what two processes share."""

from __future__ import annotations

import itertools
import os

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.kernel.namespace_types import NAMES, TYPE_OF_LINK
from nsedu.learning.exercises.model import Exercise, Finding, Keep, World
from nsedu.observe.records import Process
from nsedu.sandbox.sandbox import Sandbox

_NOBODY = "found no running process of yours that differs from this notebook in any type."


def _differing(world: World, process: Process) -> set[str]:
    """The types of those of the ten links that are others than the notebook's."""
    return {
        TYPE_OF_LINK[link]
        for link in world.me.links.keys() | process.links.keys()
        if process.links.get(link) != world.me.links.get(link)
    }


def _one_differs(world: World) -> Finding:
    sets = [_differing(world, p) for p in world.yours if "mnt" in p.links]  # a zombie has left it
    differing = sorted((one for one in sets if one), key=len)
    if not differing:
        return False, _NOBODY
    fewest = _listed(differing[0])
    if len(differing[0]) == 1:
        found = f"a process of yours differs from this notebook in one type, {fewest}."
        return True, found
    found = f"found a process that differs in {len(differing[0])} types, {fewest}; one is enough."
    return False, found


def _listed(types: set[str]) -> str:
    return ", ".join(name for name in NAMES if name in types)


def _none(keep: Keep) -> None:
    with Sandbox("user") as box:
        box.run("true")


LINK_1 = Exercise(
    "link-1",
    "Nine the same, or nearly",
    task=(
        "Have a process whose links in /proc/PID/ns differ from this notebook's in exactly one of"
        " the eight types. Leave it running."
    ),
    hints=(
        "Most types need a right that you do not have. One type of namespace needs none.",
        "A user namespace comes along with the others, to give you that right: made for"
        " itself, it is the only one.",
        "unshare makes what its options name, and nothing else: give it one option.",
    ),
    check=_one_differs,
    solution=lambda keep: keep(Sandbox("user")),
    wrong={
        "two types": lambda keep: keep(Sandbox("uts")),
        "three types": lambda keep: keep(Sandbox("user", "uts", "ipc")),
        "ended": _none,
    },
    one_way="unshare --user sleep 100",
)


def _chain(world: World) -> Finding:
    """Whether one shares its UTS namespace with a second, and its IPC namespace with a third."""
    own = world.me.links
    away = {  # pairs of a UTS and an IPC namespace, neither of them the notebook's
        (p.links["uts"], p.links["ipc"])
        for p in world.yours
        if p.links.get("uts") not in (None, own.get("uts"))
        and p.links.get("ipc") not in (None, own.get("ipc"))
    }
    same_uts = same_ipc = False
    for uts, ipc in away:
        with_uts = any(other[0] == uts and other[1] != ipc for other in away)
        with_ipc = any(other[1] == ipc and other[0] != uts for other in away)
        if with_uts and with_ipc:
            found = "one process shares its UTS namespace with a second, its IPC with a third."
            return True, found
        same_uts, same_ipc = same_uts or with_uts, same_ipc or with_ipc
    if same_uts and same_ipc:
        found = "found one pair for each type, but no process that belongs to both pairs."
    elif same_uts:
        found = "found two that share UTS and not IPC, but none that shares IPC with one of them."
    elif same_ipc:
        found = "found two that share IPC and not UTS, but none that shares UTS with one of them."
    elif len(away) > 1:
        found = f"found {len(away)} pairs of UTS and IPC namespaces, but no two have one in common."
    elif away:
        found = "found one UTS and one IPC namespace of yours: all in them share both."
    else:
        found = "found no process of yours that has left both, this notebook's UTS and IPC."
    return False, found


def _three(keep: Keep) -> None:
    b = keep(Sandbox("uts", "ipc"))
    keep(Sandbox("ipc", join=b))
    keep(Sandbox("uts", join=b))


def _all_shared(keep: Keep) -> None:
    b = keep(Sandbox("uts", "ipc"))
    keep(Sandbox(join=b))
    keep(Sandbox(join=b))


def _two_only(keep: Keep) -> None:
    b = keep(Sandbox("uts", "ipc"))
    keep(Sandbox("ipc", join=b))


def _three_apart(keep: Keep) -> None:
    keep(Sandbox("uts", "ipc"))
    keep(Sandbox("uts", "ipc"))
    keep(Sandbox("uts", "ipc"))


def _two_pairs(keep: Keep) -> None:
    one = keep(Sandbox("uts", "ipc"))
    keep(Sandbox("ipc", join=one))
    two = keep(Sandbox("uts", "ipc"))
    keep(Sandbox("uts", join=two))


LINK_2 = Exercise(
    "link-2",
    "A chain of three",
    task=(
        "Have three processes, none of them in this notebook's UTS or IPC namespace: the second"
        " shares its UTS namespace, but not its IPC namespace, with the first, and its IPC"
        " namespace, but not its UTS namespace, with the third. Leave them running."
    ),
    hints=(
        "Each type is shared on its own. Draw the three as the rows of a matrix first.",
        "Begin with the one in the middle. What does a child share with its parent, if it makes"
        " one namespace of its own?",
        "The middle one has a UTS and an IPC namespace; one child of it runs under"
        " unshare --ipc, another one under unshare --uts.",
    ),
    check=_chain,
    solution=_three,
    wrong={
        "all of them share both": _all_shared,
        "two only": _two_only,
        "each on its own": _three_apart,
        "two pairs": _two_pairs,
    },
    inside="unshare --ipc sleep 60 & unshare --uts sleep 60 &",
    one_way=(
        "unshare -Ur --uts --ipc sh -c"
        " 'unshare --ipc sleep 100 & unshare --uts sleep 100 & exec sleep 100'"
    ),
)

_LEAKY = ("mnt", "uts", "ipc", "pid", "net", "cgroup")  # of these two are not made

_LEAKS = 2


def _leaky() -> tuple[Sandbox, ...]:
    left_out = diagnosis.chance.sample(_LEAKY, _LEAKS)
    return (Sandbox(*(type for type in _LEAKY if type not in left_out), name="link-3"),)


def _what_leaks(world: World) -> Finding:
    boxes = diagnosis.found(world, "link-3")
    if not boxes:
        found = 'found no sandbox of this exercise: box = ns.broken("link-3") makes it.'
        return False, found
    shared = {type for type in _LEAKY if boxes[0].links.get(type) == world.me.links.get(type)}
    answers = diagnosis.choices("link-3", NAMES, _LEAKS)
    if not answers:
        found = "found no answer yet that names two of the eight types."
        return False, found
    if answers[0] == shared:
        return True, f"{_listed(shared)} are this notebook's own, in there, too."
    wrong = _listed(set(answers[0]) - shared)
    found = (
        f"found in your first answer what it does not share, or what was not asked for: {wrong}."
        ' A second guess does not count: box = ns.broken("link-3") makes another one.'
    )
    return False, found


def _shared_with_us(box: Sandbox) -> list[str]:
    return [
        type
        for type in _LEAKY
        if os.stat(f"/proc/{box.pid}/ns/{type}").st_ino == os.stat(f"/proc/self/ns/{type}").st_ino
    ]


def _answered(keep: Keep) -> None:
    (box,) = keep(diagnosis.begun("link-3", _leaky))
    diagnosis.say("link-3", _shared_with_us(box))


def _answered_wrongly(keep: Keep) -> None:
    (box,) = keep(diagnosis.begun("link-3", _leaky))
    shared = _shared_with_us(box)
    diagnosis.say("link-3", [shared[0], next(t for t in _LEAKY if t not in shared)])


def _guessed_until_right(keep: Keep) -> None:
    (box,) = keep(diagnosis.begun("link-3", _leaky))
    shared = _shared_with_us(box)
    wrong = [pair for pair in itertools.combinations(_LEAKY, 2) if set(pair) != set(shared)]
    for pair in (*wrong[:3], shared):
        diagnosis.say("link-3", pair)


LINK_3 = Exercise(
    "link-3",
    "The leak",
    task=(
        "A sandbox is said to be in a world of its own: its mnt, uts, ipc, pid, net and cgroup"
        " namespaces. Two of these six are this notebook's all the same. Make it with"
        ' box = ns.broken("link-3"), find out which two, and say them:'
        ' ns.answer("link-3", ["…", "…"]). Only the first answer counts; made anew, it is another'
        " two."
    ),
    hints=(
        "Two processes share a namespace if it has the same number for both.",
        "The numbers are in /proc/PID/ns, one link for each type; box.pid is a PID.",
        'Compare os.readlink(f"/proc/{box.pid}/ns/uts") with that of /proc/self, and so on.',
    ),
    check=_what_leaks,
    solution=_answered,
    wrong={
        "no answer": lambda keep: keep(diagnosis.begun("link-3", _leaky)),
        "a wrong answer": _answered_wrongly,
        "guessed until it was right": _guessed_until_right,
    },
    one_way=(
        'box = ns.broken("link-3")\n'
        "mine = ns.snapshot().processes[os.getpid()].links\n"
        'six = ["mnt", "uts", "ipc", "pid", "net", "cgroup"]\n'
        'ns.answer("link-3", [t for t in six if box.namespaces[t].ns == mine[t]])'
    ),
    asks=True,
    broken=_leaky,
)

EXERCISES = (LINK_1, LINK_2, LINK_3)
