"""Helper processes: fresh Pythons that are asked, and awaited no longer than said.

They enter namespaces in forks of their own, which the notebook's process with its threads may not.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from nsedu.agent import wire
from nsedu.errors import explain, process_facts
from nsedu.errors.namespace_error import NamespaceError, Reason, no_files
from nsedu.kernel import interrupts, nsfs_ioctls, syscalls
from nsedu.kernel.bounded_waits import KILLED
from nsedu.kernel.namespace_types import BY_NAME, CloneFlag


def python_command(
    function: str, *args: object, path: Sequence[str] = (wire.ROOT,), first: str = "",
    unbuffered: bool = False,
) -> list[str]:  # fmt: skip
    """The command line of a fresh Python that calls a function of this package.

    It is a bare one: without the variables of the environment, the user's and the site's packages.

    Args:
        function: "module:function".
        args: its arguments; what their repr(3) says must make them again.
        path: what to put before its sys.path.
        first: statements to run before.
        unbuffered: whether its standard streams have no buffer.
    """
    module, _, name = function.partition(":")
    code = (
        f"{first}import sys; sys.path[:0] = {list(path)!r}; from {module} import {name};"
        f" {name}({', '.join(map(repr, args))})"
    )
    options = ["-u"] if unbuffered else []
    return [sys.executable, "-I", "-S", *options, "-X", "utf8", "-c", code]


def start_python(function: str, *args: object) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a fresh Python that has a socket to us and no other stream.

    Args:
        function: "module:function"; it gets the descriptor of its socket (SOCK_SEQPACKET) first.
        args: what else it gets.

    Raises:
        NamespaceError: no process could be started.
    """
    ours, theirs = wire.pair()
    try:
        process = start(
            python_command(function, theirs.fileno(), *args), pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


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
    """Run a program, and return what it wrote.

    Args:
        words: its command line.
        input: its standard input.
        seconds: after which it is killed with all it has started.
        fds: descriptors that it inherits.

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


def enter(fd: int, type: str) -> bool:
    """In a helper: enter an open namespace, and before it its owner if that gives the right to.

    Returns:
        Whether the user namespace that owns it was entered.

    Raises:
        OSError: what NS_GET_USERNS and setns(2) say.
    """
    try:
        syscalls.setns(fd, BY_NAME[type].flag)
        return False
    except PermissionError:
        if type == "user":
            raise
    syscalls.setns(nsfs_ioctls.ns_get_userns(fd), CloneFlag.NEWUSER)
    syscalls.setns(fd, BY_NAME[type].flag)
    return True
