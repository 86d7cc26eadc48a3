"""Mount tables, against findmnt(8) and against the kernel's statmount(2)."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nsedu import Sandbox, syscalls
from nsedu.draw.mount_rows import Row, sheets
from nsedu.mountinfo import Mount
from nsedu.observe.mount_tables import MountTable, mount_tables
from nsedu.observe.places import places
from random_mounts import COPIES, Step, copied, mount_at_random, steps

pytestmark = pytest.mark.needs("userns", "mnt", "unshare")

few = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
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
