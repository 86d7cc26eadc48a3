"""Where to look from: sandboxes and processes, each with the name a picture gives it."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from nsedu.errors.namespace_error import own_pid
from nsedu.kernel.procfs import VANISHED, parse_stat, read
from nsedu.observe.snapshot import check_proc
from nsedu.printable import clean
from nsedu.sandbox.process_labels import own_role, roles


class Place(NamedTuple):
    """A process to look from.

    Attributes:
        name: what a picture calls it: "this notebook", 'sandbox "web"', or the program's name.
        pid: its pid, as the notebook sees it.
    """

    name: str
    pid: int


def places(*who: Any) -> list[Place]:
    """The processes meant, in the order given.

    Args:
        who: sandboxes, running commands, records of processes (whatever has a ``pid``), or pids;
            none: this process and the first process of every sandbox of it, oldest first.

    Raises:
        TypeError: one is none of these.
        ValueError: there is no such process.
        NamespaceError: /proc is that of another pid namespace, see `nsedu.snapshot`.
    """
    check_proc()
    if not who:
        sandboxes = [pid for pid, role in roles.items() if role.startswith("sandbox ")]
        return [place(pid) for pid in (own_pid(), *sandboxes) if os.path.exists(f"/proc/{pid}")]
    return [place(one) for one in who]


def place(who: Any) -> Place:
    """One process and its name; see `places`."""
    check_proc()
    pid = getattr(who, "pid", who)
    if isinstance(pid, bool) or not isinstance(pid, int):
        raise TypeError(f"name a sandbox, a process or a pid, not {who!r}.")
    own = own_pid()
    pid = own if pid == os.getpid() else pid  # which is that, whatever /proc calls it
    try:
        name, _, _, _, start, _ = parse_stat(read(f"/proc/{pid}/stat"))
    except VANISHED:
        raise ValueError(f"there is no process {pid}; it has ended, or never was.") from None
    if pid == own:
        return Place(own_role(), pid)
    return Place(clean((roles.of(pid, start) if pid in roles else "") or name), pid)
