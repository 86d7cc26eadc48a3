"""From a refusal to its reason: (step, errno, facts about this machine) → cause, evidence, remedy.

The kernel answers with one number.  Which of its many rules that was can be found out from
what /proc says about the process that was refused (`facts`).  Sources: the ERRORS sections of
unshare(2), clone(2), setns(2), mount(2); user_namespaces(7); namespaces(7) for the limits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from nsedu.errors import rules
from nsedu.errors.namespace_error import NamespaceError, Reason
from nsedu.errors.process_facts import unpack
from nsedu.kernel.namespace_types import BY_NAME


def error(message: dict[str, Any], depth: int = 0) -> NamespaceError:
    """The exception for such a message.

    Args:
        message: what `facts.failure` made, or `heard` read; its texts may be anything.
        depth: how many user namespaces deep, from the reader's own, the refused process was.
    """
    known = {**message.get("facts", {}), "depth": depth}
    step, number = _readable(message["failed"]), message["errno"]
    verb, _, name = step.partition(" ")
    if verb in ("unshare", "setns") and name not in BY_NAME:
        step = "start"
    call = _readable(message["call"])
    return NamespaceError(step, number, call, explain(step, number, known))


def heard(fields: dict[str, Any]) -> dict[str, Any]:
    """What `facts.failure` made, from the fields of the message "failed"."""
    named = {key: fields[key] for key in ("failed", "errno", "call")}
    return {**named, "facts": unpack(fields)}


def _readable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def explain(step: str, number: int, facts: dict[str, Any]) -> Reason:
    """The reason why `step` failed with errno `number`, given the facts of the refused process."""
    verb, _, name = step.partition(" ")
    tries: list[Callable[[], Reason | None]] = [
        lambda: rules.missing_type(verb, name, number, facts),
        lambda: rules.too_many(verb, name, number, facts),
        lambda: rules.threads(verb, name, number, facts),
        # Before the filter: what refuses a fresh /proc has let other mounts pass.
        lambda: rules.mounts(step, number, facts) if facts.get("masked") else None,
        lambda: rules.seccomp(step, verb, number, facts),
        lambda: rules.distribution(step, verb, name, number, facts),
        lambda: rules.grants(step, number, facts),
        lambda: rules.mounts(step, number, facts),
        lambda: rules.control_groups(step, number, facts),
        lambda: rules.commands(step, number, facts),
        lambda: rules.lending(step),
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
