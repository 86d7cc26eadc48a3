"""A child that prepares something, and then waits until the test has looked at it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def child(prepare: Callable[[], Any] = lambda: None) -> Iterator[int]:
    """A forked process that has run ``prepare`` and now waits; gives its pid."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            prepare()
            os.write(writer, b"!")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writer)
    try:
        assert os.read(reader, 1) == b"!"
        yield pid
    finally:
        os.close(reader)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@contextmanager
def zombie() -> Iterator[int]:
    """A child that has ended and is not yet reaped; gives its pid."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        yield pid
    finally:
        os.waitpid(pid, 0)
