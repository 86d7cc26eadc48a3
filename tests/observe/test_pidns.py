"""Numbers in pid namespaces, against what the kernel says when asked in two other ways."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nests
import nsedu as ns
from nsedu.kernel import syscalls
from nsedu.observe.pid_numbers import Number, numbers
from nsedu.observe.records import Process, Snapshot

pytestmark = pytest.mark.needs("userns", "pid", "unshare")


def levels(pid: int) -> list[int]:
    """Descriptors of the pid namespaces of a process, its own first, as far as the kernel tells."""
    found = [syscalls.nsfd(pid, "pid")]
    with contextlib.suppress(PermissionError):  # the reader's own has no parent that he may see
        while True:
            found.append(syscalls.ns_get_parent(found[-1]))
    return found


def translated(fd: int, pid: int) -> int:
    try:
        return syscalls.ns_get_pid_in_pidns(fd, pid)
    except OSError as error:
        if error.errno == errno.ENOTTY:
            pytest.skip("this kernel does not translate pids by ioctl (before Linux 6.11)")
        raise


def raw(pid: int) -> list[str]:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return line.split()[1:]
    raise AssertionError("no NSpid in the status file")


def check(look: Snapshot) -> None:
    for pid, process in look.processes.items():
        told = numbers(look, process)
        assert [str(number.pid) for number in told] == raw(pid)
        fds = levels(pid)
        try:
            assert [number.ns for number in told] == [os.fstat(fd).st_ino for fd in reversed(fds)]
            for fd, number in zip(reversed(fds), told, strict=True):
                assert translated(fd, pid) == number.pid
                assert syscalls.ns_get_pid_from_pidns(fd, number.pid) == pid
        finally:
            for fd in fds:
                os.close(fd)


step = st.sampled_from([["pid"], ["user", "pid"], ["uts"], ["pid", "mnt"]])
steps = st.lists(step, max_size=4)
within: st.SearchStrategy[nests.Nest] = st.recursive(
    st.tuples(steps, st.just([])),
    lambda inner: st.tuples(steps, st.lists(inner, max_size=2)),
    max_leaves=4,
)
some_nests = st.tuples(steps.map(lambda more: [["user"], *more]), st.lists(within, max_size=3))


@given(nest=some_nests)
@settings(max_examples=20)
def test_they_are_those_of_nspid_and_of_the_ioctls(nest: nests.Nest) -> None:
    with nests.built(nest) as pid:
        check(ns.snapshot(pid))


def test_sandboxes_in_sandboxes_too() -> None:
    with ns.Sandbox("pid", "mnt") as outer, outer.sandbox("pid") as inner, inner.popen("sleep 60"):
        look = ns.snapshot(outer.pid)
        check(look)
        assert [number.pid for number in numbers(look, look.processes[inner.pid])][-1] == 1


def test_a_namespace_out_of_sight_has_no_identity() -> None:
    process = Process(7, 1, "x", nspid=(7, 3, 1), links={"pid": 5})
    assert numbers(Snapshot({7: process}, {}), process) == (
        Number(None, 7), Number(None, 3), Number(5, 1),
    )  # fmt: skip
