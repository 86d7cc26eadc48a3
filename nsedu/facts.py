"""What /proc says about a process that was refused something; gathered by itself, and only then."""

from __future__ import annotations

import os

from nsedu.nstypes import CATALOGUE

TYPE_CHECKING = False  # see agent.py, "Light"
if TYPE_CHECKING:
    from typing import Any


def _read(path: str) -> str | None:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return None


def failure(step: str, number: int, call: str) -> dict[str, Any]:
    """The message by which an agent or a sandbox reports a refusal."""
    return {"failed": step, "errno": number, "call": call, "facts": facts()}


def facts() -> dict[str, Any]:
    """What /proc says about the calling process that can decide a namespace operation.

    Everything is read afresh; what cannot be read is None.
    """
    status = dict(
        line.split(":", 1)
        for line in (_read("/proc/self/status") or "").splitlines()
        if ":" in line
    )
    mounts = [line.split() for line in (_read("/proc/self/mountinfo") or "").splitlines()]
    points = [fields[4] for fields in mounts if len(fields) > 4]
    limits = {t.name: _read(f"/proc/sys/user/max_{t.name}_namespaces") for t in CATALOGUE}
    return {
        "uid": os.geteuid(),
        "seccomp": int(status.get("Seccomp", "0")),
        "no_new_privs": int(status.get("NoNewPrivs", "0")),
        "threads": int(status.get("Threads", "1")),
        "cap_eff": int(status.get("CapEff", "0"), 16),
        "limits": {name: int(text) for name, text in limits.items() if text is not None},
        "userns_clone": _read("/proc/sys/kernel/unprivileged_userns_clone"),
        "apparmor": _read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        "missing": [t.name for t in CATALOGUE if not os.path.lexists(f"/proc/self/ns/{t.name}")],
        "proc": os.path.exists("/proc/self"),
        "chroot": bool(points) and "/" not in points,
        "masked": sorted(
            {p for p in points if p.startswith("/proc/")} - {"/proc/sys/fs/binfmt_misc"}
        ),
    }
