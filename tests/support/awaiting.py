"""Waiting for what must happen soon: by a descriptor where there is one, else by looking again."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

PATIENCE = 30.0  # seconds; only a test that fails ever waits so long


def eventually(condition: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Look again and again until the condition holds; False if it did not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def ended(pid: int, seconds: float = PATIENCE) -> bool:
    """Wait until a process has ended (a zombie has)."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], seconds)[0])
    finally:
        os.close(pidfd)


def readable(fd: int, seconds: float = PATIENCE) -> bool:
    """Wait until a descriptor can be read."""
    return bool(select.select([fd], [], [], seconds)[0])
