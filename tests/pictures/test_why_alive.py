"""Why a namespace is still alive, against what the test itself holds and lets go of."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nsedu as ns
from nsedu.kernel import syscalls
from nsedu.pictures import which
from ordinary_user import Learner

pytestmark = pytest.mark.needs("userns", "mnt", "net", "uts", "pid")

WORDS = {"process": "process", "fd": "descriptor", "bind": "bind mount", "socket": "socket"}
SPEAK = "import socket, time; s = socket.socket(); print(s.fileno(), flush=True); time.sleep(60)"


@pytest.fixture(scope="module")
def keeper() -> Iterator[ns.Sandbox]:
    with ns.Sandbox("mnt", name="keeper") as box:
        box.run("mount -t tmpfs none /mnt; touch /mnt/net")
        yield box


def opened(box: ns.Sandbox) -> Callable[[], None]:
    return open(f"/proc/{box.pid}/ns/net").close


def mounted(box: ns.Sandbox, keeper: ns.Sandbox) -> Callable[[], object]:
    keeper.run(f"mount --bind /proc/{box.pid}/ns/net /mnt/net")
    return lambda: keeper.run("umount /mnt/net")


def spoken(box: ns.Sandbox) -> Callable[[], None]:
    """A socket made in the sandbox's network, and held by this process."""
    with box.popen([sys.executable, "-c", SPEAK]) as speaker:
        number = int(speaker.stdout.readline())
        pidfd = os.pidfd_open(speaker.pid)
        copy = socket.socket(fileno=syscalls.pidfd_getfd(pidfd, number))
        os.close(pidfd)
    return copy.close


def told(picture: ns.Picture) -> tuple[list[str], list[str]]:
    """The kinds of pins that still hold, and those that have let go."""
    lines = str(picture).splitlines()[1:]
    held = [line[3:].split("  ")[0] for line in lines if line[0] in "├└"]
    gone = [line[3:].split("  ")[0] for line in lines if line[0] == "✂"]
    return held, gone


@settings(max_examples=8)
@given(
    kinds=st.sets(st.sampled_from(["fd", "bind", "socket"])),
    order=st.randoms(use_true_random=False),
)
def test_the_pins_are_those_that_were_made_whichever_lets_go_first(
    keeper: ns.Sandbox, kinds: set[str], order: random.Random
) -> None:
    web = keeper.sandbox("net", name="web")
    net = web.namespaces["net"]
    letting_go: dict[str, Callable[[], object]] = {"process": web.close}
    with contextlib.ExitStack() as stack:
        stack.callback(web.close)
        makers = {"fd": opened, "bind": lambda box: mounted(box, keeper), "socket": spoken}
        for kind in kinds:
            letting_go[kind] = makers[kind](web)
        before = ns.snapshot("mine", deep=True)
        left = [word for kind, word in WORDS.items() if kind in letting_go]
        lost: list[str] = []
        for kind in order.sample(sorted(letting_go), len(letting_go)):
            held, gone = told(ns.why_alive(net, before=before))
            assert (held, sorted(gone)) == (left, sorted(lost))
            letting_go[kind]()
            left.remove(WORDS[kind])
            lost.append(WORDS[kind])
        picture = ns.why_alive(net, before=before)
    assert told(picture)[0] == []
    assert "gone: nothing in sight keeps it" in str(picture)
    assert ("net", net.ns) not in ns.snapshot("mine", deep=True).namespaces


def test_a_child_keeps_its_parent_and_a_namespace_its_owner() -> None:
    with (
        ns.Sandbox("user") as box,
        box.popen(["unshare", "-Urn", "unshare", "-Ur", "sh", "-c", "echo; sleep 60"]) as chain,
    ):
        chain.stdout.readline()
        inner = syscalls.nsfd(chain.pid, "user")
        outer = syscalls.ns_get_parent(inner)  # who is right is the kernel, by its ioctls
        net = syscalls.nsfd(chain.pid, "net")
        owner = syscalls.ns_get_userns(net)
        same = os.fstat(owner).st_ino == os.fstat(outer).st_ino
        record = ns.snapshot(deep=True).namespaces["user", os.fstat(outer).st_ino]
        for fd in (inner, outer, net, owner):
            os.close(fd)
        assert same
        assert told(ns.why_alive(record))[0] == ["child", "owned"]


