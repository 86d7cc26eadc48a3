"""The tree of control groups, with the root of each cgroup namespace, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nsedu.observe.viewpoints import places

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture


def cgroup_tree(*who: Any) -> Picture:
    """In which control groups processes are, where the root of each cgroup namespace is, and why.

    Args:
        who: sandboxes, processes or pids; none: this notebook and all its sandboxes.

    Raises:
        TypeError, ValueError: one of them is no process, or has ended.
    """
    from nsedu.draw import cgroup_tree as drawing
    from nsedu.observe import cgroups

    return drawing.control_groups(cgroups.look(places(*who)))
