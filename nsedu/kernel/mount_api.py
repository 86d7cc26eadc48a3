"""The calls of Linux 5.2 and 5.12 that handle a mount by a descriptor: open_tree, mount_setattr."""

from __future__ import annotations

import ctypes
import os
import struct

AT_EMPTY_PATH, AT_RECURSIVE = 0x1000, 0x8000
OPEN_TREE_CLONE = 1
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 0x1, 0x2, 0x4
_AT_FDCWD = -100
_SYS_open_tree, _SYS_mount_setattr = 428, 442  # the same on every architecture

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long


def open_tree(path: str, flags: int) -> int:
    """open_tree(2), Linux 5.2: a descriptor of a mount; with OPEN_TREE_CLONE a detached copy of it.

    Args:
        path: a directory.
        flags: OPEN_TREE_CLONE, AT_RECURSIVE.

    Raises:
        OSError: EPERM (a copy takes CAP_SYS_ADMIN), ENOSYS, ENOENT, EINVAL.
    """
    words = _AT_FDCWD, os.fsencode(path), flags | os.O_CLOEXEC
    fd = _syscall(ctypes.c_long(_SYS_open_tree), *words)
    if fd < 0:
        _fail(f"open_tree({path})")
    return int(fd)


def mount_setattr(fd: int, attributes: int, recursive: bool = False) -> None:
    """mount_setattr(2), Linux 5.12: set attributes of a mount.

    Args:
        fd: of the mount.
        attributes: MOUNT_ATTR_*, to be set.
        recursive: whether also those of the mounts below it.

    Raises:
        OSError: EPERM, ENOSYS, EINVAL.
    """
    request = struct.pack("4Q", attributes, 0, 0, 0)  # struct mount_attr: set, clear, propagation
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    words = fd, b"", flags, request, ctypes.c_size_t(len(request))
    if _syscall(ctypes.c_long(_SYS_mount_setattr), *words):
        _fail(f"mount_setattr({fd})")


def _fail(call: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), call)
