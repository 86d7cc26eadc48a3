"""The clocks of processes beside the notebook's, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nsedu.observe import clocks as timens
from nsedu.observe.viewpoints import places

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture


def clocks(*who: Any) -> Picture:
    """The clocks of some processes, each as far as it is ahead of yours or behind.

    Args:
        who: sandboxes, running commands or pids; none: this notebook and all its sandboxes.

    Raises:
        TypeError: one is none of these.
        ValueError: there is no such process.
        FileNotFoundError: this kernel has no time namespaces (Linux 5.6, CONFIG_TIME_NS).
    """
    from nsedu.draw import clocks as drawing

    return drawing.clocks(timens.look(places(*who)))
