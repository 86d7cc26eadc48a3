"""What a command writes: how much of it is taken, and how it is printed as it comes."""

from __future__ import annotations

import codecs
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from nsedu.errors.arguments import count
from nsedu.errors.short_tracebacks import Brief

KEPT = 64 << 20
"""Bytes of a command's output that are kept in the notebook's memory, unless said otherwise."""

PRINTED = 10 << 20
"""Bytes that a command may print into a notebook: a page of 100 MB is the end of a browser."""

IN_A_CELL = "Let it print less, or into a file; box.run(..., output_limit=BYTES) takes more."

Sink = Callable[[bytes], object]


class OutputTooLong(Brief, subprocess.CalledProcessError):
    """A command in a sandbox wrote more than allowed and was killed with its process group."""

    def __init__(self, cmd: Any, limit: int, remedy: str) -> None:
        super().__init__(-signal.SIGKILL, cmd)
        self.limit, self.remedy = limit, remedy

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.cmd, self.limit, self.remedy)

    def __str__(self) -> str:
        size = f"{self.limit >> 20} MiB" if not self.limit % (1 << 20) else f"{self.limit} bytes"
        return f"{self.cmd!r} wrote more than {size} and was stopped. {self.remedy}"


class Allowance:
    """How much a command may write, all its streams together.

    Args:
        cmd: the command, for the error.
        limit: bytes; None for any number.
        remedy: what to do about it, for the error.
    """

    REMEDY = (
        "Allow more with output_limit=BYTES (None: no limit), or read it as it comes with popen()."
    )

    def __init__(self, cmd: Any, limit: int | None, remedy: str = REMEDY) -> None:
        self.cmd, self.limit, self.remedy = cmd, limit, remedy
        self._left = limit

    def sink(self, take: Sink) -> Callable[[bytes], None]:
        """What passes on no more than is allowed.

        Raises:
            OutputTooLong: when called, it was more.
        """

        def counted(data: bytes) -> None:
            if self.limit is None or self._left is None:
                take(data)
                return
            take(data[: self._left])
            if len(data) > self._left:
                raise OutputTooLong(self.cmd, self.limit, self.remedy)
            self._left -= len(data)

        return counted


def check_limit(limit: Any) -> int | None:
    """A limit of output as a number of bytes, or None.

    Raises:
        TypeError, ValueError: it is neither.
    """
    return None if limit is None else count("output_limit", limit)


def show(stream: str, allowance: Allowance | None = None) -> Callable[[bytes], None]:
    """A sink that prints to "stdout" or "stderr" of the notebook, whole characters at a time.

    Args:
        stream: which.
        allowance: how much may be printed; None for any number of bytes.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def sink(data: bytes) -> None:
        target = getattr(sys, stream)
        target.write(decoder.decode(data))
        target.flush()

    return sink if allowance is None else allowance.sink(sink)
