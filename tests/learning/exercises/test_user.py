"""The exercises on user namespaces: other right answers, and what only looks right."""

from __future__ import annotations

import os

import pytest

import nsedu as ns
from awaiting import eventually
from nsedu.kernel.procfs import read
from nsedu.learning.exercises import EXERCISES, diagnosis
from nsedu.observe.snapshot import snapshot
from ways import (
    BWRAP,
    ENDS,
    FAKE,
    MAP,
    READY,
    ROOT,
    assert_refused,
    assert_solves,
    cases,
    entering,
    judge,
    python,
)

pytestmark = pytest.mark.needs("userns", "mnt", "pid", "uts", "net", "unshare", "nsenter")

RIGHT = {
    "user-1": {
        "bwrap": f"exec {BWRAP} --uid 1000 --gid 1000 sh -c '{READY}'",
        "ctypes": python("libc.unshare(0x10000000);" + MAP.replace("'0 ", "'1000 ")),
        "the map is written from outside": "unshare --user sleep 60 & until echo 1000 $(id -u) 1"
        " > /proc/$!/uid_map; do sleep 0.05; done 2> /dev/null; wait",
        "not the first process of its namespace": f"{ROOT}\nunshare --user sleep 60 & until grep -q"
        " sleep /proc/$!/comm; do sleep 0.05; done; for m in uid gid; do echo 0 2013265920 2000 >"
        " /proc/$!/${m}_map; done; nsenter -t $! -U -S 1000 -G 1000 sleep 60 & wait",
    },
    "user-2": {
        "bwrap": f"exec {BWRAP} --unshare-net --cap-add ALL unshare -Ur sh -c '{READY}'",
        "ctypes": python(f"libc.unshare(0x50000000); {MAP} uid = gid = 0;"
                         f" libc.unshare(0x10000000); {MAP}"),
        "nsenter into the network": "unshare -Ur --net sleep 60 & "
        + entering("--net", "unshare -Ur sleep 60"),
        "root's network": f"{ROOT}\nexec unshare --net unshare -Ur sh -c '{READY}'",
    },
    "user-3": {
        "bwrap": f"exec {BWRAP} --disable-userns sh -c '{READY}'",
        "one is allowed, and made": "exec unshare -Ur sh -c"
        f" 'echo 1 > /proc/sys/user/max_user_namespaces; exec unshare -Ur sh -c \"{READY}\"'",
        "ctypes": "exec unshare -Ur $PYTHON -c \"import time;"
        f" open('/proc/sys/user/max_user_namespaces', 'w').write('0'); {ENDS}\"",
    },
    "user-4": {
        "bwrap": f"exec {BWRAP} --cap-add ALL unshare -Ur unshare -Ur sh -c '{READY}'",
        "ctypes": python(f"libc.unshare(0x10000000); {MAP} uid = gid = 0;" * 3),
        "nsenter into the second": "unshare -Ur unshare -Ur sleep 60 & "
        + entering("", "unshare -Ur sleep 60"),
    },
}  # fmt: skip

CHEATS = {
    "user-1": {
        "a map that is only a file": "exec unshare -Urm sh -c 'mount -t tmpfs none /mnt; echo 1000"
        f" 0 1 > /mnt/map; mount --bind /mnt/map /proc/$$/uid_map; {READY}'",
        "a fake id": "exec unshare -Urm sh -c '"
        + FAKE.format(says="1000", programs="/bin/id /usr/bin/id") + f" {READY}'",
        "the overflow id, mapped": f"exec unshare --user --map-user=65534 sh -c '{READY}'",
        "1000 in the map, and not the user": python(
            "libc.unshare(0x10000000);" + MAP.replace("'0 ", "'1001 ")
        ),
    },
    "user-2": {
        "65534 inside": f"exec unshare -Ur --net unshare --user sh -c '{READY}'",
        "an ordinary user inside": "exec unshare -Ur --net unshare --user --map-user=1000 sh -c"
        f" '{READY}'",
        "the owner is the grandparent": "exec unshare -Ur --net unshare -Ur unshare -Ur sh -c"
        f" '{READY}'",
        "the master": f"exec unshare -Ur --net sh -c '{READY}'",
        "the notebook's network": f"exec unshare -Ur unshare -Ur sh -c '{READY}'",
    },
    "user-3": {
        "a fake cat": "exec unshare -Urm sh -c '"
        + FAKE.format(says="0", programs="/bin/cat /usr/bin/cat")
        + f" {READY}'",
        "a file over the limit": "exec unshare -Urm sh -c 'mount -t tmpfs none /mnt; echo 0 >"
        f" /mnt/0; mount --bind /mnt/0 /proc/sys/user/max_user_namespaces; {READY}'",
        "another type's limit": "exec unshare -Ur sh -c 'echo 0 >"
        f" /proc/sys/user/max_uts_namespaces; {READY}'",
        "set back": "exec unshare -Ur sh -c 'f=/proc/sys/user/max_user_namespaces; echo 0 > $f;"
        f" echo 9 > $f; {READY}'",
    },
    "user-4": {
        "the third has ended": "exec unshare -Ur unshare -Ur sh -c 'unshare -Ur true;"
        f" {READY}'",
        "three others, two deep": "exec unshare -Ur sh -c 'unshare -Ur sleep 60 & unshare -Ur sleep"
        f" 60 & exec unshare -Ur sh -c \"{READY}\"'",
        "three other namespaces": "exec unshare -Ur --uts unshare --uts unshare --uts sh -c"
        f" '{READY}'",
    },
}  # fmt: skip

