"""A fresh Python process that is asked one thing, and whose answer is awaited no longer than said.

It enters namespaces in forks of its own, which the notebook's process with its threads may not.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from nsedu.errors import explain, process_facts
from nsedu.errors.namespace_error import NamespaceError, Reason, no_files
from nsedu.kernel import interrupts
from nsedu.kernel.bounded_waits import KILLED

# A notebook that ignores SIGCHLD hands that down, and no child could be waited for.
_START = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_DFL); "


def ask(code: str, question: str = "", *, seconds: float, fds: Sequence[int] = ()) -> str:
    """Have a fresh interpreter run a program; returns what it wrote.

    Args:
        code: the program.
        question: its standard input.
        seconds: after which it is killed with all it has started.
        fds: descriptors that it inherits.

    Raises:
        NamespaceError: it could not be started, failed, or gave no answer in time.
    """
    words = [sys.executable, "-I", "-S", "-X", "utf8", "-c", _START + code]
    try:
        answer = run(words, question, seconds=seconds, fds=fds)
        if not answer:
            raise OSError("it ended without an answer")
        return answer
    except OSError as error:
        raise no_answer(error) from None


def no_answer(error: OSError) -> NamespaceError:
    """The error for a helper process that could not be asked; what is explained stays as it is."""
    if isinstance(error, NamespaceError):
        return error
    number = error.errno or errno.EIO
    reason = Reason(
        f"a process of ours that goes there to look gave no answer ({error})", "",
        "try again; if that does not help, end processes or close sandboxes, and report it",
    )  # fmt: skip
    return NamespaceError("ask inside", number, "a helper process", reason)


@interrupts.whole
def run(words: Sequence[str], input: str = "", *, seconds: float, fds: Sequence[int] = ()) -> str:
    """Run a program, and return what it wrote; arguments as of `ask`.

    Raises:
        OSError: it could not be started, failed, or did not end in time.
    """
    process = start(
        words, pass_fds=fds, start_new_session=True, encoding="utf-8",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        with interrupts.awaiting():
            answer, errors = process.communicate(input, timeout=seconds)
    except subprocess.TimeoutExpired:
        what = f"{os.path.basename(words[0])} did not answer within {seconds:g} s"
        raise TimeoutError(errno.ETIMEDOUT, what) from None
    finally:
        end(process)
    if process.returncode:
        said = errors.strip().splitlines() or [f"exit status {process.returncode}"]
        raise OSError(f"{os.path.basename(words[0])} failed: {said[-1]}")
    return answer


def start(words: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """`subprocess.Popen`, but a refused fork is explained.

    Raises:
        NamespaceError: no process could be started.
        OSError: there is no such program.
    """
    try:
        _check_room()
        return subprocess.Popen(words, **options)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise no_files("fork", error.errno) from None
        if error.errno not in (errno.EAGAIN, errno.ENOMEM):
            raise
        raise explain.error(process_facts.failure("fork", error.errno, words[0])) from None


_MOST = 8  # descriptors that a start needs: three pipes, and one that tells of a failed exec


def _check_room() -> None:
    """Raise EMFILE before anything is made: Popen leaves pipes open if one of them is refused."""
    held: list[int] = []
    try:
        while len(held) < _MOST:
            held.append(os.dup(held[0]) if held else os.open(os.devnull, os.O_RDONLY))
    finally:
        for fd in held:
            os.close(fd)


def end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Kill what is left of a process that leads its group, and close its pipes."""
    if process.returncode is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILLED)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
