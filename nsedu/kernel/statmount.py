"""The mounts of a namespace without a text file to parse: listmount(2) and statmount(2).

Both came with Linux 6.8 and know a mount by a number that is never used twice during a boot; that
of /proc/PID/mountinfo, which is, comes along as ``mnt_id_old``.  Sources: listmount(2),
statmount(2), <linux/mount.h>.
"""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = [
    "LISTMOUNT_REVERSE",
    "LSMT_ROOT",
    "STATMOUNT_FS_TYPE",
    "STATMOUNT_MNT_BASIC",
    "STATMOUNT_MNT_GIDMAP",
    "STATMOUNT_MNT_NS_ID",
    "STATMOUNT_MNT_POINT",
    "STATMOUNT_MNT_ROOT",
    "STATMOUNT_MNT_UIDMAP",
    "STATMOUNT_PROPAGATE_FROM",
    "STATMOUNT_SB_BASIC",
    "SYS_listmount",
    "SYS_statmount",
    "StatMount",
    "listmount",
    "statmount",
]

# The same on every architecture (asm-generic/unistd.h).
SYS_statmount = 457
SYS_listmount = 458

LSMT_ROOT = 0xFFFFFFFFFFFFFFFF
LISTMOUNT_REVERSE = 0x1
STATMOUNT_SB_BASIC = 0x1
STATMOUNT_MNT_BASIC = 0x2
STATMOUNT_PROPAGATE_FROM = 0x4
STATMOUNT_MNT_ROOT = 0x8
STATMOUNT_MNT_POINT = 0x10
STATMOUNT_FS_TYPE = 0x20
STATMOUNT_MNT_NS_ID = 0x40
STATMOUNT_MNT_UIDMAP = 0x2000
STATMOUNT_MNT_GIDMAP = 0x4000

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.argtypes = (ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p) + (ctypes.c_size_t,) * 2
_syscall.restype = ctypes.c_long
_u32, _u64 = ctypes.c_uint32, ctypes.c_uint64


class _MountIdRequest(ctypes.Structure):
    """struct mnt_id_req: its last word came with Linux 6.11."""

    _fields_ = (("size", _u32), ("spare", _u32), ("mnt_id", _u64), ("param", _u64),
                ("mnt_ns_id", _u64))  # fmt: skip


_VERSION_0, _VERSION_1 = 24, 32  # MNT_ID_REQ_SIZE_VER0, the size without that word, and VER1


class _Fixed(ctypes.Structure):
    """struct statmount before its strings; names in capitals are offsets of strings."""

    _fields_ = (
        ("size", _u32), ("_opts", _u32), ("mask", _u64), ("sb_dev_major", _u32),
        ("sb_dev_minor", _u32), ("sb_magic", _u64), ("sb_flags", _u32), ("FS_TYPE", _u32),
        ("mnt_id", _u64), ("mnt_parent_id", _u64), ("mnt_id_old", _u32),
        ("mnt_parent_id_old", _u32), ("mnt_attr", _u64), ("mnt_propagation", _u64),
        ("mnt_peer_group", _u64), ("mnt_master", _u64), ("propagate_from", _u64),
        ("MNT_ROOT", _u32), ("MNT_POINT", _u32), ("mnt_ns_id", _u64), ("_others", _u32 * 6),
        ("_supported", _u64), ("_uids", _u32), ("_uidmap", _u32), ("_gids", _u32),
        ("_gidmap", _u32), ("_later", _u64 * 43),
    )  # fmt: skip


_STRINGS = ("FS_TYPE", "MNT_ROOT", "MNT_POINT")


