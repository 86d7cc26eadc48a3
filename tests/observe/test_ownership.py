"""Ownership as it is drawn, against the kernel: its ioctls, and what it really lets root do."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nsedu as ns
from nsedu.kernel import syscalls
from nsedu.observe.records import Snapshot

TYPES = ("mnt", "uts", "ipc", "pid", "net", "cgroup", "time")

pytestmark = pytest.mark.needs("userns", *TYPES)

Nest = list[tuple[int, set[str], bool]]
"""For each sandbox: inside which earlier one (0: none), its types, whether a user namespace."""

nests = st.lists(
    st.tuples(st.integers(0, 5), st.sets(st.sampled_from(TYPES), min_size=1), st.booleans()),
    min_size=1, max_size=5,
)  # fmt: skip


@contextlib.contextmanager
def built(nest: Nest) -> Iterator[list[ns.Sandbox]]:
    with contextlib.ExitStack() as stack:
        boxes: list[ns.Sandbox] = []
        for index, (above, types, user) in enumerate(nest):
            outer = boxes[above - 1] if 0 < above <= index else None
            make = ns.Sandbox if outer is None else outer.sandbox
            # Without one around it, an ordinary user's sandbox needs a user namespace.
            box = make(*types, user=user or outer is None, name=f"b{index}")
            boxes.append(stack.enter_context(box))
        yield boxes


def number(fd: int) -> int:
    try:
        return os.fstat(fd).st_ino
    finally:
        os.close(fd)


def owner_by_ioctl(pid: int, type: str) -> int:
    fd = os.open(f"/proc/{pid}/ns/{type}", os.O_RDONLY)
    try:
        return number(syscalls.ns_get_userns(fd))
    finally:
        os.close(fd)


def reaches_by_ioctl(pid: int, type: str) -> bool:
    """Whether the process's user namespace is the owner of its namespace, or around the owner."""
    mine = os.stat(f"/proc/{pid}/ns/user").st_ino
    space = os.open(f"/proc/{pid}/ns/{type}", os.O_RDONLY)
    above = syscalls.ns_get_userns(space)
    os.close(space)
    while os.fstat(above).st_ino != mine:
        try:
            parent = syscalls.ns_get_parent(above)
        except PermissionError:  # that was the first one
            os.close(above)
            return False
        os.close(above)
        above = parent
    os.close(above)
    return True


def drawn_cells(text: str, name: str) -> dict[str, tuple[str, str]]:
    """Type → (letter, mark) in the table's row of a sandbox."""
    row = next(line for line in text.splitlines() if re.match(rf'[^├└│]*sandbox "{name}"', line))
    return dict(zip(TYPES, re.findall(r"([A-Z]+) ([✓✗?])", row), strict=True))


@settings(max_examples=6)
@given(nests)
def test_the_drawn_owner_is_the_one_that_the_kernel_names(nest: Nest) -> None:
    with built(nest) as boxes:
        text = str(ns.ownership())
        for box in boxes:
            for type, (letter, mark) in drawn_cells(text, box.name).items():
                owner = owner_by_ioctl(box.pid, type)
                line = next(li for li in text.splitlines() if f"user:[{owner}]" in li)
                owned = re.search(rf"\b{type} ([A-Z ]+)", line)
                assert owned is not None and letter in owned[1].split()
                assert (mark == "✓") == reaches_by_ioctl(box.pid, type)


@pytest.mark.needs("lsns")
def test_lsns_names_the_same_owners() -> None:
    with ns.Sandbox("net", "uts") as box, box.sandbox("user", "net"):
        seen: Snapshot = ns.snapshot("mine")
        command = ["lsns", "--noheadings", "--raw", "--output", "NS,ONS"]
        for _ in range(20):  # it gives up when a process ends under its eyes
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                break
        theirs = {int(a): int(b) for a, b in (line.split() for line in done.stdout.splitlines())}
        assert len(theirs.keys() & {inode for _, inode in seen.namespaces}) > 4
        for (type, inode), space in seen.namespaces.items():
            if type != "user" and inode in theirs and space.owner is not None:
                assert theirs[inode] == space.owner


def raw_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


def rename() -> None:
    socket.sethostname(socket.gethostname())


@settings(max_examples=2)
@given(nests)
def test_root_may_do_what_the_picture_says_and_nothing_else(nest: Nest) -> None:
    with built(nest) as boxes:
        text = str(ns.ownership())
        for box in boxes:
            cells = drawn_cells(text, box.name)
            for type, act in (("net", raw_socket), ("uts", rename)):
                if cells[type][1] == "✓":
                    box.call(act)
                else:
                    with pytest.raises(PermissionError):
                        box.call(act)


@settings(max_examples=3)
@given(st.integers(1, 3))
def test_root_further_out_may_act_where_it_visits(depth: int) -> None:
    with contextlib.ExitStack() as stack:
        outer = stack.enter_context(ns.Sandbox("user", name="outer"))
        inner = outer
        for _ in range(depth):
            inner = stack.enter_context(inner.sandbox("net", "uts"))
        joined = {"net": inner, "uts": inner}
        visitor = stack.enter_context(outer.sandbox(join=joined, user=False, name="visitor"))
        cells = drawn_cells(str(ns.ownership()), "visitor")
        marks = {type: mark == "✓" for type, (_, mark) in cells.items()}
        assert marks == {type: reaches_by_ioctl(visitor.pid, type) for type in TYPES}
        assert {type for type, may in marks.items() if may} == {"net", "uts"}
        visitor.call(raw_socket)


@pytest.mark.parametrize("wrong", ["all", 0, None, 1.5])
def test_what_cannot_be_looked_at_is_refused(wrong: object) -> None:
    with pytest.raises((TypeError, ValueError), match="scope must be"):
        ns.ownership(wrong)  # type: ignore[arg-type]


def test_a_saved_snapshot_is_drawn_like_a_live_one() -> None:
    with ns.Sandbox("net", name="kept"):
        seen = ns.snapshot()
    assert str(ns.ownership(Snapshot.from_json(seen.to_json()))) == str(ns.ownership(seen))
