"""The ids of network namespaces, against lsns(8)."""

from __future__ import annotations

import json

import pytest

import nsedu as ns
from nsedu.kernel import netnsid
from nsedu.observe.records import rows
from ordinary_user import Learner

# Of two network namespaces, one is at the other end of a cable, and so has an id here.
BUILD = """
for _ in 1 2; do
    unshare --net sh -c 'echo; exec sleep 60' >/dev/null & pids="$pids $!"
done
set -- "$1" $pids
own=$(readlink /proc/self/ns/net)
for pid in $pids; do until [ "$(readlink /proc/$pid/ns/net)" != "$own" ]; do :; done; done
ip link add v0 type veth peer name v1 netns $2
lsns --json --type net --output NS,NETNSID
"$1" -m nsedu ls --json --type net
kill $pids
"""


@pytest.mark.needs("userns", "mnt", "net", "pid", "proc", "veth", "lsns")
def test_ls_has_the_ids_that_lsns_has(learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", learner.environment["PYTHONPATH"])
    with ns.Sandbox("mnt", "net", "pid") as box:
        done = box.run(["bash", "-c", BUILD, "bash", learner.python])
    theirs, _, ours = done.stdout.rpartition("\n[")
    known = {row["ns"]: row["netnsid"] for row in json.loads(theirs)["namespaces"]}
    assert {row["ns"]: row["netnsid"] for row in json.loads(f"[{ours}")} == known
    assert sorted(known.values(), key=str) == ["0", "unassigned", "unassigned"]


def test_other_types_and_a_plain_look_have_none() -> None:
    plain, deep = ns.snapshot(), ns.snapshot(deep=True)
    assert {one.netnsid for one in plain.namespaces.values()} == {None}
    assert {row["netnsid"] for row in rows(deep) if row["type"] != "net"} == {None}


def test_what_is_no_network_namespace_has_no_id() -> None:
    with (
        netnsid.asking() as ask,
        open("/proc/self/ns/uts") as uts,
        open("/proc/self/ns/net") as net,
    ):
        assert ask(uts.fileno()) is None
        assert isinstance(ask(net.fileno()), int)  # and the line is not out of step


def test_without_netlink_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netnsid.socket, "AF_NETLINK", 99)
    with netnsid.asking() as ask:
        assert ask(0) is None
