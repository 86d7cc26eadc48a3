"""Sandboxes: what is made, nested and joined, and that nothing else changes."""

from __future__ import annotations

import errno
import gc
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from awaiting import PATIENCE, ended, eventually
from nsedu import TYPES, NamespaceError, Sandbox
from nsedu.agent import lent_ids
from nsedu.kernel import id_maps, namespace_types, procfs
from nsedu.sandbox.process_labels import roles

pytestmark = pytest.mark.needs("userns", *TYPES)
each_type = pytest.mark.parametrize("kind", TYPES)


@pytest.fixture(scope="module")
def all_eight() -> Iterator[Sandbox]:
    with Sandbox(*TYPES, name="all", hostname="mars") as box:
        yield box


def links(pid: int | str = "self") -> dict[str, str]:
    return {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in TYPES}


def links_of_every_thread() -> set[tuple[str, str]]:
    return {
        (link, os.readlink(f"/proc/self/task/{task}/ns/{link}"))
        for task in os.listdir("/proc/self/task")
        for link in namespace_types.LINKS
    }


def inside(box: Sandbox, path: str) -> str:
    return box.run(["cat", path]).stdout


# What is made


@each_type
def test_a_sandbox_of_one_type_has_that_and_a_user_namespace_of_its_own(kind: str) -> None:
    ours = links()
    with Sandbox(kind) as box:
        theirs = links(box.pid)
        assert {name for name in TYPES if theirs[name] != ours[name]} == {kind, "user"}
        assert {name for name, ns in box.namespaces.items() if ns.new} == {kind, "user"}
        assert {str(ns) for ns in box.namespaces.values()} == set(theirs.values())


def test_a_command_is_in_the_namespaces_of_the_first_process(all_eight: Sandbox) -> None:
    seen = all_eight.run(["readlink", *(f"/proc/self/ns/{kind}" for kind in TYPES)]).stdout
    assert seen.split() == [str(ns) for ns in all_eight.namespaces.values()]


def test_all_eight_are_made_at_once(all_eight: Sandbox) -> None:
    assert list(all_eight.namespaces) == list(TYPES)
    assert all(ns.origin == "new" for ns in all_eight.namespaces.values())
    assert not set(links().values()) & set(links(all_eight.pid).values())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can do without a user namespace.")
def test_root_can_do_without_a_user_namespace() -> None:
    with Sandbox("uts", user=False) as box:
        assert box.namespaces["user"].origin == "inherited"
        assert box.namespaces["uts"].new


@pytest.mark.skipif(os.geteuid() == 0, reason="root can do without a user namespace.")
def test_an_ordinary_user_is_told_to_put_a_user_namespace_first() -> None:
    with pytest.raises(NamespaceError) as caught:
        Sandbox("uts", user=False)
    assert (caught.value.step, caught.value.errno) == ("unshare uts", errno.EPERM)
    assert "needs CAP_SYS_ADMIN" in caught.value.cause
    assert "leave user=True" in caught.value.remedy


def test_the_first_process_of_a_pid_namespace_is_number_one(all_eight: Sandbox) -> None:
    assert numbers(all_eight.pid)[-1] == 1
    assert all_eight.call(os.getppid) == 1


def test_a_process_is_named_after_its_sandbox(all_eight: Sandbox) -> None:
    assert Path(f"/proc/{all_eight.pid}/comm").read_text() == "all\n"


@pytest.mark.parametrize("name", ["ü" * 20, "\udcff", "\ud800", "two\nlines", "nul\0nul", ""])
def test_any_name_will_do(name: str) -> None:
    with Sandbox("uts", name=name) as box:
        assert box.run(["echo", "fine"]).stdout == "fine\n"
        assert repr(box) == f'sandbox "{name}"'


# Id maps


def test_ones_own_id_is_roots_inside(all_eight: Sandbox) -> None:
    lent = os.geteuid() == 0
    uid, gid = (all_eight.root_uid,) * 2 if lent else (os.geteuid(), os.getegid())
    assert inside(all_eight, "/proc/self/uid_map").split() == ["0", str(uid), "1"]
    assert inside(all_eight, "/proc/self/gid_map").split() == ["0", str(gid), "1"]
    assert inside(all_eight, "/proc/self/setgroups") == "deny\n"
    assert all_eight.call(os.geteuid) == 0


