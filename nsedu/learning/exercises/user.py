"""The exercises of chapter 3: user namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.kernel.id_maps import OVERFLOW_ID
from nsedu.learning.exercises.model import Exercise, Verdict, World
from nsedu.observe.id_maps import read_id_maps
from nsedu.observe.records import Process
from nsedu.observe.snapshot import snapshot
from nsedu.observe.viewpoints import places
from nsedu.sandbox.sandbox import Sandbox

_NONE = "found no running process of yours in another user namespace."


def _id_inside(process: Process) -> int | None:
    """A process's user id as its own user namespace has it; None if it has none, or has ended."""
    try:
        ranges = read_id_maps(places(process.pid))[0].uid
    except ValueError:
        return None
    for one in ranges:
        if one.outside <= process.uid < one.outside + one.count:
            return one.inside + process.uid - one.outside
    return None


def _not_root(world: World) -> Verdict:
    processes = [p for people in world.elsewhere("user").values() for p in people]
    found = {_id_inside(process) for process in processes}
    numbers = sorted(number for number in found if number is not None)
    if 1000 in numbers:
        return Verdict("user-1", True, "a process of yours is user 1000 where it lives.")
    if numbers:
        listed = ", ".join(map(str, numbers))
        return Verdict("user-1", False, f"found a user namespace, but the id inside is {listed}.")
    if found:
        said = f"found a process that is {OVERFLOW_ID} inside: no map gives it another id."
        return Verdict("user-1", False, said)
    return Verdict("user-1", False, _NONE)


def _user_1000() -> Iterator[None]:
    command = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "sleep", "60"]
    with Sandbox("user") as box, box.popen(command) as process:
        _until_asleep(process.pid)
        yield


def _until_asleep(pid: int) -> None:
    """Wait until a command has become sleep, and so has made its namespaces."""
    name = ""
    while name != "sleep":
        with open(f"/proc/{pid}/comm") as file:
            name = file.read().strip()


def _only_root() -> Iterator[None]:
    with Sandbox("user"):
        yield


def _no_map() -> Iterator[None]:
    with Sandbox("user") as box, box.popen(["unshare", "--user", "sleep", "60"]) as process:
        _until_asleep(process.pid)
        yield


def _without_power(world: World) -> Verdict:
    found: dict[int, str] = {}  # how near it is → what it is
    for net, people in world.elsewhere("net").items():
        owner = world.seen.namespaces["net", net].owner
        for process in people:
            around = _around(world, process)
            uid = _id_inside(process)
            if len(around) > 1 and owner == around[1]:
                if uid == 0:
                    said = "a root of yours lives in a network that its parent owns."
                    return Verdict("user-2", True, said)
                who = f"user {uid}" if uid is not None else f"{OVERFLOW_ID}, as no map names it"
                found[0] = f"its network belongs to the user namespace around, but it is {who}"
            elif around and owner == around[0]:
                found[2] = "the user namespace it is in owns its network: it is the master there"
            elif owner in around:
                level = around.index(owner)
                found[1] = f"its network belongs to a user namespace {level} levels out, not 1"
            else:
                found[3] = "who owns its network cannot be seen from here"
    if found:
        said = f"found a process in another network namespace, but {found[min(found)]}."
        return Verdict("user-2", False, said)
    if world.elsewhere("user"):
        return Verdict("user-2", False, "found a user namespace, but the network is still yours.")
    return Verdict("user-2", False, _NONE)


def _around(world: World, process: Process) -> list[int]:
    """The user namespaces around a process, as far as they are seen: its own first."""
    found: list[int] = []
    ns = process.links.get("user")
    while ns is not None and ns not in found:
        found.append(ns)
        space = world.seen.namespaces.get(("user", ns))
        ns = space.parent if space is not None else None
    return found


def _guest() -> Iterator[None]:
    with Sandbox("net") as box, box.sandbox("user"):
        yield


def _master() -> Iterator[None]:
    with Sandbox("net") as box, box.sandbox("user", "net"):
        yield


def _no_more(world: World) -> Verdict:
    limits = [around for around in world.asks("user", "limits").values() if around]
    if any(_full(world, around) for around in limits):
        return Verdict("user-3", True, "in a user namespace of yours no other can be made.")
    if limits:
        lowest = min(around[-1][1] for around in limits)
        return Verdict("user-3", False, f"found a user namespace, but {lowest} may be made in it.")
    if world.elsewhere("user"):
        found = "found a user namespace of yours that this notebook may not enter."
        return Verdict("user-3", False, found)
    return Verdict("user-3", False, _NONE)


def _full(world: World, around: list[tuple[int, int]]) -> bool:
    """Whether the limit of a user namespace, or of one around it, leaves no room for another."""
    spaces = [ns for type, ns in world.seen.namespaces if type == "user"]
    return around[-1][1] == 0 or any(
        limit <= sum(_within(world, ns, child) for ns in spaces)
        for (_, limit), (child, _) in pairwise(around)
    )


