"""Who is connected to whom, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nsedu.kernel import interrupts
from nsedu.observe.networks import networks
from nsedu.observe.viewpoints import places

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture


@interrupts.whole
def topology(*who: Any, link_local: bool = False) -> Picture:
    """Network namespaces as boxes, with their links, and the virtual cables between them.

    Bridges are bars with their ports below; then come routes and forwarding in words, and the rules
    of nftables as nft prints them.  Of this notebook's own namespace only links that lead to one of
    the others are shown.

    Args:
        who: sandboxes, processes or pids whose network namespaces to show; none: all sandboxes of
            this notebook.
        link_local: whether to say which links have a link-local address, fe80::… (ipv6(7)), too.

    Raises:
        TypeError: one is none of these.
        ValueError: a process has ended, or its namespace may not be looked at.
    """
    from nsedu.draw import topology as drawing

    found = networks(places(*who))
    if not who:  # our own only if something leads there
        found = tuple(network for network in found if network.links or not network.own)
    return drawing.topology(found, bool(link_local))
