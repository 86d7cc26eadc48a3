"""The exercises on UTS namespaces: other right answers, and what only looks right."""

from __future__ import annotations

import os

import pytest

import nsedu as ns
from nsedu.learning.exercises import EXERCISES, diagnosis
from nsedu.learning.exercises.model import world
from ways import (
    BWRAP,
    ENDS,
    FAKE,
    READY,
    ROOT,
    assert_refused,
    assert_solves,
    cases,
    entering,
    judge,
    python,
)

pytestmark = pytest.mark.needs("userns", "mnt", "pid", "uts", "unshare", "nsenter")

RIGHT = {
    "uts-1": {
        "ctypes": python("libc.unshare(0x14000000); libc.sethostname(b'phobos', 6);"),
        "bwrap": f"exec {BWRAP} --unshare-uts --hostname phobos sh -c '{READY}'",
        "a root without any program but sleep": "exec bwrap --unshare-user --unshare-uts --hostname"
        " phobos --ro-bind /usr/lib /usr/lib --symlink usr/lib /lib --ro-bind-try /lib64 /lib64"
        " --ro-bind /usr/bin/sleep /sleep /sleep 60",
        "a program uname that does not work": "exec unshare -Urm --uts sh -c 'hostname phobos;"
        f" for p in /bin/uname /usr/bin/uname; do mount --bind /dev/null $p; done; {READY}'",
        "nsenter sets the name": "unshare -Ur --uts sleep 60 & until nsenter -t $! -U"
        " --preserve-credentials --uts $PYTHON -c 'import socket; socket.sethostname(\"phobos\")';"
        " do sleep 0.05; done; wait",
        "a container without a user namespace": f"{ROOT}\nexec unshare --uts --mount --pid --fork"
        f" --mount-proc sh -c 'hostname phobos; {READY}'",
        "systemd-nspawn": f"{ROOT}\nexec unshare --mount sh -c 'mount -t tmpfs none /mnt; cd /mnt;"
        " mkdir -p usr etc; mount --bind /usr usr; for d in bin lib lib64 sbin; do ln -s usr/$d"
        " $d; done; exec systemd-nspawn -q --register=no --keep-unit -D /mnt --hostname=phobos"
        " sleep 60'",
    },
    "uts-2": {
        "bwrap, and nsenter": "bwrap --unshare-user --unshare-uts --dev-bind / / sleep 60 & until"
        " p=$(cat /proc/$!/task/$!/children) && [ $p ] && nsenter -t $p -U --preserve-credentials"
        " --uts sleep 60; do sleep 0.05; done",
        "ctypes": 'unshare -Ur --uts sleep 60 & until grep -q sleep /proc/$!/comm; do sleep 0.05;'
        ' done; p=$! "$PYTHON" -c "import ctypes, os, time; libc = ctypes.CDLL(None);'
        " [libc.setns(os.open(f'/proc/{os.environ[chr(112)]}/ns/{t}', 0), 0) for t in ('user',"
        " 'uts')]; time.sleep(60)\" & wait",
        "by a file that keeps it": "exec unshare -Urm sh -c 'mount -t tmpfs none /mnt; touch"
        " /mnt/u; unshare --uts=/mnt/u sleep 60 & sleep 0.2; nsenter --uts=/mnt/u sleep 60'",
    },
    "uts-3": {
        "bwrap": f"{BWRAP} --unshare-uts --hostname twin sleep 60 &"
        f" {BWRAP} --unshare-uts --hostname twin sleep 60 & wait",
        "ctypes": "for n in 1 2; do "
        + python("libc.unshare(0x14000000); libc.sethostname(b'twin', 4);").removeprefix("exec ")
        + " & done; wait",
        "one inside the other": "exec unshare -Ur --uts unshare --uts sh -c 'true; sleep 60' &"
        " exec unshare -Ur --uts sleep 60",
    },
}  # fmt: skip

