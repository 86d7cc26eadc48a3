"""Thin typed wrappers over the kernel's namespace interface: one function per call, no policy.

Every function raises ``OSError`` whose ``filename`` is the call with its arguments, so that the
message reads like a line of strace.  What the standard library has already (``os.pidfd_open``,
``socket.sethostname``, ``os.readlink``) is not wrapped again.

All functions act on the calling *thread*, as the kernel does; setns(2) and unshare(2) say which of
them refuse to work in a process that has more than one.
"""

from __future__ import annotations

import ctypes
import os
import struct

from nsedu.kernel.namespace_types import CloneFlag
from nsedu.kernel.nsfs_ioctls import *  # noqa: F403 - one door to the whole kernel interface
from nsedu.kernel.statmount import *  # noqa: F403

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from typing import NoReturn

_libc = ctypes.CDLL(None, use_errno=True)
_Int, _Long, _Text = ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p
# Each function is looked up and typed once.  A sandbox is born by fork, and whatever Python touches
# for the first time after one costs it a page fault, so these do little when all goes well.
_syscall = _libc.syscall
_syscall.argtypes = (_Long,) * 6
_syscall.restype = ctypes.c_long
# The same with Python's lock held: the child of a call that forks must have it, for the thread that
# might hold it otherwise is none of the child's, and would never give it back.
_forking_syscall = ctypes.PyDLL(None, use_errno=True).syscall
_forking_syscall.argtypes = (_Long,) * 6
_forking_syscall.restype = ctypes.c_long
_unshare, _setns = _libc.unshare, _libc.setns
_unshare.argtypes, _setns.argtypes = (_Int,), (_Int, _Int)
_mount, _umount2, _pivot_root = _libc.mount, _libc.umount2, _libc.pivot_root
_mount.argtypes = (_Text, _Text, _Text, _Long, _Text)
_umount2.argtypes, _pivot_root.argtypes = (_Text, _Int), (_Text, _Text)
_sethostname, _setdomainname = _libc.sethostname, _libc.setdomainname
_sethostname.argtypes = _setdomainname.argtypes = (_Text, ctypes.c_size_t)
_prctl = _libc.prctl
_prctl.argtypes = (_Int, _Long, _Long, _Long, _Long)
_prctl_text = _libc["prctl"]  # another object of the same function, for the option that takes text
_prctl_text.argtypes = (_Int, _Text, _Long, _Long, _Long)

# mount(2), <linux/mount.h>
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_UNBINDABLE = 0x20000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MNT_DETACH = 0x2

# prctl(2), <linux/prctl.h>
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

# Calls newer than 5.1 have the same number on every architecture (asm-generic/unistd.h);
# older ones are reached through the C library.
SYS_pidfd_getfd = 438
SYS_clone3 = 435

# clone is older: its number, and on s390x the order of its arguments, depend on the machine.
_MACHINE = os.uname().machine
_SYS_CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220}.get(_MACHINE, 120)

_SYS_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "s390x": 280, "ppc64le": 271}
_KEYCTL_JOIN_SESSION_KEYRING = 1


def _clone(flags: int) -> int:
    if _MACHINE == "s390x":
        return int(_forking_syscall(_SYS_CLONE, 0, flags, 0, 0, 0))
    return int(_forking_syscall(_SYS_CLONE, flags, 0, 0, 0, 0))


CLONE_PARENT = 0x8000
CLONE_INTO_CGROUP = 0x200000000


def _fail(call: str) -> NoReturn:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), call)


def _flag_names(value: int) -> str:
    names = [f"CLONE_{flag.name}" for flag in CloneFlag if value & flag]
    return "|".join(names) or str(value)


def unshare(flags: int) -> None:
    """unshare(2): give the calling thread new namespaces of the given CLONE_NEW* types.

    Raises:
        OSError: EINVAL (several threads and CLONE_NEWUSER; unknown flag), ENOSPC (a limit of
            user.max_*_namespaces or the nesting depth of 32), EPERM (no capability, seccomp).
    """
    if _unshare(flags) == -1:
        _fail(f"unshare({_flag_names(flags)})")


