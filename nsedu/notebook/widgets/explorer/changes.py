"""What the explorer's browser side knows of the last look, and what to tell it of the next.

Everything is told once; after that only what has changed.  Processes that live in the same
namespaces refer to the same list of links.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nsedu.draw.labels import call, letter
from nsedu.kernel.namespace_types import LINKS, NAMES, TYPE_OF_LINK
from nsedu.observe.records import Process, Snapshot
from nsedu.printable import clean

LONGEST = 200
"""Characters of a command line that are told to be searched; `details` has all of it."""

Key = tuple[str, int]
Message = dict[str, Any]


class Rows:
    """The rows of a sequence of looks.

    A namespace keeps its letter while it lives; a letter is not given twice.
    """

    def __init__(self) -> None:
        self._told: dict[int, Process] = {}
        self._started: dict[int, bytes] = {}
        self._groups: dict[tuple[int, ...], int] = {}
        self._letters: dict[Key, str] = {}
        self._given = dict.fromkeys(NAMES, 0)
        self._since: dict[Key, float] = {}
        self._spaces: dict[Key, list[Any]] = {}
        self._last: Snapshot | None = None

    def all(self, snapshot: Snapshot, started: Mapping[int, bytes]) -> Message:
        """Everything, for a view that knows nothing yet."""
        self.changes(snapshot, started)
        used = set(map(_links, self._told.values()))
        return {
            "rows": [self._row(process) for process in self._told.values()],
            "groups": [[n, *links] for links, n in self._groups.items() if links in used],
            "spaces": list(self._spaces.values()),
        }

    def changes(self, snapshot: Snapshot, started: Mapping[int, bytes]) -> Message:
        """What has changed since the last call.

        Returns:
            gone (pids), rows, groups, lost and spaces; a pid or a namespace number that belongs to
            another one now is told as gone or lost as well as anew.  Empty if nothing has changed.
        """
        if snapshot is self._last:
            return {}
        now, told = snapshot.processes, self._told
        others = {
            pid for pid in now if pid in told and started.get(pid) != self._started.get(pid)
        }  # fmt: skip
        gone = [pid for pid in told if pid not in now or pid in others]
        fresh = [p for pid, p in now.items() if pid in others or told.get(pid) != p]
        stayed = told.keys() - set(gone)
        self._told, self._started = dict(now), dict(started)
        groups = len(self._groups)
        for process in fresh:
            links = _links(process)
            self._groups.setdefault(links, len(self._groups))
        lost, spaces = self._name(snapshot, stayed)
        self._last = snapshot
        found = {
            "gone": gone,
            "rows": [self._row(process) for process in fresh],
            "groups": [[n, *links] for links, n in list(self._groups.items())[groups:]],
            "lost": [f"{type}:{ns}" for type, ns in lost],
            "spaces": spaces,
        }
        return {key: value for key, value in found.items() if value}

    def letter(self, type: str, ns: int) -> str:
        """The letter of a namespace in sight, "?" of any other."""
        return self._letters.get((type, ns), "?")

    def seen(self, type: str, ns: int) -> float | None:
        """For how many seconds a namespace has been in sight of these looks; None if it is not."""
        since = self._since.get((type, ns))
        return None if since is None else time.monotonic() - since

    def _name(self, snapshot: Snapshot, stayed: set[int]) -> tuple[list[Key], list[list[Any]]]:
        """Give letters to what is new and take them from what has gone."""
        links = dict.fromkeys(map(_links, snapshot.processes.values()))
        present = {key: None for one in links for key in zip(_TYPES, one, strict=True) if key[1]}
        present |= {key: None for key in snapshot.namespaces if key[0] in NAMES}
        lost = [
            key for key in self._letters if key not in present or self._other(key, snapshot, stayed)
        ]
        for key in lost:
            del self._letters[key], self._since[key], self._spaces[key]
        told = []
        for key in present:
            if key not in self._letters:
                self._letters[key] = letter(self._given[key[0]])
                self._given[key[0]] += 1
                self._since[key] = time.monotonic()
            space = self._space(key, snapshot)
            if self._spaces.get(key) != space:
                self._spaces[key] = space
                told.append(space)
        return lost, told

    def _other(self, key: Key, snapshot: Snapshot, stayed: set[int]) -> bool:
        """Whether the number belongs to another namespace now: the kernel gives it again at once.

        Ids tell.  Without them, all who were in it have gone; then one that all its processes have
        left to a new one within a second is taken for another, which is rare.
        """
        before = self._last.namespaces.get(key) if self._last else None
        now = snapshot.namespaces.get(key)
        if before and now and None not in (before.id, now.id):
            return before.id != now.id
        if not (before and now and before.members and now.members):
            return False
        return stayed.isdisjoint(before.members)

    def _space(self, key: Key, snapshot: Snapshot) -> list[Any]:
        record = snapshot.namespaces.get(key)
        about = [record.parent, record.owner, record.uid] if record else [None, None, None]
        return [*key, self._letters[key], *about]

    def _row(self, process: Process) -> list[Any]:
        name = call(process)
        command = clean(process.command[:LONGEST])
        return [
            process.pid,
            process.ppid,
            name,
            self._groups[_links(process)],
            process.uid,
            command if command != name else "",
            bool(process.role),
        ]


def _links(process: Process) -> tuple[int, ...]:
    return tuple(map(process.links.get, LINKS, _NONE))


_TYPES = tuple(TYPE_OF_LINK[link] for link in LINKS)
_NONE = (0,) * len(LINKS)
"""What stands for a link that could not be read."""
