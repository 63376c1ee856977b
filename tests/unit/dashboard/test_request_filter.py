"""A filter as it stands in a query string."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from nexus_actors.dashboard.request_filter import (
    moment_text,
    read_after,
    read_filter,
    read_moment,
)
from nexus_actors.dashboard.visit import PageError
from nexus_actors.monitoring.requests import After, Filter

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_without_a_word_it_is_the_last_day() -> None:
    assert read_filter({}, NOW) == Filter(since=NOW - timedelta(days=1))
    assert read_filter({"state": " ", "agent": "", "from": ""}, NOW) == read_filter({}, NOW)


def test_each_word_is_read() -> None:
    query = {
        "state": "failed",
        "agent": " a ",
        "task": "t",
        "provider": "p",
        "model": "m",
        "error": "timeout",
        "cost": "$0.05",
        "window": "week",
        "to": "2026-02-28 10:00",
        "after": "r7",
    }
    assert read_filter(query, NOW) == Filter(
        since=datetime(2026, 2, 21, 10, tzinfo=UTC),
        until=datetime(2026, 2, 28, 10, tzinfo=UTC),
        state="failed",
        agent="a",
        task="t",
        provider="p",
        model="m",
        error="timeout",
        least_cost=Decimal("0.05"),
    )
    assert read_filter({"task_type": "t"}, NOW).task == "t"
    assert read_filter({"from": "2026-01-01"}, NOW).since == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"state": "dead"}, "state=dead: expected one of waiting"),
        ({"task_typ": "t"}, "task_typ: not a filter; expected one of state, agent"),
        ({"since": "garbage"}, "since: not a filter"),
        ({"window": "year"}, "window=year: expected one of hour"),
        ({"from": "soon"}, "from=soon: expected a moment such as"),
        ({"from": "0001-01-01"}, "from=0001-01-01: expected a moment"),
        ({"to": "9999-12-31T23:59:59-23:59"}, "to=9999-12-31T23:59:59-23:59: expected a moment"),
        ({"from": "2026-02-02", "to": "2026-02-01"}, "to=2026-02-01: expected a moment after"),
        ({"cost": "cheap"}, "cost=cheap: expected US dollars"),
        ({"cost": "NaN"}, "cost=NaN: expected US dollars"),
        ({"cost": "-1"}, "cost=-1: expected US dollars"),
        ({"cost": "1e99"}, "cost=1e99: expected US dollars"),
        ({"agent": "x" * 257}, "expected at most 256 characters of text"),
        ({"model": "a\0b"}, "model=a\\x00b: expected at most 256 characters of text"),
        ({"error": "\x1b[31m" * 60}, "error=\\x1b[31m"),
    ],
)
def test_what_cannot_be_a_filter_is_reported_with_what_was_expected(
    query: dict[str, str], told: str
) -> None:
    with pytest.raises(PageError) as refused:
        read_filter(query, NOW)
    assert told in str(refused.value)
    assert len(str(refused.value)) < 200
    assert refused.value.status == 400


def test_a_moment_is_read_as_it_was_written() -> None:
    moment = datetime(2026, 3, 1, 12, 30, 1, 250_000, tzinfo=UTC)
    assert read_moment("at", moment_text(moment)) == moment
    assert read_moment("at", "2026-03-01T13:30:01.25+01:00") == moment
    assert read_moment("at", "") is None
    assert moment_text(None) == ""


def test_the_row_that_a_page_ended_with_is_read() -> None:
    assert read_after({}) is None
    assert read_after({"after": "r"}) == After(None, "r")
    assert read_after({"after": "r", "at": "2026-03-01 12:00"}) == After(NOW, "r")
    with pytest.raises(PageError):
        read_after({"after": "r" * 300})
