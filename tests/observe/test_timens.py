"""Time namespaces as they are found, against the clocks themselves."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsedu import Sandbox
from nsedu.observe import clocks as timens
from nsedu.observe.clocks import SECOND, parse_offsets, read_clocks, words
from nsedu.observe.viewpoints import Place, places

PAIRS = [("monotonic", time.CLOCK_MONOTONIC), ("boottime", time.CLOCK_BOOTTIME)]

time_namespaces = pytest.mark.needs("userns", "time")
ahead = st.integers(-10, 146 * 365 * 86400 // 2) | st.floats(-10, 1e6)


def readings() -> list[float]:
    return [time.clock_gettime(clock) for _, clock in PAIRS]


@time_namespaces
@settings(max_examples=15)
@given(ahead, ahead)
def test_an_offset_is_what_the_clock_inside_is_ahead_by(monotonic: float, boottime: float) -> None:
    with Sandbox("time", monotonic=monotonic, boottime=boottime) as box:
        (found,) = read_clocks(places(box))
        before, inside, after = readings(), box.call(readings), readings()
    for number, (name, _) in enumerate(PAIRS):
        told = getattr(found, name) / SECOND
        least, most = inside[number] - after[number], inside[number] - before[number]
        assert least - 0.001 <= told <= most + 0.001


@time_namespaces
@pytest.mark.needs("unshare")
@settings(max_examples=5)
@given(st.integers(-5, 10**9), st.integers(-5, 10**9))
def test_the_offsets_of_unshare_are_found(monotonic: int, boottime: int) -> None:
    clocks = [f"--monotonic={monotonic}", f"--boottime={boottime}"]
    program = ["sh", "-c", "echo ready; read stop"]
    with subprocess.Popen(
        ["unshare", "-Ur", "--time", *clocks, "--fork", *program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (child,) = _children(process.pid)
        (found,) = read_clocks([Place("sh", child)])
        waiting = read_clocks([Place("unshare", process.pid)])
        process.communicate("stop\n")
    assert (found.monotonic, found.boottime) == (monotonic * SECOND, boottime * SECOND)
    assert waiting[0].inside == waiting[1].awaited == (Place("unshare", process.pid),)
    assert waiting[1][:3] == found[:3]


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return list(map(int, file.read().split()))


@time_namespaces
def test_who_shares_one_is_told_together_and_the_reader_comes_first() -> None:
    with (
        Sandbox("time", boottime=60, name="one") as one,
        Sandbox("uts", name="plain") as plain,
        Sandbox(join=one, name="two") as two,
    ):
        found = read_clocks(places(one, plain, os.getpid(), two))
        names = [[place.name for place in space.inside] for space in found]
    assert names == [
        ['sandbox "plain"', "this program"],
        ['sandbox "one"', 'sandbox "two"'],
    ]
    assert [space.boottime for space in found] == [0, 60 * SECOND]


@time_namespaces
def test_from_inside_another_one_the_offsets_are_told_against_that() -> None:
    with (
        Sandbox("time", boottime=1000, name="near") as near,
        near.sandbox("time", boottime=5000, name="far") as far,
    ):
        # The reader sees both, but lives in the near one.
        pair = (Place("far", far.pid),)
        found = near.call(lambda: timens.read_clocks(pair)[0].boottime)
    assert found == 4000 * SECOND


@time_namespaces
def test_one_that_has_ended_is_left_out() -> None:
    with Sandbox("time") as box:
        gone = places(box)
    assert read_clocks(gone) == []


@pytest.mark.parametrize("text", ["monotonic 1", "monotonic x 0", "monotonic 1 -5", "a b c d"])
def test_what_is_no_offsets_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_offsets(text)


def test_a_negative_offset_counts_its_nanoseconds_upwards() -> None:
    assert parse_offsets("monotonic -2 500000000\nboottime 0 0\n") == {
        "monotonic": -1_500_000_000,
        "boottime": 0,
    }


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "none"),
        (1, "+1 s"),
        (-1.5, "−1.5 s"),
        (-300, "−5 min"),
        (3661, "+1 h 1 min 1 s"),
        (86400 + 3600, "+1 day 1 h"),
        (2 * 86400 + 3661, "≈ +2 days 1 h"),
        (365 * 86400 * 10, "+10 years"),
        (365 * 86400 + 1, "+1 year 1 s"),
    ],
)
def test_an_offset_is_told_in_words(seconds: float, said: str) -> None:
    assert words(round(seconds * SECOND)) == said