SAID = {
    ("user-1", "the overflow id, mapped"): "the id inside is 65534",
    ("user-2", "65534 inside"): "it is 65534, as no map names it",
    ("user-2", "an ordinary user inside"): "it is user 1000",
    ("user-2", "the owner is the grandparent"): "belongs to a user namespace 2 levels out, not 1",
    ("user-2", "the master"): "it is the master there",
    ("user-2", "the notebook's network"): "the network is still yours",
}


@pytest.mark.parametrize(("id", "name"), cases(RIGHT))
def test_a_right_answer_by_another_way_passes(id: str, name: str) -> None:
    assert_solves(id, RIGHT[id][name])


@pytest.mark.parametrize(("id", "name"), cases(CHEATS))
def test_what_only_looks_right_is_refused(id: str, name: str) -> None:
    assert_refused(id, CHEATS[id][name], SAID.get((id, name), ""))


@pytest.fixture
def forgotten() -> object:
    exercise = EXERCISES["user-5"]
    assert exercise.broken is not None
    with diagnosis.begun("user-5", exercise.broken) as (box,):
        yield box


def its_number(box: ns.Sandbox) -> int:
    (service,) = snapshot(box.pid).children(box.pid)
    return service.nspid[-1]


def by_call(box: ns.Sandbox) -> None:
    def write(path: str) -> None:
        with open(path, "w") as file:
            file.write("1000 0 1")

    box.call(write, f"/proc/{its_number(box)}/uid_map")


def by_nsenter(box: ns.Sandbox) -> None:
    (service,) = snapshot(box.pid).children(box.pid)
    # Root outside is nobody in there, an ordinary user is root.
    enter = f"nsenter -t {box.pid} -U" + " --preserve-credentials" * (os.geteuid() != 0)
    assert os.system(f"{enter} sh -c 'echo 1000 0 1 > /proc/{service.pid}/uid_map'") == 0


def by_sandbox_inside(box: ns.Sandbox) -> None:
    with ns.Sandbox(join=box) as guest:
        guest.run(f"echo '1000 0 1' > /proc/{its_number(box)}/uid_map")


@pytest.mark.parametrize("mend", [by_call, by_nsenter, by_sandbox_inside])
def test_the_map_may_be_written_in_several_ways(forgotten: ns.Sandbox, mend: object) -> None:
    mend(forgotten)  # type: ignore[operator]
    verdict = judge("user-5")
    assert verdict.solved, verdict


def is_sleep(pid: int) -> bool:
    """Whether a process executes sleep; its name is another a moment before its command line is."""
    return read(f"/proc/{pid}/cmdline").startswith(b"sleep\0")


def test_another_service_in_the_place_of_the_first_does_not_count(forgotten: ns.Sandbox) -> None:
    forgotten.run(f"kill -9 {its_number(forgotten)}")
    with forgotten.popen(["unshare", "--user", "--map-user=1000", "sleep", "31415"]) as process:
        assert eventually(lambda: is_sleep(process.pid))
        verdict = judge("user-5")
    assert not verdict.solved
    assert "found another service, and the first one has ended" in verdict.found


def test_a_map_that_another_id_has_is_final(forgotten: ns.Sandbox) -> None:
    forgotten.run(f"echo '7 0 1' > /proc/{its_number(forgotten)}/uid_map")
    assert "found the service as user 7: the map is written, once" in judge("user-5").found


def test_a_service_outside_of_the_sandbox_does_not_count(forgotten: ns.Sandbox) -> None:
    command = ["unshare", "--user", "--map-user=1000", "sleep", "31415"]
    with ns.Sandbox("user") as mine, mine.popen(command) as process:
        assert eventually(lambda: is_sleep(process.pid))
        assert forgotten.pid and "still as 65534" in judge("user-5").found