class StatMount:
    """What statmount(2) says of a mount, by the names of its structure; 0 or "" if not asked for.

    Attributes:
        mask: the STATMOUNT_* groups that the kernel filled in.
        sb_dev_major, sb_dev_minor: the device of the file system.
        sb_magic, sb_flags, fs_type: its magic number, SB_* flags and name.
        mnt_id, mnt_parent_id: the mount and what it is mounted on, by numbers never used again.
        mnt_id_old, mnt_parent_id_old: the same by the numbers of /proc/PID/mountinfo.
        mnt_attr: its MOUNT_ATTR_* flags (mount_setattr(2)).
        mnt_propagation: one of MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, or the first two.
        mnt_peer_group, mnt_master, propagate_from: numbers of peer groups, 0 for none.
        mnt_root: what of the file system is mounted.
        mnt_point: where, as seen from the caller's root directory.
        mnt_ns_id: the 64-bit id of its mount namespace (Linux 6.11).
        mnt_uidmap, mnt_gidmap: of an idmapped mount a line for each range of ids, "FIRST HERE
            COUNT": what the file system has as ``FIRST`` and following, the caller sees as ``HERE``
            and following (Linux 6.15).
    """

    mask: int
    sb_dev_major: int
    sb_dev_minor: int
    sb_magic: int
    sb_flags: int
    fs_type: str
    mnt_id: int
    mnt_parent_id: int
    mnt_id_old: int
    mnt_parent_id_old: int
    mnt_attr: int
    mnt_propagation: int
    mnt_peer_group: int
    mnt_master: int
    propagate_from: int
    mnt_root: str
    mnt_point: str
    mnt_ns_id: int
    mnt_uidmap: tuple[str, ...]
    mnt_gidmap: tuple[str, ...]

    def __init__(self, buffer: ctypes.Array[ctypes.c_char]) -> None:
        fixed = _Fixed.from_buffer(buffer)
        strings = buffer.raw[ctypes.sizeof(_Fixed) :]
        for name, *_ in _Fixed._fields_:
            if name in _STRINGS:
                asked = fixed.mask & globals()[f"STATMOUNT_{name}"]
                text = strings[getattr(fixed, name) :].split(b"\0", 1)[0] if asked else b""
                setattr(self, name.lower(), os.fsdecode(text))
            elif name != "size" and not name.startswith("_"):
                setattr(self, name, getattr(fixed, name))
        uids = fixed._uids if fixed.mask & STATMOUNT_MNT_UIDMAP else 0
        gids = fixed._gids if fixed.mask & STATMOUNT_MNT_GIDMAP else 0
        self.mnt_uidmap = _lines(strings[fixed._uidmap :], uids)
        self.mnt_gidmap = _lines(strings[fixed._gidmap :], gids)

    def __repr__(self) -> str:
        return f"StatMount({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"


def _lines(strings: bytes, count: int) -> tuple[str, ...]:
    """The first strings of several, each of which ends in a null byte."""
    return tuple(os.fsdecode(line) for line in strings.split(b"\0", count)[:count])


def _request(mount: int, param: int, namespace: int) -> _MountIdRequest:
    size = _VERSION_1 if namespace else _VERSION_0
    return _MountIdRequest(size, 0, mount, param, namespace)


def _fail(call: str) -> NoReturn:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), call)


def listmount(
    mount: int = LSMT_ROOT, last: int = 0, *, namespace: int = 0, most: int = 512, flags: int = 0
) -> list[int]:
    """listmount(2): the numbers of the mounts below a mount, at any depth, in ascending order.

    Args:
        mount: the number of a mount; ``LSMT_ROOT`` is the one at the root directory.
        last: the last number already had, to get those after it; 0 to begin.
        namespace: the 64-bit id of a mount namespace (Linux 6.11;
            `nsedu.kernel.syscalls.ns_mnt_get_info` tells it); 0 is the caller's.
        most: how many at once.
        flags: ``LISTMOUNT_REVERSE`` for descending order (Linux 6.11).

    Raises:
        OSError: ENOSYS (kernel before 6.8, or a seccomp filter), ENOENT (no such mount or
            namespace), EPERM (not reachable, and no CAP_SYS_ADMIN where the namespace belongs),
            EINVAL (such as a number of mountinfo).
    """
    request = _request(mount, last, namespace)
    found = (_u64 * most)()
    number = _syscall(SYS_listmount, ctypes.byref(request), found, most, flags)
    if number == -1:
        _fail(f"listmount({mount:#x})")
    return list(found[:number])


def statmount(mount: int, mask: int, *, namespace: int = 0) -> StatMount:
    """statmount(2): what the kernel knows of one mount.

    Args:
        mount: its number, of `listmount` or of statx(2) with STATX_MNT_ID_UNIQUE.
        mask: STATMOUNT_* flags: what to tell.
        namespace: as of `listmount`.

    Raises:
        OSError: ENOSYS (kernel before 6.8, or a seccomp filter), ENOENT (no such mount or
            namespace), EPERM and EINVAL (as of `listmount`), EOVERFLOW (strings of over 64 KiB).
    """
    request = _request(mount, mask, namespace)
    buffer = ctypes.create_string_buffer(ctypes.sizeof(_Fixed) + (1 << 16))
    if _syscall(SYS_statmount, ctypes.byref(request), buffer, len(buffer), 0) == -1:
        _fail(f"statmount({mount:#x}, {mask:#x})")
    return StatMount(buffer)
