"""Thin wrappers over System V IPC and POSIX message queues: one function per call, no policy.

Like those of `nsedu.kernel.syscalls`, every function raises ``OSError`` whose ``filename`` is the
call with its arguments.  sysvipc(7) and mq_overview(7) are the overviews.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from typing import Any

# <linux/ipc.h>, <linux/sem.h>
IPC_PRIVATE = 0
IPC_CREAT = 0o1000
IPC_EXCL = 0o2000
IPC_NOWAIT = 0o4000
IPC_RMID = 0
GETVAL = 12
SETVAL = 16

_libc = ctypes.CDLL(None, use_errno=True)
_Int, _Size, _Text, _Pointer = ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p


def _typed(name: str, *arguments: Any, result: Any = _Int) -> Callable[..., Any]:
    try:
        function = _libc[name]
    except AttributeError:  # of the C library itself only since glibc 2.34
        function = ctypes.CDLL("librt.so.1", use_errno=True)[name]
    function.argtypes, function.restype = arguments, result
    return function


_shmget = _typed("shmget", _Int, _Size, _Int)
_shmat = _typed("shmat", _Int, _Pointer, _Int, result=ctypes.c_ssize_t)
_shmctl = _typed("shmctl", _Int, _Int, _Pointer)
_semget = _typed("semget", _Int, _Int, _Int)
_semctl = _typed("semctl", _Int, _Int, _Int, _Int)
_msgget = _typed("msgget", _Int, _Int)
_msgsnd = _typed("msgsnd", _Int, _Text, _Size, _Int)
_msgrcv = _typed("msgrcv", _Int, _Pointer, _Size, ctypes.c_long, _Int, result=ctypes.c_ssize_t)
_mq_open = _typed("mq_open", _Text, _Int, _Int, _Pointer)
_mq_send = _typed("mq_send", _Int, _Text, _Size, _Int)
_shm_open = _typed("shm_open", _Text, _Int, _Int)
_LONG = struct.calcsize("l")


def _checked(result: int, call: str) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), call)
    return result


def shmget(key: int, size: int = 0, flags: int = 0) -> int:
    """shmget(2): the identifier of the shared memory segment with this key.

    Args:
        key: 32 bits; IPC_PRIVATE always makes a new segment.
        size: bytes, when it is to be made.
        flags: IPC_CREAT, IPC_EXCL and the permissions.

    Raises:
        OSError: EACCES, EEXIST, EINVAL (larger than kernel.shmmax), ENOENT (nothing has the key),
            ENOSPC.
    """
    return _checked(_shmget(key, size, flags), f"shmget({key:#x}, {size}, {flags:#o})")


def shmat(id: int, size: int) -> ctypes.Array[ctypes.c_char]:
    """shmat(2): attach a segment; the bytes are the `value` (up to a zero) or `raw` of the result.

    Args:
        id: what `shmget` returned.
        size: how many of its bytes to show; not more than it has.

    Raises:
        OSError: EACCES, EINVAL (there is no such segment), ENOMEM.
    """
    return (ctypes.c_char * size).from_address(_checked(_shmat(id, None, 0), f"shmat({id})"))


def semget(key: int, count: int = 0, flags: int = 0) -> int:
    """semget(2): the identifier of the semaphore set with this key; arguments as of `shmget`.

    Raises:
        OSError: EACCES, EEXIST, EINVAL (more than kernel.sem allows), ENOENT, ENOSPC.
    """
    return _checked(_semget(key, count, flags), f"semget({key:#x}, {count}, {flags:#o})")


def semctl(id: int, number: int, command: int, value: int = 0) -> int:
    """semctl(2): GETVAL and SETVAL of one semaphore, IPC_RMID of the set.

    Raises:
        OSError: EACCES, EINVAL, EPERM, ERANGE.
    """
    return _checked(_semctl(id, number, command, value), f"semctl({id}, {number}, {command})")


def msgget(key: int, flags: int = 0) -> int:
    """msgget(2): the identifier of the message queue with this key; arguments as of `shmget`.

    Raises:
        OSError: EACCES, EEXIST, ENOENT, ENOSPC.
    """
    return _checked(_msgget(key, flags), f"msgget({key:#x}, {flags:#o})")


def msgsnd(id: int, text: bytes, flags: int = 0) -> None:
    """msgsnd(2): append a message of type 1 to a System V message queue.

    Raises:
        OSError: EACCES, EAGAIN (full, and IPC_NOWAIT), EINVAL (longer than kernel.msgmax).
    """
    message = struct.pack("l", 1) + text
    _checked(_msgsnd(id, message, len(text), flags), f"msgsnd({id}, {text!r})")


def msgrcv(id: int, size: int = 8192, flags: int = 0) -> bytes:
    """msgrcv(2): take the first message out of a System V message queue.

    Args:
        id: what `msgget` returned.
        size: the longest message that is awaited, in bytes.
        flags: IPC_NOWAIT, not to wait for one.

    Raises:
        OSError: E2BIG, EACCES, EIDRM, ENOMSG (empty, and IPC_NOWAIT).
    """
    buffer = ctypes.create_string_buffer(_LONG + size)
    length = _checked(_msgrcv(id, buffer, size, 0, flags), f"msgrcv({id})")
    return buffer.raw[_LONG : _LONG + length]


def mq_open(name: str, flags: int = os.O_RDWR, mode: int = 0o600) -> int:
    """mq_open(3): a descriptor of the POSIX message queue with this name.

    Args:
        name: a slash and up to 255 more characters, none of them a slash.
        flags: os.O_RDONLY, O_WRONLY or O_RDWR, and os.O_CREAT to make it; of default limits then.
        mode: its permissions when it is made.

    Raises:
        OSError: EACCES, EEXIST, EINVAL, ENOENT, ENOSPC (fs.mqueue.queues_max).
    """
    return _checked(_mq_open(name.encode(), flags, mode, None), f'mq_open("{name}", {flags:#o})')


def mq_send(fd: int, text: bytes) -> None:
    """mq_send(3): append a message to a POSIX message queue.

    Raises:
        OSError: EAGAIN, EBADF, EMSGSIZE (longer than the queue takes).
    """
    _checked(_mq_send(fd, text, len(text), 0), f"mq_send({fd}, {text!r})")


def shm_open(name: str, flags: int = os.O_RDWR, mode: int = 0o600) -> int:
    """shm_open(3): a descriptor of POSIX shared memory, which is a file in /dev/shm.

    Raises:
        OSError: EACCES, EEXIST, EINVAL, ENOENT.
    """
    return _checked(_shm_open(name.encode(), flags, mode), f'shm_open("{name}", {flags:#o})')
