"""Id maps of user namespaces: /proc/PID/uid_map as records, and the grants of /etc/subuid.

Source: user_namespaces(7), "User and group ID mappings"; subuid(5).
"""

from __future__ import annotations

import contextlib
import os
import pwd
from collections import namedtuple
from collections.abc import Iterable

OVERFLOW_ID = 65534
"""What an id without a mapping looks like (/proc/sys/kernel/overflowuid)."""
NO_ID = 2**32 - 1
"""What a map shows as the outside of a range for which its reader has no ids."""
ALL_IDS = 2**32 - 1
"""How many ids there are; the highest number, `NO_ID`, is none."""


class IdRange(namedtuple("IdRange", "inside outside count")):
    """One line of a map: ``count`` ids from ``inside`` are ``outside`` and following.

    ``outside`` is as seen from the user namespace of the process that reads the file (from the
    parent, if that is the very namespace), and `NO_ID` where it has no id for it.
    """

    __slots__ = ()
    inside: int
    outside: int
    count: int  # shadows tuple.count, as the kernel's word for it

    def __str__(self) -> str:
        return f"{self.inside} {self.outside} {self.count}"


def parse(text: str) -> list[IdRange]:
    """The lines of a uid_map or gid_map.

    Raises:
        ValueError: a line is not three unsigned 32-bit numbers, the last at least 1.
    """
    ranges = []
    for line in text.splitlines():
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 3 or not all(f.isascii() and f.isdigit() for f in fields):
            raise ValueError(f"{line!r} is not an id map line: write 'INSIDE OUTSIDE COUNT'.")
        entry = IdRange(*map(int, fields))
        ends = [entry.inside] if entry.outside == NO_ID else entry[:2]
        if entry.count < 1 or max(ends) + entry.count > 2**32:
            raise ValueError(f"{line!r} goes beyond the ids there are: 0 to 4294967294.")
        ranges.append(entry)
    return ranges


def render(ranges: Iterable[IdRange]) -> str:
    """The text to write to a uid_map, one range a line."""
    return "".join(f"{entry}\n" for entry in ranges)


def to_outside(ranges: Iterable[IdRange], inside: int) -> int:
    """The outside id of an inside one, or `OVERFLOW_ID` when it has none."""
    for entry in ranges:
        if entry.outside != NO_ID and entry.inside <= inside < entry.inside + entry.count:
            return entry.outside + inside - entry.inside
    return OVERFLOW_ID


def to_inside(ranges: Iterable[IdRange], outside: int) -> int:
    """The inside id of an outside one, or `OVERFLOW_ID` when it has none."""
    for entry in ranges:
        if entry.outside <= outside < entry.outside + entry.count:
            return entry.inside + outside - entry.outside
    return OVERFLOW_ID


def grants(path: str, uid: int) -> list[IdRange]:
    """What /etc/subuid or /etc/subgid grants a user, numbered from inside id 1 on.

    Args:
        path: the file; a missing file grants nothing.
        uid: the user, who may be listed by name or by number.
    """
    keys = {str(uid)}
    with contextlib.suppress(KeyError):  # a user without a name, as in many containers
        keys.add(pwd.getpwuid(uid).pw_name)
    found: list[IdRange] = []
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    inside = 1
    for line in lines:
        name, _, rest = line.partition(":")
        start, _, count = rest.partition(":")
        if name in keys and start.isdigit() and count.isdigit() and int(count):
            found.append(IdRange(inside, int(start), int(count)))
            inside += int(count)
    return found


def wide_map(kind: str, own: int) -> list[IdRange]:
    """The widest map the caller may give a new user namespace.

    Root (uid 0 here) maps every id it has itself, unchanged; anybody else maps its own id to 0 and
    the ranges granted in /etc/subuid (kind "uid") or /etc/subgid (kind "gid") after it.
    """
    if os.geteuid() == 0:
        with open(f"/proc/self/{kind}_map") as file:
            return [
                IdRange(entry.inside, entry.inside, entry.count) for entry in parse(file.read())
            ]
    granted = grants(f"/etc/sub{kind}", os.geteuid())
    return [IdRange(0, own, 1), *granted]
