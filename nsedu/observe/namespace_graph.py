"""The growing knowledge of one look: namespaces, their relations, and what keeps each alive.

It works off a list: whatever way a namespace is found (a link, a descriptor, a mount), its owner
and its parent are asked for at once, then theirs, until nothing is new.  That is how namespaces
without a process are found.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable

from nsedu.kernel import syscalls
from nsedu.kernel.namespace_files import Key, id_of, open_file, open_link, parse_link
from nsedu.kernel.namespace_types import BY_NAME, LINKS, NAMES, TYPE_OF_LINK
from nsedu.observe.records import Namespace, Pin, Process

# The initial user and pid namespaces have no parent; everywhere else EPERM means "not shown to
# you".  Their inode numbers are fixed in <linux/proc_ns.h>.
INITIAL: frozenset[Key] = frozenset({("user", 0xEFFFFFFD), ("pid", 0xEFFFFFFC)})


class Node:
    """What is known so far of one namespace."""

    __slots__ = ("id", "is_known", "members", "missed", "netnsid", "owner", "parent", "pins", "uid")

    def __init__(self) -> None:
        self.is_known = False
        self.id: int | None = None
        self.netnsid: int | None = None
        self.parent: int | None = None
        self.owner: int | None = None
        self.uid: int | None = None
        self.members: list[int] = []
        self.pins: list[Pin] = []
        self.missed: list[str] = []  # reasons why a parent or an owner could not be asked for


class Group:
    """The processes whose ten links read the same."""

    __slots__ = ("links", "pids")

    def __init__(self, links: dict[str, int]) -> None:
        self.links = links
        self.pids: list[int] = []


class NamespaceGraph:
    """All that one look has found.

    Attributes:
        found: by (type, inode number), in order of graph.
        unread: what could not be read: reason → how many.
        groups: by the texts of their links, once all these are known.
        processes_by_mount_ns: mount namespace → the /proc directories of the processes and threads
            that are in it.
        listed: the mount namespaces that the kernel's own list shows, whatever keeps them.

    Args:
        netnsid: what tells the id of an open network namespace, if that is to be asked.
    """

    def __init__(self, netnsid: Callable[[int], int | None] = lambda fd: None) -> None:
        self._netnsid = netnsid
        self.found: dict[Key, Node] = {}
        self.unread: dict[str, int] = {}
        self.groups: dict[tuple[bytes, ...], Group] = {}
        self.processes_by_mount_ns: dict[int, list[str]] = {}
        self.listed: set[Key] = set()
        self._all_groups: list[Group] = []

    def count_unreadable(self, reason: str) -> None:
        """Count something that could not be read."""
        self.unread[reason] = self.unread.get(reason, 0) + 1

    def add_group(self, texts: tuple[bytes, ...], directory: int) -> Group:
        """The group of the processes with these links, whose namespaces are noted and looked up.

        Args:
            texts: the links in the order of `LINKS`; b"" for one that does not exist.
            directory: the open ns directory of such a process, to open the namespaces by.
        """
        links = {
            link: key[1]
            for link, text in zip(LINKS, texts, strict=True)
            if (key := parse_link(text)) is not None
        }
        group = Group(links)
        self._all_groups.append(group)
        # All of them must be tried; if one failed, because the process has just ended or moved on,
        # the next process with these links gets another group and another try.
        is_known = [
            self.add_link(link, (TYPE_OF_LINK[link], ns), directory) for link, ns in links.items()
        ]
        if all(is_known):
            self.groups[texts] = group
        return group

    def is_known(self, key: Key) -> bool:
        """Whether a namespace has been asked for its parent and owner already."""
        return key in self.found and self.found[key].is_known

    def add_link(self, link: str, key: Key, directory: int) -> bool:
        """Climb a namespace by a link of an open /proc/PID/ns, unless that was done before.

        Returns:
            Whether it is known now; False when the process has ended or moved on.
        """
        return self.is_known(key) or self._climb(open_link, link, key, directory)

    def add_file(self, path: str, key: Key) -> bool:
        """Climb a namespace by any other path to it, unless that was done before.

        Returns:
            Whether it is known now; False when the path no longer leads there.
        """
        return self.is_known(key) or self._climb(open_file, path, key)

    def _climb(self, opener: Callable[..., int], path: str, key: Key, *directory: int) -> bool:
        self.found.setdefault(key, Node())
        try:
            fd = opener(path, key, *directory)
        except OSError:
            return False
        try:
            self.query_parents(fd, key)
            return True
        finally:
            os.close(fd)

    def query_parents(self, fd: int, key: Key) -> None:
        """Ask an open namespace file for its parent and owner, and those for theirs."""
        found = self.found.setdefault(key, Node())
        if found.is_known:
            return
        found.is_known = True  # before asking, since user namespaces own one another in a chain
        found.id = id_of(fd)
        kind = key[0]
        if kind == "user":
            found.uid = syscalls.ns_get_owner_uid(fd)
            found.parent = found.owner = self._relation(fd, key, syscalls.ns_get_parent, "user")
            return
        if kind == "net":
            found.netnsid = self._netnsid(fd)
        if BY_NAME[kind].hierarchical:
            found.parent = self._relation(fd, key, syscalls.ns_get_parent, kind)
        found.owner = self._relation(fd, key, syscalls.ns_get_userns, "user")

    def _relation(self, fd: int, key: Key, ask: Callable[[int], int], kind: str) -> int | None:
        try:
            other = ask(fd)
        except OSError as error:
            if error.errno != errno.EPERM:
                reason = f"parents and owners ({error.strerror})"
            elif key not in INITIAL or ask is syscalls.ns_get_userns:
                reason = "parents and owners outside the reader's own namespaces"
            else:
                return None
            self.count_unreadable(reason)
            self.found[key].missed.append(reason)
            return None
        try:
            ns = os.fstat(other).st_ino
            self.query_parents(other, (kind, ns))
            return ns
        finally:
            os.close(other)

    def pin(self, key: Key, kind: str, pid: int | None, detail: str) -> None:
        """Take note of one thing that keeps a namespace alive."""
        self.found.setdefault(key, Node()).pins.append(Pin(kind, pid, detail))

    def only(self, processes: Iterable[Process]) -> None:
        """Keep what these processes tell and forget the rest, as if only they had been read.

        A namespace that has gone must be forgotten, since the kernel gives its number to another.
        """
        groups: dict[int, Group] = {}
        for process in processes:
            links = process.links
            group = groups.get(id(links))
            if group is None:
                group = groups[id(links)] = Group(dict(links))
            group.pids.append(process.pid)
        self._all_groups = list(groups.values())
        todo = [(TYPE_OF_LINK[k], ns) for g in self._all_groups for k, ns in g.links.items()]
        kept: set[Key] = set()
        while todo:
            key = todo.pop()
            if key in kept or key not in self.found:
                continue
            kept.add(key)
            found = self.found[key]
            found.members, found.pins = [], []
            if found.parent is not None:
                todo.append((key[0], found.parent))
            if found.owner is not None:
                todo.append(("user", found.owner))
        self.found = {key: found for key, found in self.found.items() if key in kept}
        self.groups = {text: g for text, g in self.groups.items() if id(g.links) in groups}
        for group in self.groups.values():
            group.pids = []
        self.unread = {}
        for found in self.found.values():
            for reason in found.missed:
                self.count_unreadable(reason)

    def namespaces(self, order: list[int]) -> dict[Key, Namespace]:
        """Everything found, as records.

        Args:
            order: the pids in tree order, which decides what appears first.
        """
        for found in self.found.values():
            found.pins = list(dict.fromkeys(found.pins))
        groups = self._note_members(order)
        ranked: dict[Key, None] = {}
        for group in groups:
            ranked.update(dict.fromkeys((TYPE_OF_LINK[k], ns) for k, ns in group.links.items()))
        alive = self._alive()
        ranked.update(dict.fromkeys(key for key in self.found if key in alive))
        self._note_relations(ranked)
        records: dict[Key, Namespace] = {}
        for name in NAMES:
            for key in ranked:
                if key[0] == name:
                    records[key] = self._record(key)
        return records

    def _alive(self) -> set[Key]:
        """What something keeps, and what that needs: not what a process took with it meanwhile."""
        todo = [key for key, found in self.found.items() if found.pins or key in self.listed]
        alive: set[Key] = set()
        while todo:
            key = todo.pop()
            if key in alive:
                continue
            alive.add(key)
            found = self.found[key]
            if found.parent is not None:
                todo.append((key[0], found.parent))
            if found.owner is not None:
                todo.append(("user", found.owner))
        return alive

    def _note_members(self, order: list[int]) -> list[Group]:
        place = {pid: i for i, pid in enumerate(order)}
        groups = [group for group in self._all_groups if group.pids]
        groups.sort(key=lambda group: min([place[pid] for pid in group.pids]))
        homes: dict[Key, list[Group]] = {}
        for group in groups:
            for link, ns in group.links.items():
                kind = TYPE_OF_LINK[link]
                if link == kind:
                    homes.setdefault((kind, ns), []).append(group)
                elif ns != group.links.get(kind):
                    # Nobody lives there yet, or only children do; but this process holds it.
                    self.found[kind, ns].pins += [Pin("process", pid, link) for pid in group.pids]
        # Most types share the same groups, so what they have in common is made once.
        known: dict[tuple[int, ...], tuple[list[int], list[Pin]]] = {}
        for key, inhabited in homes.items():
            which = tuple(map(id, inhabited))
            if which not in known:
                pids = sorted(pid for group in inhabited for pid in group.pids)
                known[which] = pids, [Pin("process", pid, "") for pid in pids]
            found = self.found[key]
            found.members, pins = known[which]
            found.pins = pins + found.pins
        return groups

    def _note_relations(self, ranked: dict[Key, None]) -> None:
        for key in ranked:
            found, detail = self.found[key], str(key[1])
            if found.parent is not None:
                self.pin((key[0], found.parent), "child", None, detail)
            if found.owner is not None and key[0] != "user":
                self.pin(("user", found.owner), "owned", None, detail)

    def _record(self, key: Key) -> Namespace:
        found = self.found[key]
        uid = found.uid
        if key[0] != "user" and found.owner is not None:
            uid = self.found["user", found.owner].uid
        return Namespace(
            key[0], key[1], found.parent, found.owner, uid, tuple(found.members),
            tuple(found.pins), found.id, found.netnsid,
        )  # fmt: skip
