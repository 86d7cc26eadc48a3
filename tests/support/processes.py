"""Whom a test has started: children, what carries a mark, and a program that leaves its starter."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

DAEMON = "setsid sh -c 'setsid sleep 1000' </dev/null >/dev/null 2>&1 &"
"""For a shell: a program that belongs to nobody who is still there."""


def children(pid: int) -> set[int]:
    """The pids of a process's children."""
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def marked(mark: str) -> set[int]:
    """The living processes that have this text in the environment they were started with."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if mark.encode() in Path(f"/proc/{name}/environ").read_bytes():
                found.add(int(name))
    return found
