"""listmount(2) and statmount(2) on the running kernel."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

from nsedu import Sandbox
from nsedu.kernel import syscalls
from nsedu.kernel.mountinfo import parse_mountinfo
from nsedu.kernel.procfs import read


def known(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """The answer of a call, or a skip where the kernel does not know it."""
    try:
        return call(*arguments, **named)
    except OSError as refused:
        if refused.errno == errno.ENOSYS:
            pytest.skip("this kernel is older than Linux 6.8.")
        raise


def test_all_mounts_of_our_own_are_listed() -> None:
    listed = known(syscalls.listmount)
    assert len(listed) == len(parse_mountinfo(read("/proc/self/mountinfo")))
    assert listed == sorted(listed)


def test_a_list_is_had_in_pieces() -> None:
    whole, pieces = known(syscalls.listmount), []
    while piece := syscalls.listmount(last=pieces[-1] if pieces else 0, most=3):
        assert len(piece) <= 3
        pieces += piece
    assert pieces == whole


def test_a_part_of_the_tree_is_listed() -> None:
    whole = known(syscalls.listmount)
    basic = syscalls.STATMOUNT_MNT_BASIC
    root = next(
        s for s in (syscalls.statmount(m, basic) for m in whole) if s.mnt_parent_id not in whole
    )
    below = syscalls.listmount(root.mnt_id)
    assert root.mnt_id not in below
    assert set(below) < set(whole)


def test_what_was_not_asked_for_is_empty() -> None:
    mount = known(syscalls.listmount)[0]
    told = syscalls.statmount(mount, syscalls.STATMOUNT_FS_TYPE)
    assert told.fs_type
    assert (told.mnt_point, told.mnt_root, told.mnt_id, told.sb_magic) == ("", "", 0, 0)
    assert f"fs_type={told.fs_type!r}" in repr(told)


@pytest.mark.needs("userns", "mnt")
def test_a_blank_in_a_path_needs_no_escape() -> None:
    def ask() -> list[str]:
        os.mkdir("/mnt/a b")
        syscalls.mount("x", "/mnt/a b", "tmpfs")
        asked = syscalls.STATMOUNT_MNT_POINT
        return [syscalls.statmount(mount, asked).mnt_point for mount in syscalls.listmount()]

    known(syscalls.listmount)
    with Sandbox("mnt") as box:
        box.run("mount -t tmpfs x /mnt")
        assert "/mnt/a b" in box.call(ask)


@pytest.mark.parametrize(
    ("call", "arguments"), [(syscalls.listmount, ()), (syscalls.statmount, (2,))]
)
def test_a_mount_that_is_not_there_is_refused_by_name(
    call: Callable[..., Any], arguments: tuple[int, ...]
) -> None:
    with pytest.raises(FileNotFoundError) as refused:
        known(call, 1 << 62, *arguments)
    assert str(refused.value.filename).startswith(f"{call.__name__}({1 << 62:#x}")


def test_a_number_of_mountinfo_is_refused() -> None:
    with pytest.raises(OSError, match=r"Invalid argument|No such file") as refused:
        known(syscalls.statmount, parse_mountinfo(read("/proc/self/mountinfo"))[0].id, 2)
    assert refused.value.errno in (errno.EINVAL, errno.ENOENT)
