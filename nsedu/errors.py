"""`NamespaceError`: a refusal with its rule, its evidence and what to do about it."""

from __future__ import annotations

import errno as _errno
import os
from typing import Any, NamedTuple

from nsedu.nstypes import BY_NAME


class Reason(NamedTuple):
    """Why a step was refused: the `rule`, the `evidence` for it, and the `remedy`."""

    rule: str
    evidence: str
    remedy: str


class NamespaceError(OSError):
    """A namespace operation that the kernel refused, explained.

    Attributes:
        step: what was being done, for example "unshare user" or "mount proc".
        errno: the kernel's error number.
        cause: the rule that refused, with the evidence for it.
        remedy: what to do about it.
    """

    def __init__(self, step: str, number: int, call: str, reason: Reason) -> None:
        super().__init__(number, os.strerror(number))
        self.step, self.call, self.reason = step, call, reason
        self.cause = f"{reason.rule} ({reason.evidence})" if reason.evidence else reason.rule
        self.remedy = reason.remedy

    def __str__(self) -> str:
        name = _errno.errorcode.get(self.errno or 0, str(self.errno))
        lines = [
            f"could not {describe(self.step)} ({self.call}: {name}).",
            f"  Rule        {self.reason.rule}.",
        ]
        if self.reason.evidence:
            lines.append(f"  Evidence    {self.reason.evidence}.")
        return "\n".join([*lines, f"  What to do  {self.remedy}."])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.step, self.errno, self.call, self.reason)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: the sentence is the answer."""
        return [f"NamespaceError: {self}"]


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
    "cgroup": "make a control group for the limits",
    "fork": "start a process",
    "exec": "start the command",
    "agent": "start the agent that makes namespaces",
    "start": "start the sandbox",
}
