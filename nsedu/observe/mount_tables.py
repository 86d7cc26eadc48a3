"""The mount tables of several places, side by side: who sees which mounts (mount_namespaces(7))."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from typing import NamedTuple

from nsedu.mountinfo import Mount, parse_mountinfo
from nsedu.observe.places import Place
from nsedu.procfs import VANISHED, read


class MountTable(NamedTuple):
    """The mounts that a place sees.

    Attributes:
        names: what the place is called; several places that see the very same are one.
        ns: inode number of its mount namespace, 0 if that may not be read.
        mounts: what is mounted, as seen from the root directory of the place.
        refused: whether the mounts may not be read by who is looking.
    """

    names: tuple[str, ...]
    ns: int
    mounts: tuple[Mount, ...]
    refused: bool = False


def mount_tables(places: Iterable[Place]) -> list[MountTable]:
    """Read the mount tables of places, in their order (proc_pid_mountinfo(5)).

    Raises:
        ValueError: one of the processes has ended.
    """
    tables: list[MountTable] = []
    for place in places:
        table = _table(place)
        for index, other in enumerate(tables):
            if not table.refused and other[1:] == table[1:]:
                tables[index] = other._replace(names=other.names + table.names)
                break
        else:
            tables.append(table)
    return tables


def _table(place: Place) -> MountTable:
    try:
        ns = os.stat(f"/proc/{place.pid}/ns/mnt").st_ino
        mounts = parse_mountinfo(read(f"/proc/{place.pid}/mountinfo"))
    except PermissionError:
        return MountTable((place.name,), 0, (), refused=True)
    except OSError as error:
        # Of a process that has ended but was not waited for, the kernel says EINVAL.
        if isinstance(error, VANISHED) or error.errno == errno.EINVAL:
            raise ValueError(f"there is no process {place.pid} any more; it has ended.") from None
        raise
    return MountTable((place.name,), ns, tuple(mounts))
