"""Who is who: the part a process plays in the course, so that a picture can call it by name."""

from __future__ import annotations

import sys

from nsedu.kernel.procfs import parse_stat, read


class Roles(dict[int, str]):
    """A mapping host-side pid → role.

    A pid is used again sooner or later, so the mapping remembers *which* process had it when it was
    told: the start time tells the two apart.
    """

    def __init__(self) -> None:
        super().__init__()
        self._started: dict[int, bytes] = {}

    def __setitem__(self, pid: int, role: str) -> None:
        try:
            self._started[pid] = parse_stat(read(f"/proc/{pid}/stat"))[4]
        except OSError:  # it has ended already, so there is nothing to name
            self._started.pop(pid, None)
        super().__setitem__(pid, role)

    def of(self, pid: int, start: bytes) -> str:
        """The role of the process ``pid`` that started at ``start`` (of its stat file), or ""."""
        return self[pid] if self._started.get(pid) == start else ""


roles = Roles()
"""What sandboxes write into: ``roles[pid] = 'sandbox "web"'``, and ``del`` when they close."""

unseen: set[int] = set()
"""Processes of this one's own by which it looks: they are no part of what is seen."""


def own_role() -> str:
    """What this process itself is called: "this notebook" under a live Jupyter kernel."""
    module = sys.modules.get("ipykernel.kernelapp")
    live = module is not None and module.IPKernelApp.initialized()
    return "this notebook" if live else "this program"
