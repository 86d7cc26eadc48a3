"""The public pictures: each reads what it shows, and has it drawn by the module of its name.

What reads and what draws is imported when a picture is asked for.
"""

from __future__ import annotations

import dataclasses
import os
import posixpath
from typing import TYPE_CHECKING, Any

from nsedu.errors import arguments
from nsedu.errors.namespace_error import another_proc, own_pid
from nsedu.kernel import interrupts, namespace_types
from nsedu.kernel.namespace_files import key_of
from nsedu.observe.records import Namespace, Process, Snapshot
from nsedu.observe.snapshot import look, snapshot
from nsedu.observe.viewpoints import place, places
from nsedu.sandbox.sandbox import Sandbox
from nsedu.suggestions import nearest

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture
    from nsedu.observe.comparisons import Comparison
    from nsedu.observe.viewpoints import Place

_ACCEPTED = (
    "a record such as box.namespaces['net'], an open namespace file or its path, or a sandbox,"
    " process or pid together with a type"
)
_THINGS = "hostname=True, pid=, uid=, owner=, mount=, clock= or port="


def _snapshot(what: Any) -> Snapshot:
    if isinstance(what, Snapshot):
        return what
    return look(what.pid) if isinstance(what, Sandbox) else snapshot(what)


def _below(pid: int) -> Snapshot:
    try:
        return snapshot(pid)
    except ProcessLookupError:
        raise ValueError(f"there is no process {pid}; it has ended, or never was.") from None


def tree(what: Snapshot | Sandbox | str | int = "mine") -> Picture:
    """The process tree with a column for each namespace type: same letter, same namespace.

    Args:
        what: "mine" (this notebook and everything below it), "machine", a pid, a sandbox, or a
            snapshot taken earlier.

    Raises:
        ValueError, TypeError: it is none of these.
        NamespaceError: /proc is none to look by, see `nsedu.snapshot`.
    """
    from nsedu.draw import tree as drawing

    return drawing.tree(_snapshot(what))


def matrix(what: Snapshot | Sandbox | str | int = "mine") -> Picture:
    """Who shares how many namespaces with whom; arguments as of `tree`."""
    from nsedu.draw import matrix as drawing

    return drawing.matrix(_snapshot(what))


def hierarchy(type: str, what: Snapshot | Sandbox | str | int = "mine") -> Picture:
    """The namespaces of one type as boxes in boxes, with the processes in them.

    Args:
        type: one of the eight type names; "user" and "pid" nest, the others lie in their owners.
        what: as of `tree`.

    Raises:
        ValueError: there is no such type.
    """
    from nsedu.draw import hierarchy as drawing

    return drawing.hierarchy(_snapshot(what), type)


def diff(before: Snapshot, after: Snapshot | None = None) -> Picture:
    """What changed between two snapshots; up to now unless a second is given.

    Raises:
        TypeError: an argument is not a snapshot.
    """
    from nsedu.draw import diff as drawing

    for name, given in (("before", before), ("after", after)):
        if not isinstance(given, Snapshot) and (given is not None or name == "before"):
            raise TypeError(f"{name} must be a Snapshot from nsedu.snapshot(), not {given!r:.80}.")
    return drawing.diff(before, after if after is not None else snapshot(before.scope))


def compare(one: Process | Sandbox | int, other: Process | Sandbox | int) -> Picture:
    """Two processes side by side, link by link: which namespaces they share.

    Args:
        one: a process: a record of a snapshot, a sandbox (its first process) or a pid.
        other: the same.

    Raises:
        TypeError: one is none of these.
        ValueError: there is no such process.
    """
    from nsedu.draw import compare as drawing

    return drawing.compare(_process(one), _process(other))


def _process(what: Process | Sandbox | int) -> Process:
    if isinstance(what, Process):
        return what
    pid = place(what).pid
    try:
        return snapshot(pid).processes[pid]
    except (KeyError, ProcessLookupError):
        raise ValueError(f"there is no process {pid}; it has ended, or never was.") from None


def pids(*who: Any) -> Picture:
    """The number of each process in each pid namespace, from the outermost in sight inwards.

    Args:
        who: sandboxes, running commands, records of processes or pids, each with all that is below
            it; none: this notebook and everything below it.

    Raises:
        TypeError: one is none of these.
        ValueError: there is no such process.
    """
    from nsedu.draw import pids as drawing

    if not who:
        return drawing.pids(snapshot())
    return drawing.pids(_merge([_below(place.pid) for place in places(*who)]))


