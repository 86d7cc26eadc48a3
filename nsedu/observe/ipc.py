"""What is in IPC namespaces: System V objects and POSIX message queues, as plain records."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from nsedu.kernel.procfs import VANISHED
from nsedu.observe import ipc_reader
from nsedu.observe.viewpoints import Place

UNMAPPED = 65534


class IpcObject(NamedTuple):
    """One object in an IPC namespace.

    Attributes:
        kind: "shm" (shared memory segment), "sem" (semaphore set), "msg" (message queue), all of
            System V, or "mqueue" (POSIX message queue).
        name: by which programs find it: the key as ipcs(1) writes it, "0x0000002a", or of a POSIX
            queue its name, "/jobs".
        id: the identifier that the kernel gave it; -1 for a POSIX queue, which has none.
        size: bytes: of the segment, or waiting in the queue; 0 for semaphores, -1 if not readable.
        number: processes that have the segment attached, semaphores in the set, or messages waiting
            in the System V queue; 0 for a POSIX queue, whose file does not tell.
        mode: permission bits.
        uid: who made it (of a POSIX queue: whose it is), as the reader sees it; 65534 for a user
            whom the reader has no number for (user_namespaces(7)).
    """

    kind: str
    name: str
    id: int
    size: int
    number: int
    mode: int
    uid: int


class IpcNamespace(NamedTuple):
    """One IPC namespace.

    Attributes:
        ns: inode number.
        places: the names of the places in it, in the order given.
        objects: what is in it, by kind and name.
        refused: the errno for which nothing in it could be seen, 0 if it could.
        queues_refused: the errno for which its POSIX message queues could not be seen, 0 if they
            could.
    """

    ns: int
    places: tuple[str, ...]
    objects: tuple[IpcObject, ...]
    refused: int = 0
    queues_refused: int = 0


class IpcLook(NamedTuple):
    """What a look at some places found.

    Attributes:
        namespaces: in the order in which the places come.
        unread: names of places of which not even the namespace could be read.
        reader: the uid of the reading process.
    """

    namespaces: tuple[IpcNamespace, ...]
    unread: tuple[str, ...]
    reader: int


def read_ipc(places: Iterable[Place]) -> IpcLook:
    """Look into the IPC namespaces of some places.

    The look changes nothing that others could notice.  What may not be seen is said: an ordinary
    user does not see the POSIX message queues of a namespace that belongs to root, for mounting
    their file system needs CAP_SYS_ADMIN where the namespace belongs (mq_overview(7)).

    Args:
        places: from where to look, from `nsedu.observe.viewpoints.places`.

    Raises:
        OSError: no process could be started to look.
    """
    members: dict[int, list[Place]] = {}
    unread = []
    for place in places:
        try:
            members.setdefault(os.stat(f"/proc/{place.pid}/ns/ipc").st_ino, []).append(place)
        except (PermissionError, *VANISHED):
            unread.append(place.name)
    told = ipc_reader.reports([(group[0].pid, ns) for ns, group in members.items()])
    namespaces = tuple(
        IpcNamespace(ns, tuple(place.name for place in group), _objects(report), report["errno"],
                     report["queues_errno"])
        for (ns, group), report in zip(members.items(), told, strict=True)
    )  # fmt: skip
    return IpcLook(namespaces, tuple(unread), os.geteuid())


def _objects(report: dict[str, Any]) -> tuple[IpcObject, ...]:
    ranges = [tuple(map(int, line.split())) for line in report["map"].splitlines()]

    def seen(uid: int) -> int:
        """A uid of the namespace's owner, as the reader sees it."""
        within = ((first, out) for first, out, count in ranges if first <= uid < first + count)
        return next((out + uid - first for first, out in within), UNMAPPED) if ranges else uid

    found = []
    for table in ipc_reader.TABLES:
        head, *rows = (line.split() for line in report.get(table, "\n").splitlines())
        for row in rows:
            fields = dict(zip(head, row, strict=True))
            size, number = _COLUMNS[table]
            found.append(IpcObject(
                table, f"{int(fields['key']) & 0xFFFFFFFF:#010x}", int(row[1]),
                int(fields.get(size, 0)), int(fields[number]), int(fields["perms"], 8) & 0o777,
                seen(int(fields["cuid"])),
            ))  # fmt: skip
    for name, mode, uid, text in report["queues"]:
        waiting = int(text.partition("QSIZE:")[2].split()[0]) if text else -1
        found.append(IpcObject("mqueue", f"/{name}", -1, waiting, 0, mode, seen(uid)))
    order = (*ipc_reader.TABLES, "mqueue")
    return tuple(sorted(found, key=lambda one: (order.index(one.kind), one.name, one.id)))


_COLUMNS = {"shm": ("size", "nattch"), "sem": ("", "nsems"), "msg": ("cbytes", "qnum")}
"""For each file of /proc/sysvipc the columns with the size in bytes and with the number."""
