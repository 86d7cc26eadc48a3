"""Id maps as they are seen, against the kernel's own files read raw."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nsedu as ns
from awaiting import eventually
from nsedu.kernel import syscalls
from nsedu.notebook.cells.byhand import write
from nsedu.observe import id_maps
from nsedu.observe.viewpoints import Place, places
from ordinary_user import Learner
from waiting import child

pytestmark = pytest.mark.needs("userns")
few = settings(max_examples=6)


def raw(pid: int, kind: str) -> list[list[int]]:
    """The numbers of a map, by another way than nsedu's."""
    lines = Path(f"/proc/{pid}/{kind}_map").read_text().splitlines()
    return [[int(word) for word in line.split()] for line in lines]


def newborn(prepare: Callable[[], None] = lambda: None) -> AbstractContextManager[int]:
    """A process in a user namespace of its own, whose map it has or has not written."""

    def begin() -> None:
        syscalls.unshare(syscalls.CloneFlag.NEWUSER)
        prepare()

    return child(begin)


@few
@given(st.integers(0, 2**32 - 2))
def test_a_map_of_one_id_is_read_as_the_kernel_has_it(inside: int) -> None:
    line = f"{inside} {os.getuid()} 1"
    with newborn(lambda: write("/proc/self/uid_map", line)) as pid:
        (maps,) = id_maps.read_id_maps(places(pid))
        assert [list(entry) for entry in maps.uid] == raw(pid, "uid") == [[inside, os.getuid(), 1]]
        assert maps.gid == ()


def test_before_it_is_written_a_map_is_empty() -> None:
    with newborn() as pid:
        (maps,) = id_maps.read_id_maps(places(pid))
        assert (maps.uid, maps.gid, maps.setgroups) == ((), (), "allow")


@few
@given(st.lists(st.sampled_from([True, "range"]), min_size=1, max_size=3))
@pytest.mark.needs("range")
def test_nested_sandboxes_are_read_as_the_kernel_has_them(users: list[bool | str]) -> None:
    with contextlib.ExitStack() as stack:
        boxes = [stack.enter_context(ns.Sandbox("user", user=users[0]))]
        for user in users[1:]:
            boxes.append(stack.enter_context(boxes[-1].sandbox("user", user=user)))
        for box, maps in zip(boxes, id_maps.read_id_maps(places(*boxes)), strict=True):
            assert [list(entry) for entry in maps.uid] == raw(box.pid, "uid")
            assert [list(entry) for entry in maps.gid] == raw(box.pid, "gid")
            assert maps.setgroups == Path(f"/proc/{box.pid}/setgroups").read_text().strip()
            assert maps.name == f'sandbox "{box.name}"'


@pytest.mark.needs("range", "unshare")
def test_a_map_with_holes_is_read_line_by_line() -> None:
    wanted = [[0, 0, 1], [1000, 10, 5], [70000, 500, 1000]]
    text = "".join(f"{inside} {outside} {count}\n" for inside, outside, count in wanted)

    def write_and_read(pid: int) -> list[list[int]]:
        Path(f"/proc/{pid}/uid_map").write_text(text)
        return [list(entry) for entry in id_maps.read_id_maps([Place("inner", pid)])[0].uid]

    with ns.Sandbox("user", user="range") as wide:
        unmapped = wide.popen(["unshare", "--user", "sleep", "60"])
        ours = os.readlink(f"/proc/{wide.pid}/ns/user")
        assert eventually(lambda: os.readlink(f"/proc/{unmapped.pid}/ns/user") != ours)
        assert wide.call(write_and_read, unmapped.pid) == wanted
        (maps,) = id_maps.read_id_maps(places(unmapped))
        assert [list(entry) for entry in maps.uid] == raw(unmapped.pid, "uid")


def test_a_reader_without_ids_for_a_map_is_told_so() -> None:
    def first_process() -> list[list[int]]:
        return [list(entry) for entry in id_maps.read_id_maps([Place("first", 1)])[0].uid]

    with ns.Sandbox("user") as box:
        said = box.run(["cat", "/proc/1/uid_map"]).stdout.splitlines()
        assert box.call(first_process) == [[int(word) for word in line.split()] for line in said]


def test_a_process_that_ends_meanwhile_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="there is no process"):
        id_maps.read_id_maps([Place("gone", sys.maxsize)])


def test_an_ordinary_user_sees_the_same_as_the_kernel_says(learner: Learner) -> None:
    code = (
        "import nsedu as ns\nwith ns.Sandbox('user', name='b') as box:\n    print(ns.idmap(box))\n"
    )
    done = learner.run_python(code)
    assert done.stdout.splitlines()[1:] == [
        'sandbox "b" · setgroups(2) denied',
        "  uid, gid 0 is yours outside",
        "  uid, gid: anyone else outside looks like 65534 inside",
    ], done.stderr
