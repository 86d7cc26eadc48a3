"""From a refusal to its reason: (step, errno, facts about this machine) → cause, evidence, remedy.

The kernel answers with one number.  Which of its many rules stood behind it can be found out from
what /proc says about the process that was refused (`facts`).  Sources: the ERRORS sections of
unshare(2), clone(2), setns(2), mount(2); user_namespaces(7); namespaces(7) for the limits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from nsedu import rules
from nsedu.errors import NamespaceError, Reason


def error(message: dict[str, Any], depth: int = 0) -> NamespaceError:
    """The exception for such a message.

    Args:
        message: what `facts.failure` made.
        depth: how many user namespaces deep, from the reader's own, the refused process was.
    """
    known = {**message.get("facts", {}), "depth": depth}
    step, number = message["failed"], message["errno"]
    return NamespaceError(step, number, message["call"], explain(step, number, known))


def explain(step: str, number: int, facts: dict[str, Any]) -> Reason:
    """The reason why `step` failed with errno `number`, given the facts of the refused process."""
    verb, _, name = step.partition(" ")
    tries: list[Callable[[], Reason | None]] = [
        lambda: rules.missing_type(verb, name, number, facts),
        lambda: rules.too_many(verb, name, number, facts),
        lambda: rules.threads(verb, name, number, facts),
        lambda: rules.seccomp(step, verb, number, facts),
        lambda: rules.distribution(step, verb, name, number, facts),
        lambda: rules.grants(step, number, facts),
        lambda: rules.mounts(step, number, facts),
        lambda: rules.control_groups(step, number, facts),
        lambda: rules.commands(step, number, facts),
        lambda: rules.no_proc(number, facts),
        lambda: rules.capability(step, verb, name, number, facts),
    ]
    for attempt in tries:
        reason = attempt()
        if reason is not None:
            return reason
    return Reason(
        f"the kernel said: {os.strerror(number)}",
        f"seccomp mode {facts.get('seccomp')}, uid {facts.get('uid')},"
        f" capabilities {facts.get('cap_eff', 0):#x}",
        "look for this errno in the man page of the call, and run nsedu.doctor() for what works",
    )
