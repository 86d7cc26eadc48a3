"""The exercises of chapter 2: UTS namespaces."""

from __future__ import annotations

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.learning.exercises.model import Exercise, Finding, Keep, World
from nsedu.sandbox.sandbox import Sandbox

_NOBODY = "found no running process of yours in another UTS namespace."

_CLOSED = "found a UTS namespace of yours that this notebook may not enter."


def _own_name(world: World) -> Finding:
    names = world.asks("uts", "name")
    known = sorted({name for name in names.values() if name is not None})
    if world.own_name() == "phobos":
        found = "this very process is on a host called phobos: its host must have another name."
        return False, found
    if "phobos" in known:
        found = "a process of yours is on a host called phobos, and you are not."
        return True, found
    if known:
        found = "found a UTS namespace of its own, but its name is not phobos."
        return False, found
    return False, _CLOSED if names else _NOBODY


UTS_1 = Exercise(
    "uts-1",
    "A name of its own",
    task=(
        "Have a process run on a host called phobos, while this notebook's host keeps its name."
        " Leave it running."
    ),
    hints=(
        "A UTS namespace holds the name; a user namespace gives the right to set it.",
        "In a terminal: unshare has one option for each type, and -r to be root inside.",
        "As root inside, hostname sets the name. What comes after it must not end.",
    ),
    check=_own_name,
    solution=lambda keep: keep(Sandbox("uts", hostname="phobos")),
    wrong={
        "only copied": lambda keep: keep(Sandbox("uts")),
        "user namespace instead": lambda keep: keep(Sandbox("user")),
        "ended": lambda keep: Sandbox("uts", hostname="phobos").close(),
    },
    inside="hostname phobos",
    one_way="unshare -Ur --uts sh -c 'hostname phobos; exec sleep 100'",
)


def _shared(world: World) -> Finding:
    shared = world.elsewhere("uts")
    orphans = []
    for ns, people in shared.items():
        for process in people[1:]:  # parents come first
            parent = world.seen.processes.get(process.ppid)
            if process.ppid == 1 or (parent is not None and parent.name == "systemd"):
                orphans.append(process)
            elif parent is None or parent.links.get("uts") != ns:
                found = "two processes, neither the other's child, share one UTS namespace."
                return True, found
    if orphans:
        found = (
            f"found {orphans[0].name} ({orphans[0].pid}) beside another one, but its parent has"
            " ended: it may have been born there as well. Leave the one that starts it running."
        )
    elif len(shared) > 1:
        found = f"found {len(shared)} UTS namespaces: two names, not one shared."
    elif shared:
        found = "found one UTS namespace, but all in it descend from its first."
    else:
        found = _NOBODY
    return False, found


def _joined(keep: Keep) -> None:
    first = keep(Sandbox("uts"))
    keep(Sandbox(join=first))


def _child(keep: Keep) -> None:
    box = keep(Sandbox("uts"))
    keep(box.popen(["sleep", "60"]))


UTS_2 = Exercise(
    "uts-2",
    "A guest joins",
    task=(
        "Have two processes share a UTS namespace that is not this notebook's, the second having"
        " entered it from outside: neither is a child of the other. Leave both running."
    ),
    hints=(
        "Three ways in: clone and unshare make a namespace, the third one enters it.",
        "setns(2) enters; nsenter(1) and join= are made of it.",
        "The second one is a sandbox with join=first; or nsenter -t PID, with --user before"
        " --uts, for the right to enter.",
    ),
    check=_shared,
    solution=_joined,
    wrong={
        "two namespaces": lambda keep: (keep(Sandbox("uts")), keep(Sandbox("uts"))),
        "a child": _child,
    },
    shell=(
        "unshare -Ur --uts sleep 60 & sleep 0.3;"
        " nsenter -t $! --user --preserve-credentials --uts sleep 60 & wait"
    ),
    one_way='first = ns.Sandbox("uts"); second = ns.Sandbox(join=first)',
)


def _twins(world: World) -> Finding:
    asked = world.asks("uts", "name").values()
    names = [name for name in asked if name is not None]
    if len(set(names)) < len(names):
        return True, "two UTS namespaces, one name: the number is the identity."
    if len(names) > 1:
        listed = ", ".join(sorted(names))
        found = f"found {len(names)} UTS namespaces, each with another name: {listed}."
        return False, found
    if names:
        found = "found one UTS namespace of yours beside this notebook's; it takes two."
        return False, found
    return False, _CLOSED if asked else _NOBODY


def _two_twins(keep: Keep) -> None:
    keep(Sandbox("uts", hostname="twin"))
    keep(Sandbox("uts", hostname="twin"))


def _two_names(keep: Keep) -> None:
    keep(Sandbox("uts", hostname="castor"))
    keep(Sandbox("uts", hostname="pollux"))


