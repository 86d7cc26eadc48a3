"""From samples to a median with an honest interval, a difference, a ratio, a slope.

Samples that follow each other are alike, and a process has its places in memory for as long as it
lives.  So an interval that is drawn from the samples of one process says too little: another run's
median lay outside it in every third case, where chance allows one in six (bench_statistics.py).
Where several processes took their parts of the samples, the interval comes from how far their
medians lie apart: Student's t for so few of them, around the median of all samples.  Processes that
follow each other are a little alike, too, since other work of the machine comes and goes; `ALIKE`
allows for it.  So it holds between runs.

Where all are of one process, the interval is a percentile bootstrap: the samples are drawn anew,
with replacement, a thousand times, always with the same seed.  It holds within that run.
What was measured in the same rounds is drawn by rounds, so that whatever slowed a round down
stands on both sides, and falls out of a difference, a ratio or a slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 1000
ENOUGH = 6
"""Fewer samples make no interval of 95 %: even from the least to the largest of five, the true
median lies in between in 94 of 100 cases only."""
PARTS = 4
"""Fewer processes are taken for one: by Student's t, the interval of three would be four times as
wide as one that knew how far processes lie apart."""
ALIKE = 0.25
"""The correlation of one process's median with the next one's, as found on a machine in use."""
FENCE = 1.5
"""Tukey's: an outlier lies this many quartile ranges beyond the quartiles."""
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""The 97.5 % quantile of Student's t with 1 to 10 degrees of freedom."""

Parts = Sequence[int]
"""How many samples each process took, one after the other; () for one that took all."""


class Estimate(NamedTuple):
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


def between_runs(parts: Parts) -> bool:
    """Whether there are processes enough to say how far apart runs lie."""
    return len(parts) >= PARTS


def median(samples: Sequence[float], parts: Parts = ()) -> Estimate:
    """The median of the samples; none is left out."""
    return _estimate(_median, [samples], parts, factor=True)


def difference(samples: Sequence[float], others: Sequence[float], parts: Parts = ()) -> Estimate:
    """The median of the differences, pair by pair."""
    pairs = [one - other for one, other in zip(samples, others, strict=True)]
    return _estimate(_median, [pairs], parts)


def ratio(
    samples: Sequence[float], others: Sequence[float], parts: Parts = (), paired: bool = True
) -> Estimate:
    """The median of the samples over the median of the others.

    Args:
        samples: of the one.
        others: of the other, in the same unit.
        parts: as many of both, then.
        paired: whether they were taken in the same rounds; as many of both, then.
    """
    if paired:
        return _estimate(
            lambda one, other: _median(one) / _median(other), [samples, others], parts, factor=True
        )
    import numpy

    one, other = _resampled(samples, seed=0), _resampled(others, seed=1)
    middle = float(numpy.median(samples) / numpy.median(others))
    return _interval(middle, _median(one) / _median(other))


def ratio_of_runs(one: Estimate, other: Estimate) -> Estimate:
    """The one's median over the other's, which another run took: both intervals go into its own."""
    value = one.value / other.value
    if min(one.low, other.low) <= 0:
        return Estimate(value, -math.inf, math.inf)
    low, high = (
        math.hypot(math.log(one.value / one.low), math.log(other.high / other.value)),
        math.hypot(math.log(one.high / one.value), math.log(other.value / other.low)),
    )
    return Estimate(value, value * math.exp(-low), value * math.exp(high))


def slope(curve: Sequence[tuple[float, Sequence[float]]], parts: Parts = ()) -> Estimate:
    """How much the median grows for each step of x: the least-squares line through the medians.

    Args:
        curve: pairs of x and the samples there, as many everywhere, from the same rounds.
        parts: of the samples at each x.
    """
    import numpy

    xs = numpy.array([x for x, _ in curve])
    weights = (xs - xs.mean()) / ((xs - xs.mean()) ** 2).sum()

    def fitted(*columns: NDArray) -> NDArray:
        return sum(w * _median(column) for w, column in zip(weights, columns, strict=True))

    return _estimate(fitted, [samples for _, samples in curve], parts)


def outliers(samples: Sequence[float]) -> list[float]:
    """The samples far from all others, by Tukey's fences; they count like any other."""
    import numpy

    low, high = numpy.percentile(samples, [25, 75])
    reach = FENCE * (high - low)
    return sorted(value for value in samples if not low - reach <= value <= high + reach)


def _median(rows: NDArray) -> NDArray:
    import numpy

    return numpy.median(rows, axis=-1)


def _estimate(
    of: Callable[..., NDArray], columns: Sequence[Sequence[float]], parts: Parts,
    factor: bool = False,
) -> Estimate:  # fmt: skip
    """A statistic of columns of equal length, and its interval.

    Args:
        of: the statistic.
        columns: what it is of.
        parts: of each column.
        factor: whether it is a size or a ratio, which varies by a factor, rather than a difference.
    """
    import numpy

    data = [numpy.asarray(column, dtype=float) for column in columns]
    value = float(of(*data))
    if not between_runs(parts):
        chosen = numpy.random.default_rng(0).integers(0, len(data[0]), (RESAMPLES, len(data[0])))
        return _interval(value, of(*(column[chosen] for column in data)))
    ends = numpy.cumsum(parts)
    each = [
        float(of(*(column[end - length : end] for column in data)))
        for end, length in zip(ends, parts, strict=True)
    ]
    if factor and min(value, *each) > 0:
        reach = math.exp(_reach(numpy.log(each)))
        return Estimate(value, value / reach, value * reach)
    reach = _reach(numpy.array(each))
    return Estimate(value, value - reach, value + reach)


def _reach(each: NDArray) -> float:
    """How far from the mean of these the true one may be, with 95 % certainty."""
    freedom = len(each) - 1
    quantile = _T[freedom - 1] if freedom <= len(_T) else 1.96 + 2.7 / freedom
    wider = math.sqrt((1 + ALIKE) / (1 - ALIKE))  # as if there were fewer of them by that factor
    return quantile * wider * float(each.std(ddof=1)) / math.sqrt(len(each))


def _resampled(samples: Sequence[float], seed: int) -> NDArray:
    import numpy

    data = numpy.asarray(samples, dtype=float)
    return data[numpy.random.default_rng(seed).integers(0, len(data), (RESAMPLES, len(data)))]


def _interval(value: float, resampled: NDArray) -> Estimate:
    import numpy

    low, high = numpy.percentile(resampled, [2.5, 97.5])
    return Estimate(value, float(low), float(high))
