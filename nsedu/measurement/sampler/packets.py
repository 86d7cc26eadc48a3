"""Messages through a pipe: plain values, each behind its length."""

from __future__ import annotations

import marshal

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from typing import IO, Any

DIED = 3
"""The exit status of the process that takes the samples, when one that it measured was killed."""


def packed(message: dict[str, Any]) -> bytes:
    """A message as it goes through a pipe: its length in 4 bytes, and itself."""
    data = marshal.dumps(message)
    return len(data).to_bytes(4, "little") + data


def unpacked(pipe: IO[bytes]) -> dict[str, Any] | None:
    """The next message from a pipe, None at its end.

    Not marshal.load: in Python 3.11 that turns an interrupt into the end of the file.
    """
    length = int.from_bytes(pipe.read(4), "little")
    data = pipe.read(length)
    return marshal.loads(data) if length and len(data) == length else None
