"""Reading mountinfo."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsedu.kernel.mountinfo import Mount, namespace_mounts, parse_mount, parse_mountinfo
from nsedu.kernel.procfs import read

# What the kernel writes as octal: its seq_path() and mangle() escape these.
ESCAPED = b" \t\n\\#"

names = st.binary(max_size=12).map(lambda text: text.replace(b"\0", b"").replace(b"/", b""))
paths = st.lists(names, max_size=4).map(lambda parts: b"/" + b"/".join(parts))
words = st.text("abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1, max_size=8)
options = st.lists(words, min_size=1, max_size=4).map(tuple)
peers = st.sampled_from(["shared", "master", "propagate_from"])
propagation = st.lists(
    st.builds("{}:{}".format, peers, st.integers(1, 10_000)) | st.just("unbindable"), max_size=3
).map(tuple)


def mangled(text: bytes) -> bytes:
    return b"".join(b"\\%03o" % byte if byte in ESCAPED else bytes((byte,)) for byte in text)


def line_of(mount: Mount) -> bytes:
    """What the kernel writes for a mount (fs/proc_namespace.c, show_mountinfo)."""

    def raw(text: str) -> bytes:
        return mangled(text.encode("utf-8", "surrogateescape"))

    def listed(items: Sequence[str]) -> bytes:
        return b",".join(map(raw, items))

    optional = b"".join(b" " + raw(field) for field in mount.propagation)
    return b"%d %d %s %s %s %s%s - %s %s %s" % (
        mount.id, mount.parent, raw(mount.device), raw(mount.root), raw(mount.target),
        listed(mount.options), optional, raw(mount.fstype), raw(mount.source),
        listed(mount.super_options),
    )  # fmt: skip


def decoded(strategy: st.SearchStrategy[bytes]) -> st.SearchStrategy[str]:
    return strategy.map(lambda text: text.decode("utf-8", "surrogateescape"))


mounts = st.builds(
    Mount,
    id=st.integers(1, 2**31),
    parent=st.integers(1, 2**31),
    device=st.builds("{}:{}".format, st.integers(0, 4095), st.integers(0, 2**20)),
    root=decoded(paths) | st.builds("net:[{}]".format, st.integers(0xF0000000, 0xFFFFFFFF)),
    target=decoded(paths),
    options=options,
    propagation=propagation,
    fstype=words,
    source=decoded(names),
    super_options=options,
)


@given(mounts)
def test_a_line_is_read_back_whatever_its_paths_hold(mount: Mount) -> None:
    assert parse_mount(line_of(mount)) == mount


@given(st.lists(mounts, max_size=5))
def test_a_table_is_read_back_in_its_order(table: list[Mount]) -> None:
    assert parse_mountinfo(b"".join(line_of(mount) + b"\n" for mount in table)) == table


@given(st.lists(mounts, max_size=5))
def test_only_mounted_namespace_files_are_picked_out(table: list[Mount]) -> None:
    table = [mount._replace(fstype="nsfs") if mount.id % 2 else mount for mount in table]
    data = b"".join(line_of(mount) + b"\n" for mount in table)
    assert namespace_mounts(data) == [mount for mount in table if mount.fstype == "nsfs"]


@given(st.binary(max_size=60))
def test_anything_else_is_refused_with_the_line_in_the_message(line: bytes) -> None:
    try:
        mount = parse_mount(line)
    except ValueError as error:
        assert repr(line) in str(error)
    else:
        assert b" - " in line and mount.fstype is not None


def test_a_line_without_its_separator_is_refused() -> None:
    with pytest.raises(ValueError, match="not a line of mountinfo"):
        parse_mount(b"22 27 0:21 / /proc rw,relatime proc proc rw")


def test_a_newline_in_a_mount_point_arrives_as_one() -> None:
    mount = parse_mount(rb"40 29 0:4 net:[4026532181] /tmp/a\040b\012c rw shared:7 - nsfs nsfs rw")
    assert mount.target == "/tmp/a b\nc"
    assert mount.propagation == ("shared:7",)


def test_super_options_may_hold_blanks() -> None:
    mount = parse_mount(b"40 29 0:4 / /mnt rw - 9p share rw,trans=fd,aname=C:\\134;a b,uid=0")
    assert mount.super_options == ("rw", "trans=fd", "aname=C:\\;a b", "uid=0")


def test_this_process_has_a_root_mount() -> None:
    table = parse_mountinfo(read("/proc/self/mountinfo"))
    assert "/" in [mount.target for mount in table]
    assert len({mount.id for mount in table}) == len(table)


@pytest.mark.parametrize(
    ("fields", "kind", "group", "master"),
    [
        ((), "private", None, None),
        (("shared:7",), "shared", 7, None),
        (("master:3",), "slave", None, 3),
        (("shared:7", "master:3", "propagate_from:2"), "slave+shared", 7, 3),
        (("unbindable",), "unbindable", None, None),
        (("later:9",), "private", None, None),
    ],
)
def test_the_propagation_type_is_read_from_the_optional_fields(
    fields: tuple[str, ...], kind: str, group: int | None, master: int | None
) -> None:
    line = b"40 29 0:4 / /mnt rw - tmpfs tmpfs rw"
    mount = parse_mount(line)._replace(propagation=fields)
    assert (mount.propagation_type, mount.peer_group, mount.master) == (kind, group, master)
