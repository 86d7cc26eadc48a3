"""Reading processes from /proc: quickly, and without being fooled by what a process calls itself.

A process may end at any moment; callers of these functions see that as FileNotFoundError
(ENOENT, looking a name up) or ProcessLookupError (ESRCH, reading an open file).
"""

from __future__ import annotations

import errno
import os

VANISHED = (FileNotFoundError, ProcessLookupError)
READ = os.O_RDONLY | os.O_CLOEXEC
DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
CHILDREN = "/proc/thread-self/children"  # with CONFIG_PROC_CHILDREN
PF_KTHREAD, PF_EXITING = 0x00200000, 0x4  # <linux/sched.h>: field 9 of /proc/PID/stat


def parse_stat(stat: bytes) -> tuple[str, int, int, int, bytes, bool]:
    """Parse the content of /proc/PID/stat (proc_pid_stat(5)).

    The name is in brackets and may contain anything, brackets and newlines too; but only
    numbers follow it, so the last closing bracket is the right one.

    Returns:
        The kernel's short name, the parent's pid, the flags (`PF_KTHREAD` marks a kernel thread),
        the number of threads, the start time (clock ticks after boot, as written there), and
        whether it is a zombie: all of it has ended, and its parent has yet to reap it.
    """
    head, _, tail = stat.rpartition(b") ")
    fields = tail.split(b" ", 20)
    name = head.partition(b"(")[2].decode("utf-8", "surrogateescape")
    threads = int(fields[17])
    # Where only the first thread has ended, its state is Z, too, but others are left.
    zombie = fields[0] in b"ZX" and threads <= 1
    return name, int(fields[1]), int(fields[6]), threads, fields[19], zombie


def is_ending(pid: int) -> bool:
    """Whether a process has ended or is about to: what /proc has of it is root's alone by then."""
    try:
        _, _, flags, _, _, zombie = parse_stat(read(f"/proc/{pid}/stat"))
    except VANISHED:
        return True
    return zombie or bool(flags & PF_EXITING)


def parse_nspid(status: bytes) -> tuple[int, ...]:
    """The NSpid line of /proc/PID/status (Linux 4.1): pids from the reader's namespace inwards.

    The name comes first in that file, but with its newlines escaped, so no name can forge a line.
    """
    start = status.find(b"\nNSpid:")
    if start < 0:
        return ()
    return tuple(map(int, status[start + 7 : status.index(b"\n", start + 1)].split()))


def parse_status(status: bytes) -> dict[str, str]:
    """The lines of /proc/PID/status (proc_pid_status(5)): name → value."""
    fields = (line.partition(":") for line in os.fsdecode(status).split("\n") if line)
    return {name: value.strip() for name, _, value in fields}


def parse_command(cmdline: bytes) -> str:
    """A command line from /proc/PID/cmdline: the arguments, blank-separated."""
    return cmdline.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "surrogateescape")


def read(path: str | bytes, directory: int | None = None) -> bytes:
    """The whole content of a /proc file, by its path (relative to an open directory, if given)."""
    fd = os.open(path, READ, dir_fd=directory)
    try:
        data = os.read(fd, 4096)
        # Fewer bytes than asked for do not mean the end: a file made of records, as mountinfo is,
        # gives only whole ones.
        while more := os.read(fd, 65536):
            data += more
        return data
    finally:
        os.close(fd)


def pid_of(pidfd: int, proc: int | None = None) -> int:
    """The pid behind a pidfd, as /proc calls it; -1 when it has ended (pidfd_open(2)).

    Args:
        pidfd: of this process.
        proc: an open /proc; None for the one that is mounted here.
    """
    own = "/proc/self" if proc is None else "self"
    fields = read(f"{own}/fdinfo/{pidfd}", proc)
    start = fields.index(b"\nPid:") + 5
    return int(fields[start : fields.index(b"\n", start)])


def own_pid() -> int | None:
    """This process's pid, as /proc here calls it: None if it does not show this process.

    A /proc shows the pid namespace of the process that mounted it (pid_namespaces(7), "/proc and
    PID namespaces"), which after a bare ``unshare --pid --fork`` is another one.

    Raises:
        FileNotFoundError: no /proc is mounted.
    """
    os.lstat("/proc/self")
    try:
        return int(os.readlink("/proc/self"))
    except FileNotFoundError:
        return None


def pid_here(pid: int) -> int:
    """What /proc here calls a process that has this pid for us; the same if no /proc can tell.

    Raises:
        ProcessLookupError: it has ended and was reaped.
    """
    pidfd = os.pidfd_open(pid)
    try:
        return pid_of(pidfd)
    except FileNotFoundError:
        return pid
    finally:
        os.close(pidfd)


def all_pids() -> list[int]:
    """The pids of every process that /proc lists, ascending."""
    return list(map(int, filter(str.isdigit, os.listdir("/proc"))))


def family(pid: int) -> list[int]:
    """``pid`` and the pids of everything below it, parents before children.

    Raises:
        ProcessLookupError: there is no such process.
    """
    if not os.path.exists(f"/proc/{pid}/task"):
        raise ProcessLookupError(errno.ESRCH, f"there is no process {pid} to look at")
    if not os.path.exists(CHILDREN):
        return _family_by_parents(pid)
    found = [pid]
    for parent in found:  # which grows as children are found
        try:
            for thread in os.listdir(f"/proc/{parent}/task"):
                found += _children(parent, thread)
        except VANISHED:
            continue
    return found


def _children(pid: int, thread: str) -> list[int]:
    # A child that ends during the read can hide another one (proc_tid_children(5)), so the list
    # counts only when it reads the same twice.
    path = f"/proc/{pid}/task/{thread}/children"
    listing = None
    while listing != (listing := read(path)):
        pass
    return [int(word) for word in listing.split()]


def _family_by_parents(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for one in all_pids():
        try:
            ppid = parse_stat(read(f"/proc/{one}/stat"))[1]
        except VANISHED:
            continue
        children.setdefault(ppid, []).append(one)
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found
