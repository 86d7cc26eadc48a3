"""The snapshot of live processes."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awaiting import eventually
from nsedu.kernel import nsfs_ioctls, procfs, syscalls
from nsedu.kernel.namespace_types import LINKS, NAMES
from nsedu.observe.snapshot import snapshot
from nsedu.sandbox.process_labels import Roles, roles
from nsedu.sandbox.sandbox import Sandbox
from ordinary_user import Learner
from waiting import child, zombie

PR_SET_NAME = 15
MAY_NOT = "links of a process that the reader may not inspect"


@contextlib.contextmanager
def program(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that writes something when it is ready."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    try:
        assert process.stdout.read(1)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()


def open_descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


# What is asked for


@pytest.mark.parametrize("scope", ["all", "", "7", 0, -3])
def test_another_word_or_number_is_refused_with_what_is_accepted(scope: str | int) -> None:
    with pytest.raises(ValueError, match=r'scope must be "mine", "machine" or the pid'):
        snapshot(scope)


@pytest.mark.parametrize("scope", [None, 1.5, True, ["mine"]])
def test_another_kind_of_scope_is_a_type_error(scope: Any) -> None:
    with pytest.raises(TypeError, match=r'scope must be "mine", "machine" or the pid'):
        snapshot(scope)


def test_a_pid_that_nobody_has_is_a_lookup_error() -> None:
    with pytest.raises(ProcessLookupError, match="no process 4194305"):
        snapshot(4194305)  # above the highest pid there can be, proc_sys_kernel(5)


def test_mine_is_this_process_and_what_is_below_it() -> None:
    with child() as pid:
        seen = snapshot().processes
    assert next(iter(seen)) == os.getpid()
    assert pid in seen
    assert os.getppid() not in seen


def test_a_pid_is_that_process_and_what_is_below_it() -> None:
    with program("sh", "-c", "sleep 1000 & echo ready; wait") as shell:
        seen = snapshot(shell.pid)
    assert [p.ppid for p in seen.processes.values()] == [os.getpid(), shell.pid]
    assert seen.scope == str(shell.pid)


def test_children_of_every_thread_are_found() -> None:
    started, done = threading.Event(), threading.Event()
    pids = []

    def live() -> None:
        with child() as pid:
            pids.append(pid)
            started.set()
            done.wait()

    thread = threading.Thread(target=live)
    thread.start()
    started.wait()
    try:
        assert pids[0] in snapshot().processes
    finally:
        done.set()
        thread.join()


def test_a_kernel_without_lists_of_children_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with program("sh", "-c", "(sleep 1000 & echo ready; exec sleep 1000) & wait") as shell:
        quick = snapshot(shell.pid)
        monkeypatch.setattr(procfs, "CHILDREN", "/proc/nowhere")
        assert list(snapshot(shell.pid).processes) == list(quick.processes)


def test_the_machine_is_every_process() -> None:
    everything = snapshot("machine").processes
    assert {os.getpid(), os.getppid(), 1} <= set(everything)


def test_parents_come_before_their_children_and_siblings_by_pid() -> None:
    seen = snapshot("machine").processes
    before: set[int] = set()
    youngest: dict[int, int] = {}
    for pid, process in seen.items():
        assert process.ppid in before or process.ppid not in seen
        assert youngest.get(process.ppid, 0) < pid
        youngest[process.ppid] = pid
        before.add(pid)


# What is said of a process


def test_the_ten_links_are_those_of_proc() -> None:
    links = snapshot().processes[os.getpid()].links
    expected = {
        name: os.stat(f"/proc/self/ns/{name}").st_ino for name in os.listdir("/proc/self/ns")
    }
    assert links == {name: expected[name] for name in LINKS if name in expected}


def test_a_member_is_listed_in_its_eight_namespaces() -> None:
    seen = snapshot()
    for name in NAMES:
        record = seen.namespaces[name, seen.processes[os.getpid()].links[name]]
        assert os.getpid() in record.members
        assert ("process", os.getpid(), "") in record.pins


@pytest.mark.parametrize("name", [b") R 1 (", b"a\nb)", b"(((", b"\xff\xfe)", b"\\n", b" x "])
def test_a_process_may_call_itself_anything(name: bytes) -> None:
    with child(lambda: ctypes.CDLL(None).prctl(PR_SET_NAME, name, 0, 0, 0)) as pid:
        process = snapshot(pid).processes[pid]
    assert process.name == name.decode("utf-8", "surrogateescape")
    assert process.ppid == os.getpid()
    assert process.nspid[0] == pid


def test_a_command_line_may_hold_any_bytes() -> None:
    words = [b"sh", b"-c", b"echo; sleep 1000", b"\xff \n", b"\xc3\xa4"]
    with program(*words) as process:  # type: ignore[arg-type]
        command = snapshot(process.pid).processes[process.pid].command
    assert command == b" ".join(words).decode("utf-8", "surrogateescape")


def test_a_long_command_line_is_read_to_its_end() -> None:
    long = "x" * 100_000
    with program("sh", "-c", "echo; sleep 1000", long) as process:
        assert snapshot(process.pid).processes[process.pid].command.endswith(f" {long}")


def test_a_kernel_thread_has_a_name_and_no_command_line() -> None:
    second = snapshot("machine").processes.get(2)
    if second is None or second.name != "kthreadd":
        pytest.skip("this pid namespace shows no kernel threads.")
    assert second.command == ""


def test_what_has_ended_and_is_not_yet_reaped_is_a_zombie() -> None:
    with zombie() as pid:
        seen = snapshot().processes
    assert [one.pid for one in seen.values() if one.zombie] == [pid]
    assert set(seen[pid].links) <= {"pid", "user"}


def test_a_process_whose_first_thread_has_ended_is_no_zombie() -> None:
    words = [
        sys.executable,
        Path(__file__).parents[1] / "support" / "keepers.py",
        "thread_without_its_first",
    ]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        seen = snapshot(process.pid).processes[process.pid]
        process.communicate()
    assert set(seen.links) <= {"pid", "user"}
    assert not seen.zombie


def test_threads_are_counted() -> None:
    assert snapshot().processes[os.getpid()].threads == len(os.listdir("/proc/self/task"))


def test_the_uid_is_the_effective_one_even_of_a_process_closed_to_others() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can change its uid.")

    def prepare() -> None:
        os.seteuid(54321)  # which makes it undumpable: files in its directory belong to root

    with child(prepare) as pid:
        assert snapshot(pid).processes[pid].uid == 54321


def test_pids_are_told_from_the_readers_namespace_inwards() -> None:
    words = ["unshare", "-Urpf", "unshare", "-Urpf", "sh", "-c", "echo; exec sleep 1000"]
    with program(*words) as outer:
        seen = list(snapshot(outer.pid).processes.values())
    assert [len(process.nspid) for process in seen] == [1, 2, 3]
    assert [process.nspid[0] for process in seen] == [process.pid for process in seen]
    assert [process.nspid[-1] for process in seen] == [outer.pid, 1, 1]


def test_a_process_that_has_ended_keeps_two_links_and_is_no_cause_for_complaint() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        seen = snapshot(pid, deep=True)
    finally:
        os.waitpid(pid, 0)
    assert set(seen.processes[pid].links) == {"pid", "user"}
    assert seen.unread == {}


# Roles


def test_this_process_is_called_this_program_outside_a_notebook() -> None:
    assert snapshot().processes[os.getpid()].role == "this program"


def test_a_role_that_was_told_is_shown_until_it_is_taken_back() -> None:
    with child() as pid:
        roles[pid] = 'sandbox "web"'
        assert snapshot(pid).processes[pid].role == 'sandbox "web"'
        del roles[pid]
        assert snapshot(pid).processes[pid].role == ""


def test_a_role_does_not_pass_to_the_next_process_with_that_pid() -> None:
    told = Roles()
    with child() as pid:
        told[pid] = "agent"
        start = procfs.parse_stat(procfs.read(f"/proc/{pid}/stat"))[4]
    assert told.of(pid, start) == "agent"
    assert told.of(pid, b"%d" % (int(start) + 1)) == ""


def test_a_role_told_of_a_process_that_has_ended_is_never_shown() -> None:
    told = Roles()
    with child() as pid:
        pass
    told[pid] = "agent"
    assert told.of(pid, b"1") == ""


# Being a good guest


def test_a_process_that_has_ended_is_none_that_may_not_be_inspected() -> None:
    code = "import os, time; os.fork() or os._exit(0); print(flush=True); time.sleep(60)"
    with program(sys.executable, "-c", code) as parent:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        assert eventually(lambda: procfs.is_ending(int(children[0])))
        assert not procfs.is_ending(parent.pid)
    assert procfs.is_ending(parent.pid)


def test_processes_may_come_and_go_meanwhile() -> None:
    with program("sh", "-c", "echo; while :; do /bin/true; done") as busy:
        for _ in range(5):
            assert busy.pid in snapshot("machine", deep=True).processes
            assert snapshot(busy.pid, deep=True).unread == {}


@pytest.mark.parametrize("deep", [False, True])
def test_no_descriptor_is_left_open(deep: bool) -> None:
    before = open_descriptors()
    snapshot("machine", deep=deep)
    assert open_descriptors() == before


@pytest.mark.parametrize("collecting", [True, False])
def test_the_garbage_collector_is_as_it_was(collecting: bool) -> None:
    (gc.enable if collecting else gc.disable)()
    try:
        snapshot()
        assert gc.isenabled() == collecting
    finally:
        gc.enable()


def test_few_descriptors_are_enough() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n"
        "from nsedu import snapshot; print(len(snapshot('machine', deep=True).processes))"
    )
    root = Path(procfs.__file__).parents[2]
    output = subprocess.check_output([sys.executable, "-c", code], cwd=root)
    assert int(output) > 1


# What cannot be read is said

LOOK = """
import json, os, socket
held = socket.socketpair(), socket.create_server(("127.0.0.1", 0))
from nsedu.observe.snapshot import snapshot
one, all = snapshot(deep=True), snapshot("machine", deep=True)
print(json.dumps([one.unread, all.unread, list(all.processes), os.getpid(),
                  sum(not p.links for p in all.processes.values())]))
