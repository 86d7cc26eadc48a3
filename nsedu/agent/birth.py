"""How a sandbox is born when a plain clone is not enough, and how a refusal is reported."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable

from nsedu.agent import commands, first_process, protocol, wire
from nsedu.errors import process_facts
from nsedu.kernel import syscalls
from nsedu.kernel.procfs import DIRECTORY, pid_of, read

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from typing import NoReturn

    from nsedu.agent.lent_ids import Lender


def step(name: str, refused: OSError | first_process.StepFailed) -> first_process.StepFailed:
    """The refusal as a failed step, `name` being what was done unless it says so itself."""
    if isinstance(refused, first_process.StepFailed):
        return refused
    number, call = refused.errno or errno.EIO, refused.filename
    if name in ("run", "call"):
        # A program that is not there, or no process to run it in: only the errno tells.
        name = "fork" if number in (errno.EAGAIN, errno.ENOMEM) else "exec"
    elif name == "make":
        name = "start"
    return first_process.StepFailed(name, number, str(call or "fork()"))


def report(
    control: socket.socket, refused: first_process.StepFailed, proc: int | None = None
) -> None:
    """Tell the notebook which step was refused, with the facts to explain it by.

    Args:
        control: a socket to the notebook.
        refused: the step.
        proc: an open /proc; None for the one that is mounted here.
    """
    with contextlib.suppress(OSError):
        known = process_facts.pack(process_facts.facts(proc))
        protocol.say(control, "failed", refused.step, refused.errno, refused.call, *known)


def write_id_maps(
    control: socket.socket,
    pid: int,
    plan: first_process.Plan,
    lender: Lender | None,
    proc: int | None,
) -> None:
    """Write the id maps of a first process, which prepares itself at the same time.

    Args:
        control: where to report a refusal.
        pid: the process, by its number in this process's pid namespace.
        plan: of the sandbox.
        lender: who lends it its ids; None if it gets its maker's.
        proc: an open /proc; None for the one that is mounted here.
    """
    if "user" not in plan.types:
        return
    pidfd = os.pidfd_open(pid)
    try:
        number = pid_of(pidfd, proc)
        if proc is not None:
            _await_openness(number, proc)
        if lender is not None:
            path = f"/proc/{number}/ns/user" if proc is None else f"{number}/ns/user"
            namespace = os.stat(path, dir_fd=proc).st_ino
            if not plan.lent:
                plan = plan._replace(uid=lender.single(namespace), lent=1)
            plan = plan._replace(gid=plan.uid)
        first_process.write_maps(number, plan, proc)
    except (OSError, first_process.StepFailed) as refused:
        report(control, step("uid_map", refused), proc)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)


def _await_openness(pid: int, proc: int) -> None:
    """Wait until the files of a process in /proc are its user's (PR_SET_DUMPABLE, proc(5))."""
    deadline = time.monotonic() + first_process.PATIENCE
    while os.stat(f"{pid}/uid_map", dir_fd=proc).st_uid != os.geteuid():
        if time.monotonic() > deadline:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), "the first process")
        select.select([], [], [], 0.00005)


def send_pidfd(control: socket.socket, pid: int) -> None:
    """Give the notebook a pidfd of a first process."""
    pidfd = os.pidfd_open(pid)
    with contextlib.suppress(OSError):
        protocol.say(control, "born", fds=[pidfd])
    os.close(pidfd)


def clone_in_joined_namespaces(
    plan: first_process.Plan, control: socket.socket, life: socket.socket, word: socket.socket,
    joins: list[int], live: Callable[[int | None], NoReturn], lender: Lender | None,
) -> NoReturn:  # fmt: skip
    """In a fork of the server: join others' namespaces, have the sandbox born there, and leave.

    Who made those namespaces may be hostile: the files there are of their making, and so may be
    whoever shares our id once we have joined their user namespace.  So nothing is opened by name or
    imported from then on, and nobody may look into this process: from the notebook's /proc, which
    it has open, ``..`` leads out of their mount namespace.  The sandbox's first process lets
    them look as soon as it holds nothing but what it keeps.

    Args:
        plan: of the sandbox.
        control: a socket to the notebook.
        life: the life line of the new sandbox.
        word: where to say its pid.
        joins: pidfds of those to join, as `plan.join` names the types.
        live: what the first process does; it gets an open /proc while it is still root and the one
            that is mounted there may be of others' making.
        lender: who lends ids; None if this process's own are given.
    """
    status, proc = 1, None
    theirs = lender is None or "user" in plan.joined  # all that is born here has their id
    try:
        signal.set_wakeup_fd(-1)
        os.dup2(0, 2)  # /dev/null, and not the notebook's terminal
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        proc = os.open("/proc", DIRECTORY)
        commands.close_others({control.fileno(), life.fileno(), word.fileno(), proc, *joins})
        sys.path[:] = []
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        for names, pidfd in zip(plan.join, joins, strict=True):
            if lender is not None and "user" in names and not plan.as_root:
                _check_not_roots(pid_of(pidfd, proc), proc)
            first_process.join(names, pidfd)
            os.close(pidfd)
        if lender is not None and "user" in plan.joined:
            _become_theirs(proc)
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)  # the change had undone it
        if os.getppid() != plan.server:
            os._exit(1)
        if not plan.lent:
            plan = plan._replace(uid=os.geteuid(), gid=os.getegid())  # as they are in there
        pid = first_process.clone(plan, syscalls.CLONE_PARENT)
        if pid == 0:
            commands.close_others({control.fileno(), life.fileno(), *([] if theirs else [proc])})
            if theirs:
                syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)  # or who writes its map could not
            live(None if theirs else proc)
        write_id_maps(control, pid, plan, None if "user" in plan.joined else lender, proc)
        protocol.say(word, "begot", pid)
        status = 0
    except (OSError, first_process.StepFailed) as refused:
        report(control, step("fork", refused), proc)
    finally:
        os._exit(status)


def _check_not_roots(pid: int, proc: int) -> None:
    """Refuse a user namespace with root's own id in it: who joins it could become root again."""
    for kind in ("uid", "gid"):
        lines = read(f"{pid}/{kind}_map", proc).splitlines()
        if any(int(line.split()[1]) == 0 for line in lines):
            raise first_process.StepFailed("join root's", errno.EPERM, f"set{kind}()")


def _become_theirs(proc: int) -> None:
    """Become root of the user namespace that has been entered, or whom it has instead.

    Raises:
        StepFailed: it has nobody to become.
    """
    first = []
    for kind in ("uid", "gid"):
        ids = [int(line.split()[0]) for line in read(f"self/{kind}_map", proc).splitlines()]
        if not ids:
            raise first_process.StepFailed("join unmapped", errno.EINVAL, f"set{kind}()")
        first.append(0 if 0 in ids else ids[0])
    first_process.become_root(*first)


def await_limits(control: socket.socket, life: socket.socket) -> None:
    """In the first process: wait until it has been moved into the control group for its limits.

    Raises:
        StepFailed: the notebook or the maker has ended meanwhile.
    """
    ready = select.select([control, life], [], [])[0]
    if life in ready or wire.receive(control) is None:
        raise first_process.StepFailed("cgroup", errno.ESRCH, "the maker of the control group")