def _merge(snapshots: list[Snapshot]) -> Snapshot:
    processes: dict[int, Process] = {}
    namespaces: dict[tuple[str, int], Namespace] = {}
    unread: dict[str, int] = {}
    for one in snapshots:
        processes = processes | one.processes
        namespaces = namespaces | one.namespaces
        unread = {word: unread.get(word, 0) + one.unread.get(word, 0)
                  for word in (*unread, *one.unread)}  # fmt: skip
    return Snapshot(processes, namespaces, snapshots[0].scope, False, unread)


def ownership(what: Snapshot | Sandbox | str | int = "mine") -> Picture:
    """Which user namespace owns which namespaces, and whose root may do what where.

    Args:
        what: "mine" (this notebook and everything below it), "machine", a pid, a sandbox, or a
            snapshot taken earlier.

    Raises:
        ValueError, TypeError: it is none of these.
    """
    from nsedu.draw import ownership as drawing

    return drawing.ownership(_snapshot(what))


def idmap(*who: Any) -> Picture:
    """Who is who: for each place the ids inside beside what they are outside, as bars.

    Outside is this notebook's own user namespace; for a process in that very namespace it is the
    parent (user_namespaces(7)).

    Args:
        who: sandboxes, processes or pids; none: this notebook and all its sandboxes.

    Raises:
        TypeError: one is none of these.
        ValueError: there is no such process.
    """
    from nsedu.draw import idmap as drawing
    from nsedu.observe import id_maps

    return drawing.idmap(id_maps.read_id_maps(places(*who)), own=(os.geteuid(), os.getegid()))


def clocks(*who: Any) -> Picture:
    """The clocks of some processes, each as far as it is ahead of yours or behind.

    Args:
        who: sandboxes, running commands or pids; none: this notebook and all its sandboxes.

    Raises:
        TypeError: one is none of these.
        ValueError: there is no such process.
        FileNotFoundError: this kernel has no time namespaces (Linux 5.6, CONFIG_TIME_NS).
    """
    from nsedu.draw import clocks as drawing
    from nsedu.observe import clocks as offsets

    return drawing.clocks(offsets.read_clocks(places(*who)))


@interrupts.whole
def ipc(*who: Any) -> Picture:
    """The IPC namespaces of some processes, each with the objects that are found from inside.

    Shared memory segments, semaphore sets and message queues of System V by their keys, POSIX
    message queues by their names.  A process goes inside to look, and what it may not see is said.

    Args:
        who: sandboxes, running commands or pids; none: this notebook and all its sandboxes.

    Raises:
        TypeError: one is none of these.
        ValueError: there is no such process.
        OSError: no process could be started to look.
    """
    from nsedu.draw import ipc as drawing
    from nsedu.observe import ipc as objects

    return drawing.ipc(objects.read_ipc(places(*who)))


@interrupts.whole
def mounts(
    *who: Any, below: str | os.PathLike[str] | None = None, everything: bool = False
) -> Picture:
    """The mount trees of places, with the peer groups by which mounts pass between them.

    What all places have in common is left out where nothing passes between them.

    Args:
        who: sandboxes, processes or pids; none: this notebook and all its sandboxes.
        below: a path: only what is mounted there and below it.
        everything: also what all places have in common, and each mount on a row of its own.

    Raises:
        TypeError: an argument is none of these.
        ValueError: `below` is no absolute path, or a process has ended.
    """
    from nsedu.draw import mounts as drawing
    from nsedu.observe.mounts import mount_tables

    path = None
    if below is not None:
        path = arguments.path("below", below)
        if not path.startswith("/"):
            raise ValueError(f'below must be a path from the root, such as "/mnt", not {below!r}.')
        path = "/" + posixpath.normpath(path).lstrip("/")
    return drawing.mounts(mount_tables(places(*who)), path, bool(everything))


@interrupts.whole
def topology(*who: Any, link_local: bool = False) -> Picture:
    """Network namespaces as boxes, with their links, and the virtual cables between them.

    Bridges are bars with their ports below; then come routes and forwarding in words, and the rules
    of nftables as nft prints them.  Of this notebook's own namespace only links that lead to one of
    the others are shown.

    Args:
        who: sandboxes, processes or pids whose network namespaces to show; none: all sandboxes of
            this notebook.
        link_local: whether to say which links have a link-local address, fe80::… (ipv6(7)), too.

    Raises:
        TypeError: one is none of these.
        ValueError: a process has ended, or its namespace may not be looked at.
    """
    from nsedu.draw import topology as drawing
    from nsedu.observe.networks import networks

    found = networks(places(*who))
    if not who:  # our own only if something leads there
        found = tuple(network for network in found if network.links or not network.own)
    return drawing.topology(found, bool(link_local))