def setns(fd: int, flags: int = 0) -> None:
    """setns(2): move the calling thread into the namespace ``fd`` refers to.

    Args:
        fd: an open /proc/PID/ns/… file, or a pidfd (Linux 5.8) together with several flags at once.
        flags: CLONE_NEW* type expected, 0 for any (namespace files only).

    Raises:
        OSError: EBADF, EINVAL (wrong type; threads), EPERM, ESRCH (the process has gone), EUSERS.
    """
    if _setns(fd, flags) == -1:
        _fail(f"setns({fd}, {_flag_names(flags)})")


def clone3(flags: int = 0, *, exit_signal: int = 17, cgroup: int | None = None) -> int:
    """clone3(2) in the manner of fork: returns 0 in the child and the child's pid in the parent.

    Only for a process with one thread: the C library's fork handlers are not run.

    Args:
        flags: CLONE_NEW* flags (CLONE_VM and the thread flags are not offered).
        exit_signal: signal sent to the parent at exit, SIGCHLD unless said.
        cgroup: descriptor of a cgroup v2 directory to be born in (CLONE_INTO_CGROUP, Linux 5.7).

    Raises:
        OSError: EAGAIN, EINVAL, ENOSPC, ENOSYS (kernel before 5.3, or a seccomp filter), EPERM.
        RuntimeError: this process has several threads.
    """
    _require_one_thread("clone3")
    if cgroup is not None:
        flags |= CLONE_INTO_CGROUP
    # struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
    # set_tid, set_tid_size, cgroup — eleven 64-bit words, CLONE_ARGS_SIZE_VER2.
    args = struct.pack("11Q", flags, 0, 0, 0, exit_signal, 0, 0, 0, 0, 0, cgroup or 0)
    buffer = ctypes.create_string_buffer(args, len(args))
    pid = _forking_syscall(SYS_clone3, ctypes.addressof(buffer), len(args), 0, 0, 0)
    if pid == -1:
        _fail(f"clone3({_flag_names(flags)})")
    return int(pid)


def clone(flags: int, alone: bool = False) -> int:
    """clone(2) in the manner of fork, SIGCHLD at the end: 0 in the child, its pid in the parent.

    It is there where a seccomp filter answers clone3 with ENOSYS (Docker's does), and makes no time
    namespace.  Only for a process with one thread, as `clone3`.

    Args:
        flags: CLONE_* flags.
        alone: whether the caller knows that it has one thread.

    Raises:
        OSError: EAGAIN, EINVAL, ENOSPC, EPERM, EUSERS.
        RuntimeError: this process has several threads.
    """
    if not alone:
        _require_one_thread("clone")
    pid = _clone(flags | 17)  # SIGCHLD
    if pid == -1:
        _fail(f"clone({_flag_names(flags)})")
    return int(pid)


def threads() -> int:
    """How many threads this process has; 1 where /proc tells nothing."""
    task = "/proc/self/task"
    return len(os.listdir(task)) if os.path.isdir(task) else 1


def _require_one_thread(call: str) -> None:
    if (count := threads()) > 1:
        raise RuntimeError(
            f"{call}() is refused in a process with {count} threads: its child could wait for ever"
            " for a lock of theirs. Use os.fork(), box.call(...) or a %%byhand cell."
        )


def _path(text: str | os.PathLike[str] | None) -> bytes | None:
    if isinstance(text, str):  # what os.fsencode does, in one step
        return text.encode(errors="surrogateescape")
    return None if text is None else os.fsencode(text)


def mount(
    source: str | os.PathLike[str] | None,
    target: str | os.PathLike[str],
    fstype: str | None = None,
    flags: int = 0,
    data: str | None = None,
) -> None:
    """mount(2): attach a file system, bind a directory, or change propagation.

    Raises:
        OSError: EPERM, EINVAL, ENOENT, ENODEV, EBUSY, … as mount(2) lists them.
    """
    encoded = None if data is None else data.encode()
    kind = None if fstype is None else fstype.encode()
    if _mount(_path(source), _path(target), kind, flags, encoded) == -1:
        _fail(f"mount({source}, {target}, {fstype}, {flags:#x})")


