"""Control groups for limits: found in every kind of hierarchy, made, entered and removed."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from awaiting import ended, eventually
from nsedu import NamespaceError, Sandbox
from nsedu.agent import cgroups
from nsedu.agent.cgroups import Controller
from nsedu.sandbox import agent_client

live = pytest.mark.needs("userns", "cgroup-write")


class Tree:
    """A made-up /proc/self and the control group file systems that it tells of."""

    def __init__(self, tmp_path: Path) -> None:
        self.proc, self.fs = tmp_path / "proc", tmp_path / "fs"
        self.proc.mkdir(), self.fs.mkdir()
        self.memberships: list[str] = []
        self.mounts = ["22 1 0:20 / /proc rw - proc proc rw"]

    def v1(self, controllers: str, path: str, root: str = "/") -> Path:
        mount = self.fs / controllers.replace("=", "_")
        number = len(self.memberships) + 1
        self.memberships.append(f"{number}:{controllers}:{path}")
        self.mounts.append(f"3{number} 22 0:30 {root} {mount} rw - cgroup cgroup rw,{controllers}")
        (mount / path.removeprefix(root).strip("/")).mkdir(parents=True)
        return mount

    def v2(self, available: str, path: str, enabled: dict[str, str] | None = None) -> Path:
        mount = self.fs / "unified"
        self.memberships.append(f"0::{path}")
        self.mounts.append(f"40 22 0:40 / {mount} rw,nosuid shared:4 - cgroup2 cgroup2 rw")
        (mount / path.strip("/")).mkdir(parents=True)
        (mount / "cgroup.controllers").write_text(available + "\n")
        for directory, names in (enabled or {}).items():
            (mount / directory.strip("/") / "cgroup.subtree_control").write_text(names + "\n")
        return mount

    def controllers(self) -> dict[str, Controller]:
        (self.proc / "cgroup").write_text("".join(f"{line}\n" for line in self.memberships))
        (self.proc / "mountinfo").write_text("".join(f"{line}\n" for line in self.mounts))
        return cgroups.controllers(str(self.proc))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_each_controller_of_version_one_has_its_own_hierarchy(tree: Tree) -> None:
    pids, cpu = tree.v1("pids", "/user/alice"), tree.v1("cpu,cpuacct", "/")
    assert tree.controllers() == {
        "pids": Controller(1, str(pids), "/user/alice"),
        "cpu": Controller(1, str(cpu), "/"),
        "cpuacct": Controller(1, str(cpu), "/"),
    }


def test_version_two_has_one_hierarchy_for_all(tree: Tree) -> None:
    mount = tree.v2("cpu memory pids", "/user.slice/session")
    where = Controller(2, str(mount), "/user.slice/session")
    assert tree.controllers() == {"cpu": where, "memory": where, "pids": where}


def test_a_hybrid_gives_each_controller_where_it_is(tree: Tree) -> None:
    pids, unified = tree.v1("pids", "/"), tree.v2("hugetlb", "/")
    tree.v1("name=systemd", "/init")
    found = tree.controllers()
    assert found["pids"] == Controller(1, str(pids), "/")
    assert found["hugetlb"] == Controller(2, str(unified), "/")


def test_a_mount_of_a_part_of_the_hierarchy_counts_paths_from_there(tree: Tree) -> None:
    mount = tree.v1("pids", "/docker/0123/inner", root="/docker/0123")
    assert tree.controllers()["pids"] == Controller(1, str(mount), "/inner")


def test_a_machine_without_control_groups_has_no_controllers(tree: Tree) -> None:
    assert tree.controllers() == {}


def test_a_hierarchy_that_is_not_mounted_is_no_use(tree: Tree) -> None:
    tree.v1("pids", "/")
    del tree.mounts[-1]
    assert tree.controllers() == {}


def use(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.controllers()  # which writes the files that tell of it
    known = cgroups.hierarchies(str(tree.proc))
    monkeypatch.setattr(cgroups, "hierarchies", lambda proc="": known)


def test_limits_of_version_one_are_written_where_it_wants_them(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids, cpu = tree.v1("pids", "/alice"), tree.v1("cpu,cpuacct", "/")
    use(tree, monkeypatch)
    made = cgroups.create("box", {"pids": 20, "cpu": 0.5})
    assert made == [f"{pids}/alice/box", f"{cpu}/box"]
    assert (pids / "alice/box/pids.max").read_text() == "20"
    assert (cpu / "box/cpu.cfs_quota_us").read_text() == "50000"


def test_limits_of_version_two_go_below_the_nearest_group_that_passes_the_controllers_on(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    enabled = {"/": "cpu pids memory", "/user": "pids memory", "/user/session": ""}
    mount = tree.v2("cpu pids memory", "/user/session", enabled)
    use(tree, monkeypatch)
    made = cgroups.create("box", {"pids": 20, "memory": 1 << 26, "cpu": 2})
    assert made == [f"{mount}/user/box", f"{mount}/box"]
    assert (mount / "user/box/pids.max").read_text() == "20"
    assert (mount / "user/box/memory.max").read_text() == str(1 << 26)
    assert (mount / "box/cpu.max").read_text() == "200000 100000"


def test_a_group_that_may_not_be_made_nearby_is_made_further_up(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = tree.v1("pids", "/here")
    (mount / "here").rmdir()
    (mount / "here").write_text("not a directory")
    use(tree, monkeypatch)
    assert list(cgroups.create("box", {"pids": 5})) == [f"{mount}/box"]


def test_a_sandbox_inside_one_with_limits_gets_its_group_below_that_one(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = tree.v1("pids", "/")
    (mount / "outer").mkdir()
    use(tree, monkeypatch)
    made = cgroups.create("inner", {"pids": 5}, [f"{mount}/outer"])
    assert made == [f"{mount}/outer/inner"]


def test_a_controller_that_is_not_there_is_an_error_that_names_it(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = tree.v1("pids", "/")
    use(tree, monkeypatch)
    with pytest.raises(FileNotFoundError, match="cgroup controller memory"):
        cgroups.create("box", {"memory": 1 << 26})
    assert os.listdir(mount) == []


def test_a_group_made_before_another_was_refused_is_removed_again(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []
    mount = tree.v1("pids", "/")
    use(tree, monkeypatch)
    monkeypatch.setattr(cgroups, "remove", removed.extend)
    with pytest.raises(FileNotFoundError):
        cgroups.create("box", {"pids": 5, "memory": 1 << 26})
    assert removed == [f"{mount}/box"]


def test_the_groups_of_a_sandbox_and_of_those_inside_are_told_by_their_names(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = tree.v1("pids", "/here")
    its = ["here/nsedu-1-1.4", "nsedu-1-1", "nsedu-1-1.2", "nsedu-1-1.2.3", "other/nsedu-1-1.5"]
    for name in (*its, "nsedu-1-12", "nsedu-1-12.1", "x/nsedu-1-1"):
        (mount / name).mkdir(parents=True)
    use(tree, monkeypatch)
    found = cgroups.named(["nsedu-1-1"], [f"{mount}/other"])
    assert found == [f"{mount}/{name}" for name in its]


def test_the_groups_of_a_notebook_are_told_by_its_pid(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = tree.v1("pids", "/here")
    for name in ("nsedu-1-1", "here/nsedu-1-2.3", "nsedu-12-1"):
        (mount / name).mkdir()
    use(tree, monkeypatch)
    assert cgroups.of_notebook(1) == [f"{mount}/here/nsedu-1-2.3", f"{mount}/nsedu-1-1"]


def test_a_group_of_version_two_is_found_even_if_it_has_no_controllers(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids, unified = tree.v1("pids", "/"), tree.v2("", "/here")
    (unified / "here/nsedu-1-1.born").mkdir()
    (pids / "nsedu-1-1").mkdir()
    use(tree, monkeypatch)
    assert cgroups.named(["nsedu-1-1"]) == [
        f"{pids}/nsedu-1-1", f"{unified}/here/nsedu-1-1.born",
    ]  # fmt: skip


@pytest.mark.parametrize(("accounted", "written"), [(True, True), (False, False)])
@pytest.mark.parametrize(
    ("version", "file", "text"),
    [(1, "memory.memsw.limit_in_bytes", str(1 << 26)), (2, "memory.swap.max", "0")],
)
def test_swap_space_counts_where_the_kernel_accounts_for_it(
    tmp_path: Path, version: int, file: str, text: str, accounted: bool, written: bool
) -> None:
    if accounted:
        (tmp_path / file).write_text("")
    cgroups.count_swap(str(tmp_path), version, str(1 << 26))
    assert [p.read_text() for p in tmp_path.iterdir()] == ([text] if written else [])


def test_removing_takes_the_groups_below_along_and_minds_neither_gone_nor_busy_ones(
    tmp_path: Path,
) -> None:
    (tmp_path / "gone/below/further").mkdir(parents=True)
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy/process").write_text("")
    left = cgroups.remove([str(tmp_path / name) for name in ("gone", "busy", "never there")])
    assert left == [str(tmp_path / "busy")]
    assert os.listdir(tmp_path) == ["busy"]


@pytest.mark.parametrize(
    ("limits", "error", "words"),
    [
        ({"pids": "5"}, TypeError, "limits['pids'] must be a number of processes, not '5'"),
        ({"pids": 1.5}, TypeError, "limits['pids'] must be a number of processes, not 1.5"),
        ({"memory": True}, TypeError, "limits['memory'] must be bytes, not True"),
        ({"cpu": None}, TypeError, "limits['cpu'] must be cores, not None"),
        ({"pids": 0}, ValueError, "limits['pids'] must be above zero"),
        ({"memory": -1}, ValueError, "limits['memory'] must be above zero"),
        ({"pids": 1 << 70}, ValueError, "limits['pids'] must be above zero and below 2**62"),
        ({"cpu": float("nan")}, ValueError, "limits['cpu'] must be above zero"),
        ({"cpu": float("inf")}, ValueError, "limits['cpu'] must be above zero and below 2**62"),
        ({"io": 5}, ValueError, "limits has no 'io'; use any of: pids, memory, cpu"),
        ([("pids", 5)], TypeError, "limits must map any of pids, memory, cpu to a number"),
        (5, TypeError, "limits must map any of pids, memory, cpu to a number, not 5"),
    ],
)
def test_wrong_limits_are_refused_with_what_is_accepted(
    limits: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        cgroups.check_limits(limits)
    assert words in str(caught.value)


@pytest.mark.parametrize("limits", [None, {}, {"pids": 1}, {"memory": 1, "cpu": 0.01, "pids": 2}])
def test_right_limits_are_returned(limits: Any) -> None:
    assert cgroups.check_limits(limits) == (limits or {})


# On the running kernel


def group_of(pid: int, controller: str = "pids") -> Path:
    """The directory of a process's group, as its name in /proc tells it."""
    where = cgroups.controllers()[controller]
    own = cgroups.controllers(f"/proc/{pid}")[controller]
    return Path(where.mount + own.path)


