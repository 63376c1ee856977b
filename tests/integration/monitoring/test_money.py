"""What calls cost, from the sums of the roll-up."""

import json
import math
from datetime import UTC, datetime, timedelta

import pytest

from nexus_actors.monitoring.money import (
    OTHERS,
    TOP,
    Spent,
    read_budgets,
    read_money,
    reckoned,
)
from nexus_actors.monitoring.reading import LazyReader
from nexus_actors.monitoring.recent import Recent, read_recent
from nexus_actors.settings.model import BudgetSettings
from tests.dashboard import HOSTILE, execute, visited
from tests.unit.parts import settings

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
TODAY = datetime(2026, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)
EMPTY = "TRUNCATE nexus.sums, nexus.totals, nexus.sums_progress, nexus.spending"


Summed = dict[str, object]
ROWS = """
WITH given AS (
    SELECT g.* FROM jsonb_to_recordset($1::text::jsonb)
        AS g (span text, at timestamptz, agent text, provider text, model text, calls bigint, dollars numeric, unknown bigint)
),
made AS (
    INSERT INTO nexus.sums
    SELECT 'ai_requests', g.span, g.at, gen_random_uuid(), g.agent, '', '', g.provider, g.model, '', 1, 0, 0, '{}', g.calls, g.dollars,
           g.unknown
    FROM given AS g
)
INSERT INTO nexus.totals AS t
SELECT 'ai_requests', g.span, g.at, count(*), 0, 0, 0, '{}', sum(g.calls), sum(g.dollars), sum(g.unknown)
FROM given AS g
GROUP BY g.span, g.at
ON CONFLICT (queue, span, at) DO UPDATE
SET cost = t.cost + excluded.cost, attempts = t.attempts + excluded.attempts
"""  # noqa: E501


def summed(at: datetime, dollars: float, **changes: object) -> Summed:
    """A row of nexus.sums, and its part of nexus.totals."""
    row: Summed = {"span": "day", "at": at.isoformat(), "dollars": dollars, "calls": 1}
    return {**row, "agent": "a", "provider": "p", "model": "m", "unknown": 0, **changes}


async def add(url: str, *rows: Summed) -> None:
    await execute(url, ROWS, json.dumps(rows))


async def progress(url: str, *, hours_until: datetime, since: datetime) -> None:
    await execute(
        url,
        "INSERT INTO nexus.sums_progress VALUES ('ai_requests', $1, $2, $3) ON CONFLICT (queue) DO"
        " UPDATE SET minutes_until = $1, hours_until = $2, hours_since = $3",
        hours_until + timedelta(minutes=25),
        hours_until,
        since,
    )


async def test_days_are_summed_with_the_minutes_that_are_in_no_hour_yet(
    reader: LazyReader, shared_url: str
) -> None:
    await execute(shared_url, EMPTY)
    noon = TODAY + timedelta(hours=12)
    await progress(shared_url, hours_until=noon, since=TODAY - 40 * DAY)
    await add(
        shared_url,
        summed(TODAY, 1.0, agent="joe", calls=2),
        summed(TODAY, 0.0, agent="jim", model="new", calls=3, unknown=3),
        summed(noon, 0.5, agent="joe", span="minute"),
        summed(noon - timedelta(minutes=1), 64.0, span="minute"),  # its hour is summed
        summed(noon + timedelta(minutes=25), 64.0, span="minute"),  # not complete yet
        summed(TODAY - DAY, 2.0, agent="jim"),
        summed(TODAY - 29 * DAY, 4.0),
        summed(TODAY - 30 * DAY, 64.0),
    )
    today = await read_money(reader, days=1, now=NOW, patience=math.inf)
    assert today.total == Spent(1.5, 6, 3)
    assert [(it.begins_at, it.spent.dollars) for it in today.days if it.spent.calls] == [
        (TODAY - 29 * DAY, 4.0),
        (TODAY - DAY, 2.0),
        (TODAY, 1.5),
    ]
    assert len(today.days) == 30
    assert [(it.name, it.spent, it.share) for it in today.groups["agent"]] == [
        ("joe", Spent(1.5, 3, 0), 1.0),
        ("jim", Spent(0.0, 3, 3), 0.0),
    ]
    assert [it.spent for it in today.groups["provider"]] == [Spent(1.5, 6, 3)]
    assert [(it.model, it.calls) for it in today.unpriced] == [("new", 3)]
    assert today.unpriced[0].fix.startswith('[providers.p]\nmodels."new" = {')
    assert (today.until, today.since) == (noon + timedelta(minutes=25), TODAY - 40 * DAY)
    month = await read_money(reader, days=30, now=NOW, patience=math.inf)
    assert month.total == Spent(7.5, 8, 3)
    assert not month.missing
    assert sum(it.spent.dollars for it in month.groups["agent"]) == 7.5