def test_an_ordinary_user_misses_nothing_of_its_own(learner: Learner) -> None:
    # Its sockets are in a network namespace that it may not ask about; the lists tell of them.
    code = """
import nsedu
with nsedu.Sandbox("net", "mnt") as box, nsedu.Sandbox("uts", join=box):
    print(nsedu.why_alive(box, "net"))
"""
    said = learner.run_python(code)
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines()[0].endswith("2 things keep it alive")
    assert "could not read" not in said.stdout


def test_a_descriptor_keeps_it_whose_link_reads_as_the_mount_that_it_was_opened_by(
    keeper: ns.Sandbox,
) -> None:
    with keeper.sandbox("net") as web:
        net = web.namespaces["net"]
        mounted(web, keeper)
    with open(f"/proc/{keeper.pid}/root/mnt/net"):
        assert told(ns.why_alive(net))[0] == ["descriptor", "bind mount"]
        keeper.run("umount --lazy /mnt/net")
        assert told(ns.why_alive(net))[0] == ["descriptor"]
    assert told(ns.why_alive(net))[0] == []


def test_a_namespace_is_named_in_many_ways() -> None:
    with ns.Sandbox("uts") as box, open(f"/proc/{box.pid}/ns/uts") as file:
        number = os.fstat(file.fileno()).st_ino
        process = box.popen(["sleep", "60"])
        answers = [
            which(box.namespaces["uts"]),
            which(file),
            which(f"/proc/{box.pid}/ns/uts"),
            which(box, "uts"),
            which(process, "uts"),
            which(box.pid, "uts"),
        ]
    assert answers == [("uts", number)] * 6


@pytest.mark.parametrize("what", [None, 7, 1.5, object()])
def test_what_names_no_namespace_is_a_type_error(what: object) -> None:
    with pytest.raises(TypeError, match=r"name a record such as box\.namespaces"):
        ns.why_alive(what)


def test_a_file_that_is_no_namespace_is_refused() -> None:
    with open("/dev/null") as file, pytest.raises(ValueError, match="is not a namespace file"):
        ns.why_alive(file)


def test_a_path_that_leads_nowhere_says_to_keep_the_record() -> None:
    with pytest.raises(ValueError, match=r"cannot be opened .* keep its record"):
        ns.why_alive("/proc/4194305/ns/net")


def test_a_type_that_is_none_of_the_eight_is_refused() -> None:
    with pytest.raises(ValueError, match="mnt"):
        ns.why_alive(os.getpid(), "hostname")


def test_an_earlier_look_is_a_snapshot() -> None:
    with pytest.raises(TypeError, match="before must be a Snapshot"):
        ns.why_alive(os.getpid(), "net", before="yesterday")  # type: ignore[arg-type]


def test_asking_keeps_nothing() -> None:
    with ns.Sandbox("net") as box:
        net = box.namespaces["net"]
        ns.why_alive(net)
        ns.why_alive(box, "net")
    assert "gone" in str(ns.why_alive(net))


@pytest.mark.needs("ns-id")
def test_a_record_of_one_that_has_gone_is_not_taken_for_the_next_with_its_number() -> None:
    with ns.Sandbox("uts") as box:
        record = box.namespaces["uts"]
        before = ns.snapshot(deep=True)
        older = record._replace(id=record.id - 1)
        assert "gone: nothing in sight keeps it" in str(ns.why_alive(older))
        assert told(ns.why_alive(older, before=before)) == ([], [])
        assert told(ns.why_alive(record, before=before)) == (["process"], [])


def test_this_very_program_is_the_process_that_keeps_its_own() -> None:
    code = "import nsedu, os; print(nsedu.why_alive(os.getpid(), 'uts', scope=os.getpid()))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "└─ process  this program" in said.stdout
