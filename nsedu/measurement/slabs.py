"""Which of the kernel's slab caches grow when namespaces are made: what one is made of."""

from __future__ import annotations

import os

from nsedu.kernel import namespace_types
from nsedu.measurement.units import number, quantity
from nsedu.sandbox.sandbox import Sandbox
from nsedu.table import Table

SHOWN = 12
"""Caches shown by name; all others make one more row."""


def slabs(type: str = "net", count: int = 100) -> Table:
    """Make namespaces of a type, and see which slab caches have more objects in use (slabinfo(5)).

    Each is kept by a process; what as many processes without one need is taken off.  Whatever else
    the machine does meanwhile counts as well.

    Args:
        type: the namespace type.
        count: how many to make, from 1 to 1000.

    Returns:
        A table of caches, the largest growth first: objects and bytes for each namespace.

    Raises:
        ValueError: there is no such type, or the count is out of bounds.
        PermissionError: this is not root; only root may read /proc/slabinfo.
        NamespaceError: the namespaces cannot be made.
    """
    namespace_types.get(type)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 1000:
        raise ValueError(f"count must be a number from 1 to 1000, not {count!r}.")
    if not os.access("/proc/slabinfo", os.R_OK):
        raise PermissionError(
            "only root may read /proc/slabinfo; run this notebook as root to see the caches."
        )
    from nsedu.measurement.sampler.process_pool import growth

    # The processes end with the sandbox, however it ends; it is root's own, to read root's file.
    with Sandbox("pid", name="slabs", user=False) as box:
        grown = box.call(growth, type, count)
    rows = sorted(grown, key=lambda row: -row[1] * row[2])
    shown = [(name, number(n), f"{size} B", quantity(n * size / 1024, "KiB")) for name, n, size in
             rows[:SHOWN]]  # fmt: skip
    rest = sum(n * size for _, n, size in rows[SHOWN:])
    shown.append(("all others", "", "", quantity(rest / 1024, "KiB")))
    whole = sum(n * size for _, n, size in rows)
    shown.append(("together", "", "", quantity(whole / 1024, "KiB")))
    return Table(("cache", f"objects for one {type}", "size of one", "memory"), shown)
