"""The exercises of chapter 2: UTS namespaces."""

from __future__ import annotations

import os
from collections.abc import Iterator

from nsedu.exercises.model import Exercise, Verdict, World
from nsedu.sandbox import Sandbox

_NAME = ["uname", "-n"]


def _names(world: World) -> dict[int, str]:
    """Inode number → host name, for each UTS namespace of the user's other than this one."""
    return {ns: world.says(people[0], _NAME) for ns, people in world.elsewhere("uts").items()}


def _own_name(world: World) -> Verdict:
    names = _names(world)
    if "phobos" in names.values():
        return Verdict(
            "uts-1", True, "a process of yours is on a host called phobos, and you are not."
        )
    if os.uname().nodename == "phobos":
        return Verdict(
            "uts-1", False, "this very process is called phobos: the host must keep its name."
        )
    if names:
        return Verdict(
            "uts-1", False, "found a UTS namespace of its own, but its name is not phobos."
        )
    return Verdict("uts-1", False, "found no running process of yours in another UTS namespace.")


def _one_name() -> Iterator[None]:
    with Sandbox("uts", hostname="phobos"):
        yield


def _copied_name() -> Iterator[None]:
    with Sandbox("uts"):
        yield


def _wrong_type() -> Iterator[None]:
    with Sandbox("user"):
        yield


def _ended() -> Iterator[None]:
    Sandbox("uts", hostname="phobos").close()
    yield


def _shared(world: World) -> Verdict:
    shared = world.elsewhere("uts")
    parents = [
        people
        for people in shared.values()
        if any(p.ppid not in {q.pid for q in people} for p in people[1:])
    ]
    if parents:
        return Verdict(
            "uts-2", True, "two processes, neither the other's child, share one UTS namespace."
        )
    if len(shared) > 1:
        return Verdict(
            "uts-2", False, f"found {len(shared)} UTS namespaces: two names, not one shared."
        )
    if shared:
        return Verdict(
            "uts-2", False, "found one UTS namespace, but all in it descend from its first."
        )
    return Verdict("uts-2", False, "found no running process of yours in another UTS namespace.")


def _joined() -> Iterator[None]:
    with Sandbox("uts") as first, Sandbox(join=first):
        yield


def _apart() -> Iterator[None]:
    with Sandbox("uts"), Sandbox("uts"):
        yield


def _child() -> Iterator[None]:
    with Sandbox("uts") as box, box.popen(["sleep", "60"]):
        yield


def _twins(world: World) -> Verdict:
    names = list(_names(world).values())
    twins = {name for name in names if name and names.count(name) > 1}
    if twins:
        return Verdict("uts-3", True, "two UTS namespaces, one name: the number is the identity.")
    if len(names) > 1:
        return Verdict(
            "uts-3", False, f"found {len(names)} UTS namespaces, each with another name."
        )
    if names:
        return Verdict("uts-3", False, "found one UTS namespace of yours; it takes two.")
    return Verdict("uts-3", False, "found no running process of yours in another UTS namespace.")


def _two_twins() -> Iterator[None]:
    with Sandbox("uts", hostname="twin"), Sandbox("uts", hostname="twin"):
        yield


def _two_names() -> Iterator[None]:
    with Sandbox("uts", hostname="castor"), Sandbox("uts", hostname="pollux"):
        yield


EXERCISES = (
    Exercise(
        "uts-1",
        "A name of its own",
        "Have a process run on a host called phobos, while this notebook's host keeps its name."
        " Leave it running.",
        (
            "A UTS namespace holds the name; a user namespace gives the right to set it.",
            "In a terminal: unshare has one option for each type, and -r to be root inside.",
            "unshare -Ur --uts sh -c 'hostname phobos; sleep 100', or a Sandbox with hostname=.",
        ),
        _own_name,
        _one_name,
        {"only copied": _copied_name, "user namespace instead": _wrong_type, "ended": _ended},
        shell="unshare --user --map-root-user --uts sh -c 'hostname phobos; exec sleep 60'",
        inside="hostname phobos",
    ),
    Exercise(
        "uts-2",
        "A guest joins",
        "Have two processes share a UTS namespace that is not this notebook's, the second having"
        " entered it from outside: it must not be a child of the first. Leave both running.",
        (
            "Three ways in: clone and unshare make a namespace, the third one enters it.",
            "setns(2) enters; nsenter(1) and join= are made of it.",
            'first = Sandbox("uts"); second = Sandbox(join=first)',
        ),
        _shared,
        _joined,
        {"two namespaces": _apart, "a child": _child},
        shell="unshare -Ur --uts sleep 60 & sleep 0.3;"
        " nsenter -t $! --user --preserve-credentials --uts sleep 60 & wait",
    ),
    Exercise(
        "uts-3",
        "Twins",
        "Make two different UTS namespaces whose host names are the same. Leave them running.",
        (
            "What tells two namespaces apart, if not what they contain?",
            "A new UTS namespace starts as a copy, so it may even be easier than you think.",
            'one, two = Sandbox("uts", hostname="twin"), Sandbox("uts", hostname="twin")',
        ),
        _twins,
        _two_twins,
        {"two names": _two_names, "only one": _copied_name},
        shell="unshare -Ur --uts sleep 60 & exec unshare -Ur --uts sleep 60",
        inside="unshare --uts sleep 60 &",
    ),
)
