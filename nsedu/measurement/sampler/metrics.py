"""Figures that come together, and are told one by one."""

from __future__ import annotations

TYPE_CHECKING = False  # see agent/main.py, "Light"
if TYPE_CHECKING:
    from collections.abc import Callable

    from nsedu.measurement.sampler.operations import Sample


class MetricGroup:
    """Figures that one sample gives at once, each of which is asked for by an operation of its own.

    Args:
        sample: takes a sample: name of a figure → it.
    """

    def __init__(self, sample: Callable[[], dict[str, Sample]]) -> None:
        self._sample = sample
        self._left: dict[str, Sample] = {}

    def figure(self, name: str) -> Sample:
        """That figure of the last sample if it was not asked for yet, or else of a new one."""
        if name not in self._left:
            self._left = self._sample()
        return self._left.pop(name)
