"""Nests of namespaces to look at, and a plain reference to compare a look with.

The reference shares no code with nsedu: it tries every file of every task, remembers nothing, and
asks the kernel about each namespace anew.

As a program: ``python nests.py NEST`` (JSON) prints what the reference and nsedu say of that nest,
so that an ordinary user can be asked to look, too.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

FLAG_NAMES = {
    0x20000: "mnt", 0x4000000: "uts", 0x8000000: "ipc", 0x20000000: "pid", 0x40000000: "net",
    0x10000000: "user", 0x2000000: "cgroup", 0x80: "time",
}  # fmt: skip
MARKS = {"mnt": "m", "uts": "u", "ipc": "i", "pid": "p", "net": "n", "user": "U", "cgroup": "C",
         "time": "T"}  # fmt: skip
NS_GET_USERNS, NS_GET_PARENT, NS_GET_NSTYPE, NS_GET_OWNER_UID = 0xB701, 0xB702, 0xB703, 0xB704
SIOCGSKNS, SYS_PIDFD_GETFD = 0x894C, 438

Relations = dict[tuple[str, int], tuple[int | None, int | None]]
"""(type, inode number) → (parent, owner)."""


def ask(fd: int, question: int) -> int | None:
    try:
        return fcntl.ioctl(fd, question)
    except PermissionError:
        return None


def climb(fd: int, found: Relations) -> int:
    """Take down an open namespace and all above it; returns its inode number."""
    ns = os.fstat(fd).st_ino
    kind = FLAG_NAMES[fcntl.ioctl(fd, NS_GET_NSTYPE)]
    relations = []
    for question in (NS_GET_PARENT, NS_GET_USERNS):
        other = None
        if question == NS_GET_USERNS or kind in ("user", "pid"):
            other = ask(fd, question)
        relations.append(None if other is None else climb(other, found))
        if other is not None:
            os.close(other)
    found[kind, ns] = (relations[0], relations[1])
    return ns


def reference(pids: Iterable[int]) -> Relations:
    """Every namespace that any file of these processes' /proc directories leads to."""
    found: Relations = {}
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for path in (*candidates(task, "ns"), *candidates(task, "fd"), *mounted(task)):
                try:
                    if path.stat().st_dev != os.stat("/proc/self/ns/net").st_dev:
                        continue
                    fd = os.open(path, os.O_RDONLY)
                except (FileNotFoundError, PermissionError):
                    continue
                climb(fd, found)
                os.close(fd)
            for fd in socket_namespaces(pid, task):
                climb(fd, found)
                os.close(fd)
    return found


def candidates(task: Path, name: str) -> list[Path]:
    try:
        return sorted((task / name).iterdir())
    except (FileNotFoundError, PermissionError):
        return []


def mounted(task: Path) -> Iterator[Path]:
    for line in (task / "mountinfo").read_text().splitlines():
        if " - nsfs " in line:
            target = line.split()[4].encode().decode("unicode_escape")
            yield Path(f"{task}/root{target}")


def socket_namespaces(pid: int, task: Path) -> Iterator[int]:
    libc = ctypes.CDLL(None, use_errno=True)
    for path in candidates(task, "fd"):
        with contextlib.suppress(OSError):
            if not stat.S_ISSOCK(path.stat().st_mode):
                continue
            pidfd = os.pidfd_open(pid)
            copy = libc.syscall(SYS_PIDFD_GETFD, pidfd, int(path.name), 0)
            os.close(pidfd)
            if copy < 0:
                continue
            try:
                yield fcntl.ioctl(copy, SIOCGSKNS)
            finally:
                os.close(copy)


def below(pid: int) -> list[int]:
    """``pid`` and everything below it, by every process's own word for its parent."""
    parents = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                status = (path / "status").read_text(errors="replace")
                parents[int(path.name)] = int(status.split("\nPPid:")[1].split()[0])
    family = [pid]
    for one in family:
        family += [child for child, parent in parents.items() if parent == one]
    return sorted(family)


Nest = tuple[list[list[str]], list["Nest"]]
"""What to unshare, step by step (a step is a list of types), then the nests within."""


def command(nest: Nest) -> str:
    """The shell command for a nest; every process that stays writes a line to its output."""
    steps, inner = nest
    within = "".join(f"{command(one)} & " for one in inner)
    words = ["sh", "-c", f"{within} echo ready; exec sleep 1000"]
    for step in reversed(steps):
        options = ["-r"] * ("user" in step) + ["--fork"] * ("pid" in step)
        words = ["unshare", *options, *(f"-{MARKS[kind]}" for kind in step), *words]
    return shlex.join(words)


def size(nest: Nest) -> int:
    return 1 + sum(map(size, nest[1]))


@contextlib.contextmanager
def built(nest: Nest) -> Iterator[int]:
    """Start a nest, wait until all of it is there, and end it; gives its first process's pid."""
    process = subprocess.Popen(
        ["sh", "-c", f"{command(nest)} & wait"], start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        for _ in range(size(nest)):
            assert select.select([process.stdout], [], [], 30)[0], "the nest is not complete"
            assert os.read(process.stdout.fileno(), len(b"ready\n")) == b"ready\n"
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()


def lsns() -> list[dict[str, Any]]:
    """What lsns(8) says; it gives up when a process ends under its eyes, so it is asked again."""
    command = ["lsns", "--json", "--output", "NS,TYPE,NPROCS,PID"]
    for _ in range(20):
        result = subprocess.run(command, capture_output=True)
        if result.returncode == 0:
            break
        time.sleep(0.1)
    result.check_returncode()
    rows: list[dict[str, Any]] = json.loads(result.stdout)["namespaces"]
    return rows


def main() -> None:
    from nsedu.observe.records import rows
    from nsedu.observe.snapshot import snapshot

    with built(json.loads(sys.argv[1])) as pid:
        family = below(pid)
        look, everything = snapshot(pid, deep=True), snapshot("machine", deep=True)
        answer = {
            "reference": [[*key, *value] for key, value in reference(family).items()],
            "rows": rows(look),
            "machine": rows(everything),
            "family": family,
            "around": [path.stat().st_ino for path in Path("/proc/self/ns").iterdir()],
            "processes": list(look.processes),
            "unread": look.unread,
        }
        if "lsns" in sys.argv[2:] and shutil.which("lsns"):
            answer["lsns"] = lsns()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
