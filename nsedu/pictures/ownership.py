"""The picture of ownership, in one call: look, then draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nsedu.observe.records import Snapshot
from nsedu.observe.snapshot import look, snapshot
from nsedu.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture


def ownership(what: Snapshot | Sandbox | str | int = "mine") -> Picture:
    """Which user namespace owns which namespaces, and whose root may do what where.

    Args:
        what: "mine" (this notebook and everything below it), "machine", a pid, a sandbox, or a
            snapshot taken earlier.

    Raises:
        ValueError, TypeError: it is none of these.
    """
    from nsedu.draw import ownership as drawing

    if not isinstance(what, Snapshot):
        what = look(what.pid) if isinstance(what, Sandbox) else snapshot(what)
    return drawing.ownership(what)