def umount2(target: str | os.PathLike[str], flags: int = 0) -> None:
    """umount2(2): detach a mount; ``MNT_DETACH`` detaches it even while it is busy.

    Raises:
        OSError: EBUSY, EINVAL (not a mount point, or locked), EPERM.
    """
    if _umount2(_path(target), flags) == -1:
        _fail(f"umount2({target}, {flags:#x})")


def pivot_root(new_root: str | os.PathLike[str], put_old: str | os.PathLike[str]) -> None:
    """pivot_root(2): make ``new_root`` the root mount and hang the old one at ``put_old``.

    Raises:
        OSError: EINVAL (new_root is no mount point, or propagation is shared), EBUSY, EPERM.
    """
    if _pivot_root(_path(new_root), _path(put_old)) == -1:
        _fail(f"pivot_root({new_root}, {put_old})")


def setdomainname(name: bytes) -> None:
    """setdomainname(2): set the NIS domain name of this UTS namespace (at most 64 bytes).

    Raises:
        OSError: EINVAL (longer than 64 bytes), EPERM.
    """
    if _setdomainname(name, len(name)) == -1:
        _fail(f"setdomainname({name!r})")


def sethostname(name: bytes) -> None:
    """sethostname(2): set the host name of this UTS namespace (at most 64 bytes).

    Raises:
        OSError: EINVAL (longer than 64 bytes), EPERM (no CAP_SYS_ADMIN in the owning user
            namespace).
    """
    if _sethostname(name, len(name)) == -1:
        _fail(f"sethostname({name!r})")


def prctl(option: int, value: int = 0) -> int:
    """prctl(2) for the options that take one number; see the PR_* constants here.

    Raises:
        OSError: EINVAL, EPERM.
    """
    result = int(_prctl(option, value, 0, 0, 0))
    if result == -1:
        _fail(f"prctl({option}, {value})")
    return result


def set_name(name: bytes) -> None:
    """PR_SET_NAME of prctl(2): the short name of the calling thread, which is cut to 15 bytes."""
    if _prctl_text(PR_SET_NAME, name, 0, 0, 0) == -1:
        _fail(f"prctl(PR_SET_NAME, {name!r})")


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


_CAP_VERSION_3 = 0x20080522


def capget(pid: int = 0) -> tuple[int, int, int]:
    """capget(2): the effective, permitted and inheritable sets of a thread, as 64-bit masks.

    Args:
        pid: thread id as the caller sees it; 0 is the caller.

    Raises:
        OSError: ESRCH.
    """
    words = (ctypes.c_uint32 * 6)()
    header = _CapHeader(_CAP_VERSION_3, pid)
    if _libc.capget(ctypes.byref(header), words) == -1:
        _fail(f"capget({pid})")
    low, high = words[:3], words[3:]
    return tuple(a | b << 32 for a, b in zip(low, high, strict=True))  # type: ignore[return-value]


def capset(effective: int, permitted: int, inheritable: int = 0) -> None:
    """capset(2): set the calling thread's capability sets from 64-bit masks.

    Raises:
        OSError: EPERM (adding to the permitted set).
    """
    sets = (effective, permitted, inheritable)
    words = (ctypes.c_uint32 * 6)(*(s & 0xFFFFFFFF for s in sets), *(s >> 32 for s in sets))
    header = _CapHeader(_CAP_VERSION_3, 0)
    if _libc.capset(ctypes.byref(header), words) == -1:
        _fail("capset()")


def join_session_keyring() -> None:
    """keyctl(2), KEYCTL_JOIN_SESSION_KEYRING: leave the session's keys for an empty ring.

    Where there is no such call, or a seccomp filter forbids it, the keys are out of reach anyway.
    """
    number = _SYS_KEYCTL.get(_MACHINE)
    if number is not None:
        _syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)


def pidfd_getfd(pidfd: int, target: int) -> int:
    """pidfd_getfd(2): a copy of another process's file descriptor (Linux 5.6).

    Raises:
        OSError: EBADF, EPERM (no PTRACE_MODE_ATTACH_REALCREDS), ESRCH.
    """
    fd = _syscall(SYS_pidfd_getfd, pidfd, target, 0, 0, 0)
    if fd == -1:
        _fail(f"pidfd_getfd({pidfd}, {target})")
    return int(fd)
