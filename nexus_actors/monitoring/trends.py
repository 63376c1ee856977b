"""Throughput, latency, errors and costs of the last hour, day or week, from the leader's sums."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from nexus_actors.monitoring.histograms import added, percentile
from nexus_actors.monitoring.reading import Reader

Window = Literal["hour", "day", "week"]
WINDOWS: Final[Mapping[Window, tuple[str, timedelta, int]]] = {
    "hour": ("minute", timedelta(minutes=1), 60),
    "day": ("hour", timedelta(hours=1), 24),
    "week": ("hour", timedelta(hours=1), 168),
}
"""Of each window: the kind of its spans, their length, and how many it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Values of each span, oldest first. None if the span is not summed or has no such value."""

    window: Window
    seconds: float
    """The length of a span."""
    times: list[datetime]
    """When each span begins."""
    rates: list[float | None]
    """Requests ended per minute."""
    p50: list[float | None]
    """Seconds, of answered requests."""
    p95: list[float | None]
    error_shares: list[float | None]
    """Share of failed requests, of 1."""
    costs: list[float | None]
    """US dollars per span, as far as costs are known."""
    requests: int
    failed: int
    cost: float
    unknown_costs: int
    """Calls that may have been paid, at an unknown cost."""
    p50_of_all: float | None
    p95_of_all: float | None
    backlog: list[float | None]
    """The most messages in the queue."""
    due_seconds: list[float | None]
    """The longest time that a request had been due."""
    until: datetime | None
    """End of what is summed; None if nothing is."""


@dataclass(slots=True)
class _Bin:
    requests: int = 0
    failed: int = 0
    cost: float = 0.0
    unknown_costs: int = 0
    latency: tuple[list[int], ...] = ()

    def add(self, row: Mapping[str, Any]) -> None:
        self.requests += row["requests"]
        self.failed += row["failed"]
        self.cost += float(row["cost"])
        self.unknown_costs += row["unknown_costs"]
        self.latency = (*self.latency, row["latency"])


async def read_trend(reader: Reader, window: Window) -> Trend:
    """The trend of the installation. Raises StorageError."""
    span, length, count = WINDOWS[window]
    queue = reader.queues.requests
    [progress] = await reader.read("overview_progress", queue)
    last = _floor(progress["now"], length)
    times = [last - place * length for place in range(count - 1, -1, -1)]
    rows = await reader.read("overview_totals", queue, span, times[0])
    noted = {it["at"]: it for it in await reader.read("overview_backlog", queue, span, times[0])}
    bins: dict[datetime, _Bin] = defaultdict(_Bin)
    for row in rows:
        bins[_floor(row["at"], length)].add(row)
    return _trend(window, times, length, bins, progress, [noted.get(at) for at in times])


def _trend(
    window: Window,
    times: list[datetime],
    length: timedelta,
    bins: Mapping[datetime, _Bin],
    progress: Mapping[str, Any],
    noted: Sequence[Mapping[str, Any] | None],
) -> Trend:
    until, since, bounds = progress["minutes_until"], progress["hours_since"], progress["bounds"]
    spans: list[_Bin | None] = []
    rates: list[float | None] = []
    for at in times:
        known = until is not None and at < until and (length < timedelta(hours=1) or at >= since)
        one = bins.get(at, _Bin()) if known else None
        spans.append(one)
        if one is None or until is None:
            rates.append(None)
        else:  # a span that is not over is summed in part
            rates.append(one.requests / (min(length, until - at).total_seconds() / 60))
    there = [it for it in spans if it is not None]
    whole = added(counts for it in there for counts in it.latency)
    return Trend(
        window=window,
        seconds=length.total_seconds(),
        times=times,
        rates=rates,
        p50=[_share(it, bounds, 0.5) for it in spans],
        p95=[_share(it, bounds, 0.95) for it in spans],
        error_shares=[
            None if it is None or not it.requests else it.failed / it.requests for it in spans
        ],
        costs=[None if it is None else it.cost for it in spans],
        requests=sum(it.requests for it in there),
        failed=sum(it.failed for it in there),
        cost=sum(it.cost for it in there),
        unknown_costs=sum(it.unknown_costs for it in there),
        p50_of_all=percentile(whole, bounds, 0.5),
        p95_of_all=percentile(whole, bounds, 0.95),
        backlog=[None if it is None else it["messages"] for it in noted],
        due_seconds=[None if it is None else it["due_seconds"] for it in noted],
        until=until,
    )


def _share(one: _Bin | None, bounds: list[int], share: float) -> float | None:
    return None if one is None else percentile(added(one.latency), bounds, share)


def _floor(moment: datetime, length: timedelta) -> datetime:
    """When the span of this moment began. Spans are in UTC, as are our sessions."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour if length >= timedelta(hours=1) else hour.replace(minute=moment.minute)
