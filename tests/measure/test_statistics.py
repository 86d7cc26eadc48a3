"""Medians, ratios and slopes: honest intervals, from all samples."""

from __future__ import annotations

import random

import pytest

from nsedu.measure import statistics


def noisy(seed: int, middle: float = 100, count: int = 60) -> list[float]:
    """Samples as a machine gives them: a floor, a tail to the right, now and then something far."""
    draw = random.Random(seed)
    return [
        middle * (1 + draw.expovariate(15)) * (3 if draw.random() < 0.02 else 1)
        for _ in range(count)
    ]


def test_the_interval_holds_the_median_and_is_the_same_for_the_same_samples() -> None:
    samples = [float(n % 17) for n in range(200)]
    first = statistics.median(samples)
    assert first == statistics.median(samples)
    assert first.low <= first.value <= first.high


def test_no_sample_is_left_out() -> None:
    assert statistics.median([1.0, 1000.0]).value == 500.5


def test_one_sample_has_an_interval_of_no_width() -> None:
    assert statistics.median([3.0]) == (3.0, 3.0, 3.0)


def test_the_same_under_two_names_differs_in_about_one_case_in_twenty() -> None:
    found = [statistics.ratio(noisy(n), noisy(n + 10_000)) for n in range(400)]
    assert sum(not one.low <= 1 <= one.high for one in found) / len(found) <= 0.08


def test_an_interval_leaves_the_truth_out_now_and_then() -> None:
    found = [statistics.ratio(noisy(n), noisy(n + 10_000)) for n in range(400)]
    assert sum(not one.low <= 1 <= one.high for one in found) / len(found) >= 0.01


def test_ten_percent_more_are_found() -> None:
    found = [statistics.ratio(noisy(n, 550), noisy(n + 10_000, 500)) for n in range(100)]
    assert sum(one.low > 1 for one in found) >= 90


def test_what_slows_a_whole_round_falls_out_of_a_ratio() -> None:
    drift = [1 + n / 20 for n in range(60)]
    one = [2 * slow for slow in drift]
    assert statistics.ratio(one, drift) == pytest.approx((2, 2, 2))
    apart = statistics.ratio(one, drift, paired=False)
    assert apart.low < 1.8 < 2.2 < apart.high


def test_samples_of_two_runs_may_be_of_different_number() -> None:
    assert statistics.ratio([2.0] * 5, [1.0] * 9, paired=False) == (2, 2, 2)


def test_the_slope_is_that_of_the_line_through_the_medians() -> None:
    curve = [(x, [10 + 3 * x + wobble for wobble in (-1, 0, 1) * 20]) for x in (0, 1, 5, 30)]
    found = statistics.slope(curve)
    assert found.value == pytest.approx(3)
    assert found.low <= 3 <= found.high


def test_outliers_are_told_and_still_count() -> None:
    samples = [10.0, 11.0, 12.0, 13.0] * 10 + [500.0]
    assert statistics.outliers(samples) == [500.0]
    assert statistics.median(samples).value == 12.0


def test_equal_samples_have_no_outliers() -> None:
    assert statistics.outliers([1.0] * 20) == []
