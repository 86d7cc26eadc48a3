"""How a sandbox is born when a plain clone is not enough, and how a refusal is reported."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, NoReturn

from nsedu import build, syscalls, wire

Pair = tuple[socket.socket, socket.socket]


def step(name: str, refused: OSError | build.StepFailed) -> build.StepFailed:
    """The refusal as a failed step, `name` being what was done unless it says so itself."""
    if isinstance(refused, build.StepFailed):
        return refused
    number, call = refused.errno or errno.EIO, refused.filename
    if name in ("run", "call"):
        # A program that is not there, or no process to run it in: only the errno tells.
        name = "fork" if number in (errno.EAGAIN, errno.ENOMEM) else "exec"
    return build.StepFailed(name, number, str(call or "fork()"))


def report(control: socket.socket, refused: build.StepFailed) -> None:
    """Tell the notebook which step was refused, with the facts to explain it by."""
    from nsedu import explain  # only now: what every fork carries along costs every fork time

    with contextlib.suppress(OSError):
        wire.send(control, explain.failure(refused.step, refused.errno, refused.call))


def announce(control: socket.socket, pid: int) -> None:
    """Give the notebook a pidfd of the first process, while that still prepares itself."""
    pidfd = os.pidfd_open(pid)
    with contextlib.suppress(OSError):
        wire.send(control, {"born": True}, [pidfd])
    os.close(pidfd)


def write_maps(pid: int, plan: dict[str, Any], maps: Pair) -> int:
    """Have a fork of the caller write wide maps for `pid`; returns that fork's pid."""
    ours, theirs = maps
    theirs.close()
    helper = os.fork()
    if helper == 0:
        build.write_wide_maps(pid, plan["uid"], plan["gid"], ours)
    return helper


def beget(
    plan: dict[str, Any], control: socket.socket, life: socket.socket, joins: list[int],
    maps: Pair | None, live: Callable[[], NoReturn],
) -> NoReturn:  # fmt: skip
    """In a fork of the server: join others' namespaces, have the sandbox born there, and leave."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        for names, pidfd in zip(plan["join"], joins, strict=True):
            build.join(names, pidfd)
            os.close(pidfd)
        pid = build.clone(plan, syscalls.CLONE_PARENT)
        if pid == 0:
            live()
        announce(control, pid)
        if maps is not None:
            write_maps(pid, plan, maps)
        wire.send(life, {"born": pid})
        status = 0
    except (OSError, build.StepFailed) as refused:
        report(control, step("fork", refused))
    finally:
        os._exit(status)
