"""Exercises on control groups: other right answers, and what only looks right."""

from __future__ import annotations

import errno
import os

import pytest

from nsedu import Sandbox
from nsedu.learning.exercises import cgroup, diagnosis
from nsedu.observe.cgroups import counters, directories
from ways import (
    BWRAP,
    ENTER,
    FAKE,
    READY,
    answered,
    assert_refused,
    assert_solves,
    cases,
    judge,
    python,
    running,
    standing,
    until,
)

pytestmark = pytest.mark.needs("userns", "mnt", "cgroup", "unshare", "nsenter")

RIGHT = {
    "cgroup-1": {
        "bwrap": f"exec {BWRAP} --unshare-cgroup sh -c '{READY}'",
        "ctypes": python("libc.unshare(0x12000000);"),
        "another cat": "exec unshare -Urm --cgroup sh -c '"
        + FAKE.format(says="0::/far/below", programs="/bin/cat /usr/bin/cat")
        + f" {READY}'",
    },
    "cgroup-2": {
        "in another place": "exec unshare -Ur --cgroup --mount sh -c"
        f" 'mount -t cgroup2 none /srv; {READY}'",
        "in a copy of the mount namespace": "exec unshare -Ur --cgroup --mount sh -c 'mount -t"
        f" cgroup2 none /mnt; exec unshare -m sh -c \"{READY}\"'",
        "after nsenter": "unshare -Ur --cgroup sleep 60 & until nsenter -t $! -U"
        " --preserve-credentials -C unshare -m sh -c 'mount -t cgroup2 none /mnt && sleep 60'; do"
        " sleep 0.05; done; wait",
    },
    "cgroup-3": {
        "ctypes": python("libc.unshare(0x12000000); os.fork() or libc.unshare(0x2000000);"),
        "nsenter": f"unshare -Ur --cgroup sleep 60 & {until(f'{ENTER} unshare -C sleep 60')}; wait",
        "bwrap": "exec unshare -Ur bash -c 'for n in 1 2; do"
        " bwrap --dev-bind / / --unshare-cgroup sleep 60 & done; wait'",
    },
}  # fmt: skip

CHEATS = {
    "cgroup-1": {
        "a fake cat": "exec unshare -Urm sh -c '"
        + FAKE.format(says="0::/", programs="/bin/cat /usr/bin/cat")
        + f" {READY}'",
        "a file over /proc/self/cgroup": "exec unshare -Urm sh -c 'mount -t tmpfs none /mnt; echo"
        f" 0::/ > /mnt/0; mount --bind /mnt/0 /proc/$$/cgroup; {READY}'",
    },
    "cgroup-2": {
        "another type under that name": "exec unshare -Ur --cgroup --mount sh -c 'mount -t tmpfs"
        f" cgroup2 /mnt; {READY}'",
        "mounted, and unmounted again": "exec unshare -Ur --cgroup --mount sh -c 'mount -t cgroup2"
        f" none /mnt; umount /mnt; {READY}'",
        "without a cgroup namespace": "exec unshare -Ur --mount sh -c 'mount -t tmpfs none /mnt;"
        f" {READY}'",
    },
    "cgroup-3": {
        "one inside the other's user namespace": "exec unshare -Ur --cgroup sh -c"
        f" 'unshare -Ur --cgroup sleep 60 & {READY}'",
        "two processes, one view": f"exec unshare -Ur --cgroup sh -c 'sleep 60 & {READY}'",
        "another type": f"exec unshare -Ur --uts sh -c 'unshare --uts sleep 60 & {READY}'",
    },
}  # fmt: skip

SAID: dict[tuple[str, str], str] = {}


@pytest.mark.parametrize(("id", "name"), cases(RIGHT))
def test_a_right_answer_by_another_way_passes(id: str, name: str) -> None:
    assert_solves(id, RIGHT[id][name])


@pytest.mark.parametrize(("id", "name"), cases(CHEATS))
def test_what_only_looks_right_is_refused(id: str, name: str) -> None:
    assert_refused(id, CHEATS[id][name], SAID.get((id, name), ""))


@pytest.mark.needs("cgroup-write")
def test_a_view_that_begins_at_the_group_it_was_put_in_is_its_own() -> None:
    with (
        Sandbox("user", limits={"pids": 20}) as box,
        box.popen(["unshare", "--cgroup", "sh", "-c", READY]) as command,
    ):
        assert command.stdout.readline() == "ready\n"
        assert judge("cgroup-1").solved


@pytest.mark.needs("cgroup-write")
def test_what_is_in_a_group_below_the_root_of_its_view_reads_another_path() -> None:
    with Sandbox("cgroup") as box:
        guest = Sandbox(join=box, limits={"pids": 20})
    with guest:
        verdict = judge("cgroup-1")
    assert not verdict.solved
    assert "a path in it is" in verdict.found


def test_two_views_in_the_notebooks_own_user_namespace_are_not_two_in_another() -> None:
    if os.geteuid() != 0:
        pytest.skip("without a user namespace it takes root to make a cgroup namespace.")
    script = "unshare --cgroup sleep 60 & exec unshare --cgroup sh -c 'echo ready; sleep 60'"
    with running(script), Sandbox("cgroup", user=False), Sandbox("cgroup", user=False):
        verdict = judge("cgroup-3")
    assert not verdict.solved
    assert "in your own user namespace" in verdict.found