UTS_3 = Exercise(
    "uts-3",
    "Twins",
    task=(
        "Make two different UTS namespaces, beside this notebook's, whose host names are the same."
        " Leave a process running in each."
    ),
    hints=(
        "What tells two namespaces apart, if not what they contain?",
        "A new UTS namespace starts as a copy, so it may even be easier than you think.",
        "Make one, and then another one in the same way; change nothing in either.",
    ),
    check=_twins,
    solution=_two_twins,
    wrong={
        "two names": _two_names,
        "only one": lambda keep: keep(Sandbox("uts")),
    },
    shell="unshare -Ur --uts sleep 60 & exec unshare -Ur --uts sleep 60",
    inside="unshare --uts sleep 60 &",
    one_way='one = ns.Sandbox("uts"); two = ns.Sandbox("uts")',
)

_FIVE = "abcde"


def _five() -> tuple[Sandbox, ...]:
    """Five sandboxes of one name, two of them, by chance, in one UTS namespace."""
    first, second = sorted(diagnosis.chance.sample(range(len(_FIVE)), 2))
    boxes: list[Sandbox] = []
    try:
        for number, letter in enumerate(_FIVE):
            name = f"uts-4-{letter}"
            if number == second:
                boxes.append(Sandbox(join=boxes[first], name=name))
            else:
                boxes.append(Sandbox("uts", hostname="mars", name=name))
    except BaseException:
        for box in boxes:
            box.close()
        raise
    return tuple(boxes)


def _which_two(world: World) -> Finding:
    boxes = diagnosis.found(world, "uts-4", *(f"uts-4-{letter}" for letter in _FIVE))
    if len(boxes) < len(_FIVE):
        found = f'found {len(boxes)} of the five: boxes = ns.broken("uts-4") makes them.'
        return False, found
    numbers = [box.links.get("uts") for box in boxes]
    pairs = zip(_FIVE, numbers, strict=True)
    sharing = {letter for letter, ns in pairs if numbers.count(ns) > 1}
    answers = diagnosis.choices("uts-4", _FIVE, 2)
    if not answers:
        return False, "found the five, but no answer that names two of them."
    named = " and ".join(sorted(answers[0]))
    if answers[0] == sharing:
        return True, f"{named} are in one UTS namespace, the others in their own."
    found = (
        f"found {named} in two UTS namespaces, as your first answer. A second guess does not"
        ' count: boxes = ns.broken("uts-4") makes five others.'
    )
    return False, found


def _sharing(boxes: tuple[Sandbox, ...]) -> list[Sandbox]:
    numbers = [box.namespaces["uts"].ns for box in boxes]
    return [box for box in boxes if numbers.count(box.namespaces["uts"].ns) > 1]


def _answered(keep: Keep) -> None:
    boxes = keep(diagnosis.begun("uts-4", _five))
    diagnosis.say("uts-4", _sharing(boxes))


def _wrong_pair(boxes: tuple[Sandbox, ...]) -> list[Sandbox]:
    alone = [box for box in boxes if box not in _sharing(boxes)]
    return alone[:2]


def _answered_wrongly(keep: Keep) -> None:
    boxes = keep(diagnosis.begun("uts-4", _five))
    diagnosis.say("uts-4", _wrong_pair(boxes))


def _guessed_on(keep: Keep) -> None:
    boxes = keep(diagnosis.begun("uts-4", _five))
    diagnosis.say("uts-4", _wrong_pair(boxes))
    diagnosis.say("uts-4", _sharing(boxes))


def _all_named(keep: Keep) -> None:
    keep(diagnosis.begun("uts-4", _five))
    diagnosis.say("uts-4", "a b c d e")


UTS_4 = Exercise(
    "uts-4",
    "Five called mars",
    task=(
        "Five sandboxes, a to e, are called mars. When one of them gets another name, so does a"
        " second one: these two share a UTS namespace. Make the five with"
        ' boxes = ns.broken("uts-4"), find out which two, and say them, as in'
        ' ns.answer("uts-4", "a b"). Only the first answer counts; made anew, it is another two.'
    ),
    hints=(
        "The names say nothing: they are all the same. What did chapter 1 compare?",
        "boxes[0].run and the like run a command in each: change one name, or read a number.",
        "Each has boxes[0].namespaces: two of the five have the same number for uts.",
    ),
    check=_which_two,
    solution=_answered,
    wrong={
        "no answer": lambda keep: keep(diagnosis.begun("uts-4", _five)),
        "a wrong answer": _answered_wrongly,
        "guessed on": _guessed_on,
        "all of them": _all_named,
    },
    one_way=(
        'boxes = ns.broken("uts-4")\n'
        'numbers = [box.namespaces["uts"].ns for box in boxes]\n'
        'ns.answer("uts-4", [box for box, n in zip(boxes, numbers) if numbers.count(n) > 1])'
    ),
    asks=True,
    broken=_five,
)

EXERCISES = (UTS_1, UTS_2, UTS_3, UTS_4)
