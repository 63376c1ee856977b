"""Durations by size."""

import math

from nexus_actors.work.histogram import BOUNDS, Histogram, merged
from nexus_actors.work.objective import OBJECTIVE_MS


def test_a_bound_counts_what_is_at_most_so_large() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5, math.inf):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 2]
    assert histogram.cumulative() == [2, 4, 6]
    assert histogram.count == 6


def test_what_a_clock_that_was_set_back_says_is_nothing() -> None:
    histogram = Histogram()
    histogram.observe(-3.0)
    assert (histogram.cumulative()[0], histogram.sum) == (1, 0.0)


def test_several_are_added_up() -> None:
    one, other = Histogram(), Histogram()
    one.observe(0.001)
    other.observe(4000.0)
    whole = merged([one, other])
    assert (whole.counts[0], whole.counts[-1], whole.sum) == (1, 1, 4000.001)
    assert one.count == 1


def test_the_objective_is_one_of_the_bounds() -> None:
    assert OBJECTIVE_MS / 1000 in BOUNDS
    assert list(BOUNDS) == sorted(set(BOUNDS))
