"""The small single-threaded process that makes namespaces and runs things in them.

A notebook's kernel has threads, and a process with threads may not enter a new user namespace
(unshare(2), EINVAL).  So the kernel starts one agent, and the agent forks once for every sandbox.
The agent and the first process of every sandbox run the same `Server`: wait for a request, fork,
report how the child ended.  docs/sandbox_life.md follows a sandbox through them.

Light: standard library only, and little of it, for every fork copies what is there.  `typing` and
`re` alone are a tenth of that, so the modules below name types for the type checker only.

Nobody outlives anybody:

* the notebook dies: its sockets close and its pidfd becomes readable; the agent ends everything;
* the agent dies: its end of every sandbox's life line closes; the first processes end everything;
* a first process dies: a pid namespace dies with it; without one, its orphans fall to the server
  that made it (a subreaper, prctl(2)), which ends them;
* the notebook forgets a command or a sandbox: its socket closes, and that group or sandbox ends.
"""

from __future__ import annotations

import gc
import os
import socket

from nsedu.agent import first_process, python_inside
from nsedu.agent.lent_ids import Lender, Window
from nsedu.agent.server import Server
from nsedu.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(
    control_fd: int, notebook: int, window: Sequence[object] | None, directories: Sequence[str]
) -> None:
    """Run the agent.

    Args:
        control_fd: the socket to the notebook.
        notebook: its pid.
        window: the fields of the `Window` of ids to lend; None for who makes sandboxes of its own.
        directories: where the notebook's Python lies; for who lends ids.
    """
    try:
        watched = os.pidfd_open(notebook)
    except OSError:
        return
    if os.getppid() != notebook:
        return
    first_process.name_process("nsedu-agent")
    os.set_inheritable(control_fd, False)  # or a command started here would hold it open
    lender = None
    if window is not None:
        lender = Lender(Window(*window))
        if lender.window.singles[1]:
            # Neither root's groups nor its keys go with those who are nobody.
            os.setgroups([])
            syscalls.join_session_keyring()
            python_inside.open_closed(directories)
    # Forks share this process's memory until someone writes to it; the collector writes everywhere.
    gc.collect()
    gc.freeze()
    gc.disable()
    server = Server(socket.socket(fileno=control_fd), watched=watched, lender=lender)
    try:
        server.serve()
    finally:
        server.end_everything()
