"""The view of control groups against what processes inside and outside read, and against `ls`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsedu import Sandbox
from nsedu.observe.cgroup_limits import Limits
from nsedu.observe.cgroups import (
    CgroupView,
    Hierarchy,
    Member,
    counters,
    directories,
    hierarchies,
    kind,
    parse_cgroup,
    read_cgroups,
    root_of,
)
from nsedu.observe.viewpoints import Place, places

SMALL = {"pids": 20, "memory": 1 << 26, "cpu": 0.5}


class Tree:
    """A made-up /proc of one process, and the hierarchies it is in."""

    def __init__(self, tmp_path: Path) -> None:
        self.proc, self.fs = tmp_path / "proc", tmp_path / "fs"
        self.memberships: list[str] = []
        self.mounts = ["22 1 0:20 / /proc rw - proc proc rw"]

    def v1(self, controllers: str, path: str, root: str = "/") -> Path:
        mount = self.fs / controllers
        self.memberships.append(f"{len(self.memberships) + 1}:{controllers}:{path}")
        self.mounts.append(f"31 22 0:30 {root} {mount} rw - cgroup cgroup rw,xattr,{controllers}")
        mount.mkdir(parents=True)
        return mount

    def v2(self, path: str, controllers: str) -> Path:
        mount = self.fs / "unified"
        self.memberships.append(f"0::{path}")
        self.mounts.append(f"40 22 0:40 / {mount} rw shared:4 - cgroup2 cgroup2 rw,nsdelegate")
        mount.mkdir(parents=True)
        (mount / "cgroup.controllers").write_text(controllers + "\n")
        return mount

    def written(self) -> str:
        for process in ("self", "7"):
            (self.proc / process / "ns").mkdir(parents=True)
            (self.proc / process / "ns/cgroup").symlink_to("cgroup:[4026531835]")
            (self.proc / process / "cgroup").write_text("\n".join(self.memberships) + "\n")
        (self.proc / "self/mountinfo").write_text("\n".join(self.mounts) + "\n")
        return str(self.proc)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_machine_with_version_one_has_a_hierarchy_for_each_line(tree: Tree) -> None:
    pids, cpu = tree.v1("pids", "/alice"), tree.v1("cpu,cpuacct", "/")
    found = hierarchies(f"{tree.written()}/self")
    assert found == (
        Hierarchy("cpu,cpuacct", 1, ("cpu", "cpuacct"), str(cpu), "/"),
        Hierarchy("pids", 1, ("pids",), str(pids), "/"),
    )
    assert kind(found) == "v1"


def test_a_machine_with_version_two_has_one_hierarchy(tree: Tree) -> None:
    mount = tree.v2("/user.slice/session", "cpu memory pids")
    found = hierarchies(f"{tree.written()}/self")
    assert found == (Hierarchy("", 2, ("cpu", "memory", "pids"), str(mount), "/"),)
    assert kind(found) == "v2"


def test_a_hybrid_has_both_and_version_two_last(tree: Tree) -> None:
    tree.v2("/", "")
    tree.v1("name=systemd", "/init")
    found = hierarchies(f"{tree.written()}/self")
    assert [(h.key, h.version) for h in found] == [("name=systemd", 1), ("", 2)]
    assert kind(found) == "hybrid"


def test_a_machine_without_control_groups_has_no_hierarchy(tree: Tree) -> None:
    proc = tree.written()
    for process in ("self", "7"):
        (tree.proc / process / "cgroup").unlink()
    assert hierarchies(f"{proc}/self") == ()
    assert kind(()) == "none"
    assert read_cgroups([Place("it", 7)], proc).members[0].outside == {}


def test_a_hierarchy_that_is_not_mounted_has_no_directories(tree: Tree) -> None:
    tree.v1("pids", "/alice")
    del tree.mounts[-1]
    (pids,) = hierarchies(f"{tree.written()}/self")
    assert pids.mount == "" and pids.directory("/alice") is None


@pytest.mark.parametrize(
    ("root", "path", "directory"),
    [
        ("/", "/", "/m"),
        ("/", "/a/b", "/m/a/b"),
        ("/docker/1", "/docker/1/in", "/m/in"),
        ("/docker/1", "/docker/12", None),
        ("/..", "/", None),
        ("/", "/..", None),
        ("/", "/../a", None),
    ],
)
def test_the_directory_of_a_group_is_counted_from_the_root_of_the_mount(
    root: str, path: str, directory: str | None
) -> None:
    found = Hierarchy("pids", 1, ("pids",), "/m", root).directory(path)
    assert (None if found is None else str(found)) == directory


@pytest.mark.parametrize(
    ("outside", "inside", "root"),
    [
        ("/", "/", "/"),
        ("/a/b", "/", "/a/b"),
        ("/a/b", "/b", "/a"),
        ("/a/b", "/a/b", "/"),
        ("/a", "/..", None),
        ("/a", "/../c", None),
        ("/a/b", "/c", None),
    ],
)
def test_both_views_of_one_group_give_the_root_away(
    outside: str, inside: str, root: str | None
) -> None:
    assert root_of(outside, inside) == root


parts = st.lists(st.sampled_from(["a", "b", "nsedu-1-1"]), max_size=4).map(tuple)


@given(parts, parts)
def test_a_root_is_found_from_whatever_is_below_it(root: tuple[str, ...], below: tuple[str, ...]):
    path, start = "/" + "/".join(root + below), "/" + "/".join(root)
    assert root_of(path, "/" + "/".join(below)) == start


def test_a_colon_in_a_path_stays_in_it() -> None:
    assert parse_cgroup("1:pids:/a:b\n0::/\n") == {"pids": "/a:b", "": "/"}


def test_a_made_up_version_two_tree_is_looked_at_like_a_live_one(tree: Tree) -> None:
    tree.v2("/user.slice", "pids")
    view = read_cgroups([Place("it", 7)], tree.written())
    assert view.own == {"": "/user.slice"}
    assert view.members == (Member("it", 7, 4026531835, {"": "/user.slice"}, {"": "/user.slice"}),)
    assert view.roots == {(4026531835, ""): "/"}


def test_a_process_that_has_ended_is_refused(tree: Tree) -> None:
    tree.v2("/", "")
    with pytest.raises(ValueError, match=r"process 8 \(it\) has ended"):
        read_cgroups([Place("it", 8)], tree.written())


# On the running kernel


def raw(box: Sandbox, pid: int | str = "self") -> dict[str, str]:
    """What a process in the sandbox reads, with a program that knows nothing of us."""
    text = box.run(["cat", f"/proc/{pid}/cgroup"]).stdout
    return dict(line.split(":", 2)[1:] for line in text.splitlines())  # type: ignore[misc]


def outside(pid: int) -> dict[str, str]:
    text = subprocess.run(["cat", f"/proc/{pid}/cgroup"], capture_output=True, text=True).stdout
    return dict(line.split(":", 2)[1:] for line in text.splitlines())  # type: ignore[misc]


def with_limits() -> list[Any]:
    """None where no limits can be set, which is where the doctor says so."""
    from nsedu.requirements import missing

    return [None] if missing(["cgroup-write"]) else [None, {"pids": 20}, SMALL]


@pytest.mark.needs("userns", "cgroup", "uts")
def test_the_view_is_what_processes_inside_and_outside_read() -> None:
    choices = with_limits()
    plans = st.lists(
        st.tuples(st.sampled_from(["cgroup", "uts"]), st.sampled_from(choices)), min_size=1,
        max_size=3,
    )  # fmt: skip

    @settings(max_examples=6)
    @given(plans)
    def check(plan: list[tuple[str, Any]]) -> None:
        boxes = [Sandbox(type, limits=limits) for type, limits in plan]
        try:
            view = read_cgroups(places(*boxes))
            assert view.unread == 0
            for box, member in zip(boxes, view.members, strict=True):
                assert member.outside == outside(box.pid)
                # A command is in the same groups as the sandbox's first process.
                assert member.inside == raw(box)
                for key, path in member.outside.items():
                    root = view.roots[member.ns or 0, key]
                    # The kernel's own word for it: how to climb from the root to the reader.
                    climb = "/" + os.path.relpath(view.own[key], root)
                    assert os.path.normpath(raw(box, os.getpid())[key]) in (
                        climb,
                        climb[:-2] or "/",
                    )
                    assert path == root or member.ns == view.ns
        finally:
            for box in boxes:
                box.close()

    check()


@pytest.mark.needs("userns", "cgroup")
def test_a_group_is_where_ls_and_its_list_of_processes_say() -> None:
    with Sandbox("cgroup") as box:
        found = directories(box)
        known = [h for h in hierarchies() if h.mount]
        assert found
        for controller, where in found.items():
            said = subprocess.run(["ls", str(where)], capture_output=True, text=True, check=True)
            assert "cgroup.procs" in said.stdout.split(), controller
            members = subprocess.run(
                ["cat", f"{where}/cgroup.procs"], capture_output=True, text=True
            )
            assert str(box.pid) in members.stdout.split()
        assert set(found) == {n for h in known for n in (h.controllers or ("",))} | (
            {""} if any(not h.key for h in known) else set()
        )


@pytest.mark.needs("userns", "cgroup", "mnt")
def test_a_mount_made_outside_shows_the_climb_to_it_as_its_root() -> None:
    with Sandbox("cgroup", "mnt") as box:
        own = outside(os.getpid())
        for line in box.run(["cat", "/proc/self/mountinfo"]).stdout.splitlines():
            left, _, right = line.partition(" - ")
            if not right.startswith("cgroup"):
                continue
            key = next((k for k in own if k and k in right), "") if "cgroup2" not in right else ""
            climb = os.path.relpath("/", own[key])
            assert left.split()[3] == ("/" if climb == "." else f"/{climb}")


@pytest.mark.needs("userns", "cgroup", "cgroup-write")
def test_limits_and_counters_are_what_the_files_of_the_group_say() -> None:
    with Sandbox("cgroup", limits=SMALL) as box:
        found = counters(box)
        where = directories(box)
        assert (found.pids_max, found.memory_max, found.cpu_cores) == (20, 1 << 26, 0.5)
        assert found.pids_now == int((where["pids"] / "pids.current").read_text())
        view = read_cgroups(places(box))
        assert {limits.pids_max for limits in view.limits.values()} >= {20}
        assert set(view.makers.values()) == {'sandbox "' + box.name + '"'}


@pytest.mark.needs("userns", "cgroup", "cgroup-write")
def test_a_guest_is_in_the_namespace_but_not_in_the_group() -> None:
    with Sandbox("cgroup", limits={"pids": 20}) as box, Sandbox(join=box) as guest:
        view = read_cgroups(places(guest))
        (member,) = view.members
        key = next(h.key for h in view.hierarchies if "pids" in h.controllers)
        assert member.inside is not None
        assert member.inside[key].startswith("/..")
        assert view.roots[member.ns or 0, key] == outside(box.pid)[key]
        assert member.outside[key] == view.own[key]


@pytest.mark.needs("userns")
def test_a_process_without_limits_of_its_own_has_those_of_its_group() -> None:
    assert isinstance(counters(os.getpid()), Limits)


@pytest.mark.parametrize("wrong", ["web", None, 1.5])
def test_what_is_no_process_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="name a sandbox, a process or a pid"):
        counters(wrong)


def test_a_view_without_anyone_is_empty() -> None:
    view = read_cgroups([])
    assert isinstance(view, CgroupView) and view.members == () and view.limits == {}
