"""Questions to an open namespace file or pidfd: the ioctls of nsfs, pidfs and sockets.

One function per request; each raises ``OSError`` with the errno the kernel gave.  Sources:
ioctl_ns(2), <linux/nsfs.h>, <linux/pidfd.h>, <linux/sockios.h>.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct

from nsedu.kernel.namespace_types import LINKS, CloneFlag

__all__ = [
    "NS_GET_ID",
    "NS_GET_MNTNS_ID",
    "NS_GET_NSTYPE",
    "NS_GET_OWNER_UID",
    "NS_GET_PARENT",
    "NS_GET_PID_FROM_PIDNS",
    "NS_GET_PID_IN_PIDNS",
    "NS_GET_TGID_FROM_PIDNS",
    "NS_GET_TGID_IN_PIDNS",
    "NS_GET_USERNS",
    "NS_MNT_GET_INFO",
    "NS_MNT_GET_NEXT",
    "NS_MNT_GET_PREV",
    "PIDFD_GET",
    "SIOCGSKNS",
    "MountNsInfo",
    "ns_get_id",
    "ns_get_mntns_id",
    "ns_get_nstype",
    "ns_get_owner_uid",
    "ns_get_parent",
    "ns_get_pid_from_pidns",
    "ns_get_pid_in_pidns",
    "ns_get_tgid_from_pidns",
    "ns_get_tgid_in_pidns",
    "ns_get_userns",
    "ns_mnt_get_info",
    "ns_mnt_get_next",
    "ns_mnt_get_prev",
    "nsfd",
    "pidfd_get_namespace",
    "socket_netns",
]

# ioctl_ns(2), <linux/nsfs.h>
NS_GET_USERNS = 0xB701
NS_GET_PARENT = 0xB702
NS_GET_NSTYPE = 0xB703
NS_GET_OWNER_UID = 0xB704
NS_GET_MNTNS_ID = 0x8008B705
NS_GET_PID_FROM_PIDNS = 0x8004B706
NS_GET_TGID_FROM_PIDNS = 0x8004B707
NS_GET_PID_IN_PIDNS = 0x8004B708
NS_GET_TGID_IN_PIDNS = 0x8004B709
NS_GET_ID = 0x8008B70D
NS_MNT_GET_INFO = 0x8010B70A
NS_MNT_GET_NEXT = 0x8010B70B
NS_MNT_GET_PREV = 0x8010B70C

# <linux/sockios.h>
SIOCGSKNS = 0x894C


def ns_get_userns(fd: int) -> int:
    """NS_GET_USERNS: a new descriptor of the user namespace that owns this one.

    Raises:
        OSError: EPERM (the owner lies outside the caller's user namespace, or there is none).
    """
    return fcntl.ioctl(fd, NS_GET_USERNS)


def ns_get_parent(fd: int) -> int:
    """NS_GET_PARENT: a new descriptor of the parent (pid and user namespaces only).

    Raises:
        OSError: EINVAL (not a hierarchical type), EPERM (no parent, or out of the caller's scope).
    """
    return fcntl.ioctl(fd, NS_GET_PARENT)


def ns_get_nstype(fd: int) -> CloneFlag:
    """NS_GET_NSTYPE: the CLONE_NEW* flag of the namespace's type (Linux 4.11)."""
    return CloneFlag(fcntl.ioctl(fd, NS_GET_NSTYPE))


def ns_get_owner_uid(fd: int) -> int:
    """NS_GET_OWNER_UID: the creator's uid, as the caller sees it (user namespaces only).

    Raises:
        OSError: EINVAL (not a user namespace).
    """
    buffer = bytearray(4)
    fcntl.ioctl(fd, NS_GET_OWNER_UID, buffer)
    return int(struct.unpack("I", buffer)[0])


def ns_get_id(fd: int) -> int:
    """NS_GET_ID: the 64-bit namespace id, never used twice during a boot (Linux 6.18).

    Raises:
        OSError: ENOTTY (older kernel).
    """
    buffer = bytearray(8)
    fcntl.ioctl(fd, NS_GET_ID, buffer)
    return int(struct.unpack("Q", buffer)[0])


def ns_get_mntns_id(fd: int) -> int:
    """NS_GET_MNTNS_ID: the 64-bit id of a mount namespace (Linux 6.11).

    Raises:
        OSError: EINVAL (not a mount namespace), ENOTTY (older kernel).
    """
    buffer = bytearray(8)
    fcntl.ioctl(fd, NS_GET_MNTNS_ID, buffer)
    return int(struct.unpack("Q", buffer)[0])


class MountNsInfo(ctypes.Structure):
    """struct mnt_ns_info: what NS_MNT_GET_INFO and its siblings fill in (Linux 6.12)."""

    _fields_ = (("size", ctypes.c_uint32), ("nr_mounts", ctypes.c_uint32), ("id", ctypes.c_uint64))


_MNT_INFO_SIZE = ctypes.sizeof(MountNsInfo)
"""What the kernel writes about the namespace beside the descriptor, from Linux 7.2 on always."""


def ns_mnt_get_info(fd: int) -> tuple[int, int]:
    """NS_MNT_GET_INFO: (64-bit id, number of mounts) of a mount namespace (Linux 6.12).

    Raises:
        OSError: ENOTTY (older kernel), EINVAL (not a mount namespace).
    """
    info = MountNsInfo(ctypes.sizeof(MountNsInfo))
    fcntl.ioctl(fd, NS_MNT_GET_INFO, info)
    return int(info.id), int(info.nr_mounts)


def ns_mnt_get_next(fd: int) -> int:
    """NS_MNT_GET_NEXT: a descriptor of the mount namespace with the next higher id (Linux 6.12).

    Raises:
        OSError: ENOENT (this was the last), EPERM, ENOTTY (older kernel).
    """
    return fcntl.ioctl(fd, NS_MNT_GET_NEXT, bytearray(_MNT_INFO_SIZE))


def ns_mnt_get_prev(fd: int) -> int:
    """NS_MNT_GET_PREV: a descriptor of the mount namespace with the next lower id (Linux 6.12).

    Raises:
        OSError: ENOENT (this was the first), EPERM, ENOTTY (older kernel).
    """
    return fcntl.ioctl(fd, NS_MNT_GET_PREV, bytearray(_MNT_INFO_SIZE))


def ns_get_pid_in_pidns(fd: int, pid: int) -> int:
    """NS_GET_PID_IN_PIDNS: the caller's pid ``pid``, as seen from inside pid namespace ``fd``.

    Raises:
        OSError: ESRCH (not a member), ENOTTY (kernel before 6.11).
    """
    return fcntl.ioctl(fd, NS_GET_PID_IN_PIDNS, pid)


def ns_get_pid_from_pidns(fd: int, pid: int) -> int:
    """NS_GET_PID_FROM_PIDNS: pid ``pid`` of pid namespace ``fd``, as the caller sees it.

    Raises:
        OSError: ESRCH (no such process there), ENOTTY (kernel before 6.11).
    """
    return fcntl.ioctl(fd, NS_GET_PID_FROM_PIDNS, pid)


def ns_get_tgid_in_pidns(fd: int, pid: int) -> int:
    """NS_GET_TGID_IN_PIDNS: the process that the caller's thread ``pid`` belongs to, as seen there.

    Raises:
        OSError: ESRCH (not a member), ENOTTY (kernel before 6.11).
    """
    return fcntl.ioctl(fd, NS_GET_TGID_IN_PIDNS, pid)


def ns_get_tgid_from_pidns(fd: int, pid: int) -> int:
    """NS_GET_TGID_FROM_PIDNS: the process of thread ``pid`` of ``fd``, as the caller sees it.

    Raises:
        OSError: ESRCH (no such thread there), ENOTTY (kernel before 6.11).
    """
    return fcntl.ioctl(fd, NS_GET_TGID_FROM_PIDNS, pid)


def socket_netns(sock: int) -> int:
    """SIOCGSKNS: a descriptor of the network namespace a socket was created in (Linux 4.10).

    Raises:
        OSError: EPERM (CAP_NET_ADMIN in that namespace's owner is needed), ENOTTY (no socket).
    """
    return fcntl.ioctl(sock, SIOCGSKNS)


# pidfs: PIDFD_GET_*_NAMESPACE (Linux 6.11), <linux/pidfd.h>; the numbers are _IO(0xFF, 1…10).
PIDFD_GET = {
    "cgroup": 0xFF01, "ipc": 0xFF02, "mnt": 0xFF03, "net": 0xFF04, "pid": 0xFF05,
    "pid_for_children": 0xFF06, "time": 0xFF07, "time_for_children": 0xFF08, "user": 0xFF09,
    "uts": 0xFF0A,
}  # fmt: skip


def pidfd_get_namespace(pidfd: int, link: str) -> int:
    """PIDFD_GET_*_NAMESPACE: a descriptor of one of a process's namespaces, without /proc.

    Args:
        pidfd: an open pidfd.
        link: a name as in /proc/PID/ns, for example ``"pid_for_children"``.

    Raises:
        OSError: EPERM, ESRCH (the process has gone), ENOTTY or EINVAL (kernel before 6.11).
    """
    return fcntl.ioctl(pidfd, PIDFD_GET[link])


def nsfd(pid: int, name: str) -> int:
    """Open /proc/PID/ns/NAME (O_CLOEXEC), the ordinary way to a namespace descriptor.

    Raises:
        OSError: ENOENT (the process or the type does not exist), EACCES.
    """
    assert name in LINKS, name
    return os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
