"""What /proc says about a process that was refused something; gathered by itself, and only then."""

from __future__ import annotations

import os

from nsedu.kernel.mountinfo import parse_mountinfo
from nsedu.kernel.namespace_types import BY_NAME, CATALOGUE
from nsedu.kernel.procfs import parse_status, read

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from typing import Any


def _read(path: str, proc: int | None) -> bytes | None:
    try:
        return read(_at(path, proc), proc)
    except OSError:
        return None


def _setting(name: str, proc: int | None) -> str | None:
    """A sysctl, None where there is none of this name."""
    text = _read(f"sys/{name}", proc)
    return None if text is None else text.decode(errors="replace").strip()


def _at(path: str, proc: int | None) -> str:
    return path if proc is not None else f"/proc/{path}"


def is_there(path: str, proc: int | None) -> bool:
    """Whether there is such a file in /proc, or in an open one."""
    try:
        os.lstat(_at(path, proc), dir_fd=proc)
    except OSError:
        return False
    return True


def failure(step: str, number: int, call: str) -> dict[str, Any]:
    """A refusal, as `nsedu.errors.explain.error` takes it."""
    return {"failed": step, "errno": number, "call": call, "facts": facts()}


def pack(known: dict[str, Any]) -> list[int | str]:
    """Facts as numbers and texts, in the order of "failed" in the table of messages."""
    limits = " ".join(f"{name}={limit}" for name, limit in known["limits"].items())
    lists = [limits, " ".join(known["missing"]), " ".join(known["masked"])]
    numbers = [int(known[key]) for key in _NUMBERS]
    return [*numbers, *(known[key] or "" for key in _SETTINGS), *lists]


def unpack(values: dict[str, Any]) -> dict[str, Any]:
    """Facts as `facts` has them, from the fields of a message; leaves out what cannot be."""
    limits = [entry.partition("=") for entry in values["limits"].split()]
    return {
        **{key: values[key] for key in _NUMBERS},
        **{key: values[key] or None for key in _SETTINGS},
        "limits": {
            name: int(limit)
            for name, _, limit in limits
            if name in BY_NAME and limit.isascii() and limit.isdigit() and len(limit) < 20
        },
        "missing": [name for name in values["missing"].split() if name in BY_NAME],
        "masked": values["masked"].split(),
    }


_NUMBERS = ("uid", "seccomp", "no_new_privs", "threads", "cap_eff", "proc", "chroot")
_SETTINGS = ("userns_clone", "apparmor")


def facts(proc: int | None = None) -> dict[str, Any]:
    """What /proc says about the calling process that can decide a namespace operation.

    Everything is read afresh; what cannot be read is None.

    Args:
        proc: an open /proc; None for the one that is mounted here.
    """
    status = parse_status(_read("self/status", proc) or b"")
    points = {mount.target for mount in parse_mountinfo(_read("self/mountinfo", proc) or b"")}
    limits = {t.name: _setting(f"user/max_{t.name}_namespaces", proc) for t in CATALOGUE}
    return {
        "uid": os.geteuid(),
        "seccomp": int(status.get("Seccomp", "0")),
        "no_new_privs": int(status.get("NoNewPrivs", "0")),
        "threads": int(status.get("Threads", "1")),
        "cap_eff": int(status.get("CapEff", "0"), 16),
        "limits": {name: int(text) for name, text in limits.items() if text is not None},
        "userns_clone": _setting("kernel/unprivileged_userns_clone", proc),
        "apparmor": _setting("kernel/apparmor_restrict_unprivileged_userns", proc),
        "missing": [t.name for t in CATALOGUE if not is_there(f"self/ns/{t.name}", proc)],
        "proc": is_there("self/ns", proc),
        "chroot": bool(points) and "/" not in points,
        "masked": sorted(
            point for point in points - {"/proc/sys/fs/binfmt_misc"} if point.startswith("/proc/")
        ),
    }
