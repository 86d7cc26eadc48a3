"""What works on this machine: each operation is tried in a child, never guessed from a file.

`doctor` makes the table a person reads; `missing` answers a notebook that says what it needs.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from nsedu import programs
from nsedu.agent import cgroups, lent_ids
from nsedu.errors.namespace_error import NamespaceError
from nsedu.errors.process_facts import facts
from nsedu.kernel import id_maps
from nsedu.kernel.mountinfo import parse_mountinfo
from nsedu.kernel.namespace_types import CATALOGUE, NAMES
from nsedu.kernel.procfs import read
from nsedu.observe import newest_interfaces, proc_options
from nsedu.observe.cgroups import directories
from nsedu.sandbox import agent_client
from nsedu.sandbox.process import CommandFailed, CommandTimedOut
from nsedu.sandbox.sandbox import Sandbox
from nsedu.suggestions import no_such
from nsedu.table import Table

_TIMEOUT = 10
_PT_INTERP = 3  # elf(5): the program asks for a dynamic linker


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
        for name, table in (("rows", rows), ("extras", extras)):
            if not isinstance(table, list) or not all(isinstance(row, Row) for row in table):
                raise TypeError(f"{name} must be a list of the doctor's rows, not {table!r:.80}.")
        if not isinstance(machine, dict):
            raise TypeError(f"machine must be a dictionary, not {machine!r:.80}.")
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
        also = textwrap.fill(self.also, 100, subsequent_indent="  ")
        return f"{self.table()}\n{also}\n{self.summary}"

    @property
    def summary(self) -> str:
        """In a sentence, which of the eight types can be made here."""
        can = [row.type for row in self.rows if row.can]
        if self.ok:
            return "All eight types work here."
        return f"{len(can)} of the eight types work here: {', '.join(can) or 'none'}."

    def _repr_html_(self) -> str:
        """The sentence and what does not work; what does, folded."""
        shown = self.table()
        lacking = Table(shown.columns, [row for row in shown.rows if row[1] == "no"])
        refused = lacking.without_empty_columns()._repr_html_() if lacking.rows else ""
        return (
            f"<p>{html.escape(self.summary)}</p>{refused}<details><summary>All that was tried"
            f"</summary>{shown._repr_html_()}<p>{html.escape(self.also)}</p></details>"
        )

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
        if reason and not remedy:
            remedy = _REMEDIES.get(name, _NOTHING)
        extras.append(Row(name, reason is None, what, note, remedy))
    return Report(rows, extras, _machine())


_REMEDIES = {"docker": "start its daemon (systemctl start docker), or nothing: you do not need it"}
_NOTHING = "nothing: a cell that needs it ends in one sentence"


def _split(reason: str) -> tuple[str, str]:
    """Why something cannot be had, and what to install where that helps."""
    note, told, package = reason.partition(": apt install ")
    if told:  # the text names the package already
        return f"{note}.", f"apt install {package.removesuffix('.')}"
    if "not installed" not in reason:
        return reason, ""
    return reason, programs.remedy(reason.split()[2])


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
            if shutil.which(command[0], path=programs.path()) is None:
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
        virtual_machine()
    except OSError as lacking:
        return str(lacking)
    return None


def virtual_machine(machines: Iterable[str] = ("x86_64", "aarch64")) -> tuple[str, Path, str]:
    """What a virtual machine is made of here: qemu's program, a kernel's image, a static busybox.

    Args:
        machines: the architectures for which a guest can be made.

    Raises:
        OSError: a sentence on what is missing, and what to do.
    """
    architecture = os.uname().machine
    program = f"qemu-system-{architecture}"
    if architecture not in machines:
        raise OSError(f"this is asked on {' and '.join(machines)} only, not {architecture}.")
    if reason := programs.lacking(program):
        raise OSError(reason)
    return program, kernel_image(), static_busybox()


def kernel_image(directory: str = "/boot") -> Path:
    """The kernel's image: that which NSEDU_KERNEL names, else the newest readable one.

    Raises:
        OSError: a sentence on what to do for one.
    """
    if named := os.environ.get("NSEDU_KERNEL"):
        if os.access(named, os.R_OK):
            return Path(named)
        raise OSError(f"NSEDU_KERNEL names {named}, which cannot be read: name another image.")
    images = [image for image in Path(directory).glob("vmlinuz-*") if os.access(image, os.R_OK)]
    if not images:
        raise OSError(
            f"there is no kernel image in {directory} that you may read: set NSEDU_KERNEL to one,"
            " such as that in the package linux-image-cloud-amd64."
        )
    return max(images, key=lambda image: [int(n) for n in re.findall(r"\d+", image.name)])


def static_busybox() -> str:
    """The path of a statically linked busybox.

    Raises:
        OSError: a sentence on what to do for one.
    """
    for path in (shutil.which("busybox"), "/bin/busybox"):
        if path and os.access(path, os.R_OK) and is_static(path):
            return path
    raise OSError(f"no static busybox is installed: {programs.remedy('busybox')}.")


def is_static(path: str) -> bool:
    """Whether a file is a 64-bit ELF program that needs no dynamic linker."""
    with open(path, "rb") as file:
        data = file.read(1 << 12)
    if data[:5] != b"\x7fELF\x02":
        return False
    (offset,) = struct.unpack_from("=Q", data, 32)
    size, count = struct.unpack_from("=HH", data, 54)
    kinds = [struct.unpack_from("=I", data, offset + n * size)[0] for n in range(count)]
    return _PT_INTERP not in kinds


def _lay_cables() -> None:
    from pyroute2 import IPRoute

    with IPRoute() as route:
        route.link("add", ifname="v0", kind="veth", peer={"ifname": "v1"})
        route.link("add", ifname="br0", kind="bridge")


def _cables() -> str | None:
    try:
        with Sandbox("net", timeout=_TIMEOUT) as box:
            box.call(_lay_cables)
    except NamespaceError as refused:
        return refused.cause
    except Exception as refused:  # pyroute2's errors are no OSError
        return f"the kernel refuses a cable or a bridge: {refused}"
    return None


def _listen6() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6):
        pass


def _ipv6() -> str | None:
    try:
        with Sandbox("net", timeout=_TIMEOUT) as box:
            box.call(_listen6)
    except NamespaceError as refused:
        return refused.cause
    except OSError as refused:
        return f"the kernel has no IPv6, or it is switched off: {refused.strerror}"
    except CommandFailed as failed:  # no Python can be called in there
        return f"it could not be tried: {failed}"
    return None


_limits = _sandbox("user", limits={"pids": 64, "memory": 1 << 30, "cpu": 1})


def _version2() -> str | None:
    """Whether a limit that is set here is one of version 2."""
    where = cgroups.controllers().get("pids")
    if where is not None and where.version == 1:
        return "the controllers are in hierarchies of version 1 here, cgroups(7)"
    return _limits()


def _nsdelegate() -> str | None:
    refused = _version2()
    if refused is None:
        mounts = parse_mountinfo(read("/proc/self/mountinfo"))
        if not any(m.fstype == "cgroup2" and "nsdelegate" in m.super_options for m in mounts):
            return "cgroup2 is mounted without the option nsdelegate here, cgroups(7)"
    return refused


def _cgroup_kill() -> str | None:
    """Whether a group of version 2 can be made below ours, and has cgroup.kill (Linux 5.14)."""
    if (refused := _limits()) is not None:
        return refused
    own = os.geteuid() != 0  # root's sandbox stays root's: the tree is the machine's own
    try:
        with Sandbox("cgroup", "mnt", user=own, limits={"pids": 8}, timeout=_TIMEOUT) as box:
            group = f"/mnt/{directories(box)['pids'].name}.kill"  # is removed with the sandbox
            box.run(f"mount -t cgroup2 none /mnt; mkdir {group}; ls {group}/cgroup.kill")
    except NamespaceError as refusal:
        return refusal.cause
    except CommandFailed as failed:
        return f"no group of version 2 with cgroup.kill, cgroups(7): {failed.stderr.strip()}"
    return None


def _pressure() -> str | None:
    try:
        with open("/proc/pressure/cpu") as file:
            file.read()
    except OSError as refused:
        return f"this kernel does not count pressure: {refused.strerror}, /proc/pressure/cpu"
    return None


_LAYERS = "lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work,userxattr"
_PROBES: dict[str, tuple[str, Callable[[], str | None]]] = {
    "proc": ("a fresh /proc in a new pid namespace", _sandbox("mnt", "pid")),
    "all-processes": ("every process in sight, and all of /proc", proc_options.probe),
    "nested": (
        "a user namespace in a user namespace",
        _inside(("user",), ["unshare", "-Ur", "true"]),
    ),
    "range": ("many ids through newuidmap", _sandbox("user", user="range")),
    "cgroup-write": (
        "limits on processes, memory and time",
        _limits,
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
        _cables,
    ),
    "ipv6": ("packets of IPv6", _ipv6),
    "nft": ("a firewall of one's own", _inside(("net",), ["nft", "add", "table", "inet", "t"])),
    "ping": ("packets sent and answered", _inside(("net",), ["ping", "-c", "1", "127.0.0.1"])),
    "ip": (
        "networks from the shell",
        _inside(("net",), ["ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"]),
    ),
    "strace": ("system calls watched", _program("strace", "-qq", "-e", "trace=none", "true")),
    "mount": ("mounts from the shell", _program("mount", "--version")),
    "unshare": ("namespaces from the shell", _program("unshare", "--version")),
    "nsenter": ("joining from the shell", _program("nsenter", "--version")),
    "lsns": ("namespaces listed by util-linux", _program("lsns", "--version")),
    "ipcs": ("System V objects listed by util-linux", _program("ipcs", "--version")),
    "ipcmk": ("System V objects made from the shell", _program("ipcmk", "--version")),
    "findmnt": ("mounts listed by util-linux", _program("findmnt", "--version")),
    "ps": ("processes listed", _program("ps")),
    "hostname": ("host names set from the shell", _program("hostname")),
    "docker": ("a container engine", _program("docker", "info")),
    "vm": ("a virtual machine of one's own", _virtual_machine),
}
_UNTOLD: dict[str, tuple[str, Callable[[], str | None]]] = {
    "cgroup2": ("limits of version 2", _version2),
    "cgroup-kill": ("a group ended by a word", _cgroup_kill),
    "nsdelegate": ("cgroup namespaces as a border of delegation", _nsdelegate),
    "psi": ("time lost by waiting, counted", _pressure),
    **newest_interfaces.PROBES,
}
NEEDS = ("userns", *NAMES, *_PROBES, *_UNTOLD)
"""What a notebook or a cell may say it needs, in its metadata `nsedu.needs`.

