"""The picture of id maps, in one call: look, then draw."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nsedu.observe import id_maps
from nsedu.observe.viewpoints import places

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture


def idmap(*who: Any) -> Picture:
    """Who is who: for each place the ids inside beside what they are outside, as bars.

    Outside is this notebook's own user namespace; for a process in that very namespace it is the
    parent (user_namespaces(7)).

    Args:
        who: sandboxes, processes or pids; none: this notebook and all its sandboxes.

    Raises:
        TypeError: one is none of these.
        ValueError: there is no such process.
    """
    from nsedu.draw import idmap as drawing

    return drawing.idmap(id_maps.look(places(*who)), own=(os.geteuid(), os.getegid()))
