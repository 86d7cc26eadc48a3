"""Exercises on IPC namespaces: other right answers, and what only looks right."""

from __future__ import annotations

import itertools
import os

import pytest

from nsedu.learning.exercises import EXERCISES, diagnosis
from ways import (
    BWRAP,
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

pytestmark = pytest.mark.needs("userns", "mnt", "ipc", "unshare", "nsenter")

OWN = "mount -t tmpfs none /dev/shm;"

RIGHT = {
    "ipc-1": {
        "ctypes": python("libc.unshare(0x18000000); libc.shmget(0, 12345, 0o1600);"),
        "bwrap": f"exec {BWRAP} --unshare-ipc sh -c 'ipcmk --shmem 12345 > /dev/null; {READY}'",
        "nsenter makes it": "unshare -Ur --ipc sleep 60 & until nsenter -t $! -U"
        " --preserve-credentials --ipc ipcmk --shmem 12345; do sleep 0.05; done; wait",
    },
    "ipc-2": {
        "ctypes": 'one() { exec unshare -Ur --ipc "$PYTHON" -c "import ctypes, time;'
        ' ctypes.CDLL(None).msgget(42, 0o1600); time.sleep(60)"; }; one & one & wait',
        "semaphores": 'one() { exec unshare -Ur --ipc "$PYTHON" -c "import ctypes, time;'
        ' ctypes.CDLL(None).semget(42, 1, 0o1600); time.sleep(60)"; }; one & one & wait',
        "bwrap": f'one() {{ exec {BWRAP} --unshare-ipc "$PYTHON" -c "import ctypes, time;'
        ' ctypes.CDLL(None).shmget(42, 4096, 0o1600); time.sleep(60)"; }; one & one & wait',
    },
    "ipc-3": {
        "ctypes": f'exec unshare -Ur --ipc "$PYTHON" -c "{UNSHARE}'
        f" libc.mq_open(b'/jobs', 0o102, 0o600, None); {ENDS}\"",
        "bwrap": f'exec {BWRAP} --unshare-ipc "$PYTHON" -c "{UNSHARE}'
        f" libc.mq_open(b'/jobs', 0o102, 0o600, None); {ENDS}\"",
        "mounted, and unmounted again": "exec unshare -Urm --ipc sh -c 'mount -t mqueue none /mnt;"
        f" touch /mnt/jobs; umount /mnt; {READY}'",
    },
    "ipc-4": {
        "bwrap": f"exec unshare -Ur --ipc bash -c '{BWRAP} --tmpfs /dev/shm sleep 60 &"
        f" {BWRAP} --tmpfs /dev/shm sleep 60 & wait'",
        "two directories of one file system": "exec unshare -Urm --ipc sh -c 'mount -t tmpfs none"
        " /mnt; mkdir /mnt/a /mnt/b; unshare -m sh -c \"mount --bind /mnt/b /dev/shm; exec sleep"
        f" 60\" & mount --bind /mnt/a /dev/shm; {READY}'",
        "nsenter": f"unshare -Urm --ipc sh -c '{OWN} exec sleep 60' &"
        + until(f"{ENTER} --ipc unshare -m sh -c '{OWN} exec sleep 60'")
        + "; wait",
        "ctypes": 'exec unshare -Urm --ipc "$PYTHON" -c "'
        f"{UNSHARE} own = lambda: libc.mount(b'x', b'/dev/shm', b'tmpfs', 0, None);"
        f' os.fork() or libc.unshare(0x20000); own(); {ENDS}"',
    },
}  # fmt: skip

CHEATS = {
    "ipc-1": {
        "a file over the list": "exec unshare -Urm --ipc sh -c 'mount -t tmpfs none /mnt;"
        " cat /proc/sysvipc/shm > /mnt/0; echo \"0 0 600 12345 1 1 0 0 0 0 0 0 0 0 0 0\" >>"
        f" /mnt/0; mount --bind /mnt/0 /proc/sysvipc/shm; {READY}'",
        "removed again": "exec unshare -Ur --ipc sh -c 'ipcrm -m $(ipcmk --shmem 12345 | grep -o"
        f" \"[0-9]*$\"); {READY}'",
        "one byte more": f"exec unshare -Ur --ipc sh -c 'ipcmk --shmem 12346 > /dev/null; {READY}'",
    },
    "ipc-2": {
        "another kind each": 'one() { exec unshare -Ur --ipc "$PYTHON" -c "import ctypes, time;'
        ' ctypes.CDLL(None).$1(42, $2 0o1600); print(str(), flush=True); time.sleep(60)"; };'
        f" one semget 1, > /dev/null & unshare -Ur --ipc $PYTHON -c \"{UNSHARE}"
        f' libc.msgget(42, 0o1600); {ENDS}"',
        "a file over the list": "one() { exec unshare -Urm --ipc sh -c 'mount -t tmpfs none /mnt;"
        " cat /proc/sysvipc/msg > /mnt/0; echo \"42 0 600 0 0 0 0 0 0 0 0 0 0 0\" >> /mnt/0; mount"
        f" --bind /mnt/0 /proc/sysvipc/msg; {READY}'; }}; one > /dev/null & one",
        "one namespace, entered": "unshare -Ur --ipc $PYTHON -c \"import ctypes, time;"
        ' ctypes.CDLL(None).msgget(42, 0o1600); time.sleep(60)\" & until nsenter -t $! -U'
        f" --preserve-credentials --ipc sh -c '{READY}'; do sleep 0.05; done",
    },
    "ipc-3": {
        "a file in /dev/mqueue": "exec unshare -Urm --ipc sh -c 'mount -t tmpfs none /dev/mqueue"
        f" && touch /dev/mqueue/jobs; {READY}'",
        "another name": f"exec unshare -Urm --ipc sh -c 'mount -t mqueue none /mnt; touch"
        f" /mnt/jobs2; {READY}'",
        "removed again": "exec unshare -Urm --ipc sh -c 'mount -t mqueue none /mnt; touch"
        f" /mnt/jobs; rm /mnt/jobs; {READY}'",
    },
    "ipc-4": {
        "mounts copied": f"exec unshare -Urm --ipc sh -c '{OWN} unshare -m sleep 60 & {READY}'",
        "one of the two has yours": "exec unshare -Urm --ipc sh -c"
        f" 'unshare -m sh -c \"{OWN} exec sleep 60\" & {READY}'",
        "mounted in another place": "exec unshare -Urm --ipc sh -c 'mount -t tmpfs none /mnt;"
        f" unshare -m sh -c \"mount -t tmpfs none /mnt; {READY}\"'",
        "only a file called so": "exec unshare -Urm --ipc sh -c 'mount -t tmpfs none /mnt; mkdir -p"
        " /mnt/dev/shm; unshare -m sh -c \"mount -t tmpfs none /mnt/dev/shm; exec sleep 60\" &"
        f" {READY}'",
    },
}  # fmt: skip

SAID: dict[tuple[str, str], str] = {}


@pytest.mark.parametrize(("id", "name"), cases(RIGHT))
def test_a_right_answer_by_another_way_passes(id: str, name: str) -> None:
    assert_solves(id, RIGHT[id][name])


@pytest.mark.parametrize(("id", "name"), cases(CHEATS))
def test_what_only_looks_right_is_refused(id: str, name: str) -> None:
    assert_refused(id, CHEATS[id][name], SAID.get((id, name), ""))


def test_two_of_six_rooms_are_found_by_what_happens_in_them() -> None:
    from nsedu.kernel import ipc_syscalls

    with standing("ipc-5") as boxes:
        for one, other in itertools.combinations(range(6), 2):
            key = 100 + 10 * one + other
            boxes[one].call(ipc_syscalls.msgget, key, ipc_syscalls.IPC_CREAT | 0o600)
            try:
                boxes[other].call(ipc_syscalls.msgget, key, 0)
            except FileNotFoundError:
                continue
            answered("ipc-5", "abcdef"[one] + "abcdef"[other])
            break
        assert judge("ipc-5").solved


@pytest.mark.parametrize(
    "turn",
    [lambda pair: pair, lambda pair: pair[::-1], ", ".join, list, set],
    ids=["in order", "reversed", "with a comma", "a list", "a set"],
)
def test_two_of_six_rooms_are_found_by_their_links(turn: object) -> None:
    with standing("ipc-5") as boxes:
        links = [os.readlink(f"/proc/{box.pid}/ns/ipc") for box in boxes[:6]]
        pair = "".join("abcdef"[n] for n, link in enumerate(links) if links.count(link) == 2)
        assert callable(turn)
        assert answered("ipc-5", turn(pair))
        assert answered("ipc-5", [boxes["abcdef".index(letter)] for letter in pair])


@pytest.mark.parametrize(
    "said", ["aa", "", "abc", "ag", 7, None, [], [1, 2], ["a", "a"], True, object()]
)
def test_no_two_letters_are_no_answer(said: object) -> None:
    with standing("ipc-5"):
        assert not answered("ipc-5", said)
        assert judge("ipc-5").found.startswith("found")


def test_an_answer_of_before_does_not_count_for_new_rooms() -> None:
    with standing("ipc-5"):
        answered("ipc-5", "ab")
        diagnosis.make(EXERCISES["ipc-5"])
        assert judge("ipc-5").found == "found the six sandboxes, and no answer yet."
