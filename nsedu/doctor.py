"""What works on this machine: each operation is tried in a child, never guessed from a file.

`doctor` makes the table a person reads; `missing` answers a notebook that says what it needs.
"""

from __future__ import annotations

import html
import json
import os
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from nsedu import client, idmaps
from nsedu.errors import NamespaceError
from nsedu.facts import facts
from nsedu.nstypes import CATALOGUE, NAMES
from nsedu.observe import newest
from nsedu.process import CommandFailed, CommandTimedOut
from nsedu.sampling import vm
from nsedu.sandbox import Sandbox
from nsedu.table import Table

_TIMEOUT = 10


class Row(NamedTuple):
    """One line of the doctor's table.

    Attributes:
        type: the namespace type, or what else was tried.
        can: whether it worked.
        how: how it is done here ("directly", "inside a user namespace").
        note: why not, or what is worth knowing.
        remedy: what to do about it, "" when it works.
    """

    type: str
    can: bool
    how: str
    note: str
    remedy: str


class Report:
    """What `doctor` found: `rows`, one per type, and `extras`, what else the course uses."""

    def __init__(self, rows: list[Row], extras: list[Row], machine: dict[str, Any]) -> None:
        self.rows, self.extras, self.machine = rows, extras, machine

    @property
    def ok(self) -> bool:
        """Whether every namespace type can be made."""
        return all(row.can for row in self.rows)

    def to_json(self) -> str:
        """The report as one JSON object: "machine", "types", "extras"."""
        tables = {"types": self.rows, "extras": self.extras}
        rows = {name: [row._asdict() for row in table] for name, table in tables.items()}
        return json.dumps({"machine": self.machine, **rows})

    def table(self) -> Table:
        """One row per namespace type, and one for whatever else does not work."""
        shown = [*self.rows, *(row for row in self.extras if not row.can)]
        rows = [(r.type, "yes" if r.can else "no", r.how, r.note, r.remedy) for r in shown]
        return Table(("what", "works?", "how", "note", "what to do"), rows).without_empty_columns()

    @property
    def also(self) -> str:
        """What else works, in a line."""
        return "works, too: " + "; ".join(f"{r.type} ({r.how})" for r in self.extras if r.can)

    def __repr__(self) -> str:
        return f"{self.table()}\n" + textwrap.fill(self.also, 100, subsequent_indent="  ")

    def _repr_html_(self) -> str:
        return f"{self.table()._repr_html_()}<p>{html.escape(self.also)}</p>"

    @property
    def all(self) -> list[Row]:
        """Both tables, one after the other."""
        return [*self.rows, *self.extras]


def _machine() -> dict[str, Any]:
    known = facts()
    return {
        "kernel": os.uname().release,
        "machine": os.uname().machine,
        "uid": os.geteuid(),
        "seccomp": known["seccomp"],
        "no_new_privs": known["no_new_privs"],
        "limits": known["limits"],
    }


def doctor() -> Report:
    """Try each namespace type, and what else the course uses, in children; takes under a second.

    Returns:
        A `Report`, which a notebook shows as a table and print() as text.
    """
    rows = []
    for kind in CATALOGUE:
        refused = _try_types(kind.name)
        how = "directly" if kind.name == "user" else "inside a user namespace"
        if refused is None:
            rows.append(Row(kind.name, True, how, _worth_knowing(kind.name), ""))
        else:
            rows.append(Row(kind.name, False, "—", refused.cause, refused.remedy))
    extras = []
    for name, (what, probe) in _PROBES.items():
        reason = probe()
        note, remedy = _split(reason or "")
        extras.append(Row(name, reason is None, what, note, remedy))
    return Report(rows, extras, _machine())


def _split(reason: str) -> tuple[str, str]:
    """Why something cannot be had, and what to install where that helps."""
    note, told, package = reason.partition(": apt install ")
    if told:  # whoever lacks it has named the package
        return f"{note}.", f"apt install {package.removesuffix('.')}"
    if "not installed" not in reason:
        return reason, ""
    program = reason.split()[2]
    return reason, f"apt install {_PACKAGES.get(program, program)}"


_PACKAGES = {
    "ip": "iproute2",
    "nft": "nftables",
    "ping": "iputils-ping",
    "ps": "procps",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "lsns": "util-linux",
    "ipcs": "util-linux",
    "findmnt": "util-linux",
    "docker": "docker.io",
}


def _try_types(*types: str, **options: Any) -> NamespaceError | None:
    try:
        Sandbox(*types, timeout=_TIMEOUT, **options).close()
    except NamespaceError as refused:
        return refused
    return None


def _sandbox(*types: str, **options: Any) -> Callable[[], str | None]:
    def probe() -> str | None:
        refused = _try_types(*types, **options)
        return None if refused is None else f"{refused.cause}; {refused.remedy}"

    return probe


