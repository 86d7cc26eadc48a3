"""Whether this kernel has the newest interfaces of namespaces, and lets this program use them.

Each probe tries, as all of the doctor's do, and returns None or the reason why not.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

from nsedu.errors.namespace_error import NamespaceError
from nsedu.kernel import nsfs_handles, process_events, syscalls
from nsedu.sandbox.sandbox import Sandbox

SYS_listns = 470  # asm-generic/unistd.h, Linux 6.19


def _nsfs_ioctls() -> str | None:
    """The ioctls of Linux 6.11: numbers translated, and namespaces given out by a pidfd."""
    pidfd = os.pidfd_open(os.getpid())
    try:
        pids = syscalls.pidfd_get_namespace(pidfd, "pid")
        try:
            syscalls.ns_get_pid_in_pidns(pids, os.getpid())
        finally:
            os.close(pids)
    except OSError as refused:
        return f"ioctls of Linux 6.11 are refused here: {refused.strerror}"
    finally:
        os.close(pidfd)
    return None


def _statmount() -> str | None:
    """listmount(2) and statmount(2) of another mount namespace, by its id (Linux 6.12)."""
    own = syscalls.nsfd(os.getpid(), "mnt")
    try:
        id, _ = syscalls.ns_mnt_get_info(own)
        first = syscalls.listmount(namespace=id, most=1)
        if first:  # the list of a namespace may be empty
            syscalls.statmount(first[0], syscalls.STATMOUNT_MNT_BASIC, namespace=id)
    except OSError as refused:
        return f"statmount(2) by the id of a mount namespace is refused here: {refused.strerror}"
    finally:
        os.close(own)
    return None


def _mount_namespaces() -> str | None:
    """NS_MNT_GET_NEXT and NS_MNT_GET_PREV (Linux 6.12)."""
    own = syscalls.nsfd(os.getpid(), "mnt")
    try:
        for step in (syscalls.ns_mnt_get_next, syscalls.ns_mnt_get_prev):
            try:
                os.close(step(own))
            except FileNotFoundError:  # ours is the last, or the first
                continue
    except OSError as refused:
        return f"the list of all mount namespaces is refused here: {refused.strerror}"
    finally:
        os.close(own)
    return None


def _ids() -> str | None:
    """NS_GET_ID, and the file handle of a namespace that leads back to it (Linux 6.18)."""
    try:
        with Sandbox("uts") as box:
            other = syscalls.nsfd(box.pid, "uts")
            try:
                syscalls.ns_get_id(other)
                handle = nsfs_handles.name_to_handle(other)
            finally:
                os.close(other)
            os.close(nsfs_handles.open_by_handle(handle))
    except NamespaceError as refused:
        return refused.cause
    except OSError as refused:
        return f"ids and handles of namespaces are refused here: {refused.strerror}"
    return None


def _connector() -> str | None:
    try:
        with process_events.Events():
            return None
    except OSError as refused:
        return f"the process connector is refused here: {refused.strerror}"


class _Request(ctypes.Structure):
    """struct ns_id_req (<linux/nsfs.h>, Linux 6.19)."""

    _fields_ = (
        ("size", ctypes.c_uint32), ("spare", ctypes.c_uint32), ("ns_id", ctypes.c_uint64),
        ("ns_type", ctypes.c_uint32), ("spare2", ctypes.c_uint32), ("user_ns_id", ctypes.c_uint64),
    )  # fmt: skip


def _listns() -> str | None:
    call = ctypes.CDLL(None, use_errno=True).syscall
    found = (ctypes.c_uint64 * 1)()
    request = _Request(ctypes.sizeof(_Request))
    if call(SYS_listns, ctypes.byref(request), found, ctypes.c_size_t(1), 0) == -1:
        return f"listns(2) is refused here: {os.strerror(ctypes.get_errno())}"
    return None


PROBES: dict[str, tuple[str, Callable[[], str | None]]] = {
    "nsfs-ioctls": ("process numbers translated, namespaces given out by a pidfd", _nsfs_ioctls),
    "statmount": ("the mounts of another mount namespace", _statmount),
    "ns-id": ("ids and file handles of namespaces", _ids),
    "mnt-list": ("all mount namespaces listed", _mount_namespaces),
    "proc-connector": ("processes that are born and end, as the kernel tells it", _connector),
    "listns": ("all namespaces listed", _listns),
}
"""What to try, by the name of the need: what it is good for, and the probe."""
