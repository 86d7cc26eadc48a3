"""Measuring: the shape of the answer, and honest intervals; never how long anything takes."""

from __future__ import annotations

import pytest

import nsedu as ns
from nsedu.measure.statistics import summarise


def test_the_interval_holds_the_median_and_is_the_same_for_the_same_samples() -> None:
    samples = {"x": [float(n % 17) for n in range(200)]}
    (first,), (second,) = summarise(samples), summarise(samples)
    assert first == second
    assert first.low <= first.median <= first.high
    assert first.n == 200


def test_no_sample_is_left_out() -> None:
    (timing,) = summarise({"x": [1.0, 1000.0]})
    assert (timing.median, timing.n) == (500.5, 2)


@pytest.mark.needs("userns")
def test_every_operation_is_sampled_in_every_round() -> None:
    assert {timing.n for timing in ns.measure("create", 4).results} == {4}


def test_an_unknown_question_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match="there is no question 'price'; ask any of: create"):
        ns.measure("price")
