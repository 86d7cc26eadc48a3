"""Mount tables, against findmnt(8) and against the kernel's statmount(2)."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import pathlib
import re
import subprocess
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nsedu
from nsedu import Sandbox
from nsedu.draw.mounts import Row, sheets
from nsedu.kernel import syscalls
from nsedu.kernel.mountinfo import Mount
from nsedu.observe.mounts import MountTable, mount_tables
from nsedu.observe.viewpoints import places
from random_mounts import COPIES, Step, copied, mount_at_random, steps

pytestmark = pytest.mark.needs("userns", "mnt", "unshare")

few = settings(
    max_examples=8,
)


def table_of(*who: Any) -> MountTable:
    return mount_tables(places(*who))[0]


def findmnt(pid: int) -> list[dict[str, Any]]:
    """What findmnt(8) says of a process's mounts: a tree of records."""
    columns = "ID,PARENT,MAJ:MIN,FSROOT,TARGET,FSTYPE,VFS-OPTIONS,PROPAGATION"
    done = subprocess.run(
        ["findmnt", "--json", "--output", columns, "--task", str(pid)],
        capture_output=True, check=True,
    )  # fmt: skip
    trees: list[dict[str, Any]] = json.loads(done.stdout)["filesystems"]
    return trees


def flat(trees: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], int]]:
    """Each record of findmnt's with the number of what it hangs on in the tree, 0 for a root."""
    todo = [(record, 0) for record in trees]
    while todo:
        record, above = todo.pop()
        yield record, above
        todo += [(child, int(record["id"])) for child in record.get("children", [])]


def as_findmnt_has_it(mount: Mount) -> tuple[Any, ...]:
    kinds = set(mount.propagation_type.split("+"))
    if "shared" not in kinds:
        kinds.add("private")
    kinds = kinds & {"shared", "private", "slave", "unbindable"}
    return (
        mount.id, mount.parent, mount.device, mount.root, mount.target, mount.fstype,
        frozenset(mount.options), frozenset(kinds),
    )  # fmt: skip


def hung(rows: list[Row], above: int = 0) -> Iterator[tuple[int, int]]:
    """(mount, what it hangs on in the picture) for each row."""
    for row in rows:
        yield row.mount.id, above
        yield from hung(row.children, row.mount.id)


@pytest.mark.needs("findmnt")
@few
@given(steps, st.sampled_from(COPIES))
def test_records_and_tree_are_those_of_findmnt(todo: list[Step], propagation: str) -> None:
    with Sandbox("mnt") as box:
        box.call(mount_at_random, todo)
        with copied(box, propagation) as copy:
            for one in (box, copy):
                table, records = table_of(one), list(flat(findmnt(one.pid)))
                assert {as_findmnt_has_it(mount) for mount in table.mounts} == {
                    (
                        int(r["id"]), int(r["parent"]), r["maj:min"], r["fsroot"], r["target"],
                        r["fstype"], frozenset(r["vfs-options"].split(",")),
                        frozenset(r["propagation"].split(",")),
                    )
                    for r, _ in records
                }  # fmt: skip
                pages, _ = sheets([table], None, True)
                roots = [row for row in pages[0].rows if len(row.lasts) == 1]
                assert set(hung(roots)) == {(int(r["id"]), above) for r, above in records}


def namespace_id(pid: int) -> int:
    fd = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    try:
        number = syscalls.ns_mnt_get_info(fd)[0]
        syscalls.listmount(namespace=number, most=1)
    except OSError as refused:
        if refused.errno in (errno.ENOTTY, errno.ENOSYS, errno.EINVAL):
            pytest.skip("this kernel is older than Linux 6.12.")
        raise
    finally:
        os.close(fd)
    return number


@few
@given(steps, st.sampled_from(COPIES))
def test_records_are_those_of_statmount(todo: list[Step], propagation: str) -> None:
    everything = 0x7F  # all groups of Linux 6.11
    with Sandbox("mnt") as box:
        box.call(mount_at_random, todo)
        with copied(box, propagation) as copy:
            for one in (box, copy):
                number = namespace_id(one.pid)
                known = {
                    (
                        s.mnt_id_old, s.mnt_parent_id_old, f"{s.sb_dev_major}:{s.sb_dev_minor}",
                        s.mnt_root, s.mnt_point, s.fs_type, s.mnt_peer_group, s.mnt_master,
                        bool(s.mnt_propagation & syscalls.MS_UNBINDABLE), s.mnt_ns_id,
                    )
                    for s in (
                        syscalls.statmount(mount, everything, namespace=number)
                        for mount in syscalls.listmount(namespace=number)
                    )
                }  # fmt: skip
                assert known == {
                    (
                        m.id, m.parent, m.device, m.root, m.target, m.fstype, m.peer_group or 0,
                        m.master or 0, m.propagation_type == "unbindable", number,
                    )
                    for m in table_of(one).mounts
                }  # fmt: skip


def test_two_that_see_the_same_are_one_table_with_two_names() -> None:
    with Sandbox("mnt", name="host") as host, Sandbox(join=host, name="guest") as guest:
        assert [t.names for t in mount_tables(places(host, guest))] == [
            ('sandbox "host"', 'sandbox "guest"')
        ]


def test_another_root_directory_is_another_table() -> None:
    with Sandbox("mnt") as box:
        box.run("mount -t tmpfs new /mnt")
        script = "import os; os.chroot('/mnt'); print(flush=True); input()"
        with box.popen(["python3", "-c", script]) as chrooted:
            chrooted.stdout.readline()
            whole, part = mount_tables(places(box, chrooted))
    assert whole.ns == part.ns
    assert [mount.target for mount in part.mounts] == ["/"]
    assert (whole.root, part.root) == ("/", "/mnt")


