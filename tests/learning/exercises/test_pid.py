"""The exercises on PID namespaces: other right answers, cheats, and what a fault hears."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import replace

import pytest

import nsedu as ns
from awaiting import eventually
from nsedu.learning.exercises import EXERCISES, diagnosis
from nsedu.learning.exercises.model import world
from nsedu.observe.snapshot import snapshot
from nsedu.sandbox.sandbox import Sandbox
from ordinary_user import Learner
from ways import BWRAP, READY, assert_refused, assert_solves, cases, judge, made

pytestmark = pytest.mark.needs("userns", "pid", "mnt", "unshare", "nsenter")

ENDS = "print('ready', flush=True); time.sleep(60)"
FOUND = (  # $p is the one child of what was started last, once it is a sleep
    "until read -r p < /proc/$!/task/$!/children; grep -qs sleep /proc/$p/comm; do sleep 0.05; done"
)
FORK = "os.fork() and time.sleep(60);"


def first(code: str) -> str:
    """A script of Python as the first process of a PID namespace."""
    start = "import ctypes, os, time; libc = ctypes.CDLL(None);"
    return f'exec unshare -Urpf "$PYTHON" -c "{start} {code}"'


RIGHT = {
    "pid-1": {
        "bwrap": f"exec {BWRAP} --unshare-pid --as-pid-1 --proc /proc sh -c '{READY}'",
        "mounted by hand": f"exec unshare -Urmpf sh -c 'mount -t proc none /proc; {READY}'",
        "in a new root": "exec unshare -Urmpf sh -c 'mount -t tmpfs none /mnt; cd /mnt; mkdir proc"
        " usr bin lib lib64; for d in usr bin lib lib64; do [ ! -e /$d ] || mount --rbind /$d $d;"
        f" done; mount -t proc none proc; PATH=$PATH:/usr/sbin; exec chroot . sh -c \"{READY}\"'",
    },
    "pid-2": {
        "bwrap": f"exec {BWRAP} --unshare-pid --as-pid-1 --cap-add ALL unshare --pid --fork"
        " sleep 60",
        "ctypes": first(f"libc.unshare(0x20000000); {FORK} {ENDS}"),
        "three levels": "exec unshare -Urpf unshare -pf unshare -pf sleep 60",
        "made by a guest": f"unshare -Urpf sleep 60 & {FOUND}; nsenter -t $p -U"
        " --preserve-credentials -p unshare -pf sleep 60",
    },
    "pid-3": {
        "an init of Python's": first(
            f"os.fork() or os._exit(0); {ENDS}"
        ),
        "bwrap, and sleep as init": f"exec {BWRAP} --unshare-pid --as-pid-1 sh -c"
        " 'sh -c \"sleep 0.1 &\"; exec sleep 60'",
        "its own child": "exec unshare -Urpf sh -c 'sleep 0.1 & exec sleep 60'",
    },
    "pid-4": {
        "bwrap, and nsenter": "bwrap --unshare-user --unshare-pid --as-pid-1 --dev-bind / / sleep"
        f" 60 & {FOUND}; nsenter -t $p -U --preserve-credentials -p sleep 60",
        "ctypes": f'unshare -Urpf sleep 60 & {FOUND}; p=$p "$PYTHON" -c "import ctypes, os, time;'
        " libc = ctypes.CDLL(None); at = '/proc/' + os.environ['p'] + '/ns/';"
        " fds = [os.open(at + name, 0) for name in ('user', 'pid')];"
        ' [libc.setns(fd, 0) for fd in fds]; os.fork(); time.sleep(60)" & wait',
        "a child of a guest": f"unshare -Urpf sleep 60 & {FOUND}; nsenter -t $p -U"
        " --preserve-credentials -p sh -c 'sleep 60 & sleep 60'",
    },
}  # fmt: skip

CHEATS = {
    "pid-1": {
        "a /proc of files": "exec unshare -Urmpf sh -c 'mount -t tmpfs none /mnt; mkdir /mnt/p;"
        " mount --rbind /proc /mnt/p; p=$(readlink /proc/self); mkdir -p /mnt/new/1/ns; touch"
        " /mnt/new/1/ns/pid; mount --bind /mnt/p/$p/ns/pid /mnt/new/1/ns/pid; mount --rbind"
        f" /mnt/new /proc; {READY}'",
        "in another place": f"exec unshare -Urmpf sh -c 'mount -t proc none /mnt; {READY}'",
        "a directory of the new /proc over the old": "exec unshare -Urmpf sh -c 'mount -t proc none"
        f" /mnt; mount --bind /mnt/1 /proc/1; {READY}'",
        "one directory of the new one": "exec unshare -Urmpf sh -c 'mount -t proc none /mnt;"
        f" mount --bind /mnt/sys /proc; {READY}'",
    },
    "pid-2": {
        "two side by side": "unshare -Urpf sleep 60 & until grep -q . /proc/$!/task/$!/children; do"
        f" sleep 0.05; done; exec unshare -Urpf sh -c '{READY}'",
        "three user namespaces": f"exec unshare -Ur unshare -Ur unshare -Urpf sh -c '{READY}'",
        "a guest is not the first": "exec unshare -Urpf sh -c 'unshare --pid bash -c \"/bin/true;"
        " echo ready; exec sleep 60\"; sleep 60'",
        "a new /proc instead": f"exec unshare -Urpf --mount-proc sh -c '{READY}'",
    },
    "pid-3": {
        "an init that reaps each second": first(
            "os.fork() or os._exit(0); print('ready', flush=True);"
            " [(time.sleep(1), os.fork() or os._exit(0), os.waitpid(-1, 0)) for _ in range(60)];"
        ),
        "only its first thread has ended": first(
            "child = os.fork(); exit = {'x86_64': 60}.get(os.uname().machine, 93);"
            " child or __import__('threading').Thread(target=time.sleep, args=(60,)).start();"
            f" child or libc.syscall(exit, 0); {ENDS}"
        ),
        "its parent is outside": "unshare -Urpf sleep 60 & exec bash -c 'sleep 0.1 & (sleep 0.3;"
        " echo ready) & exec sleep 60'",
        "stopped, and not dead": "exec unshare -Urpf sh -c 'sleep 60 & kill -STOP $!;"
        f" {READY}'",
    },
    "pid-4": {
        "an orphan inside": "exec unshare -Urpf bash -c 'sh -c \"sleep 60 &\"; echo ready;"
        " sleep 60'",
        "a first process, whose parent is outside": f"exec unshare -Urpf sh -c '{READY}'",
        "a guest of the user namespace alone": f"unshare -Urpf sleep 60 & {FOUND}; nsenter -t $p"
        f" -U --preserve-credentials sh -c '{READY}'",
        "one that has ended": f"unshare -Urpf sleep 60 & {FOUND}; nsenter -t $p -U"
        f" --preserve-credentials -p true; {READY}",
    },
}  # fmt: skip

SAID = {
    ("pid-2", "two side by side"): "you are one level deep",
    ("pid-3", "its parent is outside"): "its parent is not number 1",
    ("pid-3", "stopped, and not dead"): "no zombie in it",
    ("pid-4", "an orphan inside"): "descend from its number 1",
}


@pytest.mark.parametrize(("id", "name"), cases(RIGHT))
def test_a_right_answer_by_another_way_passes(id: str, name: str) -> None:
    assert_solves(id, RIGHT[id][name])


@pytest.mark.parametrize(("id", "name"), cases(CHEATS))
def test_what_only_looks_right_is_refused(id: str, name: str) -> None:
    assert_refused(id, CHEATS[id][name], SAID.get((id, name), ""))


@pytest.mark.parametrize(
    ("id", "name", "said"),
    [
        ("pid-1", "old /proc", r"found number 1 .* its /proc still shows the world outside"),
        ("pid-1", "without --fork", r"found a process that .* stayed outside: only its children"),
        ("pid-2", "one level", r"found two numbers, \d+ and 1: you are one level deep"),
        ("pid-2", "its first has ended", r"found a nested .* without its first .* died with it"),
        ("pid-2", "user instead", r"found no running process of yours in another PID namespace"),
        ("pid-3", "an init that reaps", r"found a PID namespace, but no zombie in it"),
        ("pid-3", "another parent", r"found a zombie, but its parent is not number 1"),
        ("pid-4", "a child", r"found one PID namespace, but all in it descend from its number 1"),
        ("pid-4", "two namespaces", r"found 2 PID namespaces: .* none has a guest"),
    ],
)
def test_a_wrong_answer_hears_its_own_fault(id: str, name: str, said: str) -> None:
    exercise = EXERCISES[id]
    with made(exercise.wrong[name]):
        assert eventually(lambda: re.match(said, exercise.check(world(os.getpid()))[1])), (
            exercise.check(world(os.getpid()))
        )


def test_who_is_a_zombie_for_a_moment_only_does_not_count() -> None:
    exercise = EXERCISES["pid-3"]
    with Sandbox("pid") as box:
        for _ in range(3):
            box.run("sh -c 'true &'")
            assert not exercise.check(world(os.getpid()))[0]


def test_one_that_stayed_outside_is_found_among_processes_that_may_not_be_read() -> None:
    exercise = EXERCISES["pid-1"]
    with made(exercise.wrong["without --fork"]):
        assert eventually(lambda: "stayed outside" in exercise.check(world(os.getpid()))[1])
        here = world(os.getpid())
        unread = here.me._replace(pid=1, links={})
        seen = replace(here.seen, processes={1: unread, **here.seen.processes})
        assert "stayed outside" in exercise.check(replace(here, seen=seen))[1]


@pytest.fixture
def dead() -> object:
    exercise = EXERCISES["pid-5"]
    assert exercise.broken is not None
    with diagnosis.begun("pid-5", exercise.broken) as (box,):
        yield box


def parent_of_zombies(box: ns.Sandbox) -> int:
    """The pid of the careless one, as it is seen here."""
    (parent,) = {p.ppid for p in snapshot(box.pid).processes.values() if p.zombie}
    return parent


def from_outside(box: ns.Sandbox) -> None:
    os.kill(parent_of_zombies(box), signal.SIGTERM)


def from_inside(box: ns.Sandbox) -> None:
    (parent,) = [p for p in snapshot(box.pid).children(box.pid) if p.pid == parent_of_zombies(box)]
    box.run(f"kill -9 {parent.nspid[-1]}")


def by_its_proc(box: ns.Sandbox) -> None:
    box.run(
        "for p in /proc/[0-9]*; do while read -r name what; do case $name$what in"
        " PPid:*) parent=$what;; State:Z*) dead=1;; esac; done < $p/status;"
        ' [ "${dead:-}" ] && kill $parent && break; done'
    )


@pytest.mark.parametrize("mend", [from_outside, from_inside, by_its_proc])
def test_the_dead_are_reaped_in_several_ways(dead: ns.Sandbox, mend: object) -> None:
    mend(dead)  # type: ignore[operator]
    assert eventually(lambda: judge("pid-5").solved, 10), judge("pid-5")


def test_to_stop_the_careless_one_reaps_nothing(dead: ns.Sandbox) -> None:
    os.kill(parent_of_zombies(dead), signal.SIGSTOP)
    assert judge("pid-5").found == "found 3 zombies that nobody reaps, and 5 services of 5."


def test_services_of_one_s_own_are_not_those_that_had_to_live(dead: ns.Sandbox) -> None:
    parent, good = parent_of_zombies(dead), snapshot(dead.pid).children(dead.pid)
    for process in good:
        os.kill(process.pid, signal.SIGKILL)
    with Sandbox("pid") as box:
        for seconds in range(31411, 31416):
            box.run(f"sleep {seconds} > /dev/null 2>&1 &")
        assert parent and eventually(lambda: "only 0 services" in judge("pid-5").found)


def test_an_ordinary_user_hears_at_the_command_line_that_only_children_move(
    learner: Learner,
) -> None:
    script = (
        "unshare -Ur --pid sleep 60 & until grep -q sleep /proc/$!/comm; do sleep 0.05; done;"
        ' "$0" -m nsedu check pid-1; kill $!'
    )
    alone = ["unshare", "--user", "--map-current-user", "--pid", "--fork", "--mount-proc"]
    said = learner.run([*alone, "sh", "-c", script, learner.python]).stdout
    assert "stayed outside: only its children move" in said, said