"""


def test_an_ordinary_user_is_told_how_much_it_may_not_read(learner: Learner) -> None:
    result = learner.run_python(LOOK)
    assert result.returncode == 0, result.stderr
    own, machine, pids, _, without_links = json.loads(result.stdout)
    assert own == {}
    assert 1 in pids
    assert machine[MAY_NOT] == without_links > 0


def test_a_reader_inside_is_told_of_what_lies_outside(learner: Learner) -> None:
    result = learner.run(["unshare", "-Ur", learner.python, "-c", LOOK])
    assert result.returncode == 0, result.stderr
    own = json.loads(result.stdout)[0]
    # Its user namespace has a parent; and its seven others have an owner out there.
    assert own["parents and owners outside the reader's own namespaces"] == 8


def test_the_proc_of_an_outer_pid_namespace_will_do(learner: Learner) -> None:
    code = (
        "import json, os; from nsedu.observe.snapshot import snapshot\n"
        "me = int(os.readlink('/proc/self')); p = snapshot(deep=True).processes[me]\n"
        "print(json.dumps([me, os.getpid(), p.pid, p.nspid, p.role]))"
    )
    result = learner.run(["unshare", "-Urpf", learner.python, "-c", code])
    assert result.returncode == 0, result.stderr
    outer, inner, pid, nspid, role = json.loads(result.stdout)
    assert inner == 1 != outer == pid
    assert nspid == [outer, inner]
    assert role == "this program"


def test_without_a_proc_the_error_says_what_to_mount(learner: Learner) -> None:
    code = (
        "import os; from nsedu.observe.snapshot import snapshot\n"
        "os.chroot('.')\n"
        "try: snapshot()\n"
        "except OSError as error: print(type(error).__name__, error)"
    )
    result = learner.run(["unshare", "-Ur", learner.python, "-c", code])
    assert result.stdout.startswith("NamespaceError could not look"), result.stderr
    assert "What to do  mount one: mount -t proc proc /proc." in result.stdout


# In a new pid namespace, with the /proc of another


HERE = """
import os, nsedu as ns
from nsedu.errors.namespace_error import NamespaceError
def attempt(name, *arguments):
    try: picture = getattr(ns, name)(*arguments)
    except NamespaceError as error: picture = error
    print(name, "|", type(picture).__name__, "|", str(picture).splitlines()[1])
