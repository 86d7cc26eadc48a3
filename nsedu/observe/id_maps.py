"""Who is who in a user namespace: its two id maps, as one reader sees them.

Source: user_namespaces(7), "User and group ID mappings".
"""

from __future__ import annotations

from typing import NamedTuple

from nsedu.kernel.id_maps import IdRange, parse
from nsedu.kernel.procfs import VANISHED, read
from nsedu.observe.viewpoints import Place


class IdMaps(NamedTuple):
    """The id maps of the user namespace that a process lives in.

    Attributes:
        name: what a picture calls the process.
        uid: the lines of its uid_map in the kernel's order; none before the map is written.
        gid: the lines of its gid_map.
        setgroups: "allow" or "deny", whether setgroups(2) may be called there.
    """

    name: str
    uid: tuple[IdRange, ...]
    gid: tuple[IdRange, ...]
    setgroups: str


def read_id_maps(places: list[Place]) -> list[IdMaps]:
    """Read the maps of each place, in the calling process's own user namespace.

    Args:
        places: from `nsedu.observe.viewpoints.places`; the pids are the caller's.

    Raises:
        ValueError: such a process has ended.
    """
    return [_read(place) for place in places]


def _read(place: Place) -> IdMaps:
    def text(name: str) -> str:
        return read(f"/proc/{place.pid}/{name}").decode()

    try:
        uid, gid = (tuple(parse(text(f"{kind}_map"))) for kind in ("uid", "gid"))
        return IdMaps(place.name, uid, gid, text("setgroups").strip())
    except VANISHED:
        raise ValueError(f"there is no process {place.pid}; it has just ended.") from None
