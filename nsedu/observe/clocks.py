"""What a time namespace adds to the clocks: /proc/PID/timens_offsets, told from where you are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from nsedu.kernel.procfs import VANISHED, read
from nsedu.observe.viewpoints import Place

CLOCKS = ("monotonic", "boottime")
"""The two clocks that a time namespace shifts; realtime is the same in all of them."""
SECOND = 1_000_000_000  # in nanoseconds


class TimeNamespace(NamedTuple):
    """A time namespace and its clocks.

    Attributes:
        ns: its inode number; None when it may not be read.
        monotonic, boottime: how far the clock is ahead of the reader's, in nanoseconds; None where
            that is not known.
        inside: who lives in it.
        awaited: who lives elsewhere but will have its children born in it.
    """

    ns: int | None
    monotonic: int | None
    boottime: int | None
    inside: tuple[Place, ...]
    awaited: tuple[Place, ...] = ()


def parse_offsets(text: str) -> dict[str, int]:
    """The content of a timens_offsets file: clock → nanoseconds (time_namespaces(7)).

    Raises:
        ValueError: a line is not a clock, seconds and nanoseconds.
    """
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) != 3 or not words[2].isdigit():
            raise ValueError(
                f"{line!r} is not 'CLOCK SECONDS NANOSECONDS' of a timens_offsets file."
            )
        found[words[0]] = int(words[1]) * SECOND + int(words[2])
    return found


def read_clocks(places: Iterable[Place]) -> list[TimeNamespace]:
    """The time namespaces of these processes, in their order; the reader's own comes first if met.

    The file tells of the namespace in which a process's *children* will be born.  That is the
    process's own as a rule, and otherwise the own one's offsets are taken from another process in
    it.

    Args:
        places: the processes; one that has ended meanwhile is left out.
    """
    home = _links("self")[0]
    zero = _offsets("self")
    inside: dict[int | None, list[Place]] = {}
    awaited: dict[int | None, list[Place]] = {}
    ahead: dict[int | None, dict[str, int]] = {home: dict.fromkeys(CLOCKS, 0)}
    for place in places:
        try:
            own, children = _links(place.pid)
            offsets = _offsets(place.pid)
        except VANISHED:
            continue
        inside.setdefault(own, []).append(place)
        if children != own:
            awaited.setdefault(children, []).append(place)
        if children is not None and children != home:
            ahead[children] = {clock: offsets[clock] - zero[clock] for clock in offsets}
    order = sorted(dict.fromkeys([*inside, *awaited]), key=lambda ns: ns != home)
    return [
        TimeNamespace(
            ns,
            ahead.get(ns, {}).get("monotonic"),
            ahead.get(ns, {}).get("boottime"),
            tuple(inside.get(ns, ())),
            tuple(awaited.get(ns, ())),
        )
        for ns in order
    ]


def _links(pid: int | str) -> tuple[int | None, int | None]:
    """The time namespace of a process and that of its children."""
    found: list[int | None] = []
    for link in ("time", "time_for_children"):
        try:
            found.append(os.stat(f"/proc/{pid}/ns/{link}").st_ino)
        except PermissionError:
            if not os.path.exists(f"/proc/{pid}"):
                raise ProcessLookupError from None
            found.append(None)
    return found[0], found[1]


def _offsets(pid: int | str) -> dict[str, int]:
    return parse_offsets(read(f"/proc/{pid}/timens_offsets").decode())


_UNITS = (("year", 365 * 86400), ("day", 86400), ("h", 3600), ("min", 60))


def words(nanoseconds: int) -> str:
    """An offset in words: "+10 years", "−1 h 5 min", "+0.25 s"; a year has 365 days here.

    Exact with two units, or three if the first is no more than hours; else cut, and led by "≈".
    """
    if nanoseconds == 0:
        return "none"
    sign = "+" if nanoseconds > 0 else "−"
    seconds, rest = divmod(abs(nanoseconds), SECOND)
    parts = []
    for unit, length in _UNITS:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {unit}{'s' if length > 3600 and count > 1 else ''}")
    if seconds or rest:
        parts.append(f"{seconds + rest / SECOND:.9f}".rstrip("0").rstrip(".") + " s")
    most = 2 if abs(nanoseconds) >= 86400 * SECOND else 3
    about = "≈ " if len(parts) > most else ""
    return f"{about}{sign}{' '.join(parts[:most])}"
