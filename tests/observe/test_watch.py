"""Looking again and again finds what a whole look finds."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import nsedu
from awaiting import eventually
from nests import Nest, built
from nsedu.kernel import namespace_types, syscalls
from nsedu.observe import incremental
from nsedu.observe.incremental import Watch
from nsedu.observe.records import Snapshot
from nsedu.observe.snapshot import snapshot
from waiting import child

NEST: Nest = ([["user", "uts"]], [([["user", "pid"]], []), ([["user", "net", "ipc"]], [])])


@contextlib.contextmanager
def on_signal(act: Callable[[], object]) -> Iterator[int]:
    """A child that does something when it is sent SIGUSR1, and then waits on."""
    with child(lambda: signal.signal(signal.SIGUSR1, lambda *_: (act(), signal.pause()))) as pid:
        yield pid


@contextlib.contextmanager
def waiting_shell(then: str) -> Iterator[subprocess.Popen[bytes]]:
    """A shell that waits for a line and then does something."""
    words = ["sh", "-c", f"echo; read line; {then}"]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.read(1)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def say(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


def told(look: Snapshot) -> tuple[object, ...]:
    """What a look says, but for the order of namespaces without a process."""
    return look.processes, sorted(look.namespaces.items()), look.unread


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


@pytest.mark.needs("userns", "unshare")
def test_the_first_look_is_a_whole_one() -> None:
    with built(NEST) as pid:
        assert eventually(lambda: Watch(pid).look() == snapshot(pid))  # once all have become sleep


@pytest.mark.needs("userns", "unshare")
def test_a_later_look_finds_what_a_whole_one_finds() -> None:
    watched = Watch("mine")
    watched.look()
    with built(NEST) as first:
        assert first in watched.look().processes
        with built(NEST):
            assert eventually(lambda: told(watched.look()) == told(snapshot("mine")))


def test_the_machine_is_every_process() -> None:
    watched = Watch("machine")
    watched.look()
    with child() as pid:
        assert {1, os.getpid(), pid} <= watched.look().processes.keys()


def test_nothing_new_is_the_same_snapshot() -> None:
    with child() as pid:
        watched = Watch(pid)
        assert watched.look() is watched.look()


def test_who_comes_is_found_and_who_goes_is_left_out() -> None:
    watched = Watch("mine")
    watched.look()
    with child() as pid:
        assert pid in watched.look().processes
    assert pid not in watched.look().processes


def test_a_grandchild_that_comes_is_in_scope() -> None:
    with waiting_shell("sleep 1000 & echo; wait") as shell:
        watched = Watch(shell.pid)
        assert list(watched.look().processes) == [shell.pid]
        say(shell)
        assert shell.stdout is not None and shell.stdout.read(1)
        assert [p.ppid for p in watched.look().processes.values()] == [os.getpid(), shell.pid]


def test_an_orphan_has_its_new_parent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "BUDGET", 0)  # it is not by chance that it is read
    monkeypatch.setattr(incremental, "_CHUNK", 1)
    code = "(sleep 1000 & echo $! $BASHPID; read line; exit 0) & wait; exec sleep 1000"
    shell = subprocess.Popen(
        ["bash", "-c", f"exec 3<&0; {code.replace('read line', 'read line <&3')}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True,
    )  # fmt: skip
    try:
        assert shell.stdout is not None and shell.stdin is not None
        orphan, middle = map(int, shell.stdout.readline().split())
        watched = Watch("machine")
        assert watched.look().processes[orphan].ppid == middle
        shell.stdin.write("\n")
        shell.stdin.flush()
        assert eventually(lambda: not os.path.exists(f"/proc/{middle}"))
        assert watched.look().processes[orphan].ppid != middle
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()


@pytest.mark.needs("userns")
def test_a_move_to_another_namespace_is_found() -> None:
    flags = namespace_types.CloneFlag.NEWUSER | namespace_types.CloneFlag.NEWUTS
    with on_signal(lambda: syscalls.unshare(flags)) as pid:
        watched = Watch("mine")
        before = watched.look().processes[pid].links
        os.kill(pid, signal.SIGUSR1)
        assert eventually(lambda: os.stat(f"/proc/{pid}/ns/uts").st_ino != before["uts"])
        now = watched.look()
        links = now.processes[pid].links
        assert {link for link in links if links[link] != before[link]} == {"user", "uts"}
        assert now.namespaces["uts", links["uts"]].members == (pid,)
        assert now.namespaces["uts", links["uts"]].owner == links["user"]


def test_an_exec_gives_a_process_its_new_name() -> None:
    with waiting_shell("exec sleep 1000") as shell:
        watched = Watch("mine")
        assert watched.look().processes[shell.pid].name == "sh"
        say(shell)
        assert eventually(lambda: name_of(shell.pid) == "sleep")
        process = watched.look().processes[shell.pid]
    assert (process.name, process.command) == ("sleep", "sleep 1000")


def test_known_ones_are_read_again_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "BUDGET", 0)
    monkeypatch.setattr(incremental, "_CHUNK", 1)
    with waiting_shell("exec sleep 1000") as shell, waiting_shell(":"), waiting_shell(":"):
        watched = Watch("mine")
        count = len(watched.look().processes)
        say(shell)
        assert eventually(lambda: name_of(shell.pid) == "sleep")
        looks = [watched.look().processes[shell.pid].name for _ in range(count)]
    assert looks[-1] == "sleep"


def test_those_of_interest_are_read_again_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "BUDGET", 0)
    monkeypatch.setattr(incremental, "_CHUNK", 1)
    with waiting_shell(":"), waiting_shell(":"), waiting_shell("exec sleep 1000") as shell:
        watched = Watch("mine")
        watched.look()
        say(shell)
        assert eventually(lambda: name_of(shell.pid) == "sleep")
        assert watched.look([shell.pid]).processes[shell.pid].name == "sleep"


def test_a_crowd_that_comes_is_read_over_several_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "BURST", 0)
    monkeypatch.setattr(incremental, "_CHUNK", 1)
    watched = Watch("mine")
    watched.look()
    with child() as one, child() as two:
        assert one in watched.look().processes
        assert two in watched.look().processes


def test_the_scope_of_a_process_is_empty_when_it_has_ended() -> None:
    with child() as pid:
        watched = Watch(pid)
        watched.look()
    assert watched.look().processes == {}


def test_a_pid_that_nobody_has_is_a_lookup_error() -> None:
    with pytest.raises(ProcessLookupError, match="no process 4194305"):
        Watch(4194305).look()  # above the highest pid there can be, proc_sys_kernel(5)


def test_another_scope_is_refused_with_what_is_accepted() -> None:
    with pytest.raises(ValueError, match='scope must be "mine", "machine" or the pid'):
        Watch("all")


def test_no_descriptor_is_left_open() -> None:
    watched = Watch("machine")
    before = sorted(os.listdir("/proc/self/fd"))
    watched.look()
    watched.look()
    assert sorted(os.listdir("/proc/self/fd")) == before


# Where a number has two owners, one after the other.  Inside a pid namespace of one's own it can be
# chosen which pid comes next (proc_sys_kernel(5), ns_last_pid).

SAME_PID = """
import os, signal
from nsedu.observe import incremental as watch

