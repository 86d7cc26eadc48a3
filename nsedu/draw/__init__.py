"""Pictures of what a look at the machine found: records in, a `Picture` out.

A picture's module is imported when the picture is first drawn.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nsedu.draw.boxed import hierarchy
    from nsedu.draw.changes import diff
    from nsedu.draw.comparison import compare
    from nsedu.draw.picture import Picture
    from nsedu.draw.process_tree import tree
    from nsedu.draw.sharing import matrix

__all__ = ["Picture", "compare", "diff", "hierarchy", "matrix", "tree"]

_HOME = {
    "Picture": "picture",
    "compare": "comparison",
    "diff": "changes",
    "hierarchy": "boxed",
    "matrix": "sharing",
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
