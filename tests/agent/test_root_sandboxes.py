"""A sandbox made by root can do no more to the machine than one made by an ordinary user."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nsedu as ns
from awaiting import eventually
from nsedu.agent import cgroups, lent_ids
from ordinary_user import LEARNER_ID, Learner

pytestmark = [
    pytest.mark.needs("userns", *ns.TYPES),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to lose."),
]

FORMS: dict[str, Callable[[], ns.Sandbox]] = {
    "uts": lambda: ns.Sandbox("uts"),
    "range": lambda: ns.Sandbox("uts", user="range"),
    "all but pid": lambda: ns.Sandbox(*(kind for kind in ns.TYPES if kind != "pid")),
    "inside root's own": lambda: ns.Sandbox("uts", user=False).sandbox("uts"),
    "inside root's own pids": lambda: ns.Sandbox("pid", user=False).sandbox("uts"),
}


def attacks(notebook: int, agent: int, neighbour: int, group: str | None) -> dict[str, str]:
    """In a sandbox: try to harm the machine; each attempt with what the kernel said to it."""
    import errno

    libc = ctypes.CDLL(None, use_errno=True)

    def trace(pid: int) -> None:
        if libc.ptrace(16, pid, 0, 0):  # PTRACE_ATTACH
            raise OSError(ctypes.get_errno(), "ptrace")

    tries: dict[str, Callable[[], object]] = {
        "read /etc/shadow": lambda: Path("/etc/shadow").read_bytes(),
        "write in /etc": lambda: Path("/etc/nsedu-was-here").touch(),
        "list /root": lambda: os.listdir("/root"),
        "write vm.swappiness": lambda: open("/proc/sys/vm/swappiness", "r+").close(),
        "write kernel.hostname": lambda: open("/proc/sys/kernel/hostname", "r+").close(),
        "give away a file": lambda: os.chown("/etc/hostname", 0, 0),
        "make a network's name": lambda: os.mkdir(f"/run/netns-of-nsedu-{os.getpid()}"),
        "signal pid 1": lambda: os.kill(1, 0),
        "signal the notebook": lambda: os.kill(notebook, 0),
        "signal the agent": lambda: os.kill(agent, 0),
        "signal a neighbour": lambda: os.kill(neighbour, 0),
        "trace the notebook": lambda: trace(notebook),
        "trace a neighbour": lambda: trace(neighbour),
        "look at a neighbour": lambda: os.readlink(f"/proc/{neighbour}/ns/uts"),
        "use the notebook's files": lambda: os.open(f"/proc/{notebook}/fd/0", os.O_RDONLY),
        "use the agent's files": lambda: os.open(f"/proc/{agent}/fd/0", os.O_RDONLY),
    }
    if group is not None:
        tries["make a control group"] = lambda: os.mkdir(f"{group}/nsedu-was-here")
        tries["leave its control group"] = lambda: Path(f"{group}/cgroup.procs").open("r+").close()
    said = {}
    for name, attempt in tries.items():
        try:
            attempt()
            said[name] = "done"
        except OSError as refused:
            said[name] = errno.errorcode.get(refused.errno or 0, str(refused))
    return said


@pytest.fixture(params=[*FORMS])
def box(request: pytest.FixtureRequest) -> Iterator[ns.Sandbox]:
    made = FORMS[request.param]()
    yield made
    (made._outer or made).close()


@pytest.fixture(scope="module")
def neighbour() -> Iterator[ns.Sandbox]:
    with ns.Sandbox("uts", name="neighbour") as made:
        yield made


def group() -> str | None:
    where = cgroups.controllers().get("pids")
    return where and where.mount + where.path.rstrip("/")


REFUSALS = "EPERM", "EACCES", "EROFS", "ESRCH"  # the last where it cannot even be named


def harm(box: ns.Sandbox, neighbour: ns.Sandbox) -> dict[str, str]:
    said = box.call(attacks, os.getpid(), box.agent_pid, neighbour.pid, group())
    return {name: how for name, how in said.items() if how not in REFUSALS}


def test_nothing_outside_is_in_its_power(box: ns.Sandbox, neighbour: ns.Sandbox) -> None:
    assert harm(box, neighbour) == {}


def test_nor_in_that_of_one_inside_it(box: ns.Sandbox, neighbour: ns.Sandbox) -> None:
    with box.sandbox("uts") as inner:
        assert harm(inner, neighbour) == {}


def test_nor_in_that_of_one_that_joins_it(box: ns.Sandbox, neighbour: ns.Sandbox) -> None:
    with ns.Sandbox("ipc", join=box) as guest:
        assert harm(guest, neighbour) == {}


def test_the_attacks_are_real_ones(neighbour: ns.Sandbox) -> None:
    """Root could do it, so it is the sandbox that stops it."""

    def attempts(notebook: int, neighbour: int) -> None:
        Path("/etc/shadow").read_bytes()
        os.listdir("/root")
        open("/proc/sys/vm/swappiness", "r+").close()
        os.kill(notebook, 0)
        os.readlink(f"/proc/{neighbour}/ns/uts")

    with ns.Sandbox("mnt", user=False) as own:
        own.call(attempts, os.getpid(), neighbour.pid)


def test_no_two_of_them_are_the_same_user() -> None:
    boxes = [ns.Sandbox("uts") for _ in range(5)]
    boxes += [ns.Sandbox("uts", user="range") for _ in range(3)]
    ids = {box.root_uid for box in boxes}
    window = lent_ids.to_lend()
    assert len(ids) == len(boxes) and window is not None
    assert all(number in window for number in ids)
    for box in boxes:
        box.close()


def test_nor_are_those_that_are_lent_a_block_in_several_network_namespaces() -> None:
    lenders = [ns.Sandbox("pid", "net", user=False) for _ in range(3)]
    blocks = {lender.sandbox("uts", user="range").root_uid for lender in lenders}
    for lender in lenders:
        lender.close()
    assert len(blocks) == len(lenders)


def test_a_block_of_ids_can_be_lent_again_when_its_sandbox_has_ended() -> None:
    for _ in range(5):
        with ns.Sandbox("uts", user="range") as box:
            block = box.root_uid
        lock = f"@nsedu-ids-{(block - lent_ids.BLOCKS) // lent_ids.BLOCK}"
        assert eventually(lambda lock=lock: lock not in Path("/proc/net/unix").read_text())


def test_it_has_none_of_roots_groups_and_keys() -> None:
    def keys() -> tuple[list[int], int]:
        libc = ctypes.CDLL(None, use_errno=True)
        number = {"x86_64": 250}.get(os.uname().machine, 219)
        # KEYCTL_GET_KEYRING_ID of KEY_SPEC_SESSION_KEYRING
        return os.getgroups(), int(libc.syscall(number, 0, ctypes.c_long(-3), 0, 0, 0))

    with ns.Sandbox("uts") as one, ns.Sandbox("uts") as other:
        rings = {one.call(keys)[1], other.call(keys)[1]}
        assert one.call(keys)[0] in ([], [65534])
    assert keys()[1] not in rings and (len(rings) == 2 or rings == {-1})


def test_the_notebooks_terminal_is_not_at_hand_in_its_first_process() -> None:
    with ns.Sandbox("uts") as box:
        streams = {os.readlink(f"/proc/{box.pid}/fd/{fd}") for fd in (0, 1, 2)}
    assert streams == {"/dev/null"}


def test_roots_own_sandbox_is_asked_for_by_name() -> None:
    with ns.Sandbox("uts", user=False) as box:
        assert box.root_uid == 0
        assert box.run("id -u; cat /proc/self/uid_map").stdout.split()[:4] == [
            "0", "0", "0", "4294967295",
        ]  # fmt: skip


# Joining a hostile user's namespaces


HOSTILE = """
mount -t tmpfs none /proc
mkdir -p /proc/77 /proc/self/fdinfo
for fd in $(seq 0 60); do printf 'Pid:\\t77\\nNSpid:\\t77\\n' > /proc/self/fdinfo/$fd; done
for file in setgroups uid_map gid_map; do ln -s TARGET /proc/77/$file; done
touch /proc/self/timens_offsets
mount --bind TARGET /proc/self/timens_offsets
echo ready
exec sleep 60
"""


@pytest.fixture
def hostile(learner: Learner, open_path: Path) -> Iterator[tuple[int, Path]]:
    """A process of another user's in a mount namespace whose /proc is made up."""
    target = open_path / "roots"
    target.write_text("a file that only root may write\n")
    target.chmod(0o600)
    script = HOSTILE.replace("TARGET", str(target))
    with as_learner("unshare", "-Urm", "sh", "-c", script) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield process.pid, target


