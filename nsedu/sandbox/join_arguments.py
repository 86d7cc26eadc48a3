"""Whose namespaces a new sandbox joins: another sandbox's, or those of any process."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping, Sequence
from typing import Any

from nsedu.errors import namespace_error
from nsedu.kernel import namespace_types, procfs
from nsedu.sandbox import agent_client
from nsedu.sandbox.runner import Runner


def joins(join: Any, types: Sequence[str]) -> dict[str, Runner | int]:
    """Type name → whose namespace of that type to enter.

    Args:
        join: as of `nsedu.Sandbox`.
        types: the types that will be new, and so are not joined.

    Raises:
        TypeError, ValueError: it is none of the accepted values.
        NamespaceError: there is no such process, or it may not be looked at.
    """
    if join is None:
        return {}
    if isinstance(join, Mapping):
        for kind, whom in join.items():
            namespace_types.get(kind)
            if kind in types:
                raise ValueError(f"{kind!r} cannot be both new and joined; drop one of them.")
            _check_whom(whom)
            _differs(whom, kind)  # which refuses one that may not be looked at
        return dict(join)
    _check_whom(join)
    # Entering another's namespaces needs its user namespace first, unless it shares ours.
    found = {kind: join for kind in namespace_types.NAMES if _differs(join, kind)}
    return {kind: whom for kind, whom in found.items() if kind == "user" or kind not in types}


def _check_whom(whom: Any) -> None:
    if isinstance(whom, bool) or not isinstance(whom, Runner | int):
        raise TypeError(
            "join must be a Sandbox, a pid, or a mapping of type name to one of these,"
            f" not {whom!r}."
        )
    if isinstance(whom, int) and not 0 < whom < 1 << 31:
        raise ValueError(f"join must be a pid above zero, not {whom!r}.")


def _differs(whom: Runner | int, kind: str) -> bool:
    if isinstance(whom, Runner):
        return kind in whom._new or kind in whom._joined
    try:
        theirs = os.readlink(f"/proc/{whom}/ns/{kind}")
    except FileNotFoundError:  # the type, or the whole process; a zombie has left its mounts
        if os.path.exists(f"/proc/{whom}/ns/mnt"):
            return False
        raise agent_client.no_such_process(whom) from None
    except PermissionError:
        raise _not_yours(whom, kind) from None
    return theirs != os.readlink(f"/proc/self/ns/{kind}")


def _not_yours(pid: int, kind: str) -> namespace_error.NamespaceError:
    """The error for a process whose namespaces may not be looked at: it says whose it is."""
    uid = int(procfs.parse_status(procfs.read(f"/proc/{pid}/status"))["Uid"].split()[1])
    whose, remedy = f"user {uid}'s", "run the notebook as that user or as root"
    with contextlib.suppress(OSError, StopIteration), open("/etc/passwd") as file:
        lines = (line.split(":") for line in file)
        whose = f"{next(line[0] for line in lines if line[2:3] == [str(uid)])}'s, user {uid}"
    if uid == os.geteuid():
        whose = f"yours, user {uid}, but has rights that you have not, or was made untraceable"
        remedy = "run the notebook as root"
    reason = namespace_error.Reason(
        f"process {pid} is {whose}, and to reach a process's namespaces takes the right to trace"
        " it: its own user has that, and root (ptrace(2), Ptrace access mode checking)",
        f"you are user {os.geteuid()}",
        f"join a process or a sandbox of your own, or {remedy}",
    )
    call = f"readlink /proc/{pid}/ns/{kind}"
    return namespace_error.NamespaceError(f"setns {kind}", errno.EACCES, call, reason)


def pidfd_of(whom: Runner | int, stack: contextlib.ExitStack) -> int:
    """A pidfd of whom to join; closed by `stack` unless it is a sandbox's own."""
    if isinstance(whom, Runner):
        whom.require_alive()
        return whom._pidfd
    try:
        pidfd = os.pidfd_open(whom)
    except OSError:
        raise agent_client.no_such_process(whom) from None
    stack.callback(os.close, pidfd)
    return pidfd
