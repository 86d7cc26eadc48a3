"""Pictures of the live system in one call: look, then draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nsedu.observe.records import Process, Snapshot
from nsedu.observe.snapshot import look, snapshot
from nsedu.observe.viewpoints import place
from nsedu.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture


def _look(what: Any) -> Snapshot:
    if isinstance(what, Snapshot):
        return what
    return look(what.pid) if isinstance(what, Sandbox) else snapshot(what)


def tree(what: Snapshot | Sandbox | str | int = "mine") -> Picture:
    """The process tree with a column for each namespace type: same letter, same namespace.

    Args:
        what: "mine" (this notebook and everything below it), "machine", a pid, a sandbox, or a
            snapshot taken earlier.

    Raises:
        ValueError, TypeError: it is none of these.
        NamespaceError: /proc is none to look by, see `nsedu.snapshot`.
    """
    from nsedu.draw import tree as drawing

    return drawing.tree(_look(what))


def matrix(what: Snapshot | Sandbox | str | int = "mine") -> Picture:
    """Who shares how many namespaces with whom; arguments as of `tree`."""
    from nsedu.draw import matrix as drawing

    return drawing.matrix(_look(what))


def hierarchy(type: str, what: Snapshot | Sandbox | str | int = "mine") -> Picture:
    """The namespaces of one type as boxes in boxes, with the processes in them.

    Args:
        type: one of the eight type names; "user" and "pid" nest, the others lie in their owners.
        what: as of `tree`.

    Raises:
        ValueError: there is no such type.
    """
    from nsedu.draw import hierarchy as drawing

    return drawing.hierarchy(_look(what), type)


def diff(before: Snapshot, after: Snapshot | None = None) -> Picture:
    """What changed between two snapshots; up to now unless a second is given.

    Raises:
        TypeError: an argument is not a snapshot.
    """
    from nsedu.draw import diff as drawing

    for name, given in (("before", before), ("after", after)):
        if not isinstance(given, Snapshot) and (given is not None or name == "before"):
            raise TypeError(f"{name} must be a Snapshot from nsedu.snapshot(), not {given!r:.80}.")
    return drawing.diff(before, after if after is not None else snapshot(before.scope))


def compare(one: Process | Sandbox | int, other: Process | Sandbox | int) -> Picture:
    """Two processes side by side, link by link: which namespaces they share.

    Args:
        one: a process: a record of a snapshot, a sandbox (its first process) or a pid.
        other: the same.

    Raises:
        TypeError: one is none of these.
        ValueError: there is no such process.
    """
    from nsedu.draw import compare as drawing

    return drawing.compare(_process(one), _process(other))


def _process(what: Process | Sandbox | int) -> Process:
    if isinstance(what, Process):
        return what
    pid = place(what).pid
    try:
        return snapshot(pid).processes[pid]
    except (KeyError, ProcessLookupError):
        raise ValueError(f"there is no process {pid}; it has ended, or never was.") from None
