"""Exercises on time namespaces: other right answers, and what only looks right."""

from __future__ import annotations

from pathlib import Path

import pytest

from nsedu import Sandbox
from ways import READY, answered, assert_refused, assert_solves, cases, judge, python, standing

pytestmark = pytest.mark.needs("userns", "mnt", "time", "unshare", "nsenter")

YEARS = 99999999


def outside(offset: str) -> str:
    """Make a time namespace, and stay outside."""
    return f"libc.unshare(0x10000080); open('/proc/self/timens_offsets', 'w').write('{offset}');"


RIGHT = {
    "time-1": {
        "ctypes": python(f"{outside(f'boottime {YEARS} 0')} os.fork();"),
        "both clocks": f"exec unshare -Ur --time --boottime {YEARS} --monotonic {YEARS} --fork"
        f" sh -c '{READY}'",
        "a namespace made inside takes it over": f"exec unshare -Ur --time --boottime {YEARS}"
        f" --fork unshare --time --fork sh -c '{READY}'",
    },
    "time-2": {
        "ctypes": python(f"{outside('monotonic -3 0')} os.fork();"),
        "by a nanosecond": python(f"{outside('monotonic -1 999999999')} os.fork();"),
        "a namespace made inside takes it over": "exec unshare -Ur --time --monotonic=-4 --fork"
        f" unshare --time --fork sh -c '{READY}'",
    },
    "time-3": {
        "the clock by its number": python(outside("7 3600 0")),
        "the other clock, too": python(outside("boottime 3600 0\\nmonotonic 60 0")),
        "two calls": python(
            "libc.unshare(0x10000000); libc.unshare(0x80);"
            " open('/proc/self/timens_offsets', 'w').write('boottime 3600 0');"
        ),
    },
}  # fmt: skip

CHEATS = {
    "time-1": {
        "a file over /proc/uptime": "exec unshare -Urm --time --fork sh -c 'mount -t tmpfs none"
        " /mnt; echo 999999999.00 0.00 > /mnt/0; mount --bind /mnt/0 /proc/uptime;"
        f" {READY}'",
        "a day less than a year": "exec unshare -Ur --time --boottime 31449600 --fork"
        f" sh -c '{READY}'",
        "nobody is inside": python(outside(f"boottime {YEARS} 0")),
    },
    "time-2": {
        "a file over the offsets": "exec unshare -Urm --time --fork sh -c 'mount -t tmpfs none"
        " /mnt; echo monotonic -5 0 > /mnt/0; mount --bind /mnt/0 /proc/self/timens_offsets;"
        f" {READY}'",
        "the other clock": f"exec unshare -Ur --time --boottime=-5 --fork sh -c '{READY}'",
        "nobody is inside": python(outside("monotonic -5 0")),
    },
    "time-3": {
        "a second less": python(outside("boottime 3599 0")),
        "the other clock": python(outside("monotonic 3600 0")),
        "somebody is inside": python(f"{outside('boottime 3600 0')} os.fork();"),
    },
}  # fmt: skip

SAID: dict[tuple[str, str], str] = {}


@pytest.mark.parametrize(("id", "name"), cases(RIGHT))
def test_a_right_answer_by_another_way_passes(id: str, name: str) -> None:
    assert_solves(id, RIGHT[id][name])


@pytest.mark.parametrize(("id", "name"), cases(CHEATS))
def test_what_only_looks_right_is_refused(id: str, name: str) -> None:
    assert_refused(id, CHEATS[id][name], SAID.get((id, name), ""))


def test_the_clock_itself_tells_by_how_much() -> None:
    import time

    with standing("time-4") as boxes:
        here = time.clock_gettime(time.CLOCK_BOOTTIME)
        ahead = [box.call(time.clock_gettime, time.CLOCK_BOOTTIME) - here for box in boxes]
        answered("time-4", round(max(ahead)))
        assert judge("time-4").solved


@pytest.mark.parametrize("off", [-1, 1])
def test_a_second_more_or_less_is_near_enough_and_three_are_not(off: int) -> None:
    with standing("time-4") as boxes:
        pids = ["self", *(str(box.pid) for box in boxes)]
        texts = [Path(f"/proc/{pid}/timens_offsets").read_text() for pid in pids]
        own, *shifts = [int(text.split()[-2]) for text in texts]  # the last line is of boottime
        shift = max(shifts) - own
        assert answered("time-4", shift + off)
        assert not answered("time-4", shift + 3 * off)


@pytest.mark.parametrize(
    "said", [0, -1, True, None, "3600", float("nan"), float("inf"), 10**400, [1], object()]
)
def test_no_number_of_seconds_is_no_answer(said: object) -> None:
    with standing("time-4"):
        assert not answered("time-4", said)
        assert judge("time-4").found.startswith("found")


def test_a_sandbox_of_that_name_made_later_is_not_asked() -> None:
    with standing("time-4"), Sandbox("time", name="time-4-a", boottime=77):
        assert not answered("time-4", 77)
