"""IPC namespaces and the objects in them, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nsedu.kernel import interrupts
from nsedu.observe import ipc as ipc_objects
from nsedu.observe.viewpoints import places

if TYPE_CHECKING:
    from nsedu.draw.picture import Picture


@interrupts.whole
def ipc(*who: Any) -> Picture:
    """The IPC namespaces of some processes, each with the objects that are found from inside.

    Shared memory segments, semaphore sets and message queues of System V by their keys, POSIX
    message queues by their names.  A process goes inside to look, and what it may not see is said.

    Args:
        who: sandboxes, running commands or pids; none: this notebook and all its sandboxes.

    Raises:
        TypeError: one is none of these.
        ValueError: there is no such process.
        OSError: no process could be started to look.
    """
    from nsedu.draw import ipc as drawing

    return drawing.ipc(ipc_objects.look(places(*who)))