@pytest.mark.needs("range")
@pytest.mark.parametrize("kind", ["uid", "gid"])
def test_a_range_of_ids_is_mapped(kind: str) -> None:
    own = os.geteuid() if kind == "uid" else os.getegid()
    with Sandbox("user", user="range") as box:
        seen = id_maps.parse(inside(box, f"/proc/self/{kind}_map"))
        block = id_maps.IdRange(0, box.root_uid, lent_ids.BLOCK)
    wanted = [block] if os.geteuid() == 0 else id_maps.wide_map(kind, own)
    assert [(entry.inside, entry.count) for entry in seen] == [
        (entry.inside, entry.count) for entry in wanted
    ]
    assert [entry.outside for entry in seen] == [entry.outside for entry in wanted]


@pytest.mark.needs("range")
def test_with_a_range_a_file_can_be_given_to_another_id() -> None:
    with Sandbox("user", "mnt", user="range") as box:
        box.run(["mount", "-t", "tmpfs", "none", "/tmp"])
        said = box.run("cd /tmp && touch file && chown 1:1 file && stat -c %u:%g file")
    assert said.stdout == "1:1\n"


@pytest.mark.needs("range")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root enters a namespace without its owner.")
def test_a_range_is_mapped_in_a_sandbox_that_joins_another() -> None:
    with Sandbox("net") as other, Sandbox("user", user="range", join={"net": other.pid}) as box:
        assert len(inside(box, "/proc/self/uid_map").split()) >= 3
        assert box.namespaces["net"].ns == other.namespaces["net"].ns


@pytest.mark.skipif(os.geteuid() == 0, reason="root enters a namespace without its owner.")
def test_an_ordinary_user_is_told_to_join_the_owner_of_a_namespace_as_well() -> None:
    with Sandbox("net") as other, pytest.raises(NamespaceError) as caught:
        Sandbox("user", join={"net": other})
    assert (caught.value.step, caught.value.errno) == ("setns net", errno.EPERM)
    assert "the user namespace that owns it" in caught.value.cause
    assert "join=BOX" in caught.value.remedy


# Preparation


def test_the_host_name_is_set_inside_only(all_eight: Sandbox) -> None:
    host = socket.gethostname()
    assert all_eight.run(["uname", "-n"]).stdout == "mars\n"
    assert socket.gethostname() == host != "mars"


def test_without_a_hostname_the_new_one_is_a_copy() -> None:
    with Sandbox("uts") as box:
        assert box.run(["uname", "-n"]).stdout.strip() == socket.gethostname()


@pytest.mark.parametrize(
    ("boottime", "monotonic", "lines"),
    [
        (315_360_000, None, ["monotonic 0 0", "boottime 315360000 0"]),
        (None, -1, ["monotonic -1 0", "boottime 0 0"]),
        (-0.25, 1.5, ["monotonic 1 500000000", "boottime -1 750000000"]),
        (0, 0.0, ["monotonic 0 0", "boottime 0 0"]),
    ],
)
def test_clock_offsets_are_set(
    boottime: float | None, monotonic: float | None, lines: list[str]
) -> None:
    with Sandbox("time", boottime=boottime, monotonic=monotonic) as box:
        seen = inside(box, "/proc/self/timens_offsets").splitlines()
    assert [" ".join(line.split()) for line in seen] == lines


def test_the_clock_inside_is_ahead_by_its_offset() -> None:
    with Sandbox("time", boottime=10_000_000) as box:
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        seen = box.call(time.clock_gettime, time.CLOCK_BOOTTIME)
        after = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= seen - 10_000_000 <= after


def test_an_offset_that_would_make_a_clock_negative_is_explained() -> None:
    with pytest.raises(NamespaceError) as caught:
        Sandbox("time", monotonic=-(10**12))
    assert (caught.value.step, caught.value.errno) == ("timens_offsets", errno.ERANGE)
    assert "negative" in caught.value.cause


def test_proc_is_fresh_where_there_are_new_mount_and_pid_namespaces(all_eight: Sandbox) -> None:
    pids = [int(name) for name in all_eight.call(os.listdir, "/proc") if name.isdigit()]
    assert 1 in pids and len(pids) <= 3


def test_without_a_mount_namespace_proc_stays_the_old_one() -> None:
    with Sandbox("pid") as box:
        pids = [int(name) for name in box.call(os.listdir, "/proc") if name.isdigit()]
    assert os.getpid() in pids


def test_sys_shows_the_new_network_namespace(all_eight: Sandbox) -> None:
    assert all_eight.call(os.listdir, "/sys/class/net") == ["lo"]


def test_the_control_groups_are_still_below_the_fresh_sys(all_eight: Sandbox) -> None:
    assert sorted(all_eight.call(os.listdir, "/sys/fs/cgroup")) == sorted(
        os.listdir("/sys/fs/cgroup")
    )


