"""Exercises on what keeps a namespace and who enters it: other ways, and what looks right."""

from __future__ import annotations

import os

import pytest

import nsedu as ns
from awaiting import ended, eventually
from ways import (
    ENDS,
    ENTER,
    READY,
    UNSHARE,
    answered,
    assert_refused,
    assert_solves,
    cases,
    judge,
    python,
    standing,
    until,
)

pytestmark = pytest.mark.needs("userns", "mnt", "net", "uts", "ipc", "unshare", "nsenter")

TMPFS = "mount -t tmpfs none /mnt; touch /mnt/n;"
THREE = "unshare -Ur --net --uts --ipc"
IN = "net = os.open('/proc/self/ns/net', 0); libc.unshare(0x40000000);"
OUT = "libc.setns(net, 0x40000000); os.close(net);"
BIND = "libc.mount(b'/proc/self/ns/net', b'/mnt/n', None, 4096, None);"


RIGHT = {
    "kernel-1": {
        "bound from inside": f"exec unshare -Urm sh -c '{TMPFS} unshare --net"
        f" mount --bind /proc/self/ns/net /mnt/n; {READY}'",
        "ip netns": "exec unshare -Urm --net sh -c 'mount -t tmpfs none /run; mount -t sysfs none"
        f" /sys; ip netns add a; {READY}'",
        "ctypes": f'exec unshare -Urm --net "$PYTHON" -c "{UNSHARE}'
        " libc.mount(b'x', b'/mnt', b'tmpfs', 0, None); open('/mnt/n', 'w').close();"
        f' {IN} {BIND} {OUT} {ENDS}"',
    },
    "kernel-2": {
        "ctypes": python(
            "libc.unshare(0x14000000); kept = os.open('/proc/self/ns/uts', 0);"
            " libc.unshare(0x4000000);"
        ),
        "of a child that ends": "exec unshare -Ur bash -c 'unshare --uts sleep 60 & until grep -q"
        " sleep /proc/$!/comm; do sleep 0.05; done; exec 9</proc/$!/ns/uts; kill $!; wait;"
        f" {READY}'",
        "two descriptors": "exec unshare -Ur --uts bash -c"
        " 'exec 8</proc/self/ns/uts 9</proc/self/ns/uts; exec unshare --uts sleep 60'",
    },
    "kernel-3": {
        "ctypes": f'{THREE} sleep 60 & "$PYTHON" -c "{UNSHARE} import sys; '
        "fd = os.pidfd_open(int(sys.argv[1]));"
        " all(libc.setns(fd, 0x5C000000) and not time.sleep(0.1) for _ in range(50));"
        f' libc.unshare(0x20000); {ENDS}" $!; true',
        "two guests": f"{THREE} sleep 60 &"
        f" {until(f'{ENTER} --net --uts --ipc unshare -m sleep 0')};"
        f" {ENTER} --net --uts --ipc unshare -m sleep 60 &"
        f" {ENTER} --net --uts --ipc unshare -m sleep 60 & wait",
        "a guest in a user namespace of its own": f"{THREE} sleep 60 &"
        f" {until(f'{ENTER} --net --uts --ipc unshare -Urm sleep 60')}; wait",
    },
    "kernel-4": {
        "ctypes": "exec unshare -Ur $PYTHON -c \"import ctypes, time;"
        f" ctypes.CDLL(None).unshare(0x10000000); {ENDS}\"",
        "three levels": "exec unshare -Ur unshare -Ur unshare -Ur sleep 60",
        "several are in the child": "exec unshare -Ur unshare -Ur sh -c 'sleep 60 & sleep 60'",
    },
}  # fmt: skip