ODD = {
    b"new\nline": b"-", b"sp ace": b"", b"tab\there": b"a b", b"back\\slash": b"has#hash",
    b"oct\\040al": b"x", b"esc\x1b[31m": b"e\x1b]0;t\x07", b"\xff\xfe": b"\xff", b"- ": b"- -",
    b"<script>&": b"<b>", "\u202egnp".encode(): b"\\134",
}  # fmt: skip
"""Names of directories and the source of what is mounted there."""


def mount_odd(odd: dict[bytes, bytes]) -> None:
    """Inside, by the C library alone: a path of ours would have to be text."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mount(b"ground", b"/mnt", b"tmpfs", 0, None)
    for name, source in odd.items():
        os.mkdir(b"/mnt/" + name)
        if libc.mount(source, b"/mnt/" + name, b"tmpfs", 0, None):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), repr(name))


def test_odd_names_are_read_as_they_are_and_drawn_on_a_line_each() -> None:
    with Sandbox("mnt") as box:
        box.call(mount_odd, ODD)
        found = {os.fsencode(m.target): os.fsencode(m.source) for m in table_of(box).mounts}
        picture = nsedu.mounts(box, below="/mnt")
    assert {b"/mnt/" + name: source for name, source in ODD.items()}.items() <= found.items()
    text = str(picture)
    assert sum("tmpfs" in line for line in text.splitlines()) >= len(ODD) + 1
    assert all(c.isprintable() or c == "\n" for c in text + picture.svg)
    ElementTree.fromstring(picture.svg)


def test_a_bind_mount_of_what_was_deleted_is_said_to_be() -> None:
    script = "mount -t tmpfs t /mnt; mkdir /mnt/a /mnt/b; mount --bind /mnt/a /mnt/b; rmdir /mnt/a"
    with Sandbox("mnt") as box:
        box.run(script)
        text = " ".join(str(nsedu.mounts(box, below="/mnt")).split())
    assert "tmpfs t[/a] · private, of what was deleted" in text


def map_ids() -> tuple[int, int]:
    """Inside: at /mnt/view the files of /mnt/files, user 5 as 0 and group 7 as 0; returns errnos.

    By mount_setattr(2) (Linux 5.12; a tmpfs can be idmapped since 6.3).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    open_tree, move_mount, mount_setattr = 428, 429, 442  # the same on every architecture
    cwd, clone_tree, empty_path, idmap, from_empty_path = -100, 1, 0x1000, 0x100000, 4
    syscalls.mount("shelf", "/mnt", "tmpfs")
    os.makedirs("/mnt/view")
    os.makedirs("/mnt/files")
    lines = [os.pipe() for _ in range(2)]
    child = os.fork()
    if child == 0:
        syscalls.unshare(syscalls.CloneFlag.NEWUSER)
        os.write(lines[0][1], b"!")
        os.read(lines[1][0], 1)
        os._exit(0)
    os.read(lines[0][0], 1)
    for name, text in (("uid_map", "5 0 1"), ("setgroups", "deny"), ("gid_map", "7 0 1")):
        pathlib.Path(f"/proc/{child}/{name}").write_text(text)
    user = os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
    tree = libc.syscall(open_tree, cwd, b"/mnt/files", clone_tree)
    attributes = (ctypes.c_uint64 * 4)(idmap, 0, 0, user)  # struct mount_attr
    size = ctypes.sizeof(attributes)
    failed = libc.syscall(mount_setattr, tree, b"", empty_path, attributes, size)
    error = ctypes.get_errno() if failed else 0
    moved = libc.syscall(move_mount, tree, b"", cwd, b"/mnt/view", from_empty_path)
    os.write(lines[1][1], b"!")
    os.waitpid(child, 0)
    return error, ctypes.get_errno() if moved else 0


def test_an_idmapped_mount_has_its_map() -> None:
    with Sandbox("mnt") as box:
        errors = box.call(map_ids)
        if errors[0] in (errno.EINVAL, errno.EPERM, errno.ENOSYS):
            pytest.skip("this kernel does not map the ids of a tmpfs (Linux 6.3 does).")
        assert errors == (0, 0)
        (view,) = [m for m in table_of(box).mounts if m.target == "/mnt/view"]
        assert "idmapped" in view.options
        text = str(nsedu.mounts(box, below="/mnt"))
        assert "· private, idmapped" in text
        if not maps_are_reported():
            pytest.skip("this kernel does not report the map (Linux 6.15 does).")
        outside = [
            pathlib.Path(f"/proc/{box.pid}/{name}").read_text().split()[1]
            for name in ("uid_map", "gid_map")
        ]
        users, groups = outside
        assert table_of(box).idmaps == {view.id: ((f"5 {users} 1",), (f"7 {groups} 1",))}
        assert f"as you see them: users 5 → {users}; groups 7 → {groups}" in text


def maps_are_reported() -> bool:
    release = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
    return release >= (6, 15)


def test_a_process_that_has_ended_is_said() -> None:
    place = places(os.getpid())[0]._replace(pid=2**22 + 1)
    with pytest.raises(ValueError, match=re.escape(f"no process {place.pid} any more")):
        mount_tables([place])


def test_a_zombie_is_said_to_have_ended() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ValueError, match="it has ended"):
            mount_tables(places(pid))
    finally:
        os.waitpid(pid, 0)
