"""What number everybody has in each pid namespace, now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nsedu.observe.records import Namespace, Process, Snapshot
from nsedu.observe.snapshot import snapshot
from nsedu.observe.viewpoints import places

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture


def pids(*who: Any) -> Picture:
    """The number of each process in each pid namespace, from the outermost in sight inwards.

    Args:
        who: sandboxes, running commands, records of processes or pids, each with all that is below
            it; none: this notebook and everything below it.

    Raises:
        TypeError: one is none of these.
        ValueError: there is no such process.
    """
    from nsedu.draw import pids as drawing

    if not who:
        return drawing.pids(snapshot())
    return drawing.pids(_merge([_look(place.pid) for place in places(*who)]))


def _look(pid: int) -> Snapshot:
    try:
        return snapshot(pid)
    except ProcessLookupError:
        raise ValueError(f"there is no process {pid}; it has ended, or never was.") from None


def _merge(looks: list[Snapshot]) -> Snapshot:
    processes: dict[int, Process] = {}
    namespaces: dict[tuple[str, int], Namespace] = {}
    unread: dict[str, int] = {}
    for look in looks:
        processes = processes | look.processes
        namespaces = namespaces | look.namespaces
        unread = {word: unread.get(word, 0) + look.unread.get(word, 0)
                  for word in (*unread, *look.unread)}  # fmt: skip
    return Snapshot(processes, namespaces, looks[0].scope, False, unread)
