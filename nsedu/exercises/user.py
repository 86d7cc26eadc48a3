"""The exercises of chapter 3: user namespaces."""

from __future__ import annotations

from collections.abc import Iterator

from nsedu.exercises.model import Exercise, Verdict, World
from nsedu.idmaps import OVERFLOW_ID, to_inside
from nsedu.observe.mappings import look
from nsedu.observe.places import places
from nsedu.records import Process
from nsedu.sandbox import Sandbox

_LIMIT = ["cat", "/proc/sys/user/max_user_namespaces"]
_NONE = "found no running process of yours in another user namespace."


def _id_inside(process: Process) -> int:
    """A process's user id as its own user namespace has it; 65534 if it has none, or has ended."""
    try:
        return to_inside(look(places(process.pid))[0].uid, process.uid)
    except ValueError:
        return OVERFLOW_ID


def _not_root(world: World) -> Verdict:
    found = {_id_inside(people[0]) for people in world.elsewhere("user").values()}
    if 1000 in found:
        return Verdict("user-1", True, "a process of yours is user 1000 where it lives.")
    if OVERFLOW_ID in found:
        return Verdict("user-1", False, "found a process that is 65534: nobody wrote its map.")
    if found:
        numbers = ", ".join(map(str, sorted(found)))
        return Verdict("user-1", False, f"found a user namespace, but the id inside is {numbers}.")
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
    spaces = world.seen.namespaces
    own = False
    for net, people in world.elsewhere("net").items():
        for process in people:
            user, owner = process.links.get("user"), spaces["net", net].owner
            above = spaces["user", user].parent if ("user", user) in spaces and user else None
            if owner is not None and owner == above:
                return Verdict(
                    "user-2", True, "a root of yours lives in a network that its parent owns."
                )
            own |= owner == user
    if own:
        return Verdict(
            "user-2", False, "found a network namespace, but root in it owns it: it is the master."
        )
    if world.elsewhere("user"):
        return Verdict("user-2", False, "found a user namespace, but the network is still yours.")
    return Verdict("user-2", False, _NONE)


def _guest() -> Iterator[None]:
    with Sandbox("net") as box, box.sandbox("user"):
        yield


def _master() -> Iterator[None]:
    with Sandbox("net") as box, box.sandbox("user", "net"):
        yield


def _no_more(world: World) -> Verdict:
    limits = {world.says(people[0], _LIMIT) for people in world.elsewhere("user").values()} - {""}
    if "0" in limits:
        return Verdict("user-3", True, "in a user namespace of yours no other can be made.")
    if limits:
        lowest = min(limits, key=int)
        return Verdict("user-3", False, f"found a user namespace, but {lowest} may be made in it.")
    return Verdict("user-3", False, _NONE)


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


EXERCISES = (
    Exercise(
        "user-1",
        "Not root this time",
        "Have a process that is user 1000 where it lives, whoever you are outside."
        " Leave it running.",
        (
            "Who is who is said by the map, and nobody says that you must be 0.",
            "One line, three numbers: the id inside, yours, and 1. unshare(1) has an option for"
            " each of the two.",
            "unshare --user --map-user=1000 --map-group=1000 sleep 100",
        ),
        _not_root,
        _user_1000,
        {"root": _only_root, "no map": _no_map},
        shell="exec unshare --user --map-user=1000 --map-group=1000 sleep 60",
        inside="unshare --user --map-user=1000 --map-group=1000 sleep 60 &",
    ),
    Exercise(
        "user-2",
        "A root without power",
        "Have a process that is root in a user namespace, and whose network namespace is not"
        " this notebook's but belongs to the user namespace around its own. Leave it running.",
        (
            "A namespace belongs to the user namespace in which it was made. Which is made first?",
            "Make the network in one sandbox, and in it a sandbox that makes no network.",
            'outer = Sandbox("net"); inner = outer.sandbox("user")',
        ),
        _without_power,
        _guest,
        {"a network of its own": _master, "no network": _two},
        shell="unshare -Ur --net unshare -Ur sleep 60",
        inside="unshare -Ur sleep 60 &",
    ),
    Exercise(
        "user-3",
        "No more",
        "Have a process in a user namespace in which no further user namespace can be made, not"
        " even by its root, by setting a limit there. Leave it running.",
        (
            "There is a limit for each type, and a user namespace has limits of its own.",
            "They are files in /proc/sys/user; what you read and write there is the namespace's.",
            "unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; sleep 100'",
        ),
        _no_more,
        _limited_to_none,
        {"one is left": _limited_to_one, "ended": _limited_and_gone, "no limit": _only_root},
        shell="unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec sleep 60'",
        inside="echo 0 > /proc/sys/user/max_user_namespaces",
    ),
    Exercise(
        "user-4",
        "Three deep",
        "Have a process that lives three user namespaces deeper than this notebook."
        " Leave it running.",
        (
            "Root of a user namespace may make another one in it.",
            "A sandbox has a method that makes a sandbox inside it.",
            "unshare -Ur unshare -Ur unshare -Ur sleep 100",
        ),
        _three_deep,
        _three,
        {"side by side": _side_by_side, "two deep": _two},
        shell="unshare -Ur unshare -Ur unshare -Ur sleep 60",
        inside="unshare -Ur unshare -Ur sleep 60 &",
    ),
)
