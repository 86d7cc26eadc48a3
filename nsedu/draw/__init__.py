"""Pictures of what a look at the machine found: records in, a `Picture` out."""

from __future__ import annotations

from nsedu.draw.boxed import hierarchy
from nsedu.draw.changes import diff
from nsedu.draw.comparison import compare
from nsedu.draw.picture import Picture
from nsedu.draw.process_tree import tree
from nsedu.draw.sharing import matrix

__all__ = ["Picture", "compare", "diff", "hierarchy", "matrix", "tree"]