@live
def test_a_limit_on_processes_is_read_back_from_the_kernel() -> None:
    with Sandbox("uts", limits={"pids": 20}) as box:
        group = group_of(box.pid)
        assert (group / "pids.max").read_text().strip() == "20"
        assert str(box.pid) in (group / "cgroup.procs").read_text().split()
    assert not group.exists()


@live
def test_limits_on_memory_and_cpu_are_read_back_from_the_kernel() -> None:
    known = cgroups.controllers()
    if not {"memory", "cpu"} <= set(known):
        pytest.skip("this machine has no controllers for memory and cpu.")
    with Sandbox("uts", limits={"memory": 1 << 28, "cpu": 0.25}) as box:
        memory, cpu = group_of(box.pid, "memory"), group_of(box.pid, "cpu")
        name = "memory.max" if known["memory"].version == 2 else "memory.limit_in_bytes"
        assert (memory / name).read_text().strip() == str(1 << 28)
        swap = memory / "memory.memsw.limit_in_bytes"
        assert not swap.exists() or swap.read_text().strip() == str(1 << 28)
        name = "cpu.max" if known["cpu"].version == 2 else "cpu.cfs_quota_us"
        assert (cpu / name).read_text().split()[0] == "25000"
    assert not memory.exists() and not cpu.exists()