def _within(world: World, ns: int | None, outer: int) -> bool:
    """Whether a user namespace is another one, or inside that."""
    spaces = world.seen.namespaces
    while ns is not None and ns != outer:
        ns = spaces["user", ns].parent if ("user", ns) in spaces else None
    return ns == outer


def _limited(number: int) -> Iterator[None]:
    with Sandbox("user") as box:
        box.run(f"echo {number} > /proc/sys/user/max_user_namespaces")
        yield


def _limited_to_none() -> Iterator[None]:
    yield from _limited(0)


def _limited_to_one() -> Iterator[None]:
    yield from _limited(1)


def _limited_and_gone() -> Iterator[None]:
    for _ in _limited(0):
        pass
    yield


def _three_deep(world: World) -> Verdict:
    spaces, found = world.seen.namespaces, world.elsewhere("user")
    deepest = 0
    for start in found:
        depth, above = 0, start
        while above != world.me.links.get("user") and ("user", above) in spaces and depth < 33:
            depth, above = depth + 1, spaces["user", above].parent or 0
        deepest = max(deepest, depth)
    if deepest >= 3:
        return Verdict("user-4", True, "a process of yours is three user namespaces deep.")
    if len(found) > 2:
        return Verdict(
            "user-4", False, f"found {len(found)} user namespaces, but only {deepest} deep."
        )
    if found:
        return Verdict("user-4", False, f"found a process {deepest} deep; it takes three.")
    return Verdict("user-4", False, _NONE)


def _three() -> Iterator[None]:
    with Sandbox("user") as one, one.sandbox("user") as two, two.sandbox("user"):
        yield


def _side_by_side() -> Iterator[None]:
    with Sandbox("user"), Sandbox("user"), Sandbox("user"):
        yield


def _two() -> Iterator[None]:
    with Sandbox("user") as one, one.sandbox("user"):
        yield


_SERVICE = "sleep 31415"  # the command line of the process that somebody has forgotten to map


_mapless: dict[int, int] = {}  # pid of the sandbox → of the service in it, as it was made


def _unmapped() -> tuple[Sandbox, ...]:
    box = Sandbox("user", "mnt", "pid", name="user-5")
    try:
        box.run(["unshare", "--version"])  # a shell would not say at once that it is missing
        box.run(f"unshare --user {_SERVICE} > /dev/null 2>&1 & until grep -q sleep /proc/$!/comm;"
                " do sleep 0.01; done")  # fmt: skip
        (service,) = snapshot(box.pid).children(box.pid)
    except BaseException:
        box.close()
        raise
    _mapless.clear()
    _mapless[box.pid] = service.pid
    return (box,)


def _mapped(world: World) -> Verdict:
    boxes = diagnosis.found(world, "user-5")
    if not boxes:
        found = 'found no sandbox of this exercise: box = ns.broken("user-5") makes it.'
        return Verdict("user-5", False, found)
    service = _oldest_service(world, boxes[0])
    if service is None:
        found = f'found no {_SERVICE} in it any more: box = ns.broken("user-5") makes it anew.'
        return Verdict("user-5", False, found)
    if _mapless.get(boxes[0].pid, service.pid) != service.pid:
        found = (
            "found another service, and the first one has ended."
            ' box = ns.broken("user-5") makes it anew.'
        )
        return Verdict("user-5", False, found)
    uid = _id_inside(service)
    if uid == 1000:
        return Verdict("user-5", True, "the service has a map, and is user 1000 where it lives.")
    if uid is not None:
        found = (
            f"found the service as user {uid}: the map is written, once and for all."
            ' box = ns.broken("user-5") makes it anew.'
        )
    elif _has_map(service):
        found = (
            f"found a map that does not name the service: it is still {OVERFLOW_ID}."
            ' box = ns.broken("user-5") makes it anew.'
        )
    else:
        found = f"found the service still as {OVERFLOW_ID}."
    return Verdict("user-5", False, found)


def _oldest_service(world: World, box: Process) -> Process | None:
    """The first that was started in the sandbox, and not in another user namespace's stead."""
    born = [
        process
        for process in world.yours
        if process.ppid == box.pid
        and process.command == _SERVICE
        and process.links.get("user") not in (None, box.links.get("user"))
    ]
    return min(born, key=lambda process: process.nspid[-1], default=None)


def _has_map(process: Process) -> bool:
    try:
        return bool(read_id_maps(places(process.pid))[0].uid)
    except ValueError:
        return False


def _write(line: str) -> Iterator[None]:
    with diagnosis.begun("user-5", _unmapped) as (box,):
        (service,) = snapshot(box.pid).children(box.pid)
        box.run(f"echo '{line}' > /proc/{service.nspid[-1]}/uid_map")
        yield


