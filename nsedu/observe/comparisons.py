"""One thing as it is seen from each of several places, in the kernel's own words.

Nothing is translated here: where an answer depends on who asks, the question is put there
(`nsedu.observe.questions`), or the kernel is asked to translate.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from nsedu.agent.lent_ids import is_yours
from nsedu.kernel import id_maps, proc_net, syscalls
from nsedu.kernel.mountinfo import Mount, parse_mountinfo
from nsedu.kernel.procfs import VANISHED, read
from nsedu.observe import clocks, questions
from nsedu.observe.pid_numbers import numbers
from nsedu.observe.snapshot import snapshot
from nsedu.observe.viewpoints import Place

CLOCKS = {
    "realtime": time.CLOCK_REALTIME,
    "monotonic": time.CLOCK_MONOTONIC,
    "boottime": time.CLOCK_BOOTTIME,
}
_UNMAPPED = "it has no number in the id map there, so it looks like nobody (user_namespaces(7))"
_NO_MAP = "no id map has been written there yet, so everyone looks like this (user_namespaces(7))"


class Observation(NamedTuple):
    """What is seen from one place.

    Attributes:
        name: what a picture calls the place.
        same: whether the namespace that decides is the reader's own; None where that is not known.
        told: what is seen, in words that do not depend on the machine.
        drawn: the same for the eye, with the number that it has on this machine.
        rule: why, if that needs a word.
    """

    name: str
    same: bool | None
    told: str
    drawn: str
    rule: str = ""


class Comparison(NamedTuple):
    """One thing seen from several places.

    Attributes:
        title: what it is.
        type: the namespace type that decides what is seen.
        sights: what each place sees, the reader's own first.
        how: how the kernel was asked, with the source.
        note: what else a reader of the text must know, or "".
    """

    title: str
    type: str
    sights: tuple[Observation, ...]
    how: str
    note: str = ""


def hostname(places: Sequence[Place]) -> Comparison:
    """The host name."""
    found = questions.answers([place.pid for place in places], "uts", "name")
    sights = []
    for place, answer in zip(places, found, strict=True):
        same, name = _same(place, "uts"), answer.get("value", "")
        told = "yours" if name == found[0]["value"] else name
        rule = "a name of its own, and as yet the same" if told == "yours" and not same else ""
        sights.append(_refused(place, answer) or Observation(place.name, same, told, told, rule))
    how = "uname(2), called in each place, tells the name in the caller's UTS namespace"
    return Comparison("The host name", "uts", tuple(sights), f"{how} (uts_namespaces(7))")


def process(places: Sequence[Place], whom: Place) -> Comparison:
    """The number of a process."""
    sights, how = [], "the ioctl NS_GET_PID_IN_PIDNS translates it (ioctl_nsfs(2))"
    for place in places:
        same = _same(place, "pid")
        try:
            file = syscalls.nsfd(place.pid, "pid")
        except OSError as error:
            sights.append(_unseen(place, error.errno))
            continue
        try:
            number: int | None = syscalls.ns_get_pid_in_pidns(file, whom.pid)
        except OSError as error:
            number = None
            if error.errno != errno.ESRCH:  # a kernel before 6.11
                number = _by_nspid(whom, os.fstat(file).st_ino)
                how = "NSpid in /proc/PID/status tells it (proc_pid_status(5))"
        finally:
            os.close(file)
        if number is None:
            rule = "it lives neither in this PID namespace nor below it (pid_namespaces(7))"
            sights.append(Observation(place.name, same, "no such process", "no such process", rule))
        else:
            told = "p1" if same else str(number)
            sights.append(Observation(place.name, same, told, str(number)))
    note = "p1: its number out here, which is another each time"
    return Comparison(f"The process number of {whom.name}", "pid", tuple(sights), how, note)


def _by_nspid(whom: Place, ns: int) -> int | None:
    look = snapshot(whom.pid)
    known = numbers(look, look.processes[whom.pid])
    return next((number.pid for number in known if number.ns == ns), None)


def user(places: Sequence[Place], uid: int) -> Comparison:
    """A user id.

    Raises:
        ValueError: the caller may not speak as that user.
    """
    found = questions.answers([place.pid for place in places], "user", "user", uid)
    if found[0].get("step") == "send":
        raise ValueError(
            f"only root may speak as another user, and the answer came from a message of user {uid}"
            f" (unix(7), SCM_CREDENTIALS); ask for your own, {os.geteuid()}, or for a file of that"
            " user's: eyes(..., owner=path)."
        )
    title = "Your user id" if uid == os.geteuid() else f"The user id {uid}"
    how = "sent with a message into each place: the kernel translates it for the receiver"
    return Comparison(title, "user", _ids(places, found), f"{how} (unix(7), SCM_CREDENTIALS)")


def owner(places: Sequence[Place], path: str) -> Comparison:
    """The owner of a file, which is opened here and then looked at from each place.

    Raises:
        OSError: it cannot be opened.
    """
    file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        found = questions.answers([place.pid for place in places], "user", "owner", fds=[file])
    finally:
        os.close(file)
    name = os.path.basename(path.rstrip("/")) or path
    how = "one open file, and fstat(2) in each place: it answers in the numbers of who asks"
    return Comparison(
        f"The owner of {name}", "user", _ids(places, found), f"{how} (user_namespaces(7))"
    )


def _ids(places: Sequence[Place], found: Sequence[dict[str, Any]]) -> tuple[Observation, ...]:
    sights, own = [], os.geteuid()
    for place, answer in zip(places, found, strict=True):
        same, value = _same(place, "user"), answer.get("value")
        told, rule = str(value), ""
        if same and is_yours(value, own):
            told = "yours"
        elif value == id_maps.OVERFLOW_ID:
            rule = _why_overflow(place)
        sights.append(
            _refused(place, answer) or Observation(place.name, same, told, str(value), rule)
        )
    return tuple(sights)


def _why_overflow(place: Place) -> str:
    try:
        ranges = id_maps.parse(read(f"/proc/{place.pid}/uid_map").decode())
    except OSError:
        return _UNMAPPED
    if not ranges:
        return _NO_MAP
    mapped = any(r.inside <= id_maps.OVERFLOW_ID < r.inside + r.count for r in ranges)
    return "" if mapped else _UNMAPPED


def clock(places: Sequence[Place], name: str) -> Comparison:
    """A clock, as far as it is ahead of the reader's."""
    found = questions.answers([place.pid for place in places], "time", "clock", CLOCKS[name])
    sights = []
    for place, answer in zip(places, found, strict=True):
        if refused := _refused(place, answer):
            sights.append(refused)
            continue
        ahead = round(answer["value"] - answer["outside"], 2)
        told = "yours" if ahead == 0 else clocks.words(round(ahead * clocks.SECOND))
        sights.append(Observation(place.name, _same(place, "time"), told, told))
    how = "clock_gettime(2), called in each place"
    if name == "realtime":
        how += "; this clock is in no time namespace"
    return Comparison(f"The {name} clock", "time", tuple(sights), f"{how} (time_namespaces(7))")