@live
def test_more_processes_than_the_limit_allows_are_refused() -> None:
    with Sandbox("uts", limits={"pids": 1}) as box, pytest.raises(NamespaceError) as caught:
        box.run(["true"])
    assert caught.value.errno == errno.EAGAIN
    assert "limits={'pids': …}" in caught.value.remedy


@live
def test_a_value_that_the_controller_does_not_take_is_explained() -> None:
    with pytest.raises(NamespaceError) as caught:
        Sandbox("uts", limits={"pids": 1 << 40})
    assert (caught.value.step, caught.value.errno) == ("cgroup", errno.EINVAL)
    assert "does not take this value" in str(caught.value)


@live
def test_the_keeper_ends_when_there_is_nothing_to_keep() -> None:
    agent = agent_client.agent().process.pid
    children = Path(f"/proc/{agent}/task/{agent}/children")
    with pytest.raises(NamespaceError):
        Sandbox("uts", limits={"pids": 1 << 40})
    assert eventually(lambda: not children.read_text())
    with Sandbox("uts", limits={"pids": 20}) as box:
        assert len(children.read_text().split()) == 2
        assert str(box.pid) in children.read_text().split()
    assert eventually(lambda: not children.read_text())


@live
def test_a_new_cgroup_namespace_has_the_limited_group_as_its_root() -> None:
    with Sandbox("cgroup", limits={"pids": 20}) as box:
        memberships = box.run(["cat", "/proc/self/cgroup"]).stdout.splitlines()
    assert all(line.endswith(":/") for line in memberships if "pids" in line.split(":")[1:2])


