"""Joining processes that no sandbox of ours made: containers without a user namespace, others'."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator, Sequence

import pytest

import nsedu as ns
from awaiting import eventually
from nsedu import NamespaceError, Sandbox
from nsedu.kernel.procfs import family, read
from ordinary_user import Learner

pytestmark = pytest.mark.needs("userns", *ns.TYPES, "unshare")

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can make a container without a user namespace."
)
_PIVOT = (
    "mount -t tmpfs none /mnt; cd /mnt; mkdir proc old; for d in usr bin lib lib64 dev etc; do"
    " if [ -e /$d ]; then mkdir $d; mount --rbind /$d $d; fi; done; mount -t proc none proc;"
    " PATH=$PATH:/usr/sbin:/sbin; pivot_root . old; cd /; umount -l old; exec sleep 60"
)
CONTAINERS = {
    "its own /proc": ["unshare", "-mpf", "--mount-proc", "sleep", "60"],
    "network, name and IPC beside": ["unshare", "-mpfnui", "--mount-proc", "sleep", "60"],
    "a new root": ["unshare", "-mpfnui", "sh", "-c", _PIVOT],
}


@contextlib.contextmanager
def running(command: Sequence[str]) -> Iterator[int]:
    """The pid of the sleep that a command becomes, or starts."""
    with subprocess.Popen(command) as process:
        try:
            assert eventually(lambda: _sleeps(process.pid))
            yield _sleeps(process.pid)[0]
        finally:
            for pid in reversed(family(process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)


def _sleeps(pid: int) -> list[int]:
    found = []
    for one in family(pid):
        with contextlib.suppress(OSError):
            if read(f"/proc/{one}/comm") == b"sleep\n":
                found.append(one)
    return found


def links(pid: int) -> dict[str, str]:
    return {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ns.TYPES}


@as_root
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_without_a_user_namespace_is_joined(name: str) -> None:
    with running(CONTAINERS[name]) as pid, Sandbox(join=pid) as box:
        assert {**links(box.pid), "user": ""} == {**links(pid), "user": ""}
        assert box.run(["cat", "/proc/1/comm"]).stdout == "sleep\n"


@as_root
@pytest.mark.parametrize("name", CONTAINERS)
def test_something_new_is_made_in_it(name: str) -> None:
    with running(CONTAINERS[name]) as pid, Sandbox("uts", join=pid, hostname="mars") as box:
        theirs, its = links(pid), links(box.pid)
        assert box.run(["uname", "-n"]).stdout == "mars\n"
    assert its["mnt"] == theirs["mnt"]
    assert its["uts"] != theirs["uts"]


@as_root
def test_one_without_mounts_of_its_own_is_joined() -> None:
    with running(["unshare", "-nui", "sleep", "60"]) as pid, Sandbox(join=pid) as box:
        assert {**links(box.pid), "user": ""} == {**links(pid), "user": ""}


REFUSED = """
import sys, nsedu
for join in (int(sys.argv[1]), {"net": int(sys.argv[1])}):
    try:
        nsedu.Sandbox(join=join)
    except nsedu.NamespaceError as refused:
        print(refused.errno, refused, sep="\\n")
"""


def test_whose_a_process_is_that_may_not_be_joined_is_said(learner: Learner) -> None:
    if os.geteuid() == 0:
        said = learner.run([learner.python, "-c", REFUSED, str(os.getpid())]).stdout
    else:
        pytest.skip("it takes root to have processes of two users.")
    first, second = said.split(f"{errno.EACCES}\n")[1:]
    for text in (first, second):
        assert f"process {os.getpid()} is root's, user 0, and to reach" in text
        assert f"you are user {learner.uid}" in text
        assert "What to do  join a process or a sandbox of your own" in text


def test_a_user_without_a_name_is_told_by_number(learner: Learner) -> None:
    if os.geteuid() != 0:
        pytest.skip("it takes root to have processes of two users.")
    other = learner.uid + 1
    with subprocess.Popen(["sleep", "60"], user=other, group=other, extra_groups=[]) as process:
        said = learner.run([learner.python, "-c", REFUSED, str(process.pid)])
        process.kill()
    assert f"process {process.pid} is user {other}'s, and to reach" in said.stdout, said.stderr


def test_a_process_that_has_ended_is_not_there() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(NamespaceError, match="there is no process"):
        Sandbox(join=process.pid)