async def test_a_day_that_is_summed_for_good_is_read_once(
    reader: LazyReader, shared_url: str
) -> None:
    await execute(shared_url, EMPTY)
    await progress(shared_url, hours_until=TODAY, since=TODAY - DAY)
    rows = [summed(day, 1.0) for day in (TODAY - 2 * DAY, TODAY - DAY, TODAY)]
    await add(shared_url, *rows)

    async def known() -> float:
        money = await read_money(reader, days=3, now=NOW, patience=math.inf)
        return sum(it.spent.dollars for it in money.groups["agent"])

    assert await known() == 3.0
    await add(shared_url, *rows)
    assert await known() == 3.0  # no sum was told to be made since
    # The backfill has come to the day before, and an hour of today is summed.
    await progress(shared_url, hours_until=TODAY + timedelta(hours=1), since=TODAY - 2 * DAY)
    assert await known() == 5.0


async def test_days_for_which_there_is_no_time_are_reported_and_come_with_a_later_look(
    reader: LazyReader, shared_url: str
) -> None:
    await execute(shared_url, EMPTY)
    await progress(shared_url, hours_until=TODAY, since=TODAY - DAY)
    await add(shared_url, summed(TODAY, 1.0), summed(TODAY - DAY, 2.0))
    none = await read_money(reader, days=2, now=NOW, patience=0)
    assert (none.missing, none.groups["agent"]) == ([TODAY, TODAY - DAY], [])
    assert none.total.dollars == 3.0  # of the totals
    assert not (await read_money(reader, days=2, now=NOW, patience=math.inf)).missing
    again = await read_money(reader, days=2, now=NOW, patience=0)
    assert (again.missing, again.groups["agent"][0].spent.dollars) == ([], 3.0)


ENDED = """
INSERT INTO nexus.requests (request_id, queue, msg_id, read_ct, owner, digest, state, received_at, leased_at, finished_at, agent_id, error_type)
SELECT g.id, 'ai_requests', 1, 1, 'o', '', g.state, g.at, g.at, g.at, 'joe', g.error
FROM (VALUES ('before', 'done', $1::timestamptz - interval '1 s', NULL), ('after', 'done', $1, NULL),
             ('failed', 'failed', $1, 'timeout'), ('cancelled', 'failed', $1, 'cancelled')) AS g (id, state, at, error)
"""  # noqa: E501
CALLS = """
INSERT INTO nexus.attempts (request_id, number, provider, model, outcome, cost, maybe_paid, owner, started_at)
VALUES ('before', 1, 'p', 'm', 'ok', 64, false, 'o', $1), ('after', 1, 'p', 'm', 'timeout', NULL, true, 'o', $1),
       ('after', 2, 'p', 'm', 'ok', 0.5, false, 'o', $1)
"""  # noqa: E501


async def test_what_ended_since_the_sums_end_is_read_from_the_journal(
    reader: LazyReader, shared_url: str
) -> None:
    await execute(shared_url, EMPTY)
    await execute(shared_url, "TRUNCATE nexus.requests CASCADE")
    until = TODAY + timedelta(hours=12, minutes=25)
    await execute(shared_url, ENDED, until)
    await execute(shared_url, CALLS, until)
    first = await read_money(reader, days=1, now=NOW, patience=math.inf)
    assert (first.total, first.until, first.is_complete) == (Spent(64.5, 3, 1), None, False)
    await progress(shared_url, hours_until=TODAY + timedelta(hours=12), since=TODAY - DAY)
    await add(shared_url, summed(TODAY, 1.0, agent="joe"))
    money = await read_money(reader, days=1, now=NOW, patience=math.inf)
    assert money.total == money.days[-1].spent == Spent(1.5, 3, 1)
    assert [(it.name, it.spent) for it in money.groups["agent"]] == [("joe", Spent(1.5, 3, 1))]
    assert money.is_complete
    assert await read_recent(reader, "hour", NOW) == Recent(3, 1, 0.5, 1, is_cut=False)
    later = NOW + timedelta(hours=2)
    assert (await read_recent(reader, "hour", later)).requests == 0
    await execute(shared_url, "TRUNCATE nexus.requests CASCADE")