def cgroup_tree(*who: Any) -> Picture:
    """In which control groups processes are, where the root of each cgroup namespace is, and why.

    Args:
        who: sandboxes, processes or pids; none: this notebook and all its sandboxes.

    Raises:
        TypeError, ValueError: one of them is no process, or has ended.
    """
    from nsedu.draw import cgroup_tree as drawing
    from nsedu.observe import cgroups

    return drawing.cgroup_tree(cgroups.read_cgroups(places(*who)))


@interrupts.whole
def why_alive(
    what: Any, type: str | None = None, *, before: Snapshot | None = None, scope: str | int = "mine"
) -> Picture:
    """What keeps a namespace alive: processes, threads, descriptors, mounts, sockets, namespaces.

    To ask is not to keep: nothing of what is looked at stays open.  A record stays good when the
    namespace has gone, and the picture says so then.

    Args:
        what: the namespace: a record with ``type`` and ``ns``, from ``box.namespaces`` or a
            snapshot; an open namespace file, or a path to one; or, with ``type``, a sandbox, a
            process or a pid.
        type: one of the eight type names, for a sandbox, process or pid only.
        before: an earlier ``nsedu.snapshot(deep=True)``: what has let go since then is struck out.
        scope: where to look, as of `nsedu.snapshot`.

    Raises:
        TypeError, ValueError: an argument is none of these, or leads to no namespace.
    """
    from nsedu.draw import why_alive as drawing

    if before is not None and not isinstance(before, Snapshot):
        raise TypeError(
            f"before must be a Snapshot from nsedu.snapshot(deep=True), not {before!r}."
        )
    key = name, ns = which(what, type)
    id = _id_of(what, type)
    now = _without_another(snapshot(scope, deep=True), key, id)
    return drawing.why_alive(now, name, ns, before and _without_another(before, key, id))


def _id_of(what: Any, type: str | None) -> int | None:
    if isinstance(what, Sandbox):
        what = what.namespaces.get(str(type))
    return getattr(what, "id", None)


def _without_another(taken: Snapshot, key: tuple[str, int], id: int | None) -> Snapshot:
    """A snapshot without the namespace that has the number now, if another one is meant."""
    found = taken.namespaces.get(key)
    if found is None or None in (found.id, id) or found.id == id:
        return taken
    others = {one: record for one, record in taken.namespaces.items() if one != key}
    return dataclasses.replace(taken, namespaces=others)


def which(what: Any, type: str | None = None) -> tuple[str, int]:
    """The type and the inode number of the namespace meant; arguments as of `why_alive`.

    Raises:
        TypeError, ValueError: see there.
    """
    if type is not None:
        return _of_process(what, namespace_types.get(type).name)
    if (
        isinstance(getattr(what, "ns", None), int)
        and getattr(what, "type", "") in namespace_types.NAMES
    ):
        return what.type, what.ns
    if isinstance(what, str | os.PathLike):
        path = arguments.path("what", what)
        try:
            with open(path, "rb") as file:
                return _of_file(file.fileno(), path)
        except OSError as error:
            raise ValueError(
                f"{path} cannot be opened ({error.strerror}); to ask about a namespace"
                " that may have gone, keep its record: box.namespaces['net']."
            ) from None
    if hasattr(what, "fileno"):
        return _of_file(what.fileno(), repr(what))
    raise TypeError(f"name {_ACCEPTED}; not {what!r}.")


def _of_process(who: Any, type: str) -> tuple[str, int]:
    if isinstance(who, Sandbox):
        namespaces = who.namespaces
        if type in namespaces:
            return type, namespaces[type].ns
        raise ValueError(f"this kernel has no {type} namespaces.")
    pid = place(who).pid
    try:
        return type, os.stat(f"/proc/{pid}/ns/{type}").st_ino
    except OSError as error:
        raise ValueError(
            f"the {type} namespace of process {pid} cannot be seen ({error.strerror})."
        ) from None


def _of_file(fd: int, name: str) -> tuple[str, int]:
    try:
        return key_of(fd)
    except OSError:
        raise ValueError(f"{name} is not a namespace file; name {_ACCEPTED}.") from None


