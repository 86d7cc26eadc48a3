"""`NamespaceError`: a refusal with its rule, its evidence and what to do about it."""

from __future__ import annotations

import errno as _errno
import os
import resource
from typing import Any, NamedTuple

from nsedu.errors.short_tracebacks import Brief
from nsedu.kernel import procfs
from nsedu.kernel.namespace_types import BY_NAME
from nsedu.printable import clean


class Reason(NamedTuple):
    """Why a step was refused: the `rule`, the `evidence` for it, and the `remedy`.

    `lacks` names what this machine does not have, in the doctor's words ("cgroup-write"); it is
    empty where another call would have gone well.
    """

    rule: str
    evidence: str
    remedy: str
    lacks: str = ""


class NamespaceError(Brief, OSError):
    """A namespace operation that the kernel refused, explained.

    Attributes:
        step: what was being done, for example "unshare user" or "mount proc".
        errno: the kernel's error number.
        cause: the rule that refused, with the evidence for it.
        remedy: what to do about it.
        lacks: what this machine lacks, in the doctor's words, or "": see `Reason`.
    """

    def __init__(self, step: str, number: int, call: str, reason: Reason) -> None:
        super().__init__(number, os.strerror(number))
        self.step, self.call, self.reason = step, call, reason
        self.cause = f"{reason.rule} ({reason.evidence})" if reason.evidence else reason.rule
        self.remedy, self.lacks = reason.remedy, reason.lacks

    def __str__(self) -> str:
        name = _errno.errorcode.get(self.errno or 0, str(self.errno))
        lines = [
            f"could not {describe(self.step)} ({self.call}: {name}).",
            f"  Rule        {self.reason.rule}.",
        ]
        if self.reason.evidence:
            lines.append(f"  Evidence    {self.reason.evidence}.")
        return "\n".join(map(clean, [*lines, f"  What to do  {self.remedy}."]))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.step, self.errno, self.call, self.reason)


def no_files(step: str, number: int) -> NamespaceError:
    """The error for a lack of file descriptors in this process.

    Args:
        step: what was being done.
        number: EMFILE, ENFILE or ETOOMANYREFS.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    reason = Reason(
        "this notebook has as many files open as it may (RLIMIT_NOFILE, getrlimit(2))",
        f"the limit is {limit}; a sandbox holds two of them, a running command five",
        "close the sandboxes and commands that you no longer need",
    )  # fmt: skip
    return NamespaceError(step, number, "open()", reason)


def no_proc() -> NamespaceError:
    """The error of reading where no /proc is mounted."""
    rule = "processes and their namespaces are read from /proc, and it is not mounted"
    reason = Reason(rule, "", "mount one: mount -t proc proc /proc")
    return NamespaceError("look at processes", _errno.ENOENT, "lstat /proc/self", reason)


def another_proc() -> NamespaceError:
    """The error of naming a process by a number where /proc has another one for it."""
    try:
        called = f"which calls it {os.readlink('/proc/self')}"
    except OSError:
        called = "which does not show it"
    reason = Reason(
        "/proc shows the processes of the pid namespace in which it was mounted, by their numbers"
        ' there (pid_namespaces(7), "/proc and PID namespaces")',
        f"this process is number {os.getpid()}, but /proc is of another pid namespace, {called}",
        "mount a fresh one: unshare --pid --fork --mount-proc, or mount -t proc proc /proc in a"
        " mount namespace of your own",
    )
    step = "tell which process is meant"
    return NamespaceError(step, _errno.ESRCH, "readlink /proc/self", reason)


def own_pid() -> int:
    """This process's pid as /proc calls it, which os.getpid() need not.

    Raises:
        NamespaceError: no /proc is mounted, or it does not show this process.
    """
    try:
        own = procfs.own_pid()
    except FileNotFoundError:
        raise no_proc() from None
    if own is None:
        raise another_proc()
    return own


def describe(step: str) -> str:
    """A step of `build` in words that follow "could not"."""
    verb, _, name = step.partition(" ")
    if verb == "unshare":
        return f"create a {BY_NAME[name].title} namespace".replace("a IPC", "an IPC")
    if verb == "setns":
        return f"enter the {BY_NAME[name].title} namespace"
    return _WORDS.get(step, step)


_WORDS = {
    "setgroups": "give up setgroups(2) before writing the group map",
    "uid_map": "write the user id map",
    "gid_map": "write the group id map",
    "newuidmap": "map a range of user ids",
    "newgidmap": "map a range of group ids",
    "mount private": "make the mounts of the sandbox private",
    "mount proc": "mount a fresh /proc for the new pid namespace",
    "mount sysfs": "mount a fresh /sys for the new network namespace",
    "lo up": "bring the loopback interface up",
    "sethostname": "set the host name of the sandbox",
    "timens_offsets": "set the clock offsets",
    "join unmapped": "enter the user namespace",
    "join root's": "enter the user namespace",
    "lend": "become somebody who is not root",
    "cgroup": "make a control group for the limits",
    "fork": "start a process",
    "exec": "start the command",
    "measure": "measure",
    "ask inside": "look inside",
    "answer": "answer the request",
    "agent": "start the agent that makes namespaces",
    "start": "start the sandbox",
}