def _inside(types: tuple[str, ...], *commands: list[str]) -> Callable[[], str | None]:
    """A probe that runs commands inside a sandbox of these types."""

    def probe() -> str | None:
        for command in commands:
            if shutil.which(command[0], path=client.environment()["PATH"]) is None:
                return f"the program {command[0]} is not installed"
        try:
            with Sandbox(*types, timeout=_TIMEOUT) as box:
                for command in commands:
                    box.run(command)
        except NamespaceError as refused:
            return refused.cause
        except (CommandFailed, CommandTimedOut) as failed:
            return " ".join(str(failed).split())
        return None

    return probe


def _program(name: str, *check: str) -> Callable[[], str | None]:
    """A probe that a program is installed and, given arguments for that, works."""

    def probe() -> str | None:
        if shutil.which(name) is None:
            return f"the program {name} is not installed"
        if not check:
            return None
        try:
            done = subprocess.run([name, *check], capture_output=True, text=True, timeout=_TIMEOUT)
        except (OSError, subprocess.TimeoutExpired) as failed:
            return f"{name} does not work: {failed}"
        said = done.stderr.strip().splitlines() or ["no word why"]
        return None if done.returncode == 0 else f"{name} does not work: {said[-1]}"

    return probe


def _virtual_machine() -> str | None:
    """Whether all its parts are there; to boot one would take seconds."""
    try:
        vm.parts()
    except OSError as lacking:
        return str(lacking)
    return None


_LAYERS = "lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work,userxattr"
_PROBES: dict[str, tuple[str, Callable[[], str | None]]] = {
    "proc": ("a fresh /proc in a new pid namespace", _sandbox("mnt", "pid")),
    "nested": (
        "a user namespace in a user namespace",
        _inside(("user",), ["unshare", "-Ur", "true"]),
    ),
    "range": ("many ids through newuidmap", _sandbox("user", user="range")),
    "cgroup-write": (
        "limits on processes, memory and time",
        _sandbox("user", limits={"pids": 64, "memory": 1 << 30, "cpu": 1}),
    ),
    "overlay": (
        "file systems in layers",
        _inside(
            ("mnt",),
            ["mount", "-t", "tmpfs", "tmpfs", "/mnt"],
            ["mkdir", "/mnt/lower", "/mnt/upper", "/mnt/work"],
            ["mount", "-t", "overlay", "overlay", "-o", _LAYERS, "/mnt"],
        ),
    ),
    "mqueue": (
        "POSIX message queues as files",
        _inside(("mnt", "ipc"), ["mount", "-t", "mqueue", "none", "/proc"]),
    ),
    "ipc-limits": (
        "limits of IPC set by an ordinary user",
        _inside(("ipc",), ["sh", "-c", "echo 4096 > /proc/sys/kernel/shmmax"]),
    ),
    "veth": (
        "virtual network cables and bridges",
        _inside(
            ("net",),
            ["ip", "link", "add", "name", "v0", "type", "veth", "peer", "name", "v1"],
            ["ip", "link", "add", "name", "br0", "type", "bridge"],
        ),
    ),
    "nft": ("a firewall of one's own", _inside(("net",), ["nft", "add", "table", "inet", "t"])),
    "ping": ("packets sent and answered", _inside(("net",), ["ping", "-c", "1", "127.0.0.1"])),
    "strace": ("system calls watched", _program("strace", "-qq", "-e", "trace=none", "true")),
    "unshare": ("namespaces from the shell", _program("unshare", "--version")),
    "nsenter": ("joining from the shell", _program("nsenter", "--version")),
    "lsns": ("namespaces listed by util-linux", _program("lsns", "--version")),
    "ipcs": ("System V objects listed by util-linux", _program("ipcs", "--version")),
    "findmnt": ("mounts listed by util-linux", _program("findmnt", "--version")),
    "ps": ("processes listed", _program("ps")),
    "hostname": ("host names set from the shell", _program("hostname")),
    "docker": ("a container engine", _program("docker", "info")),
    "vm": ("a virtual machine of one's own", _virtual_machine),
}
NEEDS = ("userns", *NAMES, *_PROBES, *newest.PROBES)
"""What a notebook or a cell may say it needs, in its metadata `nsedu.needs`.

Of these the newest interfaces are left out of the table: nobody has to do anything about them.
"""


def missing(needs: Iterable[str]) -> dict[str, str]:
    """Which of the needs this machine cannot meet, found out by trying: need → reason.

    Raises:
        ValueError: there is no such need; the message lists them.
    """
    absent = {}
    for need in needs:
        if need not in NEEDS:
            raise ValueError(f"{need!r} is not a need; use any of: {', '.join(NEEDS)}.")
        kind = "user" if need == "userns" else need
        probe = _sandbox(kind) if kind in NAMES else (_PROBES | newest.PROBES)[kind][1]
        reason = probe()
        if reason is not None:
            absent[need] = reason
    return absent


def _worth_knowing(name: str) -> str:
    if name != "user":
        return ""
    if os.geteuid() == 0:
        return "ids: all of root's"
    granted = sum(entry.count for entry in idmaps.grants("/etc/subuid", os.geteuid()))
    return f"ids: one, or {granted} more from /etc/subuid" if granted else (
        "ids: one (no /etc/subuid grant: apt install uidmap, then usermod --add-subuids …)"
    )  # fmt: skip
