"""Durations counted by size, for the histograms of `/metrics`. Plain numbers: this is the hot
path."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

BOUNDS: Final[tuple[float, ...]] = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
    *(2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3600.0),
)
"""Seconds: from a statement to an hour in the queue. The objective's two are one of them."""


class Histogram:
    """How many were at most so large, for each bound, and all of them together."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = BOUNDS) -> None:
        self.bounds = bounds
        """Ascending. Each counts what is at most so large, as Prometheus' `le`."""
        self.counts = [0] * (len(bounds) + 1)
        """Of each bound what is above the one before; the last one's is beyond all."""
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one; what is below 0, since a clock was set back, is 0."""
        if value < 0.0:
            value = 0.0
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> list[int]:
        """For each bound how many were at most so large; the last is all."""
        return list(accumulate(self.counts))

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)


def merged(parts: Iterable[Histogram]) -> Histogram:
    """All of them as one; they have the usual bounds."""
    whole = Histogram()
    for part in parts:
        whole.counts = [a + b for a, b in zip(whole.counts, part.counts, strict=True)]
        whole.sum += part.sum
    return whole
