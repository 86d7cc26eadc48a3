"""From samples to a median with an honest interval, a ratio, a slope.

Every interval is a percentile bootstrap with a fixed seed: the same samples give the same one.
What was measured in the same rounds is resampled by rounds, so that whatever slowed a round down
stands on both sides, and falls out of a difference, a ratio or a slope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 1000
ENOUGH = 6
"""Fewer samples make no interval of 95 %: even from the least to the largest of five, the true
median lies in between in 94 of 100 cases only."""
FENCE = 1.5
"""Tukey's: an outlier lies this many quartile ranges beyond the quartiles."""


class Estimate(NamedTuple):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


def median(samples: Sequence[float]) -> Estimate:
    """The median of the samples; none is left out."""
    return _bootstrap(_median, samples)


def difference(samples: Sequence[float], others: Sequence[float]) -> Estimate:
    """The median of the differences, pair by pair."""
    return median([one - other for one, other in zip(samples, others, strict=True)])


def ratio(samples: Sequence[float], others: Sequence[float], paired: bool = True) -> Estimate:
    """The median of the samples over the median of the others.

    Args:
        samples: of the one.
        others: of the other, in the same unit.
        paired: whether they were taken in the same rounds; as many of both, then.
    """
    if paired:
        return _bootstrap(lambda one, other: _median(one) / _median(other), samples, others)
    import numpy

    one, other = _resampled(samples, seed=0), _resampled(others, seed=1)
    middle = float(numpy.median(samples) / numpy.median(others))
    return _interval(middle, _median(one) / _median(other))


def slope(curve: Sequence[tuple[float, Sequence[float]]]) -> Estimate:
    """How much the median grows for each step of x: the least-squares line through the medians.

    Args:
        curve: pairs of x and the samples there, as many everywhere, from the same rounds.
    """
    import numpy

    xs = numpy.array([x for x, _ in curve])
    weights = (xs - xs.mean()) / ((xs - xs.mean()) ** 2).sum()

    def fitted(*columns: NDArray) -> NDArray:
        return sum(w * _median(column) for w, column in zip(weights, columns, strict=True))

    return _bootstrap(fitted, *(samples for _, samples in curve))


def outliers(samples: Sequence[float]) -> list[float]:
    """The samples far from all others, by Tukey's fences; they count like any other."""
    import numpy

    low, high = numpy.percentile(samples, [25, 75])
    reach = FENCE * (high - low)
    return sorted(value for value in samples if not low - reach <= value <= high + reach)


def _median(rows: NDArray) -> NDArray:
    import numpy

    return numpy.median(rows, axis=-1)


def _bootstrap(of: Callable[..., NDArray], *columns: Sequence[float]) -> Estimate:
    """A statistic of columns of equal length, resampled by rows."""
    import numpy

    data = [numpy.asarray(column, dtype=float) for column in columns]
    chosen = numpy.random.default_rng(0).integers(0, len(data[0]), (RESAMPLES, len(data[0])))
    return _interval(float(of(*data)), of(*(column[chosen] for column in data)))


def _resampled(samples: Sequence[float], seed: int) -> NDArray:
    import numpy

    data = numpy.asarray(samples, dtype=float)
    return data[numpy.random.default_rng(seed).integers(0, len(data), (RESAMPLES, len(data)))]


def _interval(value: float, resampled: NDArray) -> Estimate:
    import numpy

    low, high = numpy.percentile(resampled, [2.5, 97.5])
    return Estimate(value, float(low), float(high))
