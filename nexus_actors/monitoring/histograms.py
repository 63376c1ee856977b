"""Histograms of latencies: sums of them, and percentiles."""

from collections.abc import Iterable, Sequence


def added(arrays: Iterable[Sequence[int]]) -> list[int]:
    """Add histograms bucket by bucket. They may differ in length."""
    total: list[int] = []
    for counts in arrays:
        if len(counts) > len(total):
            total += [0] * (len(counts) - len(total))
        for place, count in enumerate(counts):
            total[place] += count
    return total


def percentile(counts: Sequence[int], bounds: Sequence[int], share: float) -> float | None:
    """Seconds below which this share of the values lies, interpolated linearly within a bucket.
    None if there are no values. `bounds` are in milliseconds. For the last bucket, which has no
    upper bound, the result is its lower bound."""
    whole = sum(counts)
    if not whole:
        return None
    wanted, seen = share * whole, 0
    for place, count in enumerate(counts):
        if count and seen + count >= wanted:
            if place >= len(bounds):
                break
            low = bounds[place - 1] if place else 0
            part = (wanted - seen) / count
            return (low + part * (bounds[place] - low)) / 1000
        seen += count
    return bounds[-1] / 1000 if bounds else None
