"""Whose namespaces a new sandbox joins: another sandbox's, or those of any process."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping, Sequence
from typing import Any

from nsedu import client, explain, facts, nstypes
from nsedu.running import Runner


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
            nstypes.get(kind)
            if kind in types:
                raise ValueError(f"{kind!r} cannot be both new and joined; drop one of them.")
            _check_whom(whom)
        return dict(join)
    _check_whom(join)
    # Entering another's namespaces needs its user namespace first, unless it shares ours.
    found = {kind: join for kind in nstypes.NAMES if _differs(join, kind)}
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
    except FileNotFoundError:  # the type, or the whole process
        if os.path.exists(f"/proc/{whom}"):
            return False
        raise client.nobody(whom) from None
    except PermissionError:
        number, call = errno.EACCES, f"readlink /proc/{whom}/ns/{kind}"
        raise explain.error(facts.failure(f"setns {kind}", number, call)) from None
    return theirs != os.readlink(f"/proc/self/ns/{kind}")


def pidfd_of(whom: Runner | int, stack: contextlib.ExitStack) -> int:
    """A pidfd of whom to join; closed by `stack` unless it is a sandbox's own."""
    if isinstance(whom, Runner):
        whom._require()
        return whom._pidfd
    try:
        pidfd = os.pidfd_open(whom)
    except OSError:
        raise client.nobody(whom) from None
    stack.callback(os.close, pidfd)
    return pidfd