def mount(places: Sequence[Place], path: str) -> Comparison:
    """What is mounted at a path."""
    sights, met = [], dict[str, str]()
    for place in places:
        try:
            table = parse_mountinfo(read(f"/proc/{place.pid}/mountinfo"))
        except OSError as error:
            sights.append(_unseen(place, error.errno))
            continue
        top = _topmost(table, path)
        told, rule = ("no mount here", "") if top is None else (_mounted(top), "")
        if top is not None:
            rule = f"the same file system as for {met[top.device]}" if top.device in met else ""
            met.setdefault(top.device, place.name)
        sights.append(Observation(place.name, _same(place, "mnt"), told, told, rule))
    how = "each place's own mount table, /proc/PID/mountinfo (proc_pid_mountinfo(5))"
    return Comparison(f"The mount at {path}", "mnt", tuple(sights), how)


def _topmost(table: Sequence[Mount], path: str) -> Mount | None:
    """Of several mounts at one path, the one that covers the others."""
    there = [mount for mount in table if mount.target == path]
    covered = {mount.parent for mount in there if mount.parent != mount.id}
    return next((mount for mount in there if mount.id not in covered), None)


def _mounted(top: Mount) -> str:
    source = "" if top.source in (top.fstype, "none") else f" {top.source}"
    return f"{top.fstype}{source}" + (f"[{top.root}]" if top.root != "/" else "")


def port(places: Sequence[Place], number: int) -> Comparison:
    """A TCP port: whether somebody listens there, and at which addresses."""
    sights = []
    for place in places:
        try:
            at = sorted({a for kind in ("tcp", "tcp6") for a in _listeners(place, kind, number)})
        except OSError as error:
            sights.append(_unseen(place, error.errno))
            continue
        told = "somebody listens" if at else "nobody listens"
        rule = f"at {', '.join(at)}" if at else ""
        sights.append(Observation(place.name, _same(place, "net"), told, told, rule))
    how = "the sockets of each place's network namespace, /proc/PID/net/tcp (proc_pid_net(5))"
    return Comparison(f"TCP port {number}", "net", tuple(sights), how)


def _listeners(place: Place, kind: str, port: int) -> list[str]:
    """The addresses of sockets that listen on a port."""
    try:
        found = list(proc_net.listening(place.pid, kind))
    except FileNotFoundError:
        if kind == "tcp6" and os.path.exists(f"/proc/{place.pid}"):
            return []  # a kernel without IPv6
        raise
    return [host or "any address" for host, at in found if at == port]


def _same(place: Place, link: str) -> bool | None:
    try:
        its = os.stat(f"/proc/{place.pid}/ns/{link}").st_ino
        return its == os.stat(f"/proc/self/ns/{link}").st_ino
    except OSError:
        return None


def _refused(place: Place, answer: dict[str, Any]) -> Observation | None:
    return _unseen(place, answer["errno"]) if "errno" in answer else None


def _unseen(place: Place, number: int | None) -> Observation:
    if number in (errno.ESRCH, errno.ENOENT, errno.EINVAL) and not _lives(place.pid):
        raise ValueError(f"there is no process {place.pid} any more; it has ended.") from None
    said = f"cannot be asked from here ({errno.errorcode.get(number or 0, number)})"
    rule = "to go there takes CAP_SYS_ADMIN where that namespace belongs (setns(2))"
    return Observation(place.name, None, said, said, rule)


def _lives(pid: int) -> bool:
    try:
        return b"\nState:\tZ" not in read(f"/proc/{pid}/status")
    except VANISHED:
        return False
