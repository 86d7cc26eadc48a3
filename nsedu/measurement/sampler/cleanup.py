"""What must be done in the end, even if the process that begins it is killed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from nsedu.kernel import bounded_waits
from nsedu.measurement.sampler.operations import PATIENCE, fork


@contextlib.contextmanager
def cleanup_on_exit(act: Callable[[], object]) -> Iterator[None]:
    """Have a child call the function when the block ends, or this process in the middle of it."""
    read, write = os.pipe()
    pid = fork()
    if pid == 0:
        try:
            os.close(write)
            os.read(read, 1)  # the end of file: everyone who had the other end has ended
            act()
        finally:
            os._exit(0)
    os.close(read)
    try:
        yield
    finally:
        os.close(write)
        bounded_waits.reap(pid, PATIENCE)
