"""The mount trees of sandboxes in one call: look, then draw."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Any

from nsedu.errors import arguments
from nsedu.kernel import interrupts
from nsedu.observe.mounts import mount_tables
from nsedu.observe.viewpoints import places

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture


@interrupts.whole
def mounts(
    *who: Any, below: str | os.PathLike[str] | None = None, everything: bool = False
) -> Picture:
    """The mount trees of places, with the peer groups by which mounts pass between them.

    What all places have in common is left out where nothing passes between them.

    Args:
        who: sandboxes, processes or pids; none: this notebook and all its sandboxes.
        below: a path: only what is mounted there and below it.
        everything: also what all places have in common, and each mount on a row of its own.

    Raises:
        TypeError: an argument is none of these.
        ValueError: `below` is no absolute path, or a process has ended.
    """
    from nsedu.draw import mounts as drawing

    path = None
    if below is not None:
        path = arguments.path("below", below)
        if not path.startswith("/"):
            raise ValueError(f'below must be a path from the root, such as "/mnt", not {below!r}.')
        path = "/" + posixpath.normpath(path).lstrip("/")
    return drawing.mounts(mount_tables(places(*who)), path, bool(everything))
