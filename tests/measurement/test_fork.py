"""Forks by depth: the processes are where they say, and their peers are outside."""

from __future__ import annotations

import os
from functools import partial

import pytest

import nsedu as ns
from nsedu.kernel.namespace_types import CloneFlag
from nsedu.measurement.questions import fork
from nsedu.measurement.sampler.operations import PreparedProcess

pytestmark = pytest.mark.needs("userns", "pid")


def numbers() -> int:
    """How many numbers this process has: one for each PID namespace, seen from the outermost."""
    with open("/proc/self/status") as status:  # the /proc of the outermost namespace
        line = next(line for line in status if line.startswith("NSpid:"))
    return len(line.split()) - 1


@pytest.mark.parametrize("depth", [0, 3, 30])
def test_a_process_is_as_deep_as_said_and_its_peer_is_not(depth: int) -> None:
    outside = numbers()
    with (
        PreparedProcess(partial(fork.down, depth, CloneFlag.NEWPID), numbers, os.getpid) as inside,
        PreparedProcess(partial(fork.down, depth, 0), numbers) as beside,
    ):
        assert inside.call(0) == outside + depth
        assert depth == 0 or inside.call(1) == 1
        assert beside.call(0) == outside


def test_there_are_two_curves_over_the_same_depths() -> None:
    result = ns.measure("fork", 3)
    for series in ("fork", "vfork"):
        assert [row.x for row in result.series(series)] == list(fork.DEPTHS)
    assert {row.n for row in result.results} == {3}