async def test_those_beyond_the_top_are_one_line(reader: LazyReader, shared_url: str) -> None:
    await execute(shared_url, EMPTY)
    await progress(shared_url, hours_until=TODAY, since=TODAY - DAY)
    rows = [summed(TODAY, 1.0 + place, agent=f"agent {place}") for place in range(TOP + 2)]
    await add(shared_url, summed(TODAY, 100.0, agent=OTHERS), *rows)
    money = await read_money(reader, days=1, now=NOW, patience=math.inf)
    lines = money.groups["agent"]
    assert len(lines) == TOP + 1
    assert lines[0].name == f"agent {TOP + 1}"
    assert (lines[-1].name, lines[-1].spent, lines[-1].names) == (OTHERS, Spent(103.0, 3, 0), 3)


async def test_budgets_are_as_the_settlement_has_them(reader: LazyReader, shared_url: str) -> None:
    await execute(shared_url, EMPTY)
    await execute(
        shared_url,
        "INSERT INTO nexus.spending (budget, period, spent, reserved) VALUES"
        " ('all', date_trunc('month', now() AT TIME ZONE 'UTC'), 3, 1),"
        " ('all', date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month', 99, 9)",
    )
    config = settings(
        budgets={"all": {"dollars": 5, "per": "month"}, "joe": {"dollars": 1, "agent": "joe"}}
    )
    [whole, joe] = await read_budgets(reader, config.budgets)
    assert (whole.spent, whole.reserved, whole.left, whole.counts) == (3.0, 1.0, 1.0, "all calls")
    assert whole.begins_at.day == whole.renews_at.day == 1
    assert (joe.spent, joe.left, joe.counts) == (0.0, 1.0, "agent joe")
    assert joe.renews_at - joe.begins_at == DAY
    assert await read_budgets(reader, {}) == []


@pytest.mark.parametrize(
    ("hours", "spent", "forecast", "ends", "state"),
    [
        (0.5, 4.0, None, None, "ok"),  # too early to tell
        (6.0, 2.0, 8.0, None, "ok"),
        (6.0, 5.0, 20.0, 12.0, "tight"),
        (12.0, 9.5, 19.0, 12.0 * 10 / 9.5, "tight"),
        (20.0, 10.0, 12.0, None, "spent"),
    ],
)
def test_a_forecast_goes_on_as_the_period_has_gone_so_far(
    hours: float, spent: float, forecast: float | None, ends: float | None, state: str
) -> None:
    row = {
        "name": "all",
        "spent": spent,
        "reserved": 0.0,
        "begins_at": TODAY,
        "renews_at": TODAY + DAY,
        "seconds": hours * 3600,
    }
    found = reckoned(row, BudgetSettings(dollars=10.0))
    assert found.forecast == pytest.approx(forecast)
    assert found.state == state
    when = None if found.ends_at is None else (found.ends_at - TODAY) / timedelta(hours=1)
    assert when == pytest.approx(ends)


async def test_the_page_is_there_without_sums_and_with_a_strangers_texts(
    reader: LazyReader, shared_url: str
) -> None:
    await execute(shared_url, EMPTY)
    html = await visited(reader, "/money")
    assert "There are no sums yet" in html
    assert "No budget is configured" in html
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    await progress(shared_url, hours_until=today, since=today - DAY)
    names = {"agent": "a", "model": "m", "provider": "p"}
    texts = {name: HOSTILE + letter * 200 for name, letter in names.items()}
    await add(shared_url, summed(today, 1.0, unknown=1, **texts))
    budgets = {"all": {"dollars": 5}}
    for period in ("today", "week", "month"):
        html = await visited(reader, f"/money?period={period}", budgets=budgets)
        assert "&lt;img src=x onerror=alert(1)&gt;" in html
        assert "\\x1b[31m\\u202e" in html
