"""Links and files that lead to namespaces: what they say, and opening them without being misled."""

from __future__ import annotations

import errno
import os
import re

from nsedu.nstypes import BY_NAME
from nsedu.procfs import READ

Key = tuple[str, int]
"""A namespace: its type and its inode number."""

_TEXT = re.compile(rb"([a-z]+):\[([0-9]+)\]")


def parse_link(text: bytes) -> Key | None:
    """``b"uts:[4026531838]"`` as ("uts", 4026531838); None for any other text.

    In a link of /proc/PID/fd nothing but a namespace file reads like that: paths start with a
    slash, and pipes and sockets have names of their own.
    """
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
    # Merely opening something else, a device say, might set it off; so it is looked at first.
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if (status.st_dev, status.st_ino) != (os.stat("/proc/self/ns/user").st_dev, key[1]):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)
        return os.open(f"/proc/self/fd/{handle}", READ)
    finally:
        os.close(handle)