CHEATS = {
    "uts-1": {
        "a fake uname": "exec unshare -Urm --uts sh -c '"
        + FAKE.format(says="phobos", programs="/bin/uname /usr/bin/uname")
        + f" {READY}'",
        "the domain's name": python("libc.unshare(0x14000000); libc.setdomainname(b'phobos', 6);"),
        "a file over the host name": "exec unshare -Urm --uts sh -c 'mount -t tmpfs none /mnt;"
        " echo phobos > /mnt/name; mount --bind /mnt/name /proc/sys/kernel/hostname;"
        f" mount --bind /mnt/name /etc/hostname; {READY}'",
        "a process of that name": "exec unshare -Ur --uts $PYTHON -c \"import ctypes, time;"
        f" ctypes.CDLL(None).prctl(15, b'phobos', 0, 0, 0); {ENDS}\"",
        "a copy, in a host of that name": "exec unshare -Ur --uts sh -c"
        f" 'hostname deimos; unshare --uts sleep 60 & {READY}'",
    },
    "uts-2": {
        "an orphan, born there": "exec unshare -Ur --uts sh -c 'sh -c \"sleep 60 &\";"
        f" {READY}'",
        "two of one name": "one() { exec unshare -Ur --uts sh -c 'hostname twin;"
        f" {READY}'; }}; one > /dev/null & one",
        "a user namespace that is shared": "unshare -Ur --uts sleep 60 & "
        + entering("", f"unshare --uts sh -c '{READY}'"),
    },
    "uts-3": {
        "a fake uname": "exec unshare -Urm --uts sh -c 'hostname castor; "
        + FAKE.format(says="twin", programs="/bin/uname /usr/bin/uname")
        + f" unshare --uts sh -c \"hostname pollux; {READY}\"'",
        "no uname at all": "exec unshare -Urm --uts sh -c 'hostname castor;"
        " for p in /bin/uname /usr/bin/uname; do mount --bind /dev/null $p; done;"
        f" unshare --uts sh -c \"hostname pollux; {READY}\"'",
        "two processes, one namespace": f"exec unshare -Ur --uts sh -c 'sleep 60 & {READY}'",
    },
}  # fmt: skip

SAID = {
    ("uts-1", "a fake uname"): "its name is not phobos",
    ("uts-3", "a fake uname"): "castor, pollux",
    ("uts-3", "two processes, one namespace"): "it takes two",
}


@pytest.mark.parametrize(("id", "name"), cases(RIGHT))
def test_a_right_answer_by_another_way_passes(id: str, name: str) -> None:
    assert_solves(id, RIGHT[id][name])


@pytest.mark.parametrize(("id", "name"), cases(CHEATS))
def test_what_only_looks_right_is_refused(id: str, name: str) -> None:
    assert_refused(id, CHEATS[id][name], SAID.get((id, name), ""))


@pytest.fixture
def five() -> object:
    exercise = EXERCISES["uts-4"]
    assert exercise.broken is not None
    with diagnosis.begun("uts-4", exercise.broken) as boxes:
        yield boxes


def by_number(boxes: tuple[ns.Sandbox, ...]) -> list[ns.Sandbox]:
    numbers = [os.stat(f"/proc/{box.pid}/ns/uts").st_ino for box in boxes]
    return [box for box, ns in zip(boxes, numbers, strict=True) if numbers.count(ns) > 1]


def by_renaming(boxes: tuple[ns.Sandbox, ...]) -> list[str]:
    for box in boxes:
        box.run(["hostname", box.name])
    names = [box.run(["uname", "-n"]).stdout.strip() for box in boxes]
    return [box.name for box, name in zip(boxes, names, strict=True) if names.count(name) > 1]


def by_matrix(boxes: tuple[ns.Sandbox, ...]) -> str:
    seen = ns.snapshot()
    pids = {box.pid for box in boxes}
    (pair,) = [n.members for n in seen.of_type("uts") if len(pids & {*n.members}) == 2]
    return " ".join(box.name[-1] for box in boxes if box.pid in pair)


@pytest.mark.needs("hostname")
@pytest.mark.parametrize("find", [by_number, by_renaming, by_matrix])
def test_the_two_are_found_in_several_ways(five: tuple[ns.Sandbox, ...], find: object) -> None:
    diagnosis.say("uts-4", find(five))  # type: ignore[operator]
    verdict = judge("uts-4")
    assert verdict.solved, verdict


@pytest.mark.parametrize("answer", ["a", "a b c", "mars mars", 3, None, [["a"], ["a"]]])
def test_what_names_no_two_is_no_answer(five: tuple[ns.Sandbox, ...], answer: object) -> None:
    diagnosis.say("uts-4", answer)
    assert judge("uts-4").found == "found the five, but no answer that names two of them."
    diagnosis.say("uts-4", by_number(five))
    assert judge("uts-4").solved


def test_five_sandboxes_of_one_s_own_are_not_those() -> None:
    with (
        ns.Sandbox("uts", name="uts-4-a") as a, ns.Sandbox(join=a, name="uts-4-b"),
        ns.Sandbox("uts", name="uts-4-c"), ns.Sandbox("uts", name="uts-4-d"),
        ns.Sandbox("uts", name="uts-4-e"),
    ):  # fmt: skip
        diagnosis.say("uts-4", "a b")
        verdict = judge("uts-4")
        diagnosis.close("uts-4")
    assert not verdict.solved
    assert verdict.found.startswith("found 0 of the five")


def test_a_name_that_the_notebook_has_itself_is_no_other_name() -> None:
    with ns.Sandbox("uts", hostname="phobos") as kernel, kernel.sandbox("uts"):
        solved, found = EXERCISES["uts-1"].check(world(kernel.pid, me=kernel.pid))
    assert not solved
    assert found.startswith("this very process is on a host called phobos")