NINE = "for i in 1 2 3 4 5 6 7 8 9; do sleep 60 > /dev/null 2>&1 & done"


def _sh(script: str) -> list[str]:
    """A shell that says at once that it cannot fork; bash tries again, for 15 seconds."""
    return ["sh", "-c", script]


@pytest.mark.needs("cgroup-write")
@pytest.mark.parametrize(
    "hit",
    [
        lambda box: box.run(_sh(NINE), check=False),
        lambda box: box.run(_sh("(sleep 60 | sleep 60 | sleep 60 | sleep 60 | sleep 60) & wait $!"),
                            check=False),
        lambda box: [_refused(box) for _ in range(9)],
    ],
    ids=["a loop in a shell", "a pipeline", "one by one"],
)  # fmt: skip
def test_however_the_limit_was_hit_it_was_felt(hit: object) -> None:
    with Sandbox("user", limits={"pids": 5}) as box:
        assert callable(hit)
        kept = hit(box)
        assert judge("cgroup-4").solved, (judge("cgroup-4"), kept)


def _refused(box: Sandbox) -> object:
    try:
        return box.popen(["sleep", "60"])
    except OSError as error:
        return error


@pytest.mark.needs("cgroup-write")
@pytest.mark.parametrize("limit", [6, 20])
def test_a_wider_limit_that_was_felt_is_not_the_one(limit: int) -> None:
    with Sandbox("user", limits={"pids": limit}) as box:
        kept = [_refused(box) for _ in range(limit + 2)]
        assert counters(box).pids_refused, kept
        verdict = judge("cgroup-4")
    assert not verdict.solved
    assert "no limit of 5" in verdict.found


@pytest.mark.needs("cgroup-write")
def test_a_fork_that_another_limit_refuses_is_not_felt_by_the_group() -> None:
    code = (
        "import os, resource; resource.setrlimit(resource.RLIMIT_NPROC, (0, 0));"
        " os.setuid(0)\ntry:\n    os.fork()\nexcept OSError as error:\n    print(error.errno)"
    )
    with Sandbox("user", limits={"pids": 5}) as box:
        box.run(["python3", "-c", code], check=False)
        verdict = judge("cgroup-4")
    assert verdict.found == "found the limit, but its counter says 0: nobody hit it."


@pytest.mark.needs("cgroup-write")
@pytest.mark.parametrize(
    "enter",
    [f"{ENTER} -C sleep 60", f"{ENTER} -C sh -c 'sleep 60; true'", f"{ENTER} -C -F sleep 60"],
)
def test_what_enters_the_view_and_not_the_group_is_above_its_root(enter: str) -> None:
    with Sandbox("cgroup", limits={"pids": 20}) as host:
        assert_solves("cgroup-5", enter.replace("$!", str(host.pid)))


@pytest.mark.needs("cgroup-write")
@pytest.mark.parametrize("types", [("user",), ("user", "mnt")])
def test_a_group_without_a_view_of_its_own_has_nothing_above_it(types: tuple[str, ...]) -> None:
    with Sandbox(*types, limits={"pids": 20}) as box:
        if "mnt" in types:
            box.run(
                "mount -t tmpfs none /mnt; echo 0::/.. > /mnt/0;"
                f" mount --bind /mnt/0 /proc/{box.pid}/cgroup"
            )
        assert not judge("cgroup-5").solved


def test_whose_view_it_is_is_told_by_the_links() -> None:
    with standing("cgroup-6") as boxes:
        own = os.readlink("/proc/self/ns/cgroup")
        links = [os.readlink(f"/proc/{box.pid}/ns/cgroup") for box in boxes]
        right = "".join("abcdef"[n] for n, link in enumerate(links) if link != own)
        assert answered("cgroup-6", right)
        assert answered("cgroup-6", right[::-1])
        assert not answered("cgroup-6", right[1:])
        assert not answered("cgroup-6", "abcdef")
        assert judge("cgroup-6").found == "found too many than have a view of their own."


@pytest.mark.parametrize("said", [None, "", "xyz", "aa", True, 3, [], [1], object()])
def test_no_letters_are_no_answer(said: object) -> None:
    with standing("cgroup-6"):
        assert not answered("cgroup-6", said)
        assert judge("cgroup-6").found.startswith("found")


def ten(box: Sandbox) -> int:
    """Start ten processes at once in a sandbox, and end them: 0, or the errno of the one refused.

    Not by a shell: it would have to fork once more to end those of a full group.
    """
    started = []
    try:
        for _ in range(10):
            started.append(box.popen(["sleep", "30"]))
    except OSError as error:
        assert error.errno is not None
        return error.errno
    finally:
        for process in started:
            process.kill()
            process.wait()
    return 0


@pytest.mark.needs("cgroup-write")
@pytest.mark.parametrize("tight", [0, 1], ids=["the outer one", "the inner one"])
def test_where_there_is_no_room_ten_are_refused_until_the_full_group_is_widened(tight: int) -> None:
    with diagnosis.begun("cgroup-7", lambda: cgroup.full(tight)) as (box, outer):
        assert ten(box) == errno.EAGAIN
        assert not judge("cgroup-7").solved
        wide, full = ((box, outer), (outer, box))[tight]
        (directories(wide)["pids"] / "pids.max").write_text("5000")
        assert not judge("cgroup-7").solved
        (directories(full)["pids"] / "pids.max").write_text("max")
        assert judge("cgroup-7").solved, judge("cgroup-7")
        assert ten(box) == 0
