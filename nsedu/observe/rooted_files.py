"""Look at files as a process sees them, without believing what else is mounted there.

A process that mounts what it likes can show any file under any name.  So each file is reached from
the process's root directory by descriptors, without following a link (openat2(2)), and statx(2)
tells in which mount it lies: that one's type is in the kernel's own table, /proc/PID/mountinfo.
It happens in a fork of `nsedu.observe.helper`, for a file system of a hostile process may never
answer.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from nsedu.kernel import statmount
from nsedu.kernel.mountinfo import parse_mountinfo
from nsedu.kernel.procfs import read
from nsedu.observe.helper import enter, helper, in_fork

MOST_FILES = 20_000  # that are compared; a larger lower directory is not looked at to its end

_SYS_openat2 = 437  # the same on every architecture (asm-generic/unistd.h)
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS = 0x01, 0x02, 0x04  # RESOLVE_* of <linux/openat2.h>
_IN_ROOT = 0x10
_HOW = "QQQ"  # struct open_how: flags, mode, resolve
_STATX_MNT_ID, _STATX_MNT_ID_UNIQUE = 0x1000, 0x4000  # <linux/stat.h>
_AT_EMPTY_PATH, _AT_STATX_DONT_SYNC = 0x1000, 0x4000
_STATX_TYPE, _STATX_INO, _STATX_ATTR_MOUNT_ROOT = 0x1, 0x100, 0x2000
_MOST_FDS, _MOST_LEVELS, _MOST_NAMES = 4096, 100, 100
_PATH = os.O_PATH | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC

_libc = ctypes.CDLL(None, use_errno=True)


def proc_owner(pid: int) -> int:
    """The PID namespace of number 1 in the proc file system that a process sees at /proc.

    Returns:
        Its inode number; 0 if there is no proc file system, or number 1 may not be looked at.
    """
    return int(_ask("proc_owner", pid).get("value", 0))


def hidden_file(pid: int, merged: str, lower: list[str]) -> str:
    """A file of a lower directory that the overlay on it does not show.

    Args:
        pid: a process that sees the overlay.
        merged: where it is mounted.
        lower: its lower directories; all paths from the root directory of the process.

    Returns:
        The path of the first that is found, from the lower directory; "" if there is none, or
        if one of the directories is not there any more: covered by another mount, say.
    """
    return str(_ask("hidden_file", pid, merged, lower).get("value", ""))


class At(NamedTuple):
    """What a process sees at a path.

    Attributes:
        mount: the number of the mount there, as in its mountinfo; 0 where the kernel does not tell.
        is_root: whether the path is the root of that mount, and not a directory in it.
        names: the names in the directory, a hundred at most.
        unique: a number of the mount that no other gets until the next boot; 0 before Linux 6.8.
    """

    mount: int
    is_root: bool
    names: tuple[str, ...]
    unique: int


def at(pid: int, path: str) -> At | None:
    """What directory a process sees at a path from its root directory; None: none, or not told."""
    found = _ask("at", pid, path).get("value")
    return None if found is None else At(found[0], found[1], tuple(found[2]), found[3])


class Tree(NamedTuple):
    """The mounts of a process's mount namespace, and what of the process lies outside them.

    Attributes:
        mountinfo: the namespace's mount table from its root mount, also where a chroot of the
            process hides a part of it.
        root: the number of the root mount, as in that table.
        under: what the root mount covers, from above to below: device ("major:minor") and the
            directory of the file system that is mounted, of each; empty before Linux 6.8.
        its_root: the number of the mount in which the process's root directory lies.
        is_root: whether that directory is the root of its mount.
        ways_out: its open directories from which ".." leads to the root directory that was asked
            for: the numbers of their descriptors, and "cwd" for the working directory.
    """

    mountinfo: bytes
    root: int
    under: tuple[tuple[str, str], ...]
    its_root: int
    is_root: bool
    ways_out: tuple[str, ...]


def tree(pid: int, to: int) -> Tree | None:
    """The mounts of a process's mount namespace; None where they may not be looked at.

    Args:
        pid: the process.
        to: another process, to whose root directory a way out would lead.
    """
    found = _ask("tree", pid, to).get("value")
    if found is None:
        return None
    table, root, under, its_root, is_root, ways_out = found
    below = tuple((device, directory) for device, directory in under)
    return Tree(os.fsencode(table), root, below, its_root, is_root, tuple(ways_out))


def _ask(question: str, *asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = helper.ask("nsedu.observe.rooted_files:answer", [question, *asked])
    return found


def answer(asked: list[Any], _: list[int]) -> dict[str, Any]:
    """In the helper: look in a fork."""
    question, *args = asked
    looks: dict[str, Callable[..., Any]] = {
        "proc_owner": _proc_owner, "hidden_file": _hidden_file, "at": _at, "tree": _tree,
    }  # fmt: skip
    return in_fork(lambda: looks[question](*args))


def _proc_owner(pid: int) -> int:
    at = _open(_root(pid), "/proc", _PATH | os.O_DIRECTORY, _NO_SYMLINKS)
    mounts = {mount.id: mount for mount in parse_mountinfo(read(f"/proc/{pid}/mountinfo"))}
    mount = mounts.get(_mount_id(at, _STATX_MNT_ID))
    if mount is None or mount.fstype != "proc" or mount.root != "/":
        return 0
    # Not what may be mounted over a file in it: NO_XDEV stays in the one mount.
    link = _open(at, "1/ns/pid", _PATH | os.O_NOFOLLOW, _NO_SYMLINKS | _NO_XDEV)
    return int(os.readlink("", dir_fd=link).removeprefix("pid:[").removesuffix("]"))


def _at(pid: int, path: str) -> tuple[int, bool, list[str], int]:
    fd = _open(_root(pid), path, _LIST, _IN_ROOT | _NO_MAGICLINKS)
    mount, is_root = _where(fd)
    with os.scandir(fd) as entries:
        names = [entry.name for entry, _ in zip(entries, range(_MOST_NAMES), strict=False)]
    return mount, is_root, names, _mount_id(fd, _STATX_MNT_ID_UNIQUE)


def _tree(pid: int, to: int) -> tuple[str, int, list[tuple[str, str]], int, bool, list[str]]:
    top, ways_out = _directory(_root(to)), []
    for name in ("cwd", *(f"fd/{number}" for number in os.listdir(f"/proc/{pid}/fd")[:_MOST_FDS])):
        with contextlib.suppress(OSError):  # closed by now
            if _leads(os.open(f"/proc/{pid}/{name}", _PATH), top):
                ways_out.append(name.removeprefix("fd/"))
    its_root, is_root = _where(_root(pid))
    # Opened before, because where we go there may be no /proc.
    here = os.open("/proc/thread-self", _PATH)
    enter(pid, "mnt")
    root = os.open("/", _PATH)
    under = _under(_mount_id(root, _STATX_MNT_ID_UNIQUE))
    table = os.fsdecode(read(b"mountinfo", here))
    return table, _mount_id(root, _STATX_MNT_ID), under, its_root, is_root, ways_out


def _leads(fd: int, top: tuple[int, ...] | None) -> bool:
    """Whether ".." leads from an open directory to another one; closes it."""
    try:
        at = _directory(fd)
        for _ in range(_MOST_LEVELS if at else 0):
            if at == top:
                return True
            above = os.open("..", _PATH, dir_fd=fd)
            os.close(fd)
            fd, before, at = above, at, _directory(above)
            if at == before:
                break
        return False
    finally:
        os.close(fd)


def _under(mount: int) -> list[tuple[str, str]]:
    """What lies under a mount, one on top of the other: device and directory of each."""
    mask = statmount.STATMOUNT_SB_BASIC | statmount.STATMOUNT_MNT_BASIC
    found: list[tuple[str, str]] = []
    with contextlib.suppress(OSError):  # an older kernel, or no right to look at what is covered
        while mount and len(found) < _MOST_LEVELS:
            above = statmount.statmount(mount, mask).mnt_parent_id
            if above == mount:
                break
            its = statmount.statmount(above, mask | statmount.STATMOUNT_MNT_ROOT)
            found.append((f"{its.sb_dev_major}:{its.sb_dev_minor}", its.mnt_root))
            mount = above
    return found


def _hidden_file(pid: int, merged: str, lower: list[str]) -> str:
    root = _root(pid)
    mounts = {mount.id: mount for mount in parse_mountinfo(read(f"/proc/{pid}/mountinfo"))}
    shown = _open(root, merged, _LIST, _NO_SYMLINKS)
    mount = mounts.get(_mount_id(shown, _STATX_MNT_ID))
    if mount is None or mount.fstype != "overlay":
        return ""
    found = ""
    for directory in lower:
        below = _open(root, directory, _LIST, _NO_SYMLINKS)
        if _mount_id(below, _STATX_MNT_ID_UNIQUE) <= _mount_id(shown, _STATX_MNT_ID_UNIQUE):
            found = found or _missing(below, shown)
    return found


def _missing(below: int, shown: int) -> str:
    """A file of one directory that another one lacks, or ""."""
    todo, seen = ["."], 0
    while todo and seen < MOST_FILES:
        path = todo.pop()
        try:
            pair = [_open(fd, path, _LIST, _NO_SYMLINKS | _NO_XDEV) for fd in (below, shown)]
        except OSError:  # it is no directory in the other, or a mount is on it
            continue
        names = set(os.listdir(pair[1]))
        with os.scandir(pair[0]) as entries:
            for entry in entries:
                seen += 1
                if entry.name not in names and not _is_whiteout(entry):
                    return os.path.join(path, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    todo.append(os.path.join(path, entry.name))
        for fd in pair:
            os.close(fd)
    return ""


def _is_whiteout(entry: os.DirEntry[str]) -> bool:
    """Whether it only says that an overlay further down has lost a file."""
    status = entry.stat(follow_symlinks=False)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _root(pid: int) -> int:
    return os.open(f"/proc/{pid}/root", _PATH | os.O_DIRECTORY)


def _open(directory: int, path: str, flags: int, resolve: int) -> int:
    """openat2(2), below a directory."""
    how = ctypes.create_string_buffer(struct.pack(_HOW, flags, 0, resolve), struct.calcsize(_HOW))
    name = os.fsencode(path.lstrip("/") or ".")
    fd = _libc.syscall(
        ctypes.c_long(_SYS_openat2), ctypes.c_int(directory), name, how, ctypes.c_size_t(len(how))
    )
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return int(fd)


def _mount_id(fd: int, kind: int) -> int:
    """The number of the mount that an open file lies in; 0 if the kernel does not tell it.

    Args:
        fd: the file.
        kind: STATX_MNT_ID (Linux 5.8), the number of mountinfo; or STATX_MNT_ID_UNIQUE (6.8), which
            grows with every mount that is made.
    """
    return _number(_statx(fd, kind), kind)


def _where(fd: int) -> tuple[int, bool]:
    """The number of the mount an open file lies in, and whether it is the root of that mount."""
    buffer = _statx(fd, _STATX_MNT_ID)
    (attributes,) = struct.unpack_from("Q", buffer, 8)
    return _number(buffer, _STATX_MNT_ID), bool(attributes & _STATX_ATTR_MOUNT_ROOT)


def _directory(fd: int) -> tuple[int, ...] | None:
    """The device and inode number of an open directory; None: it is none."""
    buffer = _statx(fd, _STATX_TYPE | _STATX_INO)
    (mode,) = struct.unpack_from("H", buffer, 28)
    number = struct.unpack_from("Q", buffer, 32) + struct.unpack_from("II", buffer, 136)
    return number if stat.S_ISDIR(mode) else None


def _number(buffer: ctypes.Array[ctypes.c_char], kind: int) -> int:
    (mask,) = struct.unpack_from("I", buffer)
    return int(struct.unpack_from("Q", buffer, 144)[0]) if mask & kind else 0


def _statx(fd: int, mask: int) -> ctypes.Array[ctypes.c_char]:
    buffer = ctypes.create_string_buffer(256)  # struct statx
    # A file system of a hostile process is not asked: what is told here, the kernel knows itself.
    flags = ctypes.c_int(_AT_EMPTY_PATH | _AT_STATX_DONT_SYNC)
    if _libc.statx(ctypes.c_int(fd), b"", flags, ctypes.c_uint(mask), buffer) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "statx")
    return buffer
