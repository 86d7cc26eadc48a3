"""What number a process has in each pid namespace: NSpid, with the namespaces it speaks of."""

from __future__ import annotations

from typing import NamedTuple

from nsedu.observe.records import Process, Snapshot


class Number(NamedTuple):
    """A process's number in one pid namespace.

    Attributes:
        ns: inode number of the namespace, None where it is out of the reader's sight.
        pid: what the process is called there.
    """

    ns: int | None
    pid: int


def numbers(snapshot: Snapshot, process: Process) -> tuple[Number, ...]:
    """The numbers of a process, from the reader's pid namespace inwards to its own.

    The last is what getpid(2) tells the process itself (pid_namespaces(7), "Nesting PID
    namespaces").

    Args:
        snapshot: the look that found the process.
        process: one of its processes.
    """
    spaces: list[int | None] = []
    ns = process.links.get("pid")
    for _ in process.nspid:
        spaces.append(ns)
        found = snapshot.namespaces.get(("pid", ns)) if ns is not None else None
        ns = found.parent if found is not None else None
    return tuple(map(Number, reversed(spaces), process.nspid))
