"""The end of namespaces timed: gone is gone, whatever keeps one alive is noticed, nobody stays."""

from __future__ import annotations

import errno
import os
import socket
import sys
from functools import partial

import pytest

import nsedu as ns
from awaiting import ended
from nsedu.kernel import namespace_types
from nsedu.measurement.questions import destroy
from nsedu.measurement.sampler import slots
from nsedu.measurement.sampler.operations import PreparedProcess, Refused

pytestmark = pytest.mark.needs("userns", *ns.TYPES)
FLAGS = {
    **{kind.name: int(kind.flag) for kind in namespace_types.CATALOGUE},
    "all": namespace_types.flags(namespace_types.NAMES),
}


@pytest.mark.needs("veth")
def test_each_type_and_all_have_two_figures_and_net_one_more() -> None:
    result = ns.measure("destroy", 3)
    assert not result.unmet
    assert [row.name for row in result.series("reaped")] == [f"{name}, reaped" for name in FLAGS]
    gone = [f"{name}, gone" for name in FLAGS]
    assert [row.name for row in result.series("gone")] == [*gone, "net, veth's peer"]
    assert {(row.n, row.unit) for row in result.results} == {(3, "us")}


def links() -> list[list[str]]:
    """The namespaces of the processes that sit, and of the one that makes them."""
    processes = ["self", *(str(seat.pid) for seat in slots.taken)]
    return [[os.readlink(f"/proc/{p}/ns/{name}") for name in ns.TYPES] for p in processes]


def pids() -> list[int]:
    return [seat.pid for seat in slots.taken]


@pytest.mark.parametrize("name", FLAGS)
def test_one_sits_in_new_namespaces_and_one_in_those_that_were_there(name: str) -> None:
    new = set(ns.TYPES) if name == "all" else {name}
    sit = partial(destroy.fill_slots, slots.Slot, name, FLAGS[name])
    with PreparedProcess(sit, links, pids, *destroy.CHANGES) as stand:
        before = stand.call(1)
        for which in (2, 3):
            reaped, gone = stand.call(which)
            assert 0 < reaped < gone
        own, inside, beside = stand.call(0)
        assert {t for t, a, b in zip(ns.TYPES, own, inside, strict=True) if a != b} == new
        assert own == beside
        after = stand.call(1)
        assert not set(before) & set(after)
        assert all(ended(pid) for pid in before)
    assert all(ended(pid) for pid in after)


@pytest.mark.parametrize("name", FLAGS)
def test_a_namespace_that_something_keeps_alive_is_not_gone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "PATIENCE", 0.1)
    kept: list[int] = []

    def keep() -> None:
        # A user namespace is kept by any that it owns.
        kind = {"all": "uts"}.get(name, name)
        kept.append(os.open(f"/proc/{slots.taken[0].pid}/ns/{kind}", os.O_RDONLY))

    sit = partial(destroy.fill_slots, slots.Slot, name, FLAGS[name])
    with PreparedProcess(sit, *destroy.CHANGES, keep) as stand:
        stand.call(2)
        with pytest.raises(Refused) as told:
            stand.call(0)
        assert told.value.message["errno"] == errno.ETIMEDOUT
        assert f"see the old {name} namespace gone" in told.value.message["failed"]
        assert stand.call(1)[1] > 0


@pytest.mark.needs("veth")
def test_a_cable_leads_into_the_namespace_and_goes_with_it() -> None:
    def near() -> list[int]:
        return [number for number, name in socket.if_nameindex() if name != "lo"]

    sit = partial(destroy.fill_slots, destroy.CabledSlot, "net", FLAGS["net"])
    with PreparedProcess(sit, near, *destroy.CHANGES) as stand:
        first = stand.call(0)
        reaped, gone = stand.call(1)
        assert 0 < reaped < gone
        second = stand.call(0)
    assert len(first) == len(second) == 1
    assert first != second


def test_who_sits_ends_with_the_process_that_made_them() -> None:
    sit = partial(destroy.fill_slots, slots.Slot, "uts", FLAGS["uts"])
    with PreparedProcess(sit, pids, *destroy.CHANGES) as stand:
        stand.call(1)
        stand.call(2)
        sitting = stand.call(0)
        os.kill(stand.pid, 9)
        assert all(ended(pid) for pid in sitting)


def test_limits_that_cannot_be_set_are_named() -> None:
    code = "import nsedu; print(*set(nsedu.measure('destroy', 1).unmet.values()))"
    with ns.Sandbox("mnt") as box:
        box.run("mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys")
        done = box.run([sys.executable, "-c", code], check=False)
    assert "limits in /proc/sys/user, which cannot be set here" in done.stdout + done.stderr