@contextlib.contextmanager
def as_learner(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A program of another user's, killed at the end."""
    with subprocess.Popen(
        command, user=LEARNER_ID, group=LEARNER_ID, extra_groups=[], cwd="/", text=True,
        stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def in_user_namespace(pid: int) -> bool:
    own = os.readlink("/proc/self/ns/user")
    return os.readlink(f"/proc/{pid}/ns/user") != own and bool(
        Path(f"/proc/{pid}/uid_map").read_text()
    )


@pytest.mark.parametrize("which", ["mnt", "all"])
def test_files_of_a_joined_mount_namespace_are_not_believed(
    hostile: tuple[int, Path], which: str
) -> None:
    pid, target = hostile
    join: Any = {"mnt": pid} if which == "mnt" else pid
    with ns.Sandbox("uts", join=join) as box:
        assert box.run(["echo", "fine"]).stdout == "fine\n"
    assert target.read_text() == "a file that only root may write\n"


def test_a_clock_is_not_set_by_a_file_of_theirs(hostile: tuple[int, Path]) -> None:
    pid, target = hostile
    with ns.Sandbox("time", join={"mnt": pid}, monotonic=5) as box:
        assert box.root_uid != 0
    assert target.read_text() == "a file that only root may write\n"


def test_who_owns_a_joined_user_namespace_gets_no_process_of_roots(learner: Learner) -> None:
    with as_learner("unshare", "-Ur", "sleep", "60") as process:
        assert eventually(lambda: in_user_namespace(process.pid))
        with ns.Sandbox("uts", join=process.pid) as box:
            ids = [line for line in Path(f"/proc/{box.pid}/status").read_text().splitlines()]
            assert f"Uid:\t{LEARNER_ID}\t{LEARNER_ID}\t{LEARNER_ID}\t{LEARNER_ID}" in ids
            assert "Groups:\t " in ids
            assert box.run("cat /etc/shadow", check=False).returncode != 0
            assert box.run("id -u").stdout == "0\n"


def test_a_user_namespace_without_a_root_can_be_joined(learner: Learner) -> None:
    maps = "--map-user=1000", "--map-group=1000"
    with as_learner("unshare", "-U", *maps, "sleep", "60") as process:
        assert eventually(lambda: in_user_namespace(process.pid))
        with ns.Sandbox("uts", join=process.pid) as box:
            assert box.root_uid == LEARNER_ID


def test_one_without_an_id_map_is_refused_for_root_would_stay_root_there(learner: Learner) -> None:
    with as_learner("unshare", "-U", "sleep", "60") as process:
        own = os.readlink("/proc/self/ns/user")
        assert eventually(lambda: os.readlink(f"/proc/{process.pid}/ns/user") != own)
        with pytest.raises(ns.NamespaceError, match="maps no id yet"):
            ns.Sandbox("uts", join=process.pid)


@pytest.fixture
def roots() -> Iterator[int]:
    """A process of root's own in a user namespace that maps root's id."""
    with subprocess.Popen(["unshare", "-Ur", "sleep", "60"]) as process:
        assert eventually(lambda: in_user_namespace(process.pid))
        yield process.pid
        process.kill()


def test_a_user_namespace_that_maps_roots_own_id_is_not_joined(roots: int) -> None:
    with pytest.raises(ns.NamespaceError, match="user=False"):
        ns.Sandbox("uts", join=roots)


def test_but_root_may_ask_for_that_by_name(roots: int) -> None:
    with ns.Sandbox("uts", join=roots, user=False) as box:
        assert box.root_uid == 0