Of these, how control groups are set up and the newest interfaces are left out of the table: there
is nothing to do about them.
"""


def missing(needs: Iterable[str]) -> dict[str, str]:
    """Which of the needs this machine cannot meet, found out by trying: need → reason.

    Raises:
        ValueError: there is no such need; the message lists them.
    """
    absent = {}
    for need in needs:
        if need not in NEEDS:
            what = f"{need!r:.80} is not a need"
            raise ValueError(no_such(what, need, NEEDS, accepted="; use any of"))
        kind = "user" if need == "userns" else need
        probe = _sandbox(kind) if kind in NAMES else (_PROBES | _UNTOLD)[kind][1]
        reason = probe()
        if reason is not None:
            absent[need] = reason
    return absent


def _lent() -> str:
    """Which ids root inside a sandbox of root's has."""
    found = agent_client.to_lend()
    if found is None:
        return "ids: one"
    if found == lent_ids.NOTHING:
        return "ids: none to lend, so sandboxes are refused unless user=False"
    return f"ids: one that is nobody's, or a block of {found.size} of them"


def _worth_knowing(name: str) -> str:
    if name != "user":
        return ""
    if os.geteuid() == 0:
        return _lent()
    granted = sum(entry.count for entry in id_maps.grants("/etc/subuid", os.geteuid()))
    return f"ids: one, or {granted} more from /etc/subuid" if granted else (
        f"ids: one (no /etc/subuid grant: {programs.remedy('newuidmap')}, then usermod"
        " --add-subuids …)"
    )  # fmt: skip
