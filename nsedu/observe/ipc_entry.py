"""Go into IPC namespaces and read what is in them: a small helper process that reports.

The files of /proc/sysvipc show the IPC namespace of whoever opens them, and a mounted mqueue file
system that of whoever mounted it (ipc_namespaces(7)), so the look must happen inside.  Going there
needs CAP_SYS_ADMIN in the user namespace that owns the IPC namespace (setns(2)), which an ordinary
user has only by entering that first, and a process with threads may not.  Hence this helper, which
forks once for each namespace.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

from nsedu import syscalls
from nsedu.nstypes import CloneFlag
from nsedu.procfs import read
from nsedu.wire import ROOT

TABLES = ("shm", "sem", "msg")
PATIENCE = 30  # seconds for all namespaces together
_START = (
    "import sys; sys.path.insert(0, {root!r}); from nsedu.observe.ipc_entry import main; main()"
)
_MOUNT_POINT = "/proc"  # it is there, and not needed any more; nobody else sees the mount


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
        OSError: the helper could not be started.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", _START.format(root=ROOT)],
        input=json.dumps(list(members)), capture_output=True, text=True, timeout=PATIENCE,
        check=True,
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def main() -> None:
    """Be the helper: read the list from standard input, write the reports to standard output."""
    json.dump([_report(pid, ns) for pid, ns in json.load(sys.stdin)], sys.stdout)


def _report(pid: int, ns: int) -> dict[str, Any]:
    """Have a fork go there; its user namespace's uid_map is best read from here, outside."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with open(writing, "w") as file:
            json.dump(_look(pid, ns), file)
        os._exit(0)
    os.close(writing)
    with open(reading) as file:
        text = file.read()
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # ended, but not gone
    report: dict[str, Any] = json.loads(text)
    report["map"] = read(f"/proc/{child}/uid_map").decode() if report.pop("entered") else ""
    os.waitpid(child, 0)
    return report


def _look(pid: int, ns: int) -> dict[str, Any]:
    report: dict[str, Any] = {"errno": 0, "entered": False, "queues": [], "queues_errno": 0}
    try:
        report["entered"] = _enter(pid, ns)
        report |= {table: read(f"/proc/sysvipc/{table}").decode() for table in TABLES}
    except OSError as error:
        return report | {"errno": error.errno}
    try:
        report["queues"] = _queues()
    except OSError as error:
        report["queues_errno"] = error.errno
    return report


def _enter(pid: int, ns: int) -> bool:
    """Enter the IPC namespace; returns whether its owner had to be entered first."""
    fd = os.open(f"/proc/{pid}/ns/ipc", os.O_RDONLY | os.O_CLOEXEC)
    if os.fstat(fd).st_ino != ns:
        raise ProcessLookupError(3, "the process has ended, and another has its number")
    if os.stat("/proc/self/ns/ipc").st_ino == ns:
        return False
    try:
        syscalls.setns(fd, CloneFlag.NEWIPC)
        return False
    except PermissionError:
        syscalls.setns(syscalls.ns_get_userns(fd), CloneFlag.NEWUSER)
        syscalls.setns(fd, CloneFlag.NEWIPC)
        return True


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