CHEATS = {
    "kernel-1": {
        "a socket is left": f'exec unshare -Urm --net "$PYTHON" -c "{UNSHARE} import socket;'
        " libc.mount(b'x', b'/mnt', b'tmpfs', 0, None); open('/mnt/n', 'w').close();"
        f' {IN} {BIND} s = socket.socket(); {OUT} {ENDS}"',
        "a descriptor by the mount": f"exec unshare -Urm bash -c '{TMPFS}"
        f" unshare --net=/mnt/n true; exec 9</mnt/n; {READY}'",
        "a file of another type": f"exec unshare -Urm sh -c '{TMPFS}"
        f" unshare --uts=/mnt/n true; {READY}'",
        "a thread lives in it": f'exec unshare -Urm "$PYTHON" -c "{UNSHARE} import threading;'
        " libc.mount(b'x', b'/mnt', b'tmpfs', 0, None); open('/mnt/n', 'w').close();"
        " live = lambda: (libc.unshare(0x40000000), libc.mount(b'/proc/thread-self/ns/net',"
        " b'/mnt/n', None, 4096, None), done.set(), time.sleep(60)); done = threading.Event();"
        " threading.Thread(target=live, daemon=True).start();"
        f' done.wait(); {ENDS}"',
    },
    "kernel-2": {
        "mounted, too": f"exec unshare -Urm bash -c '{TMPFS} unshare --uts=/mnt/n true;"
        f" exec 9</mnt/n; {READY}'",
        "of another type": "exec unshare -Ur --net bash -c 'exec 9</proc/self/ns/net;"
        f" exec unshare --net sh -c \"{READY}\"'",
        "its own": f"exec unshare -Ur --uts bash -c 'exec 9</proc/self/ns/uts; {READY}'",
    },
    "kernel-3": {
        "siblings": f"exec {THREE} sh -c 'unshare -m sleep 60 & unshare -m sh -c \"{READY}\"'",
        "cousins": f"exec {THREE} sh -c '(unshare -m sleep 60; true) &"
        f" (unshare -m sh -c \"sleep 0.3; {READY}\"; true) & wait'",
        "two of the three": "exec unshare -Ur --net --uts sh -c 'unshare --ipc -m sleep 60 &"
        f" unshare --ipc -m sh -c \"{READY}\"'",
        "a descendant": f"exec {THREE} sh -c 'unshare -m sh -c \"{READY}\"'",
    },
    "kernel-4": {
        "a descriptor, too": "exec unshare -Ur bash -c 'exec 9</proc/self/ns/user;"
        f" exec unshare -Ur sh -c \"{READY}\"'",
        "it owns something": f"exec unshare -Ur --uts unshare -Ur sh -c '{READY}'",
        "somebody stayed": f"exec unshare -Ur sh -c 'unshare -Ur sh -c \"{READY}\"'",
    },
}  # fmt: skip

SAID: dict[tuple[str, str], str] = {
    ("kernel-1", "a socket is left"): "so does a socket",
    ("kernel-1", "a descriptor by the mount"): "so does a descriptor",
    ("kernel-1", "a thread lives in it"): "so does a thread",
    ("kernel-2", "mounted, too"): "so does a bind mount",
    ("kernel-3", "siblings"): "both descend from one in there",
    ("kernel-3", "cousins"): "both descend from one in there",
    ("kernel-3", "a descendant"): "one descends from the other",
    ("kernel-4", "a descriptor, too"): "so does a descriptor",
    ("kernel-4", "it owns something"): "so does a namespace that it owns",
}


@pytest.mark.parametrize(("id", "name"), cases(RIGHT))
def test_a_right_answer_by_another_way_passes(id: str, name: str) -> None:
    assert_solves(id, RIGHT[id][name])


@pytest.mark.parametrize(("id", "name"), cases(CHEATS))
def test_what_only_looks_right_is_refused(id: str, name: str) -> None:
    assert_refused(id, CHEATS[id][name], SAID.get((id, name), ""))


def keeper(box: ns.Sandbox) -> int:
    """By /proc alone: whose descriptor leads to a UTS namespace that no process is in."""
    pids = [process.pid for process in ns.snapshot(box.pid).processes.values()]
    lived_in = {os.readlink(f"/proc/{pid}/ns/uts") for pid in pids}
    found = set()
    for pid in pids:
        links = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        if any(link.startswith("uts:") and link not in lived_in for link in links):
            found.add(pid)
    (pid,) = found
    return pid


def test_who_keeps_it_is_found_by_its_descriptors() -> None:
    with standing("kernel-5") as (box,):
        assert answered("kernel-5", keeper(box))


def test_each_of_the_others_is_refused() -> None:
    with standing("kernel-5") as (box,):
        others = ns.snapshot(box.pid).processes.keys() - {keeper(box)}
        assert len(others) == 8
        for pid in (*others, 1, os.getpid()):
            assert not answered("kernel-5", pid)


@pytest.mark.parametrize("said", [None, True, "12", [], -1, 10**300, 1.5, object()])
def test_no_pid_is_no_answer(said: object) -> None:
    with standing("kernel-5"):
        assert not answered("kernel-5", said)


def test_when_it_has_been_killed_nobody_keeps_it() -> None:
    with standing("kernel-5") as (box,):
        pid = keeper(box)
        box.run(["kill", "-9", str(pid)])
        assert ended(pid)
        answered("kernel-5", pid)
        assert eventually(lambda: judge("kernel-5").found.startswith("found no such namespace"))
