"""What is seen of IPC namespaces, against ipcs(1) run inside, on objects made at random."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import nsedu
from nsedu import Sandbox
from nsedu.kernel import ipc_syscalls
from nsedu.kernel.ipc_syscalls import IPC_CREAT
from nsedu.observe.ipc import IpcNamespace, read_ipc
from nsedu.observe.viewpoints import Place, places
from ordinary_user import Learner

pytestmark = pytest.mark.needs("userns", "mnt", "ipc", "mqueue")

Made = list[tuple[str, int, int, int]]
"""Objects to make: kind, key, size or number, permissions."""


def make(objects: Made, queues: dict[str, int]) -> None:
    for kind, key, size, mode in objects:
        with contextlib.suppress(FileExistsError):
            flags = IPC_CREAT | ipc_syscalls.IPC_EXCL * bool(key) | mode
            if kind == "shm":
                ipc_syscalls.shmget(key, size, flags)
            elif kind == "sem":
                ipc_syscalls.semget(key, size % 50 + 1, flags)
            else:
                queue = ipc_syscalls.msgget(key, flags | 0o600)
                for number in range(size % 4):
                    ipc_syscalls.msgsnd(queue, b"x" * number)
    for name, size in queues.items():
        ipc_syscalls.mq_send(ipc_syscalls.mq_open(f"/{name}", os.O_RDWR | os.O_CREAT), b"x" * size)


def by_ipcs(box: Sandbox) -> list[tuple[Any, ...]]:
    """Kind, key, id, permissions and the numbers that ipcs(1) prints, of every object."""
    found: list[tuple[Any, ...]] = []
    for kind, option in (("shm", "-m"), ("sem", "-s"), ("msg", "-q")):
        for line in box.run(["ipcs", option]).stdout.splitlines():
            if line.startswith("0x"):
                key, id, _owner, mode, *numbers = line.split()
                found.append((kind, key, int(id), int(mode, 8), *map(int, numbers[:2])))
    return sorted(found)


def by_us(space: IpcNamespace) -> list[tuple[Any, ...]]:
    """The same of our records."""
    numbers = {"shm": lambda o: (o.size, o.number), "sem": lambda o: (o.number,),
               "msg": lambda o: (o.size, o.number)}  # fmt: skip
    return sorted(
        (one.kind, one.name, one.id, one.mode, *numbers[one.kind](one))
        for one in space.objects if one.kind != "mqueue"
    )  # fmt: skip


def by_files(box: Sandbox) -> dict[str, int]:
    """POSIX queues by the files of a mounted mqueue: name → bytes that wait."""
    script = "mount -t mqueue none /mnt && cd /mnt && find . -type f -exec grep -H . {} +"
    said = box.run(script).stdout
    return {name: int(size) for name, size in re.findall(r"^\./(.*?):QSIZE:(\d+)", said, re.M)}


KEYS = st.one_of(st.integers(0, 5), st.integers(0, 2**32 - 1))
OBJECTS = st.lists(
    st.tuples(st.sampled_from(["shm", "sem", "msg"]), KEYS, st.integers(1, 100_000),
              st.integers(0, 0o777)),
    max_size=12,
)  # fmt: skip
QUEUES = st.dictionaries(st.text("abc.-_0", min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")), st.integers(0, 100), max_size=3)  # fmt: skip


@pytest.mark.needs("ipcs")
# Nothing is shrunk: sandboxes are too slow for hundreds of attempts.
@settings(max_examples=6, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(st.tuples(OBJECTS, QUEUES), min_size=2, max_size=2))
def test_it_sees_what_ipcs_sees_inside(worlds: list[tuple[Made, dict[str, int]]]) -> None:
    with contextlib.ExitStack() as stack:
        boxes = [stack.enter_context(Sandbox("ipc", "mnt")) for _ in worlds]
        for box, world in zip(boxes, worlds, strict=True):
            box.call(make, *world)
        seen = read_ipc(places(*boxes))
        for box, world, space in zip(boxes, worlds, seen.namespaces, strict=True):
            assert space.ns == box.namespaces["ipc"].ns
            assert by_us(space) == by_ipcs(box)
            queues = {one.name[1:]: one.size for one in space.objects if one.kind == "mqueue"}
            assert queues == by_files(box) == world[1]
            assert {one.uid for one in space.objects} <= {box.root_uid}
        assert not seen.unread


@pytest.fixture(scope="module")
def mars() -> Iterator[Sandbox]:
    with Sandbox("ipc", name="mars") as mars:
        mars.call(make, [("shm", 1, 4096, 0o600)], {"jobs": 4})
        yield mars


def test_places_in_one_namespace_are_told_together(mars: Sandbox) -> None:
    with Sandbox(join=mars, name="guest") as guest, Sandbox("ipc", name="venus") as venus:
        spaces = read_ipc(places(mars, venus, guest)).namespaces
    assert [space.places for space in spaces] == [
        ('sandbox "mars"', 'sandbox "guest"'),
        ('sandbox "venus"',),
    ]
    assert [len(space.objects) for space in spaces] == [2, 0]


def test_an_inner_user_namespace_is_no_obstacle(mars: Sandbox) -> None:
    """The namespace belongs to an outer one, in which the place itself has no say."""
    with mars.sandbox("user") as inner:
        (space,) = read_ipc(places(inner)).namespaces
    assert [one.name for one in space.objects] == ["0x00000001", "/jobs"]
    assert {one.uid for one in space.objects} == {mars.root_uid}


def test_who_is_not_mapped_is_nobody() -> None:
    code = (
        "import ctypes, time; libc = ctypes.CDLL(None); libc.unshare(0x18000000)\n"
        "libc.shmget(1, 1, 0o1600); print(flush=True); time.sleep(60)"
    )  # without a uid_map
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (space,) = read_ipc(places(process.pid)).namespaces
        process.kill()
    uid = os.geteuid()
    assert [one.uid for one in space.objects] == [uid if uid == 0 else 65534]


def test_a_look_leaves_nothing_behind_and_changes_no_mount(mars: Sandbox) -> None:
    def state() -> tuple[str, ...]:
        return mars.run("ipcs || true; cat /proc/self/mountinfo").stdout, open(
            "/proc/mounts"
        ).read()

    before = state()
    read_ipc(places(mars, os.getpid()))
    assert state() == before


def test_a_place_that_has_gone_is_said_to_be_unread(mars: Sandbox) -> None:
    seen = read_ipc([Place("gone", 2**22 + 1), *places(mars)])
    assert seen.unread == ("gone",)
    assert len(seen.namespaces) == 1


def test_an_ordinary_user_is_told_what_he_may_not_see(learner: Learner) -> None:
    code = (
        "import os; from nsedu.observe.ipc import read_ipc\n"
        "from nsedu.observe.viewpoints import Place\n"
        "seen = read_ipc([Place('me', os.getpid()), Place('init', 1)])\n"
        "print(seen.namespaces[0].refused, seen.namespaces[0].queues_refused, seen.unread)"
    )
    done = learner.run_python(code)
    assert done.stdout == f"0 {errno.EPERM} ('init',)\n", done.stderr


def test_nothing_to_look_at_is_nothing_seen() -> None:
    assert read_ipc([]).namespaces == ()


def test_a_picture_of_what_is_no_place_is_refused() -> None:
    with pytest.raises(TypeError, match="name a sandbox, a process or a pid"):
        nsedu.ipc("mars")


def test_the_picture_of_everything_has_this_program_and_its_sandboxes(mars: Sandbox) -> None:
    text = str(nsedu.ipc())
    assert "this program" in text.splitlines()[0]
    assert f'ipc:[{mars.namespaces["ipc"].ns}] · sandbox "mars"' in text
    assert "POSIX queue   /jobs      · 4 bytes waiting · made by you" in text
