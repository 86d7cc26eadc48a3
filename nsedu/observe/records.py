"""What a look at the machine finds: plain frozen records, their JSON form, and their difference.

Nothing here reads the kernel (`snapshot.py` does) and nothing here draws (`draw/` does), so a
snapshot loaded from a file is worth as much to a picture as one just taken.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from nsedu.kernel import namespace_types
from nsedu.kernel.namespace_types import LINKS, TYPE_OF_LINK


class Pin(NamedTuple):
    """One thing that keeps a namespace alive.

    Attributes:
        kind: "process", "thread", "fd", "bind", "socket", "child" (a child namespace) or "owned"
            (a namespace that this user namespace owns).
        pid: host-side pid of the process concerned; for "bind" a process that sees the mount;
            None for "child" and "owned".
        detail: what exactly: a thread id, a descriptor number, a mount point, an inode number.
    """

    kind: str
    pid: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """One namespace, as seen from where the snapshot was taken.

    Attributes:
        type: one of the eight names of `nstypes`.
        ns: the inode number in nsfs, which is its identity for as long as it lives; the next one
            to be made may get it then.
        parent: inode number of the parent (pid and user types), None where there is none to see.
        owner: inode number of the owning user namespace, None where it cannot be seen.  For a user
            namespace the owner is its parent.
        uid: uid of the user who created the owning user namespace (or, for a user namespace, of its
            creator), as the reader sees it; None where it cannot be seen.
        members: pids of the processes in it, ascending, as the reader sees them.
        pins: everything found that keeps it alive.
        id: the number that no other namespace gets until the next boot (NS_GET_ID of ioctl_nsfs(2),
            Linux 6.18); None where it is not known.
        netnsid: of a network namespace in a deep look the id by which the reader's own knows it, -1
            if it has none there (RTM_GETNSID of rtnetlink(7)); else None.
    """

    type: str
    ns: int
    parent: int | None = None
    owner: int | None = None
    uid: int | None = None
    members: tuple[int, ...] = ()
    pins: tuple[Pin, ...] = ()
    id: int | None = None
    netnsid: int | None = None


class Process(NamedTuple):
    """One process, as seen from where the snapshot was taken.

    A named tuple, because a look makes thousands of them and a frozen dataclass takes five times
    as long to fill.

    Attributes:
        pid: its number in the reader's pid namespace; `ppid` likewise (0: the parent is outside).
        name: the kernel's short name (comm; at most 15 bytes, but for kernel threads).
        command: the command line, blank-separated; empty for a kernel thread.
        uid: effective uid as the reader sees it.
        nspid: its number in each pid namespace from the reader's inwards (NSpid in proc(5)).
        threads: how many threads it has.
        links: the ten links of /proc/PID/ns: name → inode number; empty when unreadable.
        role: what it is to the course: "this notebook", "agent", 'sandbox "web"'; "" otherwise.
        zombie: whether it has ended, and its parent has yet to reap it.  It has left all its
            namespaces but pid and user, starts nothing, and has no command line any more.
    """

    pid: int
    ppid: int
    name: str
    command: str = ""
    uid: int = 0
    nspid: tuple[int, ...] = ()
    threads: int = 1
    links: Mapping[str, int] = MappingProxyType({})
    role: str = ""
    zombie: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two snapshots.

    Attributes:
        kind: "process" or "namespace" (came or went), or "link" (a process changed namespace).
        what: "new", "gone" or "moved".
        process: the process concerned, None for a namespace.
        type: the namespace type (or link name), "" for a process.
        before: inode number before, None if new.
        after: inode number after, None if gone.
    """

    kind: str
    what: str
    process: Process | None = None
    type: str = ""
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """One look at processes and namespaces.

    Attributes:
        processes: by pid, in tree order (parents before children, siblings by pid).
        namespaces: by (type, inode number), in catalogue order, then in order of first appearance.
        scope: what was asked for: "mine", "machine" or a pid.
        deep: whether threads, open descriptors, bind mounts and sockets were looked at.
        unread: what could not be read: reason → how many, 0 where that cannot be known.
    """

    processes: dict[int, Process]
    namespaces: dict[tuple[str, int], Namespace]
    scope: str = "mine"
    deep: bool = False
    unread: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("processes", "namespaces", "unread"):
            if not isinstance(value := getattr(self, name), Mapping):
                raise TypeError(f"{name} must be a dictionary of records, not {value!r:.80}.")

    def of_type(self, name: str) -> list[Namespace]:
        """The namespaces of one type, in order of first appearance.

        Raises:
            ValueError: there is no such type.
        """
        namespace_types.get(name)
        return [ns for ns in self.namespaces.values() if ns.type == name]

    def children(self, pid: int) -> list[Process]:
        """The processes whose parent is ``pid``, by pid."""
        if not isinstance(pid, int):
            raise TypeError(f"pid must be a process's number, not {pid!r:.80}.")
        return list(self._families.get(pid, ()))

    @functools.cached_property
    def _families(self) -> dict[int, list[Process]]:
        families: dict[int, list[Process]] = {}
        for pid in sorted(self.processes):
            process = self.processes[pid]
            families.setdefault(process.ppid, []).append(process)
        return families

    def replaced(self, other: Snapshot) -> set[tuple[str, int]]:
        """Numbers that belong to another namespace in the other snapshot: (type, inode number).

        The kernel gives the number of a namespace that has gone to the next one.  Only ids tell
        them apart; where one of the two is not known, they count as the same.
        """
        return {
            key
            for key, one in self.namespaces.items()
            if one.id is not None
            and (two := other.namespaces.get(key)) is not None
            and two.id not in (None, one.id)
        }

    def diff(self, other: Snapshot) -> list[Change]:
        """What changed from this snapshot to a later one.

        A namespace whose number another one has now is told as one that has gone and one that is
        new, see `replaced`.

        Raises:
            TypeError: ``other`` is not a Snapshot.
        """
        if not isinstance(other, Snapshot):
            raise TypeError(f"other must be a Snapshot, not {other!r:.80}.")
        replaced = self.replaced(other)
        changes = [
            Change("process", "gone", p) for pid, p in self.processes.items()
            if pid not in other.processes
        ]  # fmt: skip
        for pid, process in other.processes.items():
            before = self.processes.get(pid)
            if before is None:
                changes.append(Change("process", "new", process))
                continue
            for link in LINKS:
                old, new = before.links.get(link), process.links.get(link)
                if old != new or (TYPE_OF_LINK[link], old) in replaced:
                    changes.append(Change("link", "moved", process, link, old, new))
        for kind, ns in self.namespaces:
            if (kind, ns) not in other.namespaces or (kind, ns) in replaced:
                changes.append(Change("namespace", "gone", None, kind, ns, None))
        for kind, ns in other.namespaces:
            if (kind, ns) not in self.namespaces or (kind, ns) in replaced:
                changes.append(Change("namespace", "new", None, kind, None, ns))
        return changes

    def to_json(self) -> str:
        """The snapshot as one JSON document; `from_json` reads it back to an equal Snapshot."""
        return json.dumps(
            {
                "scope": self.scope,
                "deep": self.deep,
                "unread": self.unread,
                "processes": [
                    p._asdict() | {"links": dict(p.links)} for p in self.processes.values()
                ],
                "namespaces": [
                    {name: getattr(n, name) for name in Namespace.__slots__}
                    for n in self.namespaces.values()
                ],
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        """A snapshot from what `to_json` wrote.

        Raises:
            ValueError: the text is not such a document; the message says what is wrong with it.
        """
        if not isinstance(text, str | bytes):
            raise TypeError(f"text must be what to_json() wrote, not {text!r:.80}.")
        try:
            data = json.loads(text)
            processes = [_process(p) for p in data["processes"]]
            namespaces = [_namespace(n) for n in data["namespaces"]]
            return cls(
                {p.pid: p for p in processes},
                {(n.type, n.ns): n for n in namespaces},
                _of(str, data["scope"]),
                _of(bool, data["deep"]),
                {_of(str, reason): _of(int, n) for reason, n in data["unread"].items()},
            )
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"this is not a snapshot saved by to_json(): {error!r}.") from None


def _process(data: dict[str, Any]) -> Process:
    process = Process(**data | {"nspid": tuple(data["nspid"])})
    for number in (process.pid, process.ppid, process.uid, process.threads, *process.nspid):
        _of(int, number)
    for text in (process.name, process.command, process.role):
        _of(str, text)
    _of(bool, process.zombie)
    for ns in process.links.values():
        _of(int, ns)
    return process


def _namespace(data: dict[str, Any]) -> Namespace:
    pins = tuple(Pin(*pin) for pin in data["pins"])
    namespace = Namespace(**data | {"members": tuple(data["members"]), "pins": pins})
    namespace_types.get(namespace.type)
    for number in (namespace.ns, *namespace.members):
        _of(int, number)
    known = namespace.parent, namespace.owner, namespace.uid, namespace.id, namespace.netnsid
    for maybe in (*known, *(pin.pid for pin in pins)):
        _of(int | None, maybe)
    for pin in pins:
        _of(str, pin.kind)
        _of(str, pin.detail)
    return namespace


def _of(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not what is expected there")
    return value


def _command(process: Process) -> str:
    return process.command or process.name + (" (zombie)" if process.zombie else "")


PIN_KINDS = ("process", "thread", "fd", "bind", "socket", "child", "owned")


def rows(snapshot: Snapshot, type: str | None = None) -> list[dict[str, Any]]:
    """The rows of ``nsedu ls``: one per namespace, in the order of the snapshot.

    Args:
        snapshot: what to list.
        type: one of the eight type names to list only those; None for all.

    Returns:
        Dictionaries with the keys ns, type, nprocs, pid (lowest member or None), command (of that
        member, its name if it has none, None without a member), uid, parent, owner, netnsid (as
        lsns has it: a number as text, "unassigned", or None), and pins (the kinds, each once).

    Raises:
        ValueError: ``type`` is not one of the eight.
    """
    if type is not None:
        namespace_types.get(type)
    listed = []
    for ns in snapshot.namespaces.values():
        if type is not None and ns.type != type:
            continue
        first = snapshot.processes[ns.members[0]] if ns.members else None
        kinds, id = {pin.kind for pin in ns.pins}, ns.netnsid
        listed.append(
            {
                "ns": ns.ns,
                "type": ns.type,
                "nprocs": len(ns.members),
                "pid": first.pid if first else None,
                "command": _command(first) if first else None,
                "uid": ns.uid,
                "parent": ns.parent,
                "owner": ns.owner,
                "netnsid": None if id is None else "unassigned" if id < 0 else str(id),
                "pins": [kind for kind in PIN_KINDS if kind in kinds],
            }
        )
    return listed
