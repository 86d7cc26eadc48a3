"""Why a namespace is still alive, in one call."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from nsedu.errors import arguments
from nsedu.kernel import interrupts, namespace_types
from nsedu.kernel.namespace_files import key_of
from nsedu.observe.records import Snapshot
from nsedu.observe.snapshot import snapshot
from nsedu.observe.viewpoints import place
from nsedu.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture

_ACCEPTED = (
    "a record such as box.namespaces['net'], an open namespace file or its path, or a sandbox,"
    " process or pid together with a type"
)


@interrupts.whole
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
    from nsedu.draw import why_alive as drawing

    if before is not None and not isinstance(before, Snapshot):
        raise TypeError(
            f"before must be a Snapshot from nsedu.snapshot(deep=True), not {before!r}."
        )
    key = name, ns = which(what, type)
    id = _id(what, type)
    look = _without_another(snapshot(scope, deep=True), key, id)
    return drawing.pins(look, name, ns, before and _without_another(before, key, id))


def _id(what: Any, type: str | None) -> int | None:
    if isinstance(what, Sandbox):
        what = what.namespaces.get(str(type))
    return getattr(what, "id", None)


def _without_another(look: Snapshot, key: tuple[str, int], id: int | None) -> Snapshot:
    """A look without the namespace that has the number now, if it is not the one that is meant."""
    found = look.namespaces.get(key)
    if found is None or None in (found.id, id) or found.id == id:
        return look
    others = {one: record for one, record in look.namespaces.items() if one != key}
    return dataclasses.replace(look, namespaces=others)


def which(what: Any, type: str | None = None) -> tuple[str, int]:
    """The type and the inode number of the namespace meant; arguments as of `why_alive`.

    Raises:
        TypeError, ValueError: see there.
    """
    if type is not None:
        return _of_process(what, namespace_types.get(type).name)
    if (
        isinstance(getattr(what, "ns", None), int)
        and getattr(what, "type", "") in namespace_types.NAMES
    ):
        return what.type, what.ns
    if isinstance(what, str | os.PathLike):
        path = arguments.path("what", what)
        try:
            with open(path, "rb") as file:
                return _of_file(file.fileno(), path)
        except OSError as error:
            raise ValueError(
                f"{path} cannot be opened ({error.strerror}); to ask about a namespace"
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
        return key_of(fd)
    except OSError:
        raise ValueError(f"{name} is not a namespace file; name {_ACCEPTED}.") from None
