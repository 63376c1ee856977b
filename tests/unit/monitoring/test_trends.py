"""Percentiles of counted latencies, and what is known of each span."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nexus_actors.monitoring.histograms import added, percentile
from nexus_actors.monitoring.trends import Trend, Window, read_trend
from tests.unit.dashboard.asgi import FakeReader

BOUNDS = [100, 200, 400]
NOW = datetime(2026, 1, 10, 12, 30, 20, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([], 0.5, None),
        ([0, 0, 0, 0], 0.5, None),
        ([10, 0, 0, 0], 0.5, 0.05),
        ([5, 5, 0, 0], 0.5, 0.1),
        ([5, 5, 0, 0], 0.75, 0.15),
        ([0, 0, 1, 0], 1.0, 0.4),
        ([1, 0, 0, 9], 0.95, 0.4),
    ],
)
def test_a_percentile_lies_in_its_bucket(
    counts: list[int], share: float, expected: float | None
) -> None:
    found = percentile(counts, BOUNDS, share)
    assert found == (None if expected is None else pytest.approx(expected))


def test_counts_are_added_bucket_by_bucket() -> None:
    assert added([[1, 2], [], [0, 1, 5]]) == [1, 3, 5]


def row(at: datetime, span: str, requests: int, failed: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "span": span,
        "at": at,
        "requests": requests,
        "failed": failed,
        "latency": [0, requests - failed, 0, 0],
        "cost": 0.5,
        "unknown_costs": 0,
        "prompt_tokens": 1,
        "completion_tokens": 1,
        **more,
    }


async def trend(window: Window, rows: list[dict[str, Any]], **progress: Any) -> Trend:
    reader = FakeReader()
    told = {
        "minutes_until": NOW.replace(second=0),
        "hours_until": NOW.replace(minute=0, second=0),
        "hours_since": NOW.replace(minute=0, second=0) - timedelta(days=30),
        "bounds": BOUNDS,
        "now": NOW,
    }
    reader.rows = {"overview_progress": [told | progress], "overview_totals": rows}
    return await read_trend(reader, window)


async def test_a_minute_without_a_row_had_nothing_and_the_one_that_runs_is_not_known() -> None:
    found = await trend("hour", [row(NOW.replace(second=0) - MINUTE, "minute", 30, 3)])
    assert len(found.times) == 60
    assert found.rates[-3:] == [0, 30, None]
    assert found.error_shares[-3:] == [None, 0.1, None]
    assert found.p50[-3:] == [None, pytest.approx(0.15), None]
    assert (found.requests, found.failed, found.cost) == (30, 3, 0.5)


async def test_an_hour_that_is_not_over_is_what_its_minutes_are() -> None:
    this = NOW.replace(minute=0, second=0)
    minutes = [row(this + it * MINUTE, "minute", 10) for it in range(30)]
    found = await trend("day", [row(this - HOUR, "hour", 600), *minutes])
    assert found.rates[-2:] == [10, 10]
    assert found.requests == 900


async def test_hours_that_are_not_summed_yet_are_not_known() -> None:
    this = NOW.replace(minute=0, second=0)
    found = await trend("week", [row(this - HOUR, "hour", 60)], hours_since=this - 2 * HOUR)
    assert found.rates[-4:] == [None, 0, 1, 0]
    assert set(found.rates[:-3]) == {None}


async def test_before_the_first_sum_nothing_is_known() -> None:
    nothing = {"minutes_until": None, "hours_until": None, "hours_since": None}
    found = await trend("day", [], **nothing)
    assert set(found.rates) == {None}
    assert found.until is None
