"""Pictures of what a look at the machine found: records in, a `Picture` out."""

from __future__ import annotations

from nsedu.draw.picture import Picture
from nsedu.draw.process_tree import tree

__all__ = ["Picture", "tree"]
