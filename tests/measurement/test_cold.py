"""Warm and cold: the shape of the answer, and that what is cold was not rehearsed."""

from __future__ import annotations

import time

import pytest

import nsedu as ns
from nsedu.measurement.questions import cold
from nsedu.measurement.sampler import operations


@pytest.mark.needs("userns", "uts", "net")
def test_each_type_is_made_warm_plain_and_after_a_sleep() -> None:
    answer = ns.measure("cold", 3)
    assert [row.name for row in answer.results] == [
        f"{name}, {way}" for way in cold.WAYS for name in cold.TYPES
    ]
    assert all(row.null > 0 for row in answer.results)


@pytest.mark.needs("userns", "uts")
@pytest.mark.parametrize("way", cold.WAYS)
def test_only_what_is_called_warm_was_done_just_before(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(cold, "ensure_can_unshare", lambda: None)
    monkeypatch.setattr(cold, "in_child", lambda act: act())
    monkeypatch.setattr(cold, "warm_caches", lambda flags: done.append("rehearsed"))
    monkeypatch.setattr(time, "sleep", lambda seconds: done.append(f"slept {seconds}"))

    def timed(*_: object, warm: int = operations.WARM, **__: object) -> tuple[float, float]:
        done.append(f"{warm} before")
        return 2.0, 1.0

    monkeypatch.setattr(cold, "timed", timed)
    assert cold.sampler_of("uts", way)() == (2.0, 1.0)
    assert (
        done
        == {
            "warm": ["rehearsed", "10 before"],
            "plain": ["10 before"],
            "after 20 ms": ["10 before", "slept 0.02", "1 before", "slept 0.02", "0 before"],
        }[way]
    )


def test_a_call_that_follows_a_sleep_has_no_null_beside_it() -> None:
    taken, null = operations.timed(operations.libc.getpid, warm=0)
    assert taken > 0 == null
