"""One thing, seen from several places side by side."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Any

from nsedu.errors import arguments
from nsedu.errors.namespace_error import another_proc, own_pid
from nsedu.kernel import interrupts
from nsedu.observe import comparisons
from nsedu.observe.comparisons import CLOCKS, View
from nsedu.observe.viewpoints import place, places
from nsedu.suggestions import nearest

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture

_THINGS = "hostname=True, pid=, uid=, owner=, mount=, clock= or port="


@interrupts.whole
def eyes(
    *who: Any,
    hostname: bool = False,
    pid: Any = None,
    uid: int | None = None,
    owner: str | os.PathLike[str] | None = None,
    mount: str | os.PathLike[str] | None = None,
    clock: str | None = None,
    port: int | None = None,
) -> Picture:
    """One thing as several places see it: the kernel is asked in each, and nothing is worked out.

    Of hostname, pid, uid, owner, mount, clock and port name exactly one.

    Args:
        who: sandboxes, running commands or pids to look from, after this notebook, which comes
            first in any case; none: all sandboxes of this notebook.
        hostname: True for the host name.
        pid: a sandbox, a running command or a pid, as this notebook calls it: its number.
        uid: a user id, as this notebook calls it; an ordinary user may ask for its own only.
        owner: the path of a file, as this notebook reaches it: the user id that owns it.
        mount: a path from the root: what is mounted there.
        clock: "realtime", "monotonic" or "boottime": how far it is ahead of this notebook's.
        port: a TCP port, 1 to 65535: whether somebody listens.

    Raises:
        TypeError: none of the things is named, or more than one, or a wrong kind of value.
        ValueError: there is no such process, clock or port; or the user id may not be asked for.
        OSError: the file cannot be opened.
        NamespaceError: /proc is another pid namespace's.
    """
    from nsedu.draw import eyes as drawing

    given = {
        "hostname": hostname or None, "pid": pid, "uid": uid, "owner": owner, "mount": mount,
        "clock": clock, "port": port,
    }  # fmt: skip
    named = {word: value for word, value in given.items() if value is not None}
    if len(named) != 1:
        what = f"{' and '.join(named)} are {len(named)} things" if named else "no thing is named"
        raise TypeError(f"{what}; name exactly one of {_THINGS}.")
    ((word, value),) = named.items()
    if own_pid() != os.getpid():  # who goes there could not be named
        raise another_proc()
    here = place(own_pid())
    others = [other for other in places(*who) if other.pid != here.pid]
    looks = {
        "hostname": _hostname, "pid": _pid, "uid": _uid, "owner": _owner, "mount": _mount,
        "clock": _clock, "port": _port,
    }  # fmt: skip
    return drawing.eyes(looks[word]([here, *others], value))


def _hostname(where: list[comparisons.Place], value: Any) -> View:
    if value is not True:
        raise TypeError(f"hostname must be True, not {value!r}; it names no host.")
    return comparisons.hostname(where)


def _pid(where: list[comparisons.Place], value: Any) -> View:
    return comparisons.process(where, place(value))


def _uid(where: list[comparisons.Place], value: Any) -> View:
    _whole("uid", value, 0, 2**32 - 2)
    return comparisons.user(where, value)


def _owner(where: list[comparisons.Place], value: Any) -> View:
    return comparisons.owner(where, _path("owner", value))


def _mount(where: list[comparisons.Place], value: Any) -> View:
    path = _path("mount", value)
    if not path.startswith("/"):
        raise ValueError(f'mount must be a path from the root, such as "/mnt", not {path!r}.')
    return comparisons.mount(where, "/" + posixpath.normpath(path).lstrip("/"))


def _clock(where: list[comparisons.Place], value: Any) -> View:
    if not isinstance(value, str) or value not in CLOCKS:
        what = f"clock must be one of {', '.join(CLOCKS)}, not {value!r:.80}"
        close = nearest(value, CLOCKS)
        raise ValueError(f"{what}; did you mean {close!r}?" if close else f"{what}.")
    return comparisons.clock(where, value)


def _port(where: list[comparisons.Place], value: Any) -> View:
    _whole("port", value, 1, 65535)
    return comparisons.port(where, value)


def _whole(word: str, value: Any, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{word} must be a whole number, not {value!r}.")
    if not least <= value <= most:
        raise ValueError(f"{word} must be from {least} to {most}, not {value}.")


def _path(word: str, value: Any) -> str:
    path = arguments.path(word, value)
    if not path:
        raise ValueError(f'{word} must be a path such as "/mnt", not {value!r}.')
    return path