def _write_the_map() -> Iterator[None]:
    yield from _write("1000 0 1")


def _write_another() -> Iterator[None]:
    yield from _write("0 0 1")


def _left_alone() -> Iterator[None]:
    with diagnosis.begun("user-5", _unmapped):
        yield


def _started_another() -> Iterator[None]:
    with (
        diagnosis.begun("user-5", _unmapped) as (box,),
        box.popen(["unshare", "--user", "--map-user=1000", *_SERVICE.split()]) as process,
    ):
        _until_asleep(process.pid)
        yield


EXERCISES = (
    Exercise(
        "user-1",
        "Not root this time",
        "Have a process that is user 1000 in a user namespace other than this notebook's, whoever"
        " you are outside. Leave it running.",
        (
            "Who is who is said by the map, and nobody says that you must be 0.",
            "One line, three numbers: the id inside, yours, and 1.",
            "unshare(1) has --map-user and --map-group, which take the number to be.",
        ),
        _not_root,
        _user_1000,
        {"root": _only_root, "no map": _no_map},
        shell="exec unshare --user --map-user=1000 --map-group=1000 sleep 60",
        inside="unshare --user --map-user=1000 --map-group=1000 sleep 60 &",
        one_way="unshare --user --map-user=1000 --map-group=1000 sleep 100",
    ),
    Exercise(
        "user-2",
        "A root without power",
        "Have a process that is root in a user namespace, and whose network namespace is not"
        " this notebook's but belongs to the user namespace around its own. Leave it running.",
        (
            "A namespace belongs to the user namespace in which it was made. Which is made first?",
            "It takes two user namespaces, one in the other, and one network namespace: who has to"
            " make it, the outer one or the inner one?",
            "Make the network in one sandbox; its method sandbox() then makes one without, inside.",
        ),
        _without_power,
        _guest,
        {"a network of its own": _master, "no network": _two},
        shell="unshare -Ur --net unshare -Ur sleep 60",
        inside="unshare -Ur sleep 60 &",
        one_way='outer = ns.Sandbox("net"); inner = outer.sandbox("user")',
    ),
    Exercise(
        "user-3",
        "No more",
        "Have a process in a user namespace other than this notebook's in which no further one can"
        " be made, not even by its root, since a limit there or around it is used up."
        " Leave it running.",
        (
            "There is a limit for each type, and a user namespace has limits of its own.",
            "They are files in /proc/sys/user; what you read and write there is the namespace's.",
            "As root inside, write a number to max_user_namespaces: how many may there still be?",
        ),
        _no_more,
        _limited_to_none,
        {"one is left": _limited_to_one, "ended": _limited_and_gone, "no limit": _only_root},
        shell="unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec sleep 60'",
        inside="echo 0 > /proc/sys/user/max_user_namespaces",
        one_way="unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec sleep 100'",
    ),
    Exercise(
        "user-4",
        "Three deep",
        "Have a process that lives three user namespaces deeper than this notebook."
        " Leave it running.",
        (
            "Root of a user namespace may make another one in it.",
            "A sandbox has a method that makes a sandbox inside it.",
            "unshare -Ur runs a command as root of a new one. What if that is unshare -Ur again?",
        ),
        _three_deep,
        _three,
        {"side by side": _side_by_side, "two deep": _two},
        shell="unshare -Ur unshare -Ur unshare -Ur sleep 60",
        inside="unshare -Ur unshare -Ur sleep 60 &",
        one_way="unshare -Ur unshare -Ur unshare -Ur sleep 100",
    ),
    Exercise(
        "user-5",
        "Nobody at home",
        f"A service runs in a sandbox: {_SERVICE}, in a user namespace of its own. It ought to be"
        f" user 1000 there, but it says that it is {OVERFLOW_ID}. Make it with"
        ' box = ns.broken("user-5"), find out what is missing, and mend it without ending the'
        " service.",
        (
            "Who is who is said by a file of two in /proc/PID. What do you read in them?",
            "Nobody in there may write it: it takes a right in the namespace around. That is the"
            " sandbox's, whose root you are with box.run.",
            "One line for uid_map of the service: the id inside, the id in the sandbox, and 1. The"
            " PID is the one that the sandbox knows it by.",
        ),
        _mapped,
        _write_the_map,
        {
            "nothing written": _left_alone,
            "another id": _write_another,
            "another service": _started_another,
        },
        one_way=(
            'box = ns.broken("user-5")\n'
            "service = ns.snapshot(box.pid).children(box.pid)[0]\n"
            "box.run(f\"echo '1000 0 1' > /proc/{service.nspid[-1]}/uid_map\")"
        ),
        broken=_unmapped,
    ),
)
