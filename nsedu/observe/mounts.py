"""The mount tables of several places, side by side: who sees which mounts (mount_namespaces(7))."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

from nsedu.kernel import syscalls
from nsedu.kernel.mountinfo import Mount, parse_mountinfo
from nsedu.kernel.procfs import VANISHED, read
from nsedu.observe.viewpoints import Place

Idmap = tuple[tuple[str, ...], tuple[str, ...]]


class MountTable(NamedTuple):
    """The mounts that a place sees.

    Attributes:
        names: what the place is called; several places that see the very same are one.
        ns: inode number of its mount namespace, 0 if that may not be read.
        mounts: what is mounted, as seen from the root directory of the place.
        refused: whether the mounts may not be read by who is looking.
        root: the root directory of the place, if it is not that of the mount namespace: what is
            mounted elsewhere is not among the mounts.
        idmaps: of idmapped mounts by id, the map of users and that of groups, where the kernel
            reports them (see `nsedu.kernel.statmount.StatMount`).
    """

    names: tuple[str, ...]
    ns: int
    mounts: tuple[Mount, ...]
    refused: bool = False
    root: str = "/"
    idmaps: Mapping[int, Idmap] = {}


def mount_tables(places: Iterable[Place]) -> list[MountTable]:
    """Read the mount tables of places, in their order (proc_pid_mountinfo(5)).

    Raises:
        ValueError: one of the processes has ended.
    """
    tables: dict[Hashable, MountTable] = {}
    for place in places:
        ns, text, root = _read(place)
        same = (ns, text, root) if ns else place  # what may not be read is not the same for sure
        if same in tables:
            names = (*tables[same].names, place.name)
            tables[same] = tables[same]._replace(names=names)
        else:
            mounts = tuple(parse_mountinfo(text))
            maps = _idmaps(place.pid) if any("idmapped" in m.options for m in mounts) else {}
            tables[same] = MountTable((place.name,), ns, mounts, not ns, root, maps)
    return list(tables.values())


def _read(place: Place) -> tuple[int, bytes, str]:
    """Inode number of the mount namespace, its table as text, root directory; 0 if refused."""
    here = f"/proc/{place.pid}"
    try:
        ns = os.stat(f"{here}/ns/mnt").st_ino
        return ns, read(f"{here}/mountinfo"), os.readlink(f"{here}/root")
    except PermissionError:
        return 0, b"", "/"
    except OSError as error:
        # Of a process that has ended but was not waited for, the kernel says EINVAL.
        if isinstance(error, VANISHED) or error.errno == errno.EINVAL:
            raise ValueError(f"there is no process {place.pid} any more; it has ended.") from None
        raise


def _idmaps(pid: int) -> dict[int, Idmap]:
    """The maps of the idmapped mounts in the mount namespace of a process, by their old ids."""
    mask = (
        syscalls.STATMOUNT_MNT_BASIC | syscalls.STATMOUNT_MNT_UIDMAP | syscalls.STATMOUNT_MNT_GIDMAP
    )
    found, last = {}, 0
    # Linux 6.8 has the calls and 6.15 the maps; in between the kernel leaves them out.
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/ns/mnt") as file:
            namespace = syscalls.ns_mnt_get_info(file.fileno())[0]
        while mounts := syscalls.listmount(last=last, namespace=namespace):
            last = mounts[-1]
            for number in mounts:
                with contextlib.suppress(FileNotFoundError):  # it was unmounted meanwhile
                    mount = syscalls.statmount(number, mask, namespace=namespace)
                    if mount.mnt_uidmap or mount.mnt_gidmap:
                        found[mount.mnt_id_old] = mount.mnt_uidmap, mount.mnt_gidmap
    return found
