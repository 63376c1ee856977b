"""Histograms for `/metrics`. Plain numbers, since this is the hot path."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

BOUNDS: Final[tuple[float, ...]] = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
    *(2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3600.0),
)
"""Seconds, from one statement to an hour in the queue. The objective (2 s) is one of them."""


class Histogram:
    """Counts values by upper bounds, and sums them."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = BOUNDS) -> None:
        self.bounds = bounds
        """Ascending upper bounds, inclusive like Prometheus' `le`."""
        self.counts = [0] * (len(bounds) + 1)
        """Values per bound, not cumulative. The last count is of values above all bounds."""
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value. A negative one (a clock was set back) counts as 0."""
        if value < 0.0:
            value = 0.0
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> list[int]:
        """For each bound, how many values are at most as large; the last is the total."""
        return list(accumulate(self.counts))

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self.counts)


def merged(parts: Iterable[Histogram]) -> Histogram:
    """The sum of several histograms that have the usual bounds."""
    whole = Histogram()
    for part in parts:
        whole.counts = [a + b for a, b in zip(whole.counts, part.counts, strict=True)]
        whole.sum += part.sum
    return whole
