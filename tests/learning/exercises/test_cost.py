"""Exercises on what is cheap and what is dear: other right answers, and what looks right."""

from __future__ import annotations

import os

import pytest

import nsedu as ns
from ways import (
    BWRAP,
    ENDS,
    READY,
    UNSHARE,
    answered,
    assert_refused,
    assert_solves,
    cases,
    judge,
    python,
    standing,
)

pytestmark = pytest.mark.needs("userns", *ns.TYPES, "unshare")

FLAGS = 0x3E020080  # of clone(2): all eight but CLONE_NEWNET
OPEN = "os.open('/proc/self/ns/uts', 0)"
TMPFS = "mount -t tmpfs none /mnt;"

RIGHT = {
    "cost-1": {
        "ctypes": python(f"libc.unshare({FLAGS:#x}); os.fork();"),
        "bwrap": f"exec unshare -Ur --time --fork {BWRAP} --unshare-pid --unshare-ipc --unshare-uts"
        " --unshare-cgroup sleep 60",
        "one after the other": "exec unshare -Ur unshare -m unshare -u unshare -i unshare -C"
        " unshare --time --fork unshare -p --fork sleep 60",
    },
    "cost-2": {
        "mounts": f"exec unshare -Urm bash -c '{TMPFS} for i in {{1..100}}; do touch /mnt/$i;"
        f" unshare --uts=/mnt/$i true; done; {READY}'",
        "back home each time": "exec unshare -Ur --uts $PYTHON -c \""
        f"{UNSHARE} home = {OPEN}; kept = [(libc.unshare(0x4000000), {OPEN},"
        f' libc.setns(home, 0x4000000)) for _ in range(100)]; {ENDS}"',
        "of children that end": "exec unshare -Ur bash -c 'for i in {1..100}; do"
        " coproc unshare --uts sh -c \"echo; read x\"; read -u ${COPROC[0]};"
        " exec {fd}</proc/$COPROC_PID/ns/uts; kill $COPROC_PID; wait; done 2> /dev/null;"
        f" {READY}'",
    },
    "cost-3": {
        "one by one, by ctypes": f'exec unshare -Urm "$PYTHON" -c "{UNSHARE}'
        " [libc.mount(b'/etc', b'/mnt', None, 4096, None) for _ in range(510)];"
        f' {ENDS}"',
        "bwrap": f"exec {BWRAP} --tmpfs /mnt $(for i in {{1..510}}; do echo --bind /usr /mnt/$i;"
        f" done) sh -c '{READY}'",
        "a copy of a long one": f"exec unshare -Urm bash -c '{TMPFS} mkdir /mnt/x; for i in"
        f" {{1..9}}; do mount --rbind /mnt /mnt/x; done; exec unshare -m sh -c \"{READY}\"'",
    },
}  # fmt: skip

CHEATS = {
    "cost-1": {
        "for the children only": f"exec unshare -UrmpuiCT sh -c '{READY}'",
        "spread over two": f"unshare -Urmui sleep 60 & exec unshare -UrpfCT sh -c '{READY}'",
        "the network, too": f"exec unshare -UrmpfuiCTn sh -c '{READY}'",
    },
    "cost-2": {
        "one, a hundred times": "exec unshare -Ur --uts $PYTHON -c \""
        f"{UNSHARE} kept = [{OPEN} for _ in range(150)]; libc.unshare(0x4000000); {ENDS}\"",
        "ninety-nine": "exec unshare -Ur $PYTHON -c \""
        f"{UNSHARE} kept = [(libc.unshare(0x4000000), {OPEN}) for _ in range(99)];"
        f' libc.unshare(0x4000000); {ENDS}"',
        "the last is lived in": "exec unshare -Ur $PYTHON -c \""
        f'{UNSHARE} kept = [(libc.unshare(0x4000000), {OPEN}) for _ in range(100)]; {ENDS}"',
        "two have them together": "exec unshare -Ur $PYTHON -c \""
        f"{UNSHARE} r, w = os.pipe(); first = os.fork();"
        f" kept = [(libc.unshare(0x4000000), {OPEN}) for _ in range(60)]; libc.unshare(0x4000000);"
        f" first or (os.write(w, b'x'), time.sleep(60)); os.read(r, 1); {ENDS}\"",
    },
    "cost-3": {
        "taken off again": f"exec unshare -Urm bash -c '{TMPFS} mkdir /mnt/x; for i in {{1..9}}; do"
        f" mount --rbind /mnt /mnt/x; done; umount -R /mnt; {READY}'",
        "a file over the table": f"exec unshare -Urm bash -c '{TMPFS} seq 600 > /mnt/t;"
        f" mount --bind /mnt/t /proc/$$/mountinfo; {READY}'",
        "a long list of files": f"exec unshare -Urm bash -c '{TMPFS} touch /mnt/{{1..600}};"
        f" {READY}'",
    },
}  # fmt: skip

SAID: dict[tuple[str, str], str] = {
    ("cost-1", "for the children only"): "no new pid",
    ("cost-2", "ninety-nine"): "keeps 99, 99 of them empty",
    ("cost-2", "one, a hundred times"): "keeps 1, 1 of them empty",
    ("cost-2", "the last is lived in"): "keeps 100, 99 of them empty",
}


@pytest.mark.parametrize(("id", "name"), cases(RIGHT))
def test_a_right_answer_by_another_way_passes(id: str, name: str) -> None:
    assert_solves(id, RIGHT[id][name])


@pytest.mark.parametrize(("id", "name"), cases(CHEATS))
def test_what_only_looks_right_is_refused(id: str, name: str) -> None:
    assert_refused(id, CHEATS[id][name], SAID.get((id, name), ""))


def hoard(box: ns.Sandbox) -> int:
    """By /proc alone: how many namespaces its processes have that none of them is in."""
    pids = [process.pid for process in ns.snapshot(box.pid).processes.values()]
    lived_in = {os.readlink(f"/proc/{pid}/ns/uts") for pid in pids}
    links = {
        os.readlink(f"/proc/{pid}/fd/{fd}") for pid in pids for fd in os.listdir(f"/proc/{pid}/fd")
    }
    return len({link for link in links if link.startswith("uts:")} - lived_in)


def test_the_hoard_is_found_by_its_descriptors() -> None:
    with standing("cost-4") as boxes:
        counts = sorted(hoard(box) for box in boxes)
        assert counts[-2] <= 10 and counts[-1] >= 80
        for count in counts[:-1]:
            assert not answered("cost-4", count)
        assert answered("cost-4", counts[-1])


@pytest.mark.parametrize("said", [None, True, "100", 0, -1, 10**300, 99.5, [100], object()])
def test_no_number_of_namespaces_is_no_answer(said: object) -> None:
    with standing("cost-4"):
        assert not answered("cost-4", said)
        assert judge("cost-4").found.startswith("found")


def test_number_of_descriptors_is_no_answer() -> None:
    with standing("cost-4") as boxes:
        right = max(map(hoard, boxes))
        for box in boxes:
            pids = ns.snapshot(box.pid).processes.keys() - {box.pid}
            count = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
            assert answered("cost-4", count) == (count == right)  # it may be, by chance
