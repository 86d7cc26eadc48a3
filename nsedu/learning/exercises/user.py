"""The exercises of chapter 3: user namespaces."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise

import nsedu.learning.exercises.diagnosis as diagnosis
from nsedu.kernel.id_maps import OVERFLOW_ID
from nsedu.learning.exercises.model import Exercise, Finding, Keep, World
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


def _not_root(world: World) -> Finding:
    processes = [p for people in world.elsewhere("user").values() for p in people]
    found = {_id_inside(process) for process in processes}
    numbers = sorted(number for number in found if number is not None)
    if 1000 in numbers:
        return True, "a process of yours is user 1000 where it lives."
    if numbers:
        listed = ", ".join(map(str, numbers))
        return False, f"found a user namespace, but the id inside is {listed}."
    if found:
        said = f"found a process that is {OVERFLOW_ID} inside: no map gives it another id."
        return False, said
    return False, _NONE


def _user_1000(keep: Keep) -> None:
    command = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "sleep", "60"]
    box = keep(Sandbox("user"))
    process = keep(box.popen(command))
    _until_asleep(process.pid)


def _until_asleep(pid: int) -> None:
    """Wait until a command has become sleep, and so has made its namespaces."""
    name = ""
    while name != "sleep":
        with open(f"/proc/{pid}/comm") as file:
            name = file.read().strip()


def _no_map(keep: Keep) -> None:
    box = keep(Sandbox("user"))
    process = keep(box.popen(["unshare", "--user", "sleep", "60"]))
    _until_asleep(process.pid)


USER_1 = Exercise(
    "user-1",
    "Not root this time",
    task=(
        "Have a process that is user 1000 in a user namespace other than this notebook's, whoever"
        " you are outside. Leave it running."
    ),
    hints=(
        "Who is who is said by the map, and nobody says that you must be 0.",
        "One line, three numbers: the id inside, yours, and 1.",
        "unshare(1) has --map-user and --map-group, which take the number to be.",
    ),
    check=_not_root,
    solution=_user_1000,
    wrong={
        "root": lambda keep: keep(Sandbox("user")),
        "no map": _no_map,
    },
    inside="unshare --user --map-user=1000 --map-group=1000 sleep 60 &",
    one_way="unshare --user --map-user=1000 --map-group=1000 sleep 100",
)


def _without_power(world: World) -> Finding:
    found: dict[int, str] = {}  # how near it is → what it is
    for net, people in world.elsewhere("net").items():
        owner = world.seen.namespaces["net", net].owner
        for process in people:
            around = _around(world, process)
            uid = _id_inside(process)
            if len(around) > 1 and owner == around[1]:
                if uid == 0:
                    said = "a root of yours lives in a network that its parent owns."
                    return True, said
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
        return False, said
    if world.elsewhere("user"):
        return False, "found a user namespace, but the network is still yours."
    return False, _NONE


def _around(world: World, process: Process) -> list[int]:
    """The user namespaces around a process, as far as they are seen: its own first."""
    found: list[int] = []
    ns = process.links.get("user")
    while ns is not None and ns not in found:
        found.append(ns)
        space = world.seen.namespaces.get(("user", ns))
        ns = space.parent if space is not None else None
    return found


def _guest(keep: Keep) -> None:
    box = keep(Sandbox("net"))
    keep(box.sandbox("user"))


def _master(keep: Keep) -> None:
    box = keep(Sandbox("net"))
    keep(box.sandbox("user", "net"))


def _no_more(world: World) -> Finding:
    limits = [around for around in world.asks("user", "limits").values() if around]
    if any(_full(world, around) for around in limits):
        return True, "in a user namespace of yours no other can be made."
    if limits:
        lowest = min(around[-1][1] for around in limits)
        return False, f"found a user namespace, but {lowest} may be made in it."
    if world.elsewhere("user"):
        found = "found a user namespace of yours that this notebook may not enter."
        return False, found
    return False, _NONE


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


def _limited(keep: Keep, number: int) -> None:
    box = keep(Sandbox("user"))
    box.run(f"echo {number} > /proc/sys/user/max_user_namespaces")


def _limited_and_gone(keep: Keep) -> None:
    with ExitStack() as stack:
        _limited(stack.enter_context, 0)


def _three_deep(world: World) -> Finding:
    spaces, found = world.seen.namespaces, world.elsewhere("user")
    deepest = 0
    for start in found:
        depth, above = 0, start
        while above != world.me.links.get("user") and ("user", above) in spaces and depth < 33:
            depth, above = depth + 1, spaces["user", above].parent or 0
        deepest = max(deepest, depth)
    if deepest >= 3:
        return True, "a process of yours is three user namespaces deep."
    if len(found) > 2:
        return (False, f"found {len(found)} user namespaces, but only {deepest} deep.")
    if found:
        return False, f"found a process {deepest} deep; it takes three."
    return False, _NONE


def _three(keep: Keep) -> None:
    one = keep(Sandbox("user"))
    two = keep(one.sandbox("user"))
    keep(two.sandbox("user"))


def _two(keep: Keep) -> None:
    one = keep(Sandbox("user"))
    keep(one.sandbox("user"))


USER_2 = Exercise(
    "user-2",
    "A root without power",
    task=(
        "Have a process that is root in a user namespace, and whose network namespace is not"
        " this notebook's but belongs to the user namespace around its own. Leave it running."
    ),
    hints=(
        "A namespace belongs to the user namespace in which it was made. Which is made first?",
        "It takes two user namespaces, one in the other, and one network namespace: who has to"
        " make it, the outer one or the inner one?",
        "Make the network in one sandbox; its method sandbox() then makes one without, inside.",
    ),
    check=_without_power,
    solution=_guest,
    wrong={
        "a network of its own": _master,
        "no network": _two,
    },
    shell="unshare -Ur --net unshare -Ur sleep 60",
    inside="unshare -Ur sleep 60 &",
    one_way='outer = ns.Sandbox("net"); inner = outer.sandbox("user")',
)

USER_3 = Exercise(
    "user-3",
    "No more",
    task=(
        "Have a process in a user namespace other than this notebook's in which no further one can"
        " be made, not even by its root, since a limit there or around it is used up."
        " Leave it running."
    ),
    hints=(
        "There is a limit for each type, and a user namespace has limits of its own.",
        "They are files in /proc/sys/user; what you read and write there is the namespace's.",
        "As root inside, write a number to max_user_namespaces: how many may there still be?",
    ),
    check=_no_more,
    solution=lambda keep: _limited(keep, 0),
    wrong={
        "one is left": lambda keep: _limited(keep, 1),
        "ended": _limited_and_gone,
        "no limit": lambda keep: keep(Sandbox("user")),
    },
    inside="echo 0 > /proc/sys/user/max_user_namespaces",
    one_way="unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec sleep 100'",
)

USER_4 = Exercise(
    "user-4",
    "Three deep",
    task=(
        "Have a process that lives three user namespaces deeper than this notebook."
        " Leave it running."
    ),
    hints=(
        "Root of a user namespace may make another one in it.",
        "A sandbox has a method that makes a sandbox inside it.",
        "unshare -Ur runs a command as root of a new one. What if that is unshare -Ur again?",
    ),
    check=_three_deep,
    solution=_three,
    wrong={
        "side by side": lambda keep: (
            keep(Sandbox("user")),
            keep(Sandbox("user")),
            keep(Sandbox("user")),
        ),
        "two deep": _two,
    },
    inside="unshare -Ur unshare -Ur sleep 60 &",
    one_way="unshare -Ur unshare -Ur unshare -Ur sleep 100",
)

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


def _mapped(world: World) -> Finding:
    boxes = diagnosis.found(world, "user-5")
    if not boxes:
        found = 'found no sandbox of this exercise: box = ns.broken("user-5") makes it.'
        return False, found
    service = _oldest_service(world, boxes[0])
    if service is None:
        found = f'found no {_SERVICE} in it any more: box = ns.broken("user-5") makes it anew.'
        return False, found
    if _mapless.get(boxes[0].pid, service.pid) != service.pid:
        found = (
            "found another service, and the first one has ended."
            ' box = ns.broken("user-5") makes it anew.'
        )
        return False, found
    uid = _id_inside(service)
    if uid == 1000:
        return True, "the service has a map, and is user 1000 where it lives."
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
    return False, found


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


def _write(keep: Keep, line: str) -> None:
    (box,) = keep(diagnosis.begun("user-5", _unmapped))
    (service,) = snapshot(box.pid).children(box.pid)
    box.run(f"echo '{line}' > /proc/{service.nspid[-1]}/uid_map")


def _started_another(keep: Keep) -> None:
    (box,) = keep(diagnosis.begun("user-5", _unmapped))
    process = keep(box.popen(["unshare", "--user", "--map-user=1000", *_SERVICE.split()]))
    _until_asleep(process.pid)


USER_5 = Exercise(
    "user-5",
    "Nobody at home",
    task=(
        f"A service runs in a sandbox: {_SERVICE}, in a user namespace of its own. It ought to be"
        f" user 1000 there, but it says that it is {OVERFLOW_ID}. Make it with"
        ' box = ns.broken("user-5"), find out what is missing, and mend it without ending the'
        " service."
    ),
    hints=(
        "Who is who is said by a file of two in /proc/PID. What do you read in them?",
        "Nobody in there may write it: it takes a right in the namespace around. That is the"
        " sandbox's, whose root you are with box.run.",
        "One line for uid_map of the service: the id inside, the id in the sandbox, and 1. The"
        " PID is the one that the sandbox knows it by.",
    ),
    check=_mapped,
    solution=lambda keep: _write(keep, "1000 0 1"),
    wrong={
        "nothing written": lambda keep: keep(diagnosis.begun("user-5", _unmapped)),
        "another id": lambda keep: _write(keep, "0 0 1"),
        "another service": _started_another,
    },
    one_way=(
        'box = ns.broken("user-5")\n'
        "service = ns.snapshot(box.pid).children(box.pid)[0]\n"
        "box.run(f\"echo '1000 0 1' > /proc/{service.nspid[-1]}/uid_map\")"
    ),
    broken=_unmapped,
)

EXERCISES = (USER_1, USER_2, USER_3, USER_4, USER_5)