def test_lo_is_up_in_a_new_network_namespace() -> None:
    def talk() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as server:
            with socket.create_connection(server.getsockname()) as client:
                client.sendall(b"hello")
            with server.accept()[0] as accepted:
                return accepted.recv(5)

    with Sandbox("net") as box:
        assert box.call(talk) == b"hello"


def test_no_mount_of_the_sandbox_is_shared_with_anyone(all_eight: Sandbox) -> None:
    lines = inside(all_eight, "/proc/self/mountinfo").splitlines()
    assert lines and not any(
        re.search(r"(shared|master):\d", line.split(" - ")[0]) for line in lines
    )


def test_what_is_mounted_inside_does_not_show_outside(open_path: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    with Sandbox("mnt") as box:
        box.run(["mount", "-t", "tmpfs", "none", str(open_path)])
        box.run(["touch", f"{open_path}/inside"])
        assert os.listdir(open_path) == []
        assert Path("/proc/self/mountinfo").read_text() == before


# Nested and joined


def numbers(pid: int | str) -> list[int]:
    """A process's pids in the pid namespaces it is in, from ours inwards."""
    return list(procfs.parse_nspid(Path(f"/proc/{pid}/status").read_bytes()))


def test_a_nested_sandbox_is_one_level_deeper() -> None:
    with Sandbox("pid") as outer, outer.sandbox("pid") as inner:
        assert len(numbers(inner.pid)) == len(numbers(outer.pid)) + 1 == len(numbers("self")) + 2
        assert numbers(inner.pid)[-1] == numbers(outer.pid)[-1] == 1


def test_a_nested_sandbox_maps_to_the_one_around_it() -> None:
    with Sandbox("user") as outer, outer.sandbox("user") as inner:
        assert inside(inner, "/proc/self/uid_map").split() == ["0", "0", "1"]
        assert outer.namespaces["user"].ns != inner.namespaces["user"].ns


def test_all_eight_nest_in_all_eight() -> None:
    with Sandbox(*TYPES) as outer, outer.sandbox(*TYPES, hostname="phobos") as inner:
        assert not set(links(outer.pid).values()) & set(links(inner.pid).values())
        assert inner.run(["uname", "-n"]).stdout == "phobos\n"


def test_closing_a_sandbox_closes_those_inside() -> None:
    outer = Sandbox("uts")
    inner = outer.sandbox("ipc")
    pid = inner.pid
    outer.close()
    assert ended(pid)
    with pytest.raises(NamespaceError, match="has been closed"):
        inner.run("true")


def test_closing_an_inner_sandbox_leaves_the_one_around_it() -> None:
    with Sandbox("pid") as outer:
        outer.sandbox("pid").close()
        assert outer.run(["echo", "still here"]).stdout == "still here\n"


def test_a_sandbox_that_joins_another_is_in_the_same_namespaces(all_eight: Sandbox) -> None:
    with Sandbox(join=all_eight) as box:
        assert links(box.pid) == links(all_eight.pid)
        assert {ns.origin for ns in box.namespaces.values()} == {"joined"}
        assert box.run(["uname", "-n"]).stdout == "mars\n"


def test_a_pod_shares_all_but_what_is_made_anew(all_eight: Sandbox) -> None:
    with Sandbox("mnt", "pid", join=all_eight) as box:
        ours, theirs = links(box.pid), links(all_eight.pid)
        assert {kind for kind in TYPES if ours[kind] != theirs[kind]} == {"mnt", "pid"}
        assert box.call(os.getppid) == 1


def test_members_of_a_pod_see_each_others_processes(all_eight: Sandbox) -> None:
    with Sandbox(join=all_eight) as box, all_eight.popen(["sleep", "1000"]) as sleep:
        assert sleep.poll() is None
        assert "sleep" in box.run("cat /proc/[0-9]*/comm").stdout.split()


def test_single_namespaces_of_several_sandboxes_are_joined() -> None:
    with (
        Sandbox("user") as home,
        home.sandbox("net", user=False) as network,
        home.sandbox("uts", user=False) as name,
        Sandbox(join={"user": home, "net": network, "uts": name}) as box,
    ):
        for kind, other in (("user", home), ("net", network), ("uts", name)):
            assert box.namespaces[kind].ns == other.namespaces[kind].ns
        assert box.namespaces["ipc"].origin == "inherited"


def test_a_process_of_ones_own_is_joined_by_its_pid(all_eight: Sandbox) -> None:
    with all_eight.popen(["sleep", "1000"]) as sleep, Sandbox(join=sleep.pid) as box:
        assert links(box.pid) == links(all_eight.pid)


def test_a_sandbox_joins_one_from_inside_a_third() -> None:
    with (
        Sandbox("user") as outer,
        outer.sandbox("net", user=False) as network,
        outer.sandbox("uts", user=False, join={"net": network}) as box,
    ):
        assert box.namespaces["net"].ns == network.namespaces["net"].ns
        assert box.namespaces["user"].ns == outer.namespaces["user"].ns


def test_joining_a_closed_sandbox_says_so() -> None:
    box = Sandbox("uts")
    box.close()
    with pytest.raises(NamespaceError, match="has been closed"):
        Sandbox(join=box)


def test_joining_leaves_the_other_as_it_was(all_eight: Sandbox) -> None:
    with Sandbox("pid", join=all_eight):
        pass
    assert all_eight.run(["echo", "still here"]).stdout == "still here\n"


def test_a_process_that_another_user_owns_cannot_be_joined() -> None:
    if os.geteuid() == 0:
        pytest.skip("root may join any process.")
    with pytest.raises(NamespaceError) as caught:
        Sandbox(join=1)
    assert caught.value.step.startswith("setns") and "What to do" in str(caught.value)


# The end


def test_closing_ends_every_process_inside() -> None:
    box = Sandbox("uts")
    with box.popen("setsid sleep 1000 & setsid sh -c 'setsid sleep 1000 & wait' & wait") as command:
        assert eventually(lambda: len(family(box.pid)) >= 5)
        everyone = family(box.pid)
        box.close()
        assert all(ended(pid) for pid in everyone)
        assert command.poll() == -signal.SIGKILL


def family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            continue
    return found


def test_closing_twice_does_nothing() -> None:
    box = Sandbox("uts")
    box.close()
    box.close()


@pytest.mark.parametrize("use", ["run", "popen", "call", "sandbox"])
def test_using_a_closed_sandbox_says_so(use: str) -> None:
    with Sandbox("uts", name="gone") as box:
        pass
    argument = os.getpid if use == "call" else "uts" if use == "sandbox" else "true"
    with pytest.raises(NamespaceError, match='sandbox "gone" has been closed') as caught:
        getattr(box, use)(argument)
    assert caught.value.errno == errno.EBADF
    assert str(caught.value).startswith("could not use the sandbox")


def test_leaving_the_block_by_an_exception_closes() -> None:
    with pytest.raises(ZeroDivisionError), Sandbox("uts") as box:
        raise ZeroDivisionError
    assert ended(box.pid)


def test_a_forgotten_sandbox_ends() -> None:
    box = Sandbox("uts")
    pid = box.pid
    del box
    gc.collect()
    assert ended(pid)
    assert pid not in roles


def test_a_killed_sandbox_says_so_when_it_is_used() -> None:
    with Sandbox("uts", name="shot") as box:
        os.kill(box.pid, signal.SIGKILL)
        assert ended(box.pid)
        with pytest.raises(NamespaceError, match='the first process of sandbox "shot" has ended'):
            box.run("true")


def test_a_sandbox_has_a_role_while_it_lives() -> None:
    with Sandbox("uts", name="web") as box:
        assert roles[box.pid] == 'sandbox "web"'
    assert box.pid not in roles


# What stays as it was


def test_the_namespaces_of_the_notebook_never_change() -> None:
    before = links_of_every_thread()
    with Sandbox(*TYPES) as box, Sandbox(join=box) as other, box.sandbox(*TYPES) as inner:
        for one in (box, other, inner):
            one.run("true")
            one.call(os.getpid)
        assert links_of_every_thread() == before
    assert links_of_every_thread() == before


def test_two_hundred_sandboxes_leave_no_descriptor_and_no_process() -> None:
    with Sandbox("uts") as box:
        agent = box.agent_pid
        box.call(int)  # what the first call alone opens
    gc.collect()

    before = open_descriptors(agent)
    others = family(agent)
    for number in range(200):
        box = Sandbox(*(TYPES if number % 10 == 0 else ["uts"]))
        if number % 4 == 0:
            box.run("true")
            box.popen(["sleep", "1000"])
        if number % 40 == 0:
            box.call(int)
            Sandbox(join=box).close()
            box.sandbox("ipc").close()
        if number % 3:
            box.close()
    del box
    gc.collect()
    assert eventually(lambda: open_descriptors(agent) == before)
    assert eventually(lambda: family(agent) == others)


def open_descriptors(agent: int) -> tuple[int, int]:
    """How many the notebook and its agent have."""
    return len(os.listdir("/proc/self/fd")), len(os.listdir(f"/proc/{agent}/fd"))


def test_refused_sandboxes_leave_no_descriptor_and_no_process() -> None:
    with Sandbox("uts") as box:
        agent = box.agent_pid
    gc.collect()
    before, others = open_descriptors(agent), family(agent)
    for _ in range(20):
        with pytest.raises(NamespaceError):
            Sandbox("time", monotonic=-(10**12))
    gc.collect()
    assert open_descriptors(agent) == before
    assert family(agent) == others


# Large, threaded and crowded notebooks


def test_several_threads_make_sandboxes_at_once() -> None:
    answers: list[str] = []
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(4):
                name = f"box-{number}-{turn}"
                with Sandbox("uts", "pid", hostname=name) as box:
                    answers.append(box.run(["uname", "-n"]).stdout.strip() == name)
                    assert box.call(lambda: number) == number
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and answers == [True] * 20


def python(code: str) -> tuple[str, str]:
    """Run code in a fresh Python that finds nsedu where this one does; returns what it writes."""
    path = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **path}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    return done.stdout, done.stderr


