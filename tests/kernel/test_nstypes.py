"""The catalogue of the eight types, held to the kernel and to the manual."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsedu.kernel import namespace_types
from nsedu.kernel.namespace_types import CATALOGUE, NAMES, NsType

each = pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.name)


def test_there_are_eight_types() -> None:
    assert set(NAMES) == {"mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time"}
    assert len(CATALOGUE) == 8


def test_the_running_kernel_has_no_type_or_link_that_is_not_in_the_catalogue() -> None:
    assert set(os.listdir("/proc/self/ns")) <= set(namespace_types.LINKS)


def test_the_types_stand_in_the_order_of_their_first_kernels() -> None:
    versions = [tuple(map(int, kind.kernel.split("."))) for kind in CATALOGUE]
    assert versions == sorted(versions)


@pytest.mark.parametrize("field", ["name", "flag", "title", "man", "mark", "colour", "isolates"])
def test_no_two_types_share_a(field: str) -> None:
    values = [getattr(kind, field) for kind in CATALOGUE]
    assert len(set(values)) == 8 and all(values)


@each
def test_a_colour_is_six_hexadecimal_digits(kind: NsType) -> None:
    assert re.fullmatch(r"#[0-9A-F]{6}", kind.colour)


@each
def test_the_links_of_a_type_begin_with_its_own(kind: NsType) -> None:
    assert kind.links[0] == kind.name
    assert all(link == f"{kind.name}_for_children" for link in kind.links[1:])


def test_ten_links_stand_in_the_catalogue() -> None:
    assert len(namespace_types.LINKS) == len(set(namespace_types.LINKS)) == 10


def test_pid_and_user_are_the_hierarchical_types() -> None:
    assert [kind.name for kind in CATALOGUE if kind.hierarchical] == ["pid", "user"]


@each
def test_a_type_has_its_sysctl_in_the_running_kernel(kind: NsType) -> None:
    if kind.name not in os.listdir("/proc/self/ns"):
        pytest.skip(f"this kernel has no {kind.title} namespaces.")
    assert Path("/proc/sys", kind.sysctl.replace(".", "/")).exists()


@each
def test_the_mark_is_the_option_of_unshare(kind: NsType) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed: apt install util-linux.")
    said = subprocess.run(["unshare", "--help"], capture_output=True, text=True, check=True).stdout
    word = {"mnt": "mount"}.get(kind.name, kind.name)
    assert re.search(rf"-{kind.mark}, --{word}\b", said)


@each
def test_a_type_can_be_got_by_its_name(kind: NsType) -> None:
    assert namespace_types.get(kind.name) is kind


@settings(max_examples=50)
@given(st.text() | st.none() | st.integers() | st.lists(st.text()))
def test_getting_anything_else_is_an_error_that_lists_the_eight(name: object) -> None:
    if name in NAMES:
        return
    with pytest.raises(ValueError) as caught:
        namespace_types.get(name)  # type: ignore[arg-type]
    assert all(known in str(caught.value) for known in NAMES)
    assert f"{name!r:.80}" in str(caught.value)


@settings(max_examples=50)
@given(st.lists(st.sampled_from(NAMES)))
def test_flags_of_several_types_are_or_ed(names: list[str]) -> None:
    value = namespace_types.flags(names)
    assert {kind.name for kind in CATALOGUE if value & kind.flag} == set(names)
    assert value == sum({namespace_types.get(name).flag for name in names})


def test_flags_of_an_unknown_type_are_refused() -> None:
    with pytest.raises(ValueError, match="'utc' is not a namespace type"):
        namespace_types.flags(["uts", "utc"])


@each
def test_a_flag_is_spelled_as_in_c(kind: NsType) -> None:
    assert kind.clone_flag == {
        "mnt": "CLONE_NEWNS", "uts": "CLONE_NEWUTS", "ipc": "CLONE_NEWIPC", "pid": "CLONE_NEWPID",
        "net": "CLONE_NEWNET", "user": "CLONE_NEWUSER", "cgroup": "CLONE_NEWCGROUP",
        "time": "CLONE_NEWTIME",
    }[kind.name]  # fmt: skip


@each
def test_the_manual_names_the_flag_beside_the_page(kind: NsType) -> None:
    manual = page("namespaces", 7)
    assert re.search(rf"{kind.clone_flag}\s+{re.escape(kind.man)}", manual)


@each
def test_the_manual_names_the_first_kernel(kind: NsType) -> None:
    if kind.name == "user":
        pytest.skip("clone(2) tells of several steps; user_namespaces(7) counts from Linux 3.8.")
    manual = page("unshare" if kind.name == "time" else "clone", 2)
    assert re.search(rf"{kind.clone_flag} \(since Linux {re.escape(kind.kernel)}\)", manual)


def page(name: str, section: int) -> str:
    """A page of the manual as plain text; the test is skipped where there is none."""
    if shutil.which("man") is None:
        pytest.skip("man is not installed: apt install man-db manpages.")
    environment = {**os.environ, "MANWIDTH": "200", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(
        ["man", "-P", "cat", str(section), name], capture_output=True, text=True, env=environment
    )
    if done.returncode:
        pytest.skip(f"{name}({section}) is not installed: apt install manpages.")
    return re.sub(".\x08", "", done.stdout)
