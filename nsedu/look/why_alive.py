"""Why a namespace is still alive, in one call."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nsedu import nstypes, syscalls
from nsedu.observe.places import place
from nsedu.records import Snapshot
from nsedu.sandbox import Sandbox
from nsedu.snapshot import snapshot

if TYPE_CHECKING:
    from nsedu.draw import Picture

_ACCEPTED = (
    "a record such as box.namespaces['net'], an open namespace file or its path, or a sandbox,"
    " process or pid together with a type"
)


def why_alive(
    what: Any, type: str | None = None, *, before: Snapshot | None = None, scope: str | int = "mine"
) -> Picture:
    """What keeps a namespace alive: processes, threads, descriptors, mounts, sockets, namespaces.

    To ask is not to keep: nothing of what is looked at stays open.  A record stays good when the
    namespace has gone, and the picture says so then.

    Args:
        what: the namespace: a record with ``type`` and ``ns``, from ``box.namespaces`` or a
            snapshot; an open namespace file, or a path to one; or, with ``type``, a sandbox, a
            process or a pid.
        type: one of the eight type names, for a sandbox, process or pid only.
        before: an earlier ``nsedu.snapshot(deep=True)``: what has let go since then is struck out.
        scope: where to look, as of `nsedu.snapshot`.

    Raises:
        TypeError, ValueError: an argument is none of these, or leads to no namespace.
    """
    from nsedu import draw

    if before is not None and not isinstance(before, Snapshot):
        raise TypeError(
            f"before must be a Snapshot from nsedu.snapshot(deep=True), not {before!r}."
        )
    name, ns = which(what, type)
    return draw.pins(snapshot(scope, deep=True), name, ns, before)


def which(what: Any, type: str | None = None) -> tuple[str, int]:
    """The type and the inode number of the namespace meant; arguments as of `why_alive`.

    Raises:
        TypeError, ValueError: see there.
    """
    if type is not None:
        return _of_process(what, nstypes.get(type).name)
    if isinstance(getattr(what, "ns", None), int) and getattr(what, "type", "") in nstypes.NAMES:
        return what.type, what.ns
    if isinstance(what, str | os.PathLike):
        try:
            with open(what, "rb") as file:
                return _of_file(file.fileno(), os.fspath(what))
        except OSError as error:
            raise ValueError(
                f"{os.fspath(what)} cannot be opened ({error.strerror}); to ask about a namespace"
                " that may have gone, keep its record: box.namespaces['net']."
            ) from None
    if hasattr(what, "fileno"):
        return _of_file(what.fileno(), repr(what))
    raise TypeError(f"name {_ACCEPTED}; not {what!r}.")


def _of_process(who: Any, type: str) -> tuple[str, int]:
    if isinstance(who, Sandbox):
        namespaces = who.namespaces
        if type in namespaces:
            return type, namespaces[type].ns
        raise ValueError(f"this kernel has no {type} namespaces.")
    pid = place(who).pid
    try:
        return type, os.stat(f"/proc/{pid}/ns/{type}").st_ino
    except OSError as error:
        raise ValueError(
            f"the {type} namespace of process {pid} cannot be seen ({error.strerror})."
        ) from None


def _of_file(fd: int, name: str) -> tuple[str, int]:
    try:
        flag = syscalls.ns_get_nstype(fd)
    except (OSError, ValueError):
        raise ValueError(f"{name} is not a namespace file; name {_ACCEPTED}.") from None
    (kind,) = (kind for kind in nstypes.CATALOGUE if kind.flag == flag)
    return kind.name, os.fstat(fd).st_ino
