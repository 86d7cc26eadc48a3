"""Links and files that lead to namespaces: what they say, and opening them without being misled."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import re
import struct

from nsedu.kernel import syscalls
from nsedu.kernel.namespace_types import BY_NAME, CATALOGUE
from nsedu.kernel.procfs import READ

Key = tuple[str, int]
"""A namespace: its type and its inode number."""

_TEXT = re.compile(rb"([a-z]+):\[([0-9]+)\]")


def parse_link(text: bytes) -> Key | None:
    """``b"uts:[4026531838]"`` as ("uts", 4026531838); None for any other text."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    kind = match[1].decode()
    return (kind, int(match[2])) if kind in BY_NAME else None


def open_link(link: str, key: Key, directory: int) -> int:
    """Open a link of a /proc/PID/ns directory, if it still leads to that namespace.

    Raises:
        OSError: it cannot be opened; ESTALE when the process has moved on.
    """
    fd = os.open(link, READ, dir_fd=directory)
    if os.fstat(fd).st_ino != key[1]:
        os.close(fd)
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), link)
    return fd


def open_file(path: str, key: Key) -> int:
    """Open a namespace file anywhere, if the path still leads to that namespace.

    Raises:
        OSError: it cannot be opened; ESTALE when the path leads to something else by now.
    """
    fd = _open_any(path)
    if os.fstat(fd).st_ino != key[1]:
        os.close(fd)
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)
    return fd


def _open_any(path: str, directory: int | None = None) -> int:
    # Merely opening something else, a device say, might set it off; so it is looked at first.
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC, dir_fd=directory)
    try:
        if os.fstat(handle).st_dev != _nsfs():
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)
        return os.open(f"/proc/self/fd/{handle}", READ)
    finally:
        os.close(handle)


@functools.cache
def _nsfs() -> int:
    """The device of all namespace files."""
    return os.stat("/proc/self/ns/user").st_dev


AT_STATX_DONT_SYNC = 0x4000  # <linux/fcntl.h>
_DEVICE = 136  # where struct statx has the numbers of the device, two of 32 bits
_statx = getattr(ctypes.CDLL(None, use_errno=True), "statx", None)


def _device(name: str, directory: int) -> int:
    """The device of a file, without asking its file system: one that does not answer is no wait.

    Raises:
        OSError: there is no such file.
    """
    if _statx is None:  # an old C library
        return os.stat(name, dir_fd=directory).st_dev
    found = ctypes.create_string_buffer(256)
    if _statx(directory, name.encode(), AT_STATX_DONT_SYNC, 0, found) == -1:
        raise OSError(ctypes.get_errno(), f"statx({name})")
    major, minor = struct.unpack_from("=II", found, _DEVICE)
    return os.makedev(major, minor)


def key_of(fd: int) -> Key:
    """Which namespace an open file is.

    Raises:
        OSError: it is no namespace file (ENOTTY).
    """
    status = os.fstat(fd)
    if status.st_dev != _nsfs():  # where the number of the question might mean something else
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
    flag = syscalls.ns_get_nstype(fd)
    (kind,) = (kind.name for kind in CATALOGUE if kind.flag == flag)
    return kind, status.st_ino


def id_of(fd: int) -> int | None:
    """The id of an open namespace, which no other one gets later; None before Linux 6.18."""
    try:
        return syscalls.ns_get_id(fd)
    except OSError:
        return None


def key_of_descriptor(text: bytes, number: str, directory: int) -> Key | None:
    """Which namespace a descriptor of a process is open on; None if it is none, or closed by now.

    Args:
        text: what its link reads.  It is the namespace's own name only if the file was opened in
            /proc; opened by a mount of it, it is that path, and "/" once the mount has gone.
        number: its name in the directory.
        directory: an open /proc/PID/fd.
    """
    if not text.startswith(b"/"):
        return parse_link(text)
    try:
        if _device(number, directory) != _nsfs():
            return None
        fd = _open_any(number, directory)
    except OSError:  # closed, or a file system that does not answer this reader
        return None
    try:
        return key_of(fd)
    finally:
        os.close(fd)
