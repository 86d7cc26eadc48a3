"""Pictures of what a look at the machine or a measurement found: records in, a `Picture` out.

A picture's module is imported when the picture is first drawn.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nsedu.draw.boxed import hierarchy
    from nsedu.draw.cgroup_tree import control_groups
    from nsedu.draw.changes import diff
    from nsedu.draw.clock_lines import clocks
    from nsedu.draw.comparison import compare
    from nsedu.draw.costs import costs
    from nsedu.draw.eye_rows import eyes
    from nsedu.draw.id_maps import idmap
    from nsedu.draw.ipc_boxes import ipc
    from nsedu.draw.mount_tree import mounts
    from nsedu.draw.networks import topology
    from nsedu.draw.owners import ownership
    from nsedu.draw.picture import Picture
    from nsedu.draw.pid_ladder import pids
    from nsedu.draw.pins import pins
    from nsedu.draw.process_tree import tree
    from nsedu.draw.sharing import matrix

__all__ = [
    "Picture",
    "clocks",
    "compare",
    "control_groups",
    "costs",
    "diff",
    "eyes",
    "hierarchy",
    "idmap",
    "ipc",
    "matrix",
    "mounts",
    "ownership",
    "pids",
    "pins",
    "topology",
    "tree",
]

_HOME = {
    "Picture": "picture",
    "clocks": "clock_lines",
    "compare": "comparison",
    "control_groups": "cgroup_tree",
    "costs": "costs",
    "diff": "changes",
    "eyes": "eye_rows",
    "hierarchy": "boxed",
    "idmap": "id_maps",
    "ipc": "ipc_boxes",
    "matrix": "sharing",
    "mounts": "mount_tree",
    "ownership": "owners",
    "pids": "pid_ladder",
    "pins": "pins",
    "topology": "networks",
    "tree": "process_tree",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nsedu.draw' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"nsedu.draw.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
