"""Who joins others' namespaces takes nothing along that leads out of them."""

from __future__ import annotations

import json
import os
import signal
from typing import NoReturn

import pytest

from nsedu import Sandbox
from nsedu.agent import birth, wire
from nsedu.agent.first_process import Plan

pytestmark = pytest.mark.needs("userns", "uts", "ipc", "mnt")


def born_in(box: Sandbox) -> dict[str, str]:
    """What a first process that joins a sandbox holds and sees as soon as it lives."""
    control, theirs = wire.pair()
    life, theirs_life = wire.pair()
    word, saying = wire.pair()
    parent = os.getpid()
    maker = os.fork()
    if maker == 0:
        maker = os.getpid()
        birth.write_id_maps = lambda *_: signal.pause()  # type: ignore[misc,assignment]

        def live(proc: int | None) -> NoReturn:
            found = {
                name: os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")
                if os.path.exists(f"/proc/self/fd/{name}")
            }  # fmt: skip
            try:
                found["maker"] = os.readlink(f"/proc/{maker}/fd/0")
            except OSError as refused:
                found["maker"] = type(refused).__name__
            theirs.send(json.dumps(found).encode())
            os._exit(0)

        joined = ["user", "mnt", "uts"]
        plan = Plan(types=["ipc"], join=[joined], joined=joined, server=parent)
        joins = [os.pidfd_open(box.pid)]
        birth.clone_in_joined_namespaces(plan, theirs, theirs_life, saying, joins, live, None)
    theirs.close()
    said: dict[str, str] = json.loads(control.recv(1 << 16))
    for sock in (control, life, theirs_life, word, saying):
        sock.close()
    os.kill(maker, signal.SIGKILL)
    for _ in range(2):
        os.wait()
    return said


def test_a_first_process_in_a_joined_place_holds_nothing_but_its_two_sockets() -> None:
    """A directory of the notebook's would do to leave a container: ``..`` leads up from there."""
    with Sandbox("mnt", "uts") as box:
        held = born_in(box)
    held.pop("maker")
    streams = [held.pop(number) for number in "012"]
    assert streams[2] == "/dev/null"
    links = sorted(link.partition(":")[0] for link in held.values() if "/fd" not in link)
    assert links == ["socket", "socket"]


def test_nobody_there_may_look_into_who_has_it_born() -> None:
    with Sandbox("mnt", "uts") as box:
        assert born_in(box)["maker"] == "PermissionError"