@live
def test_the_limit_of_a_sandbox_holds_for_the_one_inside_it() -> None:
    if cgroups.controllers()["pids"].version == 2:
        pytest.skip("a group of version 2 with processes in it can have no limited groups below.")
    with (
        Sandbox("cgroup", limits={"pids": 20}) as outer,
        outer.sandbox("uts", limits={"pids": 100}) as inner,
    ):
        assert group_of(inner.pid).parent == group_of(outer.pid)


@live
@pytest.mark.parametrize("kind", ["uts", "pid"])
def test_the_group_is_removed_after_the_first_process_is_killed(kind: str) -> None:
    box = Sandbox(kind, limits={"pids": 20})
    group = group_of(box.pid)
    box.run("setsid sleep 1000 >/dev/null 2>&1 &")
    os.kill(box.pid, signal.SIGKILL)
    assert eventually(lambda: not group.exists())
    box.close()


@live
@pytest.mark.parametrize("kind", ["uts", "pid"])
def test_closing_a_killed_sandbox_waits_until_its_group_is_removed(kind: str) -> None:
    box = Sandbox(kind, limits={"pids": 20})
    group = group_of(box.pid)
    box.run("setsid sleep 1000 >/dev/null 2>&1 &")
    os.kill(box.pid, signal.SIGKILL)
    assert ended(box.pid)
    box.close()
    assert not group.exists()


@live
@pytest.mark.parametrize("kind", ["uts", "pid"])
def test_the_group_of_an_inner_sandbox_is_removed_after_the_outer_one_is_killed(kind: str) -> None:
    outer = Sandbox(kind)
    inner = outer.sandbox("ipc", limits={"pids": 20})
    group = group_of(inner.pid)
    os.kill(outer.pid, signal.SIGKILL)
    assert eventually(lambda: not group.exists())
    outer.close()


@live
@pytest.mark.parametrize("kind", ["uts", "pid"])
@pytest.mark.parametrize("nested", [False, True], ids=["alone", "nested"])
def test_the_group_is_removed_after_the_agent_is_killed(kind: str, nested: bool) -> None:
    outer = Sandbox(kind, limits=None if nested else {"pids": 20})
    box = outer.sandbox("ipc", limits={"pids": 20}) if nested else outer
    group = group_of(box.pid)
    box.run("setsid sleep 1000 >/dev/null 2>&1 &")
    os.kill(box.agent_pid, signal.SIGKILL)
    assert eventually(lambda: not group.exists())
    outer.close()


@live
@pytest.mark.parametrize("end", ["closed", "killed"])
def test_a_group_of_version_two_named_after_a_sandbox_goes_with_it(end: str) -> None:
    unified = [w for _, w in cgroups.hierarchies() if w.version == 2]
    if not unified or not os.access(unified[0].mount + unified[0].path, os.W_OK):
        pytest.skip("no writable group of version 2 here.")
    box = Sandbox("uts", limits={"pids": 20})
    group = Path(unified[0].mount + unified[0].path) / f"{group_of(box.pid).name}.born"
    group.mkdir()
    if end == "killed":
        os.kill(box.agent_pid, signal.SIGKILL)
        box._agent.process.wait()
        agent_client.agent()  # the next one, before which the notebook clears up after the last
    box.close()
    assert eventually(lambda: not group.exists())
