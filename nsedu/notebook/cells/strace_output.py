"""What strace wrote, as the calls that concern namespaces, a line each, alike on every machine.

Process ids become letters with the name of the program, descriptors become what they refer to,
addresses and lengths are left out.  The number of a namespace stays, for it is its identity.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator
from typing import NamedTuple

SHOWN = (
    "unshare", "setns", "clone", "clone3", "mount", "umount", "umount2", "pivot_root", "chroot",
    "sethostname", "setdomainname", "fsopen", "fspick", "fsconfig", "fsmount", "move_mount",
    "open_tree", "mount_setattr",
)  # fmt: skip
NEEDED = (*SHOWN, "write", "open", "openat", "openat2", "execve", "execveat", "fork", "vfork")
"""The calls to trace; those beyond `SHOWN` tell who is who and which files are maps."""

_MAPS = ("uid_map", "gid_map", "setgroups", "timens_offsets")
_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)")


class Call(NamedTuple):
    """One traced call.

    Attributes:
        pid: of the process, as strace sees it.
        name: of the call.
        arguments: the text between its brackets.
        result: the text behind the equals sign.
    """

    pid: int
    name: str
    arguments: str
    result: str


def calls(text: str) -> Iterator[Call]:
    """The calls of ``strace -f -o`` in order of their beginning; those never finished are left out.

    Args:
        text: what strace wrote.
    """
    begun: list[tuple[int, str]] = []
    waiting: dict[int, int] = {}  # pid → place in `begun` of its unfinished call
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        pid, rest = int(found["pid"]), found["rest"]
        if rest.endswith(_UNFINISHED):
            waiting[pid] = len(begun)
            begun.append((pid, rest.removesuffix(_UNFINISHED)))
        elif (resumed := _RESUMED.fullmatch(rest)) and pid in waiting:
            place = waiting.pop(pid)
            begun[place] = (pid, begun[place][1] + resumed["rest"])
        else:
            begun.append((pid, rest))
    for pid, rest in begun:
        if call := _CALL.fullmatch(rest):
            yield Call(pid, call["name"], call["arguments"], call["result"])


def decode(text: str, ids: Container[int] = ()) -> list[str]:
    """The calls that concern namespaces, a line each.

    Args:
        text: what ``strace -f -y -o`` wrote.
        ids: user and group ids of whoever ran it; in a map they are shown as ID, for they differ
            from machine to machine.

    Returns:
        Lines such as ``A unshare  unshare(CLONE_NEWUTS)``: the process's letter, in order of
        appearance, the program it runs, the call, and ``= `` its error or the namespace opened.
    """
    program: dict[int, str] = {}
    rows: list[tuple[int, str, str]] = []
    forked: list[Call] = []
    for call in calls(text):
        if call.pid not in program:
            program[call.pid] = program.get(_parent(call.pid, forked), "")
        if call.name in ("fork", "vfork", "clone", "clone3"):
            forked.append(call)
        if call.name in ("execve", "execveat") and call.result == "0":
            program[call.pid] = _basename(call.arguments)
        shown = _show(call, ids)
        if shown is not None:
            rows.append((call.pid, program[call.pid], shown + _outcome(call)))
    letters: dict[int, str] = {}
    for pid, _, _ in rows:
        letters.setdefault(pid, _letter(len(letters)))
    width = max((len(name) for _, name, _ in rows), default=0)
    return [f"{letters[pid]} {name:<{width}}  {shown}" for pid, name, shown in rows]


def _parent(pid: int, forked: list[Call]) -> int:
    """Who forked a process, which does what its parent did until it executes something else.

    The parent knows it by this number, or in an inner pid namespace by another.
    """
    named = [call.pid for call in forked if call.result == str(pid)]
    return (named or [call.pid for call in forked] or [pid])[-1]


def _letter(number: int) -> str:
    """A, B, … Z, AA, AB, … for 0, 1, …."""
    before = _letter(number // 26 - 1) if number >= 26 else ""
    return before + chr(ord("A") + number % 26)


def _basename(arguments: str) -> str:
    found = re.search(r'"([^"]*)"', arguments)
    return os.path.basename(found[1]) if found else ""


def _outcome(call: Call) -> str:
    if error := re.match(r"-1 (E\w+) \((.*?)\)", call.result):
        return f" = {error[1]} ({error[2]})"
    if opened := re.match(r"\d+<(\w+:\[\d+\])>", call.result):
        return f" = {opened[1]}"
    return ""


def _show(call: Call, ids: Container[int]) -> str | None:
    """A call as its line shows it, or None if it has nothing to do with namespaces."""
    name, arguments = call.name, call.arguments
    if name in ("clone", "clone3"):
        flags = re.findall(r"CLONE_NEW\w+", arguments)
        return f"{name}({'|'.join(flags)})" if flags else None
    if name in ("open", "openat", "openat2"):
        path = _path(arguments)
        return f'open("{_mask(path, call.pid)}")' if re.search(r"^/proc/.*/ns/\w+$", path) else None
    if name == "write":
        return _show_map(call, ids)
    if name not in SHOWN:
        return None
    if name in ("sethostname", "setdomainname"):
        arguments = arguments.rpartition(", ")[0]
    arguments = re.sub(r"\b\d+<anon_inode:\[?(\w+)\]?>", r"\1", arguments)
    arguments = re.sub(r"\b\d+<(?:pid:\d+|/proc/\d+)>", "pidfd", arguments)
    arguments = re.sub(r"\b(?:AT_FDCWD|\d+)<([^>]*)>", r"\1", arguments)
    arguments = re.sub(r"0x[0-9a-f]{6,}(?: /\*.*?\*/)?", "…", arguments)
    return f"{name}({_mask(arguments, call.pid)})"


def _show_map(call: Call, ids: Container[int]) -> str | None:
    found = re.match(r'\d+<(/proc/[^>]*/(\w+))>, "(.*)", \d+$', call.arguments)
    if found is None or found[2] not in _MAPS:
        return None
    text = found[3]
    if found[2] in ("uid_map", "gid_map"):
        lines = [line.split() for line in text.removesuffix(r"\n").split(r"\n")]
        text = r"\n".join(
            " ".join(
                "ID" if place == 1 and word.isdecimal() and int(word) in ids else word
                for place, word in enumerate(line)
            )
            for line in lines
        )
    return f'write("{_mask(found[1], call.pid)}", "{text}")'


def _path(arguments: str) -> str:
    """The path that an open names, joined to its directory's where it is relative."""
    found = re.match(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"', arguments)
    return os.path.join(found[1] or "", found[2]) if found else ""


def _mask(text: str, pid: int) -> str:
    """A path without numbers of processes, but for 1, which is the first of a pid namespace."""
    text = re.sub(rf"/proc/{pid}(?=/|$)", "/proc/self", text)
    return re.sub(r"/proc/(?!1/)\d+(?=/|$|\")", "/proc/PID", text)
