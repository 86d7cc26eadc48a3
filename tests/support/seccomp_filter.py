"""A seccomp filter that forbids system calls to this process and all it starts (seccomp(2))."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable

from nsedu.kernel import syscalls
from nsedu.kernel.namespace_types import CATALOGUE

ALL = sum(kind.flag for kind in CATALOGUE)
NEWTIME = 0x80  # in clone(2) a bit of the signal, so it can be forbidden to unshare(2) alone
PR_SET_SECCOMP, MODE_FILTER = 22, 2
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
# seccomp_data: the number is at 0, the architecture at 4, the low half of the first argument at 16.
LOAD, JUMP_EQUAL, JUMP_IF_SET, RETURN = 0x20, 0x15, 0x45, 0x06
MACHINES: dict[str, tuple[int, dict[str, int]]] = {
    "x86_64": (0xC000003E, {
        "clone": 56, "unshare": 272, "setns": 308, "mount": 165, "sethostname": 170, "clone3": 435,
    }),
    "aarch64": (0xC00000B7, {
        "clone": 220, "unshare": 97, "setns": 268, "mount": 40, "sethostname": 161, "clone3": 435,
    }),
}  # fmt: skip
KNOWN = os.uname().machine in MACHINES


def forbid(flags: int = ALL, calls: Iterable[str] = ()) -> None:
    """Forbid unshare and clone with these CLONE_NEW* flags (EPERM), clone3 (ENOSYS), other calls.

    Args:
        flags: the CLONE_NEW* flags to refuse.
        calls: names of further calls to refuse altogether (EPERM).
    """
    architecture, numbers = MACHINES[os.uname().machine]
    program = [(LOAD, 0, 0, 4), (JUMP_EQUAL, 1, 0, architecture), (RETURN, 0, 0, ALLOW)]
    for name, mask in (("unshare", flags), ("clone", flags & ~NEWTIME)):
        program += [
            (LOAD, 0, 0, 0), (JUMP_EQUAL, 0, 3, numbers[name]),
            (LOAD, 0, 0, 16), (JUMP_IF_SET, 0, 1, mask), (RETURN, 0, 0, ERRNO | errno.EPERM),
        ]  # fmt: skip
    for name, number in [("clone3", errno.ENOSYS), *((name, errno.EPERM) for name in calls)]:
        program += [
            (LOAD, 0, 0, 0), (JUMP_EQUAL, 0, 1, numbers[name]), (RETURN, 0, 0, ERRNO | number),
        ]  # fmt: skip
    program.append((RETURN, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", operation, yes, no, k) for operation, yes, no, k in program)
    )
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    argument = ctypes.create_string_buffer(header)
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    if ctypes.CDLL(None).prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(argument), 0, 0):
        raise OSError("the filter was refused")
