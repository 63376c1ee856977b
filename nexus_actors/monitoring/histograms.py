"""Latencies as counts of buckets, which can be added up; and percentiles of them."""

from collections.abc import Iterable, Sequence


def added(arrays: Iterable[Sequence[int]]) -> list[int]:
    """The counts of several, bucket by bucket; an empty one counts nothing."""
    total: list[int] = []
    for counts in arrays:
        if len(counts) > len(total):
            total += [0] * (len(counts) - len(total))
        for place, count in enumerate(counts):
            total[place] += count
    return total


def percentile(counts: Sequence[int], bounds: Sequence[int], share: float) -> float | None:
    """Seconds within which `share` of what was counted lies, by a straight line within its bucket;
    None where nothing was counted. `bounds`: milliseconds; of the last bucket, which has no end,
    its beginning is told."""
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
