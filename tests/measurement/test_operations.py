"""The processes that are measured: fresh children, standing ones, and what they are refused."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

import pytest

from awaiting import ended
from nsedu.agent import first_process
from nsedu.kernel import namespace_types, syscalls
from nsedu.measurement.sampler.operations import (
    Died,
    PreparedProcess,
    Refused,
    alternating,
    continue_in_child,
    ensure_can_unshare,
    in_child,
    libc,
    timed,
    vfork,
)


def test_a_child_gives_back_its_value() -> None:
    assert in_child(lambda: [1, 2.5, "word"]) == [1, 2.5, "word"]
    assert in_child(os.getppid) == os.getpid()


def test_what_a_child_is_refused_is_told_with_its_step_and_errno() -> None:
    def refused() -> None:
        raise first_process.StepFailed("unshare net", 1, "unshare(2)")

    with pytest.raises(Refused) as told:
        in_child(refused)
    assert told.value.message["failed"] == "unshare net"
    assert told.value.message["errno"] == 1


def test_an_error_of_ours_in_a_child_is_told_as_such() -> None:
    with pytest.raises(RuntimeError, match="has died: ZeroDivisionError"):
        in_child(lambda: 1 / 0)


def test_a_child_that_dies_without_a_word_is_an_error() -> None:
    with pytest.raises(Died, match="has died without a word"):
        in_child(lambda: os.kill(os.getpid(), 9))


def test_a_stand_keeps_its_state_and_calls_what_it_is_told() -> None:
    state: list[int] = []
    with PreparedProcess(lambda: state.append(7), lambda: state, os.getpid) as stand:
        assert stand.call(0) == [7]
        assert stand.call(1) == stand.pid
    assert state == []


def test_a_stand_serves_from_the_descendant_in_which_its_preparation_returns() -> None:
    with PreparedProcess(continue_in_child, os.getpid, os.getppid) as stand:
        assert stand.call(0) != stand.pid
        assert stand.call(1) == stand.pid


def test_a_stand_whose_preparation_is_refused_is_not_left() -> None:
    def refused() -> None:
        raise first_process.StepFailed("unshare user", 1, "unshare(2)")

    before = Path("/proc/thread-self/children").read_text()
    with pytest.raises(Refused):
        PreparedProcess(refused)
    assert Path("/proc/thread-self/children").read_text() == before


def test_a_stand_does_not_keep_another_alive() -> None:
    first = PreparedProcess(lambda: None, os.getpid)
    second = PreparedProcess(lambda: None, os.getpid)
    first.close()  # waits until it has ended
    assert second.call() == second.pid
    second.close()


def test_stands_end_with_the_process_that_made_them() -> None:
    def orphan() -> int:
        stand = PreparedProcess(continue_in_child, os.getpid)
        return int(stand.call())

    assert ended(in_child(orphan))


@pytest.mark.needs("userns", "pid")
def test_even_in_the_middle_of_a_call_they_end_with_it() -> None:
    def go_inside() -> None:
        ensure_can_unshare()
        syscalls.unshare(namespace_types.get("pid").flag)
        continue_in_child()

    def orphans() -> list[int]:
        stand = PreparedProcess(
            go_inside, lambda: int(os.readlink("/proc/self")), lambda: time.sleep(600)
        )
        found = [stand.pid, stand.call(0)]
        os.write(stand.orders, b"\1")  # it does not hear of the end of its orders now
        return found

    assert all(ended(pid) for pid in in_child(orphans))


def test_a_refused_call_is_told_with_its_step() -> None:
    with pytest.raises(Refused) as told:
        in_child(partial(timed, libc.unshare, 1, name="unshare user"))  # no such flag
    assert told.value.message["failed"] == "unshare user"


def test_a_vforked_child_calls_one_function_and_leaves_the_caller_as_it_was() -> None:
    before = os.readlink("/proc/self/ns/uts")

    def inside() -> list[str]:
        ensure_can_unshare()
        vfork(libc.unshare, int(namespace_types.get("uts").flag))
        return [os.readlink("/proc/self/ns/uts")]

    assert in_child(inside) == [before]


@pytest.mark.needs("userns", "uts")
def test_who_is_able_may_make_namespaces() -> None:
    def inside() -> bool:
        ensure_can_unshare()
        before = os.readlink("/proc/self/ns/uts")
        syscalls.unshare(namespace_types.get("uts").flag)
        return os.readlink("/proc/self/ns/uts") != before

    assert in_child(inside)


def test_in_turns_each_goes_first_every_other_time() -> None:
    order: list[str] = []

    def act(name: str, value: float) -> float:
        order.append(name)
        return value

    sample = alternating(partial(act, "one", 1.0), partial(act, "nothing", 0.0))
    assert [sample(), sample()] == [(1.0, 0.0)] * 2
    assert order == ["one", "nothing", "nothing", "one"]
