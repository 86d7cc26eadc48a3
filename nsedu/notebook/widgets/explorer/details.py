"""What the explorer says of one process or namespace, read when somebody asks.

A detail is a list of sections, each with a title, rows of words, and maybe headings and a note.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from nsedu.draw.labels import call, identity
from nsedu.kernel import capabilities, id_maps, namespace_types
from nsedu.kernel.cgroup_hierarchies import parse_cgroup
from nsedu.kernel.mountinfo import parse_mountinfo
from nsedu.kernel.proc_net import sockets
from nsedu.kernel.procfs import VANISHED, parse_stat, parse_status, read
from nsedu.observe.records import Namespace, Process, Snapshot
from nsedu.printable import clean

MOST = 300
"""So many rows of a section are told."""

Section = dict[str, Any]

_HERTZ = os.sysconf("SC_CLK_TCK")
_INITIAL = range(0xEFFFFFF8, 0xF0000000)  # <linux/proc_ns.h>: numbers given at compile time
_STATES = {
    "R": "running", "S": "sleeping", "D": "waiting in the kernel", "T": "stopped",
    "t": "stopped by a tracer", "Z": "ended, but not waited for", "X": "dead", "I": "idle",
}  # fmt: skip
_SETS = {
    "CapEff": "effective", "CapPrm": "permitted", "CapInh": "inheritable", "CapBnd": "bounding",
    "CapAmb": "ambient",
}  # fmt: skip
_SECCOMP = {"0": "none", "1": "strict", "2": "a filter"}


def of_process(process: Process, started: bytes) -> list[Section]:
    """A living process, from its files in /proc.

    Args:
        process: as the last look found it.
        started: its start time, as its stat file has it.

    Raises:
        ProcessLookupError: it has ended, or the pid is another's by now.
    """
    pid = process.pid
    sections: list[Section] = []
    readers: dict[str, Callable[[int], Section]] = {
        "id maps": _maps, "capabilities": _capabilities, "control groups": _groups,
        "mounts": _mounts, "sockets": _sockets,
    }  # fmt: skip
    try:
        sections.append(_in_short(process, started))
        for title, reader in readers.items():
            try:
                sections.append({"title": title, **reader(pid)})
            except OSError as error:
                if isinstance(error, VANISHED):
                    raise
                sections.append({"title": title, "note": f"may not be read: {error.strerror}"})
        if parse_stat(read(f"/proc/{pid}/stat"))[4] != started:
            raise ProcessLookupError
    except VANISHED:
        raise ProcessLookupError(f"process {pid} has ended") from None
    return sections


def of_record(process: Process) -> list[Section]:
    """A process of a saved snapshot, which tells only what was saved."""
    rows = [*_numbers(process), ("command", clean(process.command) or f"[{clean(process.name)}]"),
            ("effective uid", str(process.uid)), ("threads", str(process.threads))]  # fmt: skip
    note = "This is a saved snapshot; the rest can be read only of a living process."
    return [{"title": "in short", "rows": rows, "note": note}]


def of_namespace(
    snapshot: Snapshot, namespace: Namespace, started: dict[int, bytes], seen: float | None
) -> list[Section]:
    """A namespace: what it is, who made it, and what is known of its age.

    Args:
        snapshot: the last look.
        namespace: one of it.
        started: pid → start time, of living processes; empty for a saved snapshot.
        seen: for how many seconds it has been in sight.
    """
    kind = namespace_types.get(namespace.type)
    rows = [("isolates", f"{kind.isolates} ({kind.man})")]
    if namespace.uid is not None:
        rows.append(("made by uid", str(namespace.uid)))
    section: Section = {"title": "in short", "rows": rows}
    if started:
        section["rows"].append(("age", _age(snapshot, namespace, started, seen)))
    return [section]


def words(seconds: float) -> str:
    """A duration in words, cut to two units: "3 s", "2 min 5 s", "4 days 3 h"."""
    rest = int(seconds)
    parts = []
    for unit, length in (("day", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}")
    return " ".join(parts[:2]) or "less than 1 s"


def _since(started: bytes) -> str:
    return words(time.clock_gettime(time.CLOCK_BOOTTIME) - int(started) / _HERTZ)


def _age(
    snapshot: Snapshot, namespace: Namespace, started: dict[int, bytes], seen: float | None
) -> str:
    if namespace.ns in _INITIAL:
        return "there since the machine was started"
    if namespace.type == "pid":  # made for its first process, just before that
        for pid in namespace.members:
            if snapshot.processes[pid].nspid[-1:] == (1,) and pid in started:
                return f"a little over {_since(started[pid])}: its process 1 is as old"
    at_least = f"at least {words(seen)}: so long it has been in sight here" if seen else ""
    ages = [started[pid] for pid in namespace.members if pid in started]
    if not ages:
        return at_least or "the kernel does not tell"
    oldest = _since(min(ages, key=int))
    return (
        f"{at_least}. The kernel does not tell; its oldest member in sight was born {oldest} ago,"
        " but may have come in later"
    )


def _numbers(process: Process) -> list[tuple[str, str]]:
    inner = process.nspid[1:]
    pids = f"{process.pid} here" + "".join(f", {pid} further in" for pid in inner)
    return [("pid", pids if inner else str(process.pid)), ("parent", str(process.ppid))]


def _in_short(process: Process, started: bytes) -> Section:
    status = parse_status(read(f"/proc/{process.pid}/status"))
    rows = [
        *_numbers(process),
        ("command", clean(process.command) or f"[{clean(process.name)}]"),
        ("state", _STATES.get(status["State"][:1], status["State"])),
        ("born", f"{_since(started)} ago"),
        ("uid", _four(status["Uid"])),
        ("gid", _four(status["Gid"])),
        ("threads", status.get("Threads", "")),
        ("seccomp", _SECCOMP.get(status.get("Seccomp", ""), "")),
        ("no new privileges", {"0": "no", "1": "yes"}.get(status.get("NoNewPrivs", ""), "")),
    ]
    return {"title": "in short", "rows": [row for row in rows if row[1]]}


def _four(ids: str) -> str:
    """The ids of proc_pid_status(5): real, effective, saved, file system."""
    each = ids.split()
    if len(set(each)) == 1:
        return each[0]
    return ", ".join(
        f"{name} {number}"
        for name, number in zip(("real", "effective", "saved", "file system"), each, strict=True)
    )


def _maps(pid: int) -> Section:
    rows = []
    for kind in ("uid", "gid"):
        for entry in id_maps.parse(read(f"/proc/{pid}/{kind}_map").decode()):
            outside = "no id here" if entry.outside == id_maps.NO_ID else str(entry.outside)
            every = entry.count == id_maps.ALL_IDS
            rows.append((kind, str(entry.inside), outside, "all" if every else str(entry.count)))
    note = f"setgroups: {read(f'/proc/{pid}/setgroups').decode().strip()}"
    if not rows:
        note = f"not written yet, so everybody inside looks like {id_maps.OVERFLOW_ID}; {note}"
    return {"columns": ["", "first id inside", "outside", "how many"], "rows": rows, "note": note}


def _capabilities(pid: int) -> Section:
    status = parse_status(read(f"/proc/{pid}/status"))
    try:
        last = int(read("/proc/sys/kernel/cap_last_cap"))
    except OSError:
        last = len(capabilities.NAMES) - 1
    known = (1 << last + 1) - 1
    rows = [
        (word, capabilities.words(int(status[name], 16), known))
        for name, word in _SETS.items()
        if name in status
    ]
    note = "They count in its own user namespace and in what that one owns."
    return {"rows": rows, "note": note}


def _groups(pid: int) -> Section:
    paths = parse_cgroup(os.fsdecode(read(f"/proc/{pid}/cgroup")))
    return {"rows": [(key or "version 2", clean(path)) for key, path in paths.items()]}


def _mounts(pid: int) -> Section:
    mounts = parse_mountinfo(read(f"/proc/{pid}/mountinfo"))
    rows = [
        (clean(m.target), m.fstype, clean(m.source), ",".join(m.options), m.propagation_type)
        for m in mounts
    ]
    return _listing(["where", "file system", "what", "options", "propagation"], rows)


def _sockets(pid: int) -> Section:
    rows = [
        (
            ", ".join(map(str, one.fds[:8])),
            one.kind or "not listed here",
            clean(one.local),
            clean(one.peer),
            one.state.lower(),
        )
        for one in sockets(pid)
    ]
    section = _listing(["descriptor", "kind", "address", "peer", "state"], rows)
    if any(row[1] == "not listed here" for row in rows):
        section["note"] = (
            "Not listed: of a kind without a list, not bound yet, or made in another network"
            " namespace."
        )
    return section


def _listing(columns: list[str], rows: Sequence[tuple[str, ...]]) -> Section:
    section: Section = {"columns": columns, "rows": rows[:MOST], "count": len(rows)}
    if len(rows) > MOST:
        section["note"] = f"… {len(rows) - MOST} more"
    return section


def of_change(change: Any) -> tuple[str, str]:
    """A difference between two looks in words: what, and of whom."""
    if change.kind == "process":
        return change.what, f"process {change.process.pid}, {call(change.process)}"
    if change.kind == "namespace":
        ns = change.after if change.after is not None else change.before
        return change.what, f"namespace {identity(change.type, ns)}"
    before, after = (
        f"{change.type}:[{ns}]" if ns is not None else "none"
        for ns in (change.before, change.after)
    )
    return "moved", f"process {change.process.pid}, {call(change.process)}: {before} → {after}"
