"""The exercises on what the ten links are: other right answers, and what only looks right."""

from __future__ import annotations

import os

import pytest

import nsedu as ns
from nsedu.learning.exercises import EXERCISES, diagnosis
from ways import READY, ROOT, assert_refused, assert_solves, cases, entering, judge, python

pytestmark = pytest.mark.needs("userns", "mnt", "uts", "ipc", "pid", "unshare", "nsenter")

RIGHT = {
    "link-1": {
        "ctypes": python("libc.unshare(0x10000000);"),
        "with an id map": f"exec unshare -Ur sh -c '{READY}'",
        "only one of two entered": f"unshare -Ur --uts sleep 60 & {entering('', 'sleep 60')}",
        "root needs no user namespace": f"{ROOT}\nexec unshare --uts sh -c '{READY}'",
        "root's pid namespace, with its fork": f"{ROOT}\nexec unshare --pid --fork sleep 60",
    },
    "link-2": {
        "ctypes": "exec unshare -Ur --uts --ipc bash -c '"
        + " ".join(
            f'"$PYTHON" -c "import ctypes, time; ctypes.CDLL(None).unshare({flag});'
            ' time.sleep(60)" &'
            for flag in ("0x4000000", "0x8000000")
        )
        + " exec sleep 60'",
        "bwrap": "exec bwrap --unshare-user --unshare-uts --unshare-ipc --cap-add ALL --dev-bind"
        " / / sh -c 'unshare --ipc sleep 60 & unshare --uts sleep 60 & exec sleep 60'",
        "nsenter from outside": "unshare -Ur --uts --ipc sleep 60 & until grep -q sleep"
        " /proc/$!/comm; do sleep 0.05; done; nsenter -t $! -U --preserve-credentials --uts --ipc"
        " unshare --ipc sleep 60 & nsenter -t $(jobs -p %1) -U --preserve-credentials --uts --ipc"
        " unshare --uts sleep 60 & wait",
    },
}

CHEATS = {
    "link-1": {
        "bwrap, which makes mounts, too": "exec bwrap --unshare-user --dev-bind / / sh -c"
        f" '{READY}'",
        "a pid namespace that it is not in": f"exec unshare --user --pid sh -c '{READY}'",
        "a /proc that shows others": "exec unshare -Urm sh -c 'mount -t tmpfs none /mnt; mkdir -p"
        " /mnt/self/ns; for t in mnt uts ipc; do ln -s $t:[1] /mnt/self/ns/$t; done; mount --rbind"
        f" /mnt /proc; {READY}'",
        "one that has ended": "unshare --user true; echo ready; sleep 60",
    },
    "link-2": {
        "the notebook is the middle": "unshare -Ur --ipc sleep 60 & exec unshare -Ur --uts sh -c"
        f" '{READY}'",
        "a chain of other types": "exec unshare -Ur --uts --mount sh -c 'unshare --uts sleep 60 &"
        f" unshare --mount sleep 60 & {READY}'",
        "the third shares the notebook's": "exec unshare -Ur --uts sh -c 'unshare --ipc sh -c"
        f" \"unshare --ipc sleep 60 & sleep 60\" & sleep 0.2; {READY}'",
        "one name, and not one namespace": "one() { unshare -Ur --uts --ipc sh -c 'hostname twin;"
        f" {READY}'; }}; one > /dev/null & one > /dev/null & one",
    },
}  # fmt: skip

SAID = {
    ("link-1", "bwrap, which makes mounts, too"): "differs in 2 types, mnt, user",
    ("link-1", "a pid namespace that it is not in"): "differs in 2 types, pid, user",
    ("link-2", "the notebook is the middle"): "has left both",
}


@pytest.mark.parametrize(("id", "name"), cases(RIGHT))
def test_a_right_answer_by_another_way_passes(id: str, name: str) -> None:
    assert_solves(id, RIGHT[id][name])


@pytest.mark.parametrize(("id", "name"), cases(CHEATS))
def test_what_only_looks_right_is_refused(id: str, name: str) -> None:
    assert_refused(id, CHEATS[id][name], SAID.get((id, name), ""))


def same(box: ns.Sandbox) -> list[str]:
    six = ("mnt", "uts", "ipc", "pid", "net", "cgroup")
    return [
        name for name in six if os.readlink(f"/proc/{box.pid}/ns/{name}")
        == os.readlink(f"/proc/self/ns/{name}")
    ]  # fmt: skip


@pytest.fixture
def leaky() -> object:
    exercise = EXERCISES["link-3"]
    assert exercise.broken is not None
    with diagnosis.begun("link-3", exercise.broken) as (box,):
        yield box


@pytest.mark.needs("net", "cgroup")
@pytest.mark.parametrize(
    "form",
    [tuple, " and ".join, lambda names: {f"{name.upper()}" for name in names}],
    ids=["names", "a sentence", "capitals"],
)
def test_the_leak_is_said_in_any_form(leaky: ns.Sandbox, form: object) -> None:
    diagnosis.say("link-3", form(same(leaky)))  # type: ignore[operator]
    assert judge("link-3").solved


@pytest.mark.needs("net", "cgroup")
@pytest.mark.parametrize(
    "answer", [["user", "time"], "all of them", 6, None, ["mnt", "uts", "net"]]
)
def test_what_names_no_two_of_them_is_no_answer_or_a_wrong_one(
    leaky: ns.Sandbox, answer: object
) -> None:
    diagnosis.say("link-3", answer)
    assert leaky.pid and not judge("link-3").solved


@pytest.mark.needs("net", "cgroup")
def test_a_sandbox_of_one_s_own_is_not_the_one_that_leaks() -> None:
    with ns.Sandbox("mnt", "uts", "ipc", "pid", name="link-3") as box:
        diagnosis.say("link-3", same(box))
        verdict = judge("link-3")
        diagnosis.close("link-3")
    assert not verdict.solved
    assert "found no sandbox of this exercise" in verdict.found


@pytest.mark.needs("net", "cgroup")
def test_another_sandbox_leaks_other_types() -> None:
    exercise, leaks = EXERCISES["link-3"], set()
    assert exercise.broken is not None
    for _ in range(40):  # of fifteen pairs: one alone would be a wonder
        with diagnosis.begun("link-3", exercise.broken) as (box,):
            leaks.add(tuple(same(box)))
        if len(leaks) > 1:
            return
    pytest.fail(f"it is always {leaks}")
