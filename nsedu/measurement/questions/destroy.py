"""How long a namespace outlives its last process: until that is reaped, and until it is gone.

*reaped*: from just before the last process exits until waitpid(2) has returned.  Most of it is the
end of any such process.  *gone*: from there until the kernel has freed the namespace.  Nothing
tells of that, but a limit can be made to.  Around all is a user namespace of ours in which
user.max_TYPE_namespaces is 1, so another process's unshare(2) fails (ENOSPC) until the kernel
counts the old one no more.  As soon as the last process has been reaped, this other one tries again
and again, and sleeps between two attempts for a 64th of the time that has gone by: so closely is
the figure known.  It notes when the attempt that succeeds began, and keeps what it has made until
it is the last process itself: nothing is made or taken down that is not measured.

The null operation is the same, with the same processes, but without namespaces.  What goes with the
process then is the end of a pipe, and who waits reads the other end again and again.  The kernel
closes files right before it leaves namespaces, so what is above it in *gone* is what a namespace
takes longer than that.

When Linux 6.18 stops counting:

* uts, cgroup, time: in exit(2); it only frees some memory after.
* mnt: there, too, when its mounts are out of the tree; they are let go of before the process ends.
* ipc: a worker does it, when an expedited grace period of RCU has passed and all is freed.
* pid: the number of the last process is freed a grace period after that was reaped; then a worker
  begins, and stops counting after another grace period.
* net: a worker takes down all that are dead, step by step, and waits for the callbacks of RCU
  (rcu_barrier) before it stops counting.
* user: the process is freed two grace periods after it was reaped and its credentials another one
  later; then a worker takes the namespace down, and stops counting at the end.
* all: the other seven hold the user namespace that owns them, so it is the last to go.

A grace period lasts until every processor has been through one of a few harmless states, often 10
ms and more: no processor works for so long, but so long the memory is not free.
*net, veth's peer* is another view: a cable leads into the namespace, and when the worker takes its
far end away, the near end disappears, which the kernel announces (RTM_DELLINK).
"""

from __future__ import annotations

import os
import socket
import struct
import time
from functools import partial

from nsedu.agent import first_process
from nsedu.kernel import namespace_types, syscalls
from nsedu.measurement.sampler.metrics import MetricGroup
from nsedu.measurement.sampler.operations import (
    Operation,
    PreparedProcess,
    Refused,
    Unmet,
    alternating,
    own_user_namespace,
)
from nsedu.measurement.sampler.slots import PATIENCE, Slot, late, taken

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from typing import Any


TITLE = "How long a namespace outlives its last process"
ROUNDS = 50
PARTS = 1
FIGURES = ("reaped", "gone")
CABLE = "net, veth's peer"
_LIMIT = "limit"  # the step that sets one


def operations(stack: ExitStack) -> list[Operation | Unmet]:
    """Both of `FIGURES` for each type and for all at once, and the view along a cable."""
    flags = {kind.name: int(kind.flag) for kind in namespace_types.CATALOGUE}
    flags["all"] = namespace_types.flags(namespace_types.NAMES)
    found: list[Operation | Unmet] = []
    for name, value in flags.items():
        named = {f"{name}, {figure}": figure for figure in FIGURES}
        found += _exits(stack, partial(fill_slots, Slot, name, value), named)
    cabled = partial(fill_slots, CabledSlot, "net", flags["net"])
    return found + _exits(stack, cabled, {CABLE: "gone"})


def _exits(
    stack: ExitStack, sit: Callable[[], None], named: dict[str, str]
) -> list[Operation | Unmet]:
    try:
        stand = stack.enter_context(PreparedProcess(sit, *CHANGES))
    except Refused as refused:
        reason: Any = refused.message
        if reason["failed"] == _LIMIT:
            reason = (
                "when a namespace is gone is seen by limits in /proc/sys/user, which cannot be set"
                f" here ({os.strerror(reason['errno'])}): start the container with --security-opt"
                " systempaths=unconfined."
            )
        return [Unmet(name, reason) for name in named]
    changes: Any = [partial(stand.call, which) for which in range(len(CHANGES))]
    sample: Any = alternating(*changes)
    exits = MetricGroup(lambda: dict(zip(FIGURES, zip(*sample(), strict=True), strict=True)))
    return [
        Operation(name, partial(exits.figure, figure), figure) for name, figure in named.items()
    ]


class CabledSlot(Slot):
    """A place in a network namespace into which a cable is laid: its near end is looked at."""

    def __init__(self, name: str, flags: int) -> None:
        self._socket = socket.SocketType(socket.AF_NETLINK, socket.SOCK_RAW, 0)  # rtnetlink(7)
        self._socket.bind((0, _RTMGRP_LINK))
        self._socket.settimeout(PATIENCE)
        super().__init__(name, flags)

    def prepare(self) -> None:  # noqa: D102
        self._socket.send(_veth(self.pid))
        answer = self._receive(_NLMSG_ERROR)
        if number := -int(struct.unpack_from("=i", answer, 16)[0]):
            raise first_process.StepFailed("lay a virtual cable, veth(4)", number, "RTM_NEWLINK")

    def look(self) -> int:  # noqa: D102
        self._receive(_RTM_DELLINK)
        return time.perf_counter_ns()

    def _receive(self, kind: int) -> bytes:
        """The next message of a kind."""
        while True:
            try:
                message = self._socket.recv(1 << 14)
            except TimeoutError:
                raise late(self.name) from None
            if struct.unpack_from("=IH", message)[1] == kind:
                return message


# <linux/rtnetlink.h>, <linux/if_link.h>
_NLMSG_ERROR, _RTM_NEWLINK, _RTM_DELLINK, _RTMGRP_LINK = 2, 16, 17, 1
_NEW = 0x1 | 0x4 | 0x200 | 0x400  # NLM_F_REQUEST | NLM_F_ACK | NLM_F_EXCL | NLM_F_CREATE
_IFLA_LINKINFO, _IFLA_NET_NS_PID, _IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = (
    18,
    19,
    1,
    2,
    1,
)
_LINK = bytes(16)  # struct ifinfomsg: whatever the kernel chooses


def _veth(pid: int) -> bytes:
    """The request for a cable from here into the network namespace of a process."""

    def attribute(kind: int, content: bytes) -> bytes:
        return struct.pack("=HH", len(content) + 4, kind) + content + bytes(-len(content) % 4)

    peer = attribute(_VETH_INFO_PEER, _LINK + attribute(_IFLA_NET_NS_PID, struct.pack("=I", pid)))
    kind = attribute(_IFLA_INFO_KIND, b"veth")
    body = _LINK + attribute(_IFLA_LINKINFO, kind + attribute(_IFLA_INFO_DATA, peer))
    return struct.pack("=IHHII", 16 + len(body), _RTM_NEWLINK, _NEW, 0, 0) + body


CHANGES = (lambda: taken[0].change(), lambda: taken[1].change())


def fill_slots(slot: type[Slot], name: str, flags: int) -> None:
    """Have slots in namespaces of these flags, and as many without, where no more can be made."""
    own_user_namespace()
    limited, limit = (name, "1") if name in namespace_types.BY_NAME else ("user", "1")
    if slot is CabledSlot:
        syscalls.unshare(flags)
        limit = "2"  # the one that the near end is in is ours as well
    try:
        with open(f"/proc/sys/user/max_{limited}_namespaces", "w") as file:
            file.write(limit)
    except OSError as error:
        raise first_process.StepFailed(_LIMIT, error.errno or 0, str(error.filename)) from None
    for kind, value in ((slot, flags), (Slot, 0)):
        taken.append(kind(name, value))
