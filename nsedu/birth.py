"""How a sandbox is born when a plain clone is not enough, and how a refusal is reported."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
from collections.abc import Callable

from nsedu import build, cgroups, syscalls, wire
from nsedu.facts import failure
from nsedu.procfs import pid_of

TYPE_CHECKING = False  # see agent.py, "Light"
if TYPE_CHECKING:
    from typing import Any, NoReturn


def step(name: str, refused: OSError | build.StepFailed) -> build.StepFailed:
    """The refusal as a failed step, `name` being what was done unless it says so itself."""
    if isinstance(refused, build.StepFailed):
        return refused
    number, call = refused.errno or errno.EIO, refused.filename
    if name in ("run", "call"):
        # A program that is not there, or no process to run it in: only the errno tells.
        name = "fork" if number in (errno.EAGAIN, errno.ENOMEM) else "exec"
    elif name == "make":
        name = "start"
    return build.StepFailed(name, number, str(call or "fork()"))


def report(control: socket.socket, refused: build.StepFailed) -> None:
    """Tell the notebook which step was refused, with the facts to explain it by."""
    with contextlib.suppress(OSError):
        wire.send(control, failure(refused.step, refused.errno, refused.call))


def settle(control: socket.socket, pid: int, plan: dict[str, Any]) -> None:
    """Write the id maps of a first process, which prepares itself at the same time."""
    if "user" not in plan["types"]:
        return
    pidfd = os.pidfd_open(pid)
    try:
        build.write_maps(pid_of(pidfd), plan)
    except build.StepFailed as refused:
        report(control, refused)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)


def announce(control: socket.socket, pid: int) -> None:
    """Give the notebook a pidfd of a first process."""
    pidfd = os.pidfd_open(pid)
    with contextlib.suppress(OSError):
        wire.send(control, {"born": True}, [pidfd])
    os.close(pidfd)


def beget(
    plan: dict[str, Any], control: socket.socket, life: socket.socket, joins: list[int],
    live: Callable[[], NoReturn],
) -> NoReturn:  # fmt: skip
    """In a fork of the server: join others' namespaces, have the sandbox born there, and leave."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        for names, pidfd in zip(plan["join"], joins, strict=True):
            build.join(names, pidfd)
            os.close(pidfd)
        plan["uid"], plan["gid"] = os.geteuid(), os.getegid()  # as they are in there
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)  # or /proc/PID of ours would belong to root
        pid = build.clone(plan, syscalls.CLONE_PARENT)
        if pid == 0:
            live()
        settle(control, pid, plan)
        wire.send(life, {"born": pid})
        status = 0
    except (OSError, build.StepFailed) as refused:
        report(control, step("fork", refused))
    finally:
        os._exit(status)


def await_groups(label: str, life: socket.socket) -> dict[str, str]:
    """In the first process: wait for the control groups that the maker makes for the limits.

    Raises:
        StepFailed: they were refused, or the maker has died; what it had made is removed.
    """
    received = wire.receive(life)
    if received is None:
        cgroups.remove(cgroups.named([label]))
        raise build.StepFailed("cgroup", errno.ESRCH, "the maker of the control group")
    if "groups" not in received[0]:
        raise build.StepFailed("cgroup", received[0]["errno"], received[0]["call"])
    return dict(received[0]["groups"])
