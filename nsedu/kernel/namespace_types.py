"""The catalogue of the eight namespace types: every table, colour, flag and loop comes from here.

The order is that of the kernel's own history (first usable kernel), which is also the order the
pictures use for their columns.  Sources: namespaces(7) and the man page named in each record;
colours are the Okabe-Ito palette, which colour-blind readers can tell apart.
"""

from __future__ import annotations

import enum
from collections import namedtuple


class CloneFlag(enum.IntFlag):
    """The CLONE_NEW* flags of clone(2), unshare(2) and setns(2), as <linux/sched.h> has them."""

    NEWTIME = 0x00000080
    NEWNS = 0x00020000
    NEWCGROUP = 0x02000000
    NEWUTS = 0x04000000
    NEWIPC = 0x08000000
    NEWUSER = 0x10000000
    NEWPID = 0x20000000
    NEWNET = 0x40000000


class NsType(
    namedtuple(
        "NsType",
        ("name", "flag", "title", "isolates", "kernel", "man", "mark", "colour", "links",
         "hierarchical"),
        defaults=(False,),
    )
):  # fmt: skip
    """One namespace type: everything about it that is the same on every machine.

    Attributes:
        name: the name in /proc/PID/ns, which the package uses everywhere ("mnt", "uts", …).
        flag: its CLONE_NEW* flag.
        title: the name in prose.
        isolates: what it isolates, in a few words.
        kernel: the first kernel in which it could be used, as clone(2) has it; for user the first
            in which it takes no privilege (user_namespaces(7)), for time as unshare(2).
        man: the man page.
        mark: one letter, the option of unshare(1).
        colour: its colour in every picture (Okabe-Ito).
        links: its links in /proc/PID/ns; for pid and time also the one for children.
        hierarchical: whether instances have a parent (NS_GET_PARENT answers).
    """

    __slots__ = ()
    name: str
    flag: CloneFlag
    title: str
    isolates: str
    kernel: str
    man: str
    mark: str
    colour: str
    links: tuple[str, ...]
    hierarchical: bool

    @property
    def clone_flag(self) -> str:
        """The flag as C spells it, for example ``CLONE_NEWNS``."""
        return f"CLONE_{self.flag.name}"

    @property
    def sysctl(self) -> str:
        """The sysctl that limits how many of this type a user may have (namespaces(7))."""
        return f"user.max_{self.name}_namespaces"


CATALOGUE: tuple[NsType, ...] = (
    NsType(
        "mnt", CloneFlag.NEWNS, "mount", "mount points", "2.4.19", "mount_namespaces(7)",
        "m", "#0072B2", ("mnt",),
    ),
    NsType(
        "uts", CloneFlag.NEWUTS, "UTS", "host name and NIS domain name", "2.6.19",
        "uts_namespaces(7)", "u", "#E69F00", ("uts",),
    ),
    NsType(
        "ipc", CloneFlag.NEWIPC, "IPC", "System V IPC and POSIX message queues", "2.6.19",
        "ipc_namespaces(7)", "i", "#F0E442", ("ipc",),
    ),
    NsType(
        "pid", CloneFlag.NEWPID, "PID", "process ids", "2.6.24", "pid_namespaces(7)",
        "p", "#D55E00", ("pid", "pid_for_children"), True,
    ),
    NsType(
        "net", CloneFlag.NEWNET, "network", "network devices, addresses, ports, routes, firewall",
        "2.6.24", "network_namespaces(7)", "n", "#009E73", ("net",),
    ),
    NsType(
        "user", CloneFlag.NEWUSER, "user", "user and group ids, root directory, keys, capabilities",
        "3.8", "user_namespaces(7)", "U", "#000000", ("user",), True,
    ),
    NsType(
        "cgroup", CloneFlag.NEWCGROUP, "cgroup", "cgroup root directory", "4.6",
        "cgroup_namespaces(7)", "C", "#56B4E9", ("cgroup",),
    ),
    NsType(
        "time", CloneFlag.NEWTIME, "time", "boot-time and monotonic clocks", "5.6",
        "time_namespaces(7)", "T", "#CC79A7", ("time", "time_for_children"),
    ),
)  # fmt: skip

BY_NAME: dict[str, NsType] = {t.name: t for t in CATALOGUE}
NAMES: tuple[str, ...] = tuple(BY_NAME)
LINKS: tuple[str, ...] = tuple(link for t in CATALOGUE for link in t.links)
"""The ten entries of /proc/PID/ns on a current kernel (Linux 5.6 and later)."""
TYPE_OF_LINK: dict[str, str] = {link: t.name for t in CATALOGUE for link in t.links}
"""The type of the namespace that each of them leads to."""
ALSO: dict[str, str] = {
    **{t.title: t.name for t in CATALOGUE},
    **{t.clone_flag: t.name for t in CATALOGUE},
    **dict.fromkeys(("hostname", "host", "nodename", "domainname"), "uts"),
    **dict.fromkeys(("file system", "fs", "files", "mountpoint"), "mnt"),
    **dict.fromkeys(("process", "processes", "proc"), "pid"),
    **dict.fromkeys(("networking", "interface"), "net"),
    **dict.fromkeys(("uid", "gid", "id map"), "user"),
    **dict.fromkeys(("clock", "clocks", "uptime", "boottime", "monotonic"), "time"),
    **dict.fromkeys(("shm", "mqueue", "semaphore", "System V"), "ipc"),
    **dict.fromkeys(("control group", "control groups"), "cgroup"),
}
"""What people call the types, too."""


def get(name: str) -> NsType:
    """The record for a type name such as ``"uts"``.

    Raises:
        ValueError: the name is not one of the eight; the message lists them.
    """
    try:
        return BY_NAME[name]
    except (KeyError, TypeError):
        from nsedu.suggestions import (
            no_such,  # not before it is needed: the agent loads this module
        )

        what = f"{name!r:.80} is not a namespace type"
        raise ValueError(no_such(what, name, NAMES, ALSO, "; use one of")) from None


def flags(names: tuple[str, ...] | list[str]) -> int:
    """The CLONE_NEW* flags of several types, or-ed together."""
    value = 0
    for name in names:
        value |= get(name).flag
    return value