def test_a_large_notebook_with_threads_makes_all_eight() -> None:
    said = python("""
import threading
import matplotlib.figure
import nsedu
ballast = bytearray(b"x") * (200 << 20)
for _ in range(8):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
with nsedu.Sandbox(*nsedu.TYPES, hostname="mars") as box:
    print(box.run("uname -n").stdout, end="")
""")
    assert said == ("mars\n", "")


@pytest.mark.parametrize("limit", range(40, 45))  # the lack shows at one step or another
def test_a_notebook_without_room_for_descriptors_is_told_what_to_do(limit: int) -> None:
    said = python(f"""
import errno, resource
from nsedu import NamespaceError, Sandbox
resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))
for make in (lambda: Sandbox("uts"), lambda: boxes[0].popen("cat")):
    boxes = [Sandbox("uts")]
    try:
        while True:
            boxes.append(make())
    except NamespaceError as refused:
        assert refused.errno == errno.EMFILE, refused
        assert "close the sandboxes" in refused.remedy
    for box in boxes[::-1]:
        box.close()
    with Sandbox("uts") as box:
        print(box.run("echo fine").stdout, end="")
""")
    assert said == ("fine\nfine\n", "")


def test_a_notebook_without_standard_streams_makes_sandboxes() -> None:
    code = "import nsedu; box = nsedu.Sandbox('uts'); box.run('true'); box.call(int); box.close()"
    path = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    shell = shutil.which("sh") or "/bin/sh"
    command = [shell, "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code]
    assert subprocess.run(command, env={**os.environ, **path}, timeout=60).returncode == 0


# Forks of the notebook


def test_a_fork_of_the_notebook_may_not_use_its_sandboxes_but_makes_its_own() -> None:
    with Sandbox("uts", hostname="mine") as box:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                box.run("true")
            except NamespaceError as refused:
                os.write(write, refused.cause.encode() + b"\n")
            with Sandbox("uts", hostname="its-own") as other:
                os.write(write, other.run("uname -n").stdout.encode())
            os._exit(0)
        os.close(write)
        with open(read) as file:
            said = file.read().splitlines()
        os.waitpid(pid, 0)
        assert said == [
            "a sandbox belongs to the process that made it, and this is a fork of that", "its-own",
        ]  # fmt: skip
        assert box.run(["uname", "-n"]).stdout == "mine\n"


def test_an_ordinary_end_of_a_fork_does_not_end_the_sandboxes() -> None:
    said = python("""
import os, sys
from nsedu import Sandbox
box = Sandbox("uts", hostname="mine")
pid = os.fork()
if pid == 0:
    sys.exit(0)  # which runs all that is registered for the end
os.waitpid(pid, 0)
with os.fdopen(os.pidfd_open(box.pid)):
    print(box.run("uname -n").stdout, end="")
""")
    assert said == ("mine\n", "")


def test_a_fork_that_lives_on_does_not_keep_a_sandbox_from_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "nsedu.sandbox.sandbox._END_GRACE", 1000
    )  # or it would be killed after a while
    box = Sandbox("uts")
    pid = os.fork()
    if pid == 0:
        signal.pause()
    try:
        closing = threading.Thread(target=box.close)
        closing.start()
        closing.join(PATIENCE)
        assert not closing.is_alive()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