watch.BUDGET, watch._CHUNK = 0, 1  # it is not by chance that it is read again

def born(number):
    with open("/proc/sys/kernel/ns_last_pid", "w") as file:
        file.write(str(number - 1))
    pid = os.fork()
    if pid == 0:
        signal.pause()
    return pid

def dies(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

watched = watch.Watch({scope})
one = born(300)
watched.look()
start = watched.started[one]
dies(one)
while True:  # a clock tick later
    other = born(300)
    with open(f"/proc/{{other}}/stat") as file:
        if file.read().rpartition(") ")[2].split()[19].encode() != start:
            break
    dies(other)
assert one == other, (one, other)
before = watched._last
seen = watched.look()
print(other in seen.processes, watched.started.get(other) != start, seen is not before)
"""


@pytest.mark.needs("userns", "unshare")
@pytest.mark.parametrize(
    ("scope", "expected"), [('"machine"', "True True True"), ("one", "False True True")]
)
def test_a_pid_that_is_used_again_is_another_process(scope: str, expected: str) -> None:
    code = SAME_PID.format(scope=scope)
    if scope == "one":
        code = code.replace("watched = watch.Watch(one)\n", "").replace(
            "watched.look()\nstart", "watched = watch.Watch(one)\nwatched.look()\nstart"
        )
    result = subprocess.run(
        ["unshare", "-Urpf", "--mount-proc", sys.executable, "-c", code],
        capture_output=True, text=True, cwd=Path(nsedu.__file__).parent.parent,
    )  # fmt: skip
    assert result.stdout == f"{expected}\n", result.stderr


def one_by_one(*flags: int) -> Callable[[], None]:
    """Unshare one thing after another, so that their numbers are given in this order."""

    def act() -> None:
        for flag in flags:
            syscalls.unshare(flag)

    return act


@pytest.mark.needs("userns")
def test_a_namespace_number_that_is_used_again_has_its_own_owner() -> None:
    new = namespace_types.CloneFlag
    watched = Watch("mine")
    for _ in range(20):  # until the kernel gives the number once more, and to another owner
        with child(one_by_one(new.NEWUSER, new.NEWIPC, new.NEWUTS)) as pid:
            watched.look()
            old, owner = (os.stat(f"/proc/{pid}/ns/{t}").st_ino for t in ("uts", "user"))
        for _ in range(5):
            with child(one_by_one(new.NEWUSER)), child(one_by_one(new.NEWUSER, new.NEWUTS)) as pid:
                uts, user = (os.stat(f"/proc/{pid}/ns/{t}").st_ino for t in ("uts", "user"))
                if uts == old and user != owner:
                    assert watched.look().namespaces["uts", uts].owner == user
                    return
    pytest.skip("the kernel did not use the number of a namespace again.")
