"""Names of namespaces that keep nothing alive: the file handles of nsfs (Linux 6.18).

An open descriptor pins a namespace and an inode number may be given out again; a handle does
neither.  The calls are those of open_by_handle_at(2); what a handle of nsfs holds, struct
nsfs_file_handle, is defined in <linux/nsfs.h>.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import NamedTuple, NoReturn

_libc = ctypes.CDLL(None, use_errno=True)
_ROOM = 128  # MAX_HANDLE_SZ
_AT_EMPTY_PATH = 0x1000  # <linux/fcntl.h>
_HEAD = struct.Struct("=Ii")  # handle_bytes, handle_type
_NSFS = struct.Struct("=QII")  # ns_id, ns_type, ns_inum


class Handle(NamedTuple):
    """The handle of a namespace.

    Attributes:
        kind: the kernel's number for this kind of handle.
        id: the 64-bit id of the namespace, as NS_GET_ID says it, never used twice.
        flag: its type, as the CLONE_NEW* flag.
        ns: its inode number.
    """

    kind: int
    id: int
    flag: int
    ns: int


def name_to_handle(fd: int) -> Handle:
    """name_to_handle_at(2) on an open namespace file.

    Raises:
        OSError: EOPNOTSUPP (a kernel before 6.18).
    """
    buffer = ctypes.create_string_buffer(_HEAD.pack(_ROOM, 0), _HEAD.size + _ROOM)
    mount = ctypes.c_int()
    if _libc.name_to_handle_at(fd, b"", buffer, ctypes.byref(mount), _AT_EMPTY_PATH) == -1:
        _fail(f"name_to_handle_at({fd})")
    _, kind = _HEAD.unpack_from(buffer.raw)
    return Handle(kind, *_NSFS.unpack_from(buffer.raw, _HEAD.size))


def open_by_handle(handle: Handle) -> int:
    """open_by_handle_at(2): a new descriptor of the namespace, if it is still alive.

    Raises:
        OSError: ESTALE (it has gone, or may not be seen), EPERM (CAP_SYS_ADMIN in the user
            namespace that owns it is needed, unless the caller is in it).
    """
    text = _HEAD.pack(_NSFS.size, handle.kind) + _NSFS.pack(*handle[1:])
    nsfs = os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fd = _libc.open_by_handle_at(nsfs, text, os.O_RDONLY | os.O_CLOEXEC)
        if fd == -1:
            _fail(f"open_by_handle_at({handle.ns})")
        return int(fd)
    finally:
        os.close(nsfs)


def _fail(call: str) -> NoReturn:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), call)
