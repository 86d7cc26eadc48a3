"""The capabilities by name, and sets of them as /proc/PID/status writes them (capabilities(7))."""

from __future__ import annotations

NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip
"""By their numbers from 0, without "CAP_" (<linux/capability.h> of Linux 5.9 and later)."""


def decode(mask: int) -> list[str]:
    """The names in a set of capabilities, such as ``"CAP_SYS_ADMIN"``; those without, by number."""
    return [
        f"CAP_{NAMES[number]}" if number < len(NAMES) else f"capability {number}"
        for number in range(mask.bit_length())
        if mask >> number & 1
    ]


def words(mask: int, known: int = (1 << len(NAMES)) - 1) -> str:
    """A set in words: "none", "all 41", "all but CAP_SYS_RESOURCE", or the names.

    Args:
        mask: the set.
        known: all that the kernel knows.
    """
    missing = decode(known & ~mask)
    if not mask:
        return "none"
    if not missing:
        return f"all {known.bit_count()}"
    if len(missing) <= 4:
        return f"all {known.bit_count()} but {', '.join(missing)}"
    return ", ".join(decode(mask))