@interrupts.whole
def eyes(
    *who: Any,
    hostname: bool = False,
    pid: Any = None,
    uid: int | None = None,
    owner: str | os.PathLike[str] | None = None,
    mount: str | os.PathLike[str] | None = None,
    clock: str | None = None,
    port: int | None = None,
) -> Picture:
    """One thing as several places see it: the kernel is asked in each, and nothing is worked out.

    Of hostname, pid, uid, owner, mount, clock and port name exactly one.

    Args:
        who: sandboxes, running commands or pids to look from, after this notebook, which comes
            first in any case; none: all sandboxes of this notebook.
        hostname: True for the host name.
        pid: a sandbox, a running command or a pid, as this notebook calls it: its number.
        uid: a user id, as this notebook calls it; an ordinary user may ask for its own only.
        owner: the path of a file, as this notebook reaches it: the user id that owns it.
        mount: a path from the root: what is mounted there.
        clock: "realtime", "monotonic" or "boottime": how far it is ahead of this notebook's.
        port: a TCP port, 1 to 65535: whether a server listens.

    Raises:
        TypeError: none of the things is named, or more than one, or a wrong kind of value.
        ValueError: there is no such process, clock or port; or the user id may not be asked for.
        OSError: the file cannot be opened.
        NamespaceError: /proc is another pid namespace's.
    """
    from nsedu.draw import eyes as drawing

    given = {
        "hostname": hostname or None, "pid": pid, "uid": uid, "owner": owner, "mount": mount,
        "clock": clock, "port": port,
    }  # fmt: skip
    named = {word: value for word, value in given.items() if value is not None}
    if len(named) != 1:
        what = f"{' and '.join(named)} are {len(named)} things" if named else "no thing is named"
        raise TypeError(f"{what}; name exactly one of {_THINGS}.")
    ((word, value),) = named.items()
    if own_pid() != os.getpid():  # who goes there could not be named
        raise another_proc()
    here = place(own_pid())
    others = [other for other in places(*who) if other.pid != here.pid]
    looks = {
        "hostname": _hostname, "pid": _pid, "uid": _uid, "owner": _owner, "mount": _mount,
        "clock": _clock, "port": _port,
    }  # fmt: skip
    return drawing.eyes(looks[word]([here, *others], value))


def _hostname(where: list[Place], value: Any) -> Comparison:
    from nsedu.observe import comparisons

    if value is not True:
        raise TypeError(f"hostname must be True, not {value!r}; it names no host.")
    return comparisons.hostname(where)


def _pid(where: list[Place], value: Any) -> Comparison:
    from nsedu.observe import comparisons

    return comparisons.process(where, place(value))


def _uid(where: list[Place], value: Any) -> Comparison:
    from nsedu.observe import comparisons

    _whole("uid", value, 0, 2**32 - 2)
    return comparisons.user(where, value)


def _owner(where: list[Place], value: Any) -> Comparison:
    from nsedu.observe import comparisons

    return comparisons.owner(where, _path("owner", value))


def _mount(where: list[Place], value: Any) -> Comparison:
    from nsedu.observe import comparisons

    path = _path("mount", value)
    if not path.startswith("/"):
        raise ValueError(f'mount must be a path from the root, such as "/mnt", not {path!r}.')
    return comparisons.mount(where, "/" + posixpath.normpath(path).lstrip("/"))


def _clock(where: list[Place], value: Any) -> Comparison:
    from nsedu.observe import comparisons

    if not isinstance(value, str) or value not in comparisons.CLOCKS:
        what = f"clock must be one of {', '.join(comparisons.CLOCKS)}, not {value!r:.80}"
        close = nearest(value, comparisons.CLOCKS)
        raise ValueError(f"{what}; did you mean {close!r}?" if close else f"{what}.")
    return comparisons.clock(where, value)


def _port(where: list[Place], value: Any) -> Comparison:
    from nsedu.observe import comparisons

    _whole("port", value, 1, 65535)
    return comparisons.port(where, value)


def _whole(word: str, value: Any, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{word} must be a whole number, not {value!r}.")
    if not least <= value <= most:
        raise ValueError(f"{word} must be from {least} to {most}, not {value}.")


def _path(word: str, value: Any) -> str:
    path = arguments.path(word, value)
    if not path:
        raise ValueError(f'{word} must be a path such as "/mnt", not {value!r}.')
    return path
