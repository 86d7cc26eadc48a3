"""Whole programs: started without a shell, timed from start to exit, ended if they hang."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial

from nsedu.kernel import bounded_waits

LIMIT = 10.0
"""Seconds after which a program is ended; what is measured here takes a hundredth of that."""

_errors = os.memfd_create("errors")


def start(words: Sequence[str], stdin: int | None = None, stdout: int | None = None) -> int:
    """Start a program in a process group of its own; returns its pid.

    What it says on standard error is kept for `last_words`, until the next program is started.

    Args:
        words: the program, to be found on the PATH, and its arguments.
        stdin: a descriptor; /dev/null unless given.
        stdout: likewise.
    """
    return _starting(words, stdin, stdout)()


def _starting(
    words: Sequence[str], stdin: int | None = None, stdout: int | None = None
) -> Callable[[], int]:
    """All that can be done before the clock runs."""
    os.ftruncate(_errors, 0)
    os.lseek(_errors, 0, os.SEEK_SET)
    given = [
        (os.POSIX_SPAWN_DUP2, fd, to) for fd, to in ((stdin, 0), (stdout, 1)) if fd is not None
    ]
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        *given,
        (os.POSIX_SPAWN_DUP2, _errors, 2),
    ]
    variables = dict(os.environb)
    return partial(
        os.posix_spawnp, words[0], list(words), variables, file_actions=actions, setpgroup=0
    )


def ended(pid: int, seconds: float | None = None) -> int | None:
    """Wait for a program, `LIMIT` unless said; returns its exit status, None if it was ended."""
    deadline = time.monotonic() + (limit := LIMIT if seconds is None else seconds)
    status = bounded_waits.reap(pid, limit, group=True)
    late = status == signal.SIGKILL and time.monotonic() >= deadline
    return None if late else os.waitstatus_to_exitcode(status)


def run(words: Sequence[str], stdin: int | None = None) -> float:
    """Run a program from start to exit; returns what it took, in µs. Arguments as of `start`.

    Raises:
        OSError: a sentence on why it did not end well.
    """
    started = _starting(words, stdin)
    begun = time.perf_counter_ns()
    status = ended(started())
    taken = time.perf_counter_ns() - begun
    if status is None:
        raise OSError(f"{words[0]} did not end within {LIMIT:g} s, and was ended.")
    if status:
        raise OSError(f"{words[0]} was refused: {last_words() or f'exit status {status}'}")
    return taken / 1000


def last_words() -> str:
    """The last line that the last program wrote to standard error."""
    lines = os.pread(_errors, 1 << 20, 0).decode(errors="replace").split("\n")
    return next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "")