box = ns.Sandbox("uts", name="mars")
for name in ("tree", "matrix", "ownership", "pids"): attempt(name)
attempt("tree", box)
for name in ("mounts", "topology", "idmap", "ipc", "clocks", "cgroup_tree"): attempt(name)
for name in ("tree", "mounts", "pids", "snapshot"): attempt(name, os.getpid())
print("agent" in str(ns.tree("machine")), 'sandbox "mars"' in str(ns.tree()))
box.close()
"""


@pytest.mark.needs("userns", "pid", "nested")
def test_with_the_proc_of_another_pid_namespace_each_picture_is_right_or_says_why_not() -> None:
    with Sandbox("pid") as box:
        inside = [sys.executable, "-c", HERE]
        said = box.run(inside, timeout=60).stdout.splitlines()
    seen, refused = "Picture", "NamespaceError"
    assert [line.split(" | ")[:2] for line in said[:-1]] == [
        *([name, seen] for name in ("tree", "matrix", "ownership", "pids", "tree")),
        *([name, refused] for name in ("mounts", "topology", "idmap", "ipc", "clocks",
                                       "cgroup_tree", "tree", "mounts", "pids", "snapshot")),
    ]  # fmt: skip
    assert all("/proc shows the processes" in line for line in said if refused in line)
    assert said[-1] == "True True"


@pytest.mark.needs("userns", "pid")
def test_the_tree_of_a_shell_that_has_the_proc_of_another_is_that_of_the_shell(
    learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", learner.environment["PYTHONPATH"])
    with Sandbox("pid") as box:
        said = box.run(f"{learner.python} -m nsedu tree; true").stdout.splitlines()
    assert [line.split()[0] for line in said[1:3]] == ["bash", "└─"]
    assert said[2].startswith("└─ this program")


@pytest.mark.needs("ns-id")
@pytest.mark.parametrize("name", NAMES)
def test_a_namespace_has_the_id_that_the_kernel_gave_it(name: str) -> None:
    file = syscalls.nsfd(os.getpid(), name)
    seen = snapshot().namespaces[name, os.fstat(file).st_ino]
    assert seen.id == syscalls.ns_get_id(file)
    os.close(file)


@pytest.mark.needs("userns", "uts")
def test_a_kernel_without_ids_gives_all_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox("uts"):
        seen = snapshot()
        monkeypatch.setattr(nsfs_ioctls, "NS_GET_ID", 0xB7FF)  # which no kernel has
        before = snapshot()
        assert {one.id for one in before.namespaces.values()} == {None}
        assert before.diff(seen) == []


# Reading what the kernel writes

comm = st.binary(max_size=15).map(lambda name: name.replace(b"\0", b""))


@given(
    name=comm,
    state=st.sampled_from([b"S", b"Z"]),
    ppid=st.integers(0, 2**22),
    threads=st.integers(1, 5000),
    kernel=st.booleans(),
)
def test_any_name_is_read_from_a_stat_file(
    name: bytes, state: bytes, ppid: int, threads: int, kernel: bool
) -> None:
    flags = 0x400040 | (procfs.PF_KTHREAD if kernel else 0)
    head = b"4711 (%s) %s %d 1 1 0 -1 %d 1 2 3 4 5 6 7 8 20 0 %d 0 99 " % (
        name,
        state,
        ppid,
        flags,
        threads,
    )
    text = name.decode("utf-8", "surrogateescape")
    zombie = state == b"Z" and threads == 1
    assert procfs.parse_stat(head + b"1 " * 30) == (text, ppid, flags, threads, b"99", zombie)


@given(name=comm, pids=st.lists(st.integers(1, 2**22), min_size=1, max_size=32))
def test_no_name_can_forge_a_line_of_the_status_file(name: bytes, pids: list[int]) -> None:
    # The kernel escapes newline and backslash in a name (fs/proc/array.c, proc_task_name).
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    numbers = b"\t".join(b"%d" % pid for pid in pids)
    status = b"Name:\t%s\nUmask:\t0022\nPid:\t7\nNSpid:\t%s\nNSpgid:\t1\n" % (escaped, numbers)
    assert procfs.parse_nspid(status) == tuple(pids)


@given(st.lists(st.binary(min_size=1).map(lambda word: word.replace(b"\0", b"?")), max_size=4))
def test_the_words_of_a_command_line_are_set_apart_by_blanks(words: list[bytes]) -> None:
    line = b"".join(word + b"\0" for word in words)
    assert procfs.parse_command(line).encode("utf-8", "surrogateescape") == b" ".join(words)
