"""Medians, ratios and slopes: honest intervals, from all samples."""

from __future__ import annotations

import random

import pytest

from nsedu.measurement import statistics


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


def runs(seed: int, apart: float, count: int = 5) -> list[float]:
    """Samples of several processes, whose medians vary by chance beyond what their samples do."""
    draw = random.Random(seed)
    return [x for n in range(count) for x in noisy(1000 * seed + n, draw.gauss(100, apart), 20)]


def held(pairs: int, apart: float, parts: tuple[int, ...]) -> float:
    """How often the median of a run lies in the interval of another."""
    found = [statistics.median(runs(n, apart), parts) for n in range(2 * pairs)]
    inside = [
        a.low <= b.value <= a.high
        for one, other in zip(found[::2], found[1::2], strict=True)
        for a, b in ((one, other), (other, one))
    ]
    return sum(inside) / len(inside)


def test_an_interval_from_several_processes_holds_for_another_run() -> None:
    assert held(100, 5, (20,) * 5) >= 0.8


def test_one_drawn_from_the_samples_alone_does_not() -> None:
    assert held(100, 5, ()) < 0.7


def test_few_processes_are_taken_for_one() -> None:
    samples = noisy(1)
    assert statistics.median(samples, (20,) * 3) == statistics.median(samples)
    assert statistics.median(samples, (15,) * 4) != statistics.median(samples)


def test_the_interval_of_a_size_stays_above_0_and_that_of_a_difference_need_not() -> None:
    samples, parts = [1.0, 1.0, 1.0, 100.0], (1,) * 4
    assert statistics.median(samples, parts).low > 0
    assert statistics.difference(samples, [0.0] * 4, parts).low < 0


def test_ratios_and_slopes_vary_as_far_as_the_processes_do() -> None:
    ones = [10.0, 10.0, 12.0, 12.0, 11.0, 11.0, 10.0, 10.0]
    found = statistics.ratio(ones, [1.0] * 8, (2,) * 4)
    assert found.low < 10 < found.value < 12 < found.high
    same = statistics.slope([(0, [0.0] * 8), (1, [3.0] * 8)], (2,) * 4)
    assert same == pytest.approx((3, 3, 3))


def test_the_ratio_of_two_runs_has_both_their_intervals_in_it() -> None:
    one, other = statistics.Estimate(2, 1, 4), statistics.Estimate(1, 0.5, 2)
    found = statistics.ratio_of_runs(one, other)
    assert found.value == 2
    assert found.low < 1 < 4 < found.high
    exact = statistics.ratio_of_runs(one, statistics.Estimate(1, 1, 1))
    assert exact == pytest.approx((2, 1, 4))


def test_outliers_are_told_and_still_count() -> None:
    samples = [10.0, 11.0, 12.0, 13.0] * 10 + [500.0]
    assert statistics.outliers(samples) == [500.0]
    assert statistics.median(samples).value == 12.0


def test_equal_samples_have_no_outliers() -> None:
    assert statistics.outliers([1.0] * 20) == []
