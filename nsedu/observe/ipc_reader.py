"""Go into IPC namespaces and read what is in them.

The files of /proc/sysvipc show the IPC namespace of the process that opens them, and a mounted
mqueue file system that of the process that mounted it (ipc_namespaces(7)), so the look must happen
inside, by a fork of `nsedu.observe.helper`.  Going there needs CAP_SYS_ADMIN in the user namespace
that owns the IPC namespace (setns(2)), which an ordinary user has only by entering that first.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Any

from nsedu.kernel import syscalls
from nsedu.kernel.namespace_types import CloneFlag
from nsedu.kernel.procfs import read
from nsedu.observe.helper import enter, helper, in_fork

TABLES = ("shm", "sem", "msg")
_MOUNT_POINT = "/proc"  # it is there, and not needed any more; no other process sees the mount


def reports(members: Iterable[tuple[int, int]]) -> list[dict[str, Any]]:
    """What is in some IPC namespaces, as the kernel tells it.

    Args:
        members: of each namespace a process in it and its inode number.

    Returns:
        For each: "errno" (0, or why it could not be entered); "shm", "sem" and "msg", the text of
        the files of /proc/sysvipc; "queues", [name, mode, uid, text] of each POSIX message queue;
        "queues_errno" (0, or why their file system could not be mounted); "map", the text of
        uid_map by which these uids are to be translated, "" if they are the reader's own.

    Raises:
        OSError: the helper could not be started, or gave no answer.
    """
    found: list[dict[str, Any]] = helper.ask("nsedu.observe.ipc_reader:report", list(members))
    return found


def report(members: list[tuple[int, int]], _: list[int]) -> list[dict[str, Any]]:
    """In the helper: look into each."""
    return [_report(pid, ns) for pid, ns in members]


def _report(pid: int, ns: int) -> dict[str, Any]:
    found = in_fork(lambda: _look(pid, ns), with_map=True)
    entered, report = found.get("value", (False, {"queues": [], "queues_errno": 0}))
    map = found["uid_map"] if entered else ""
    return {"errno": found.get("errno", 0), "map": map, **report}


def _look(pid: int, ns: int) -> tuple[bool, dict[str, Any]]:
    """Whether its user namespace had to be entered, and what is in there."""
    entered = enter(pid, "ipc", ns)
    report: dict[str, Any] = {table: read(f"/proc/sysvipc/{table}").decode() for table in TABLES}
    report |= {"queues": [], "queues_errno": 0}
    try:
        report["queues"] = _queues()
    except OSError as error:
        report["queues_errno"] = error.errno
    return entered, report


def _queues() -> list[tuple[str, int, int, str]]:
    """Name, mode, uid and content of the files in this namespace's mqueue file system."""
    syscalls.unshare(CloneFlag.NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_SLAVE | syscalls.MS_REC)
    syscalls.mount("mqueue", _MOUNT_POINT, "mqueue")
    found = []
    for name in sorted(os.listdir(_MOUNT_POINT)):
        path = f"{_MOUNT_POINT}/{name}"
        status = os.stat(path)
        try:
            text = read(path).decode()
        except PermissionError:
            text = ""
        found.append((name, stat.S_IMODE(status.st_mode), status.st_uid, text))
    return found
