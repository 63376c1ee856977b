"""nexus.sums is what the journal says, whoever sums it, and however often."""

from typing import Any

import pytest
import trio

from nexus_actors.storage.nodes import Term
from nexus_actors.storage.postgres import sum_store
from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.postgres.sum_store import PostgresSumStore
from tests.integration.storage.storage_helpers import sql, value

DAY = 86_400.0
ENDED = """
INSERT INTO nexus.requests (
    request_id, queue, msg_id, read_ct, owner, state, digest, received_at, leased_at, finished_at,
    agent_id, task_type, complexity, provider, model, prompt_tokens, completion_tokens,
    latency_ms, error_type)
SELECT $1 || n, 'ai_requests', n, 1, 'one', CASE WHEN n % 5 = 0 THEN 'failed' ELSE 'done' END,
       '', now(), now(),
       -- Three minutes of each of so many hours. One and two hours ago are summed by minutes and
       -- are over, also if an hour ends before they are: what ended is seen after half a minute.
       date_trunc('hour', now() - interval '40 s', 'UTC')
       - make_interval(hours => (n % $3)::int + $4, mins => -1 - (n % 3)::int),
       'agent ' || n % 7, CASE WHEN n % 2 = 0 THEN 'chat' END, 'simple', 'openai', 'm' || n % 3,
       n, CASE WHEN n % 5 > 0 THEN 2 * n END, 10 * n, CASE WHEN n % 5 = 0 THEN 'timeout' END
FROM generate_series(1, $2::bigint) AS g (n)
"""
CALLED = """
INSERT INTO nexus.attempts (
    request_id, number, provider, model, outcome, cost, maybe_paid, owner, started_at)
SELECT r.request_id, k, CASE k WHEN 1 THEN 'groq' ELSE 'openai' END, r.model, 'ok',
       CASE WHEN r.msg_id % 4 > 0 THEN 0.25 END, false, 'one', now()
FROM nexus.requests AS r CROSS JOIN generate_series(1, 2) AS g (k)
WHERE r.request_id LIKE $1 || '%'
"""
OF_JOURNAL = """
SELECT count(*) AS requests, count(*) FILTER (WHERE state = 'failed') AS failed,
       sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion,
       sum(a.attempts)::bigint AS attempts, sum(a.cost) AS cost, sum(a.unknown)::bigint AS unknown
FROM nexus.requests
LEFT JOIN (SELECT request_id, count(*) AS attempts, coalesce(sum(cost), 0) AS cost,
                  count(*) FILTER (WHERE cost IS NULL) AS unknown
           FROM nexus.attempts GROUP BY 1) AS a USING (request_id)
"""
OF_SUMS = """
SELECT sum(requests)::bigint AS requests,
       (sum(requests) FILTER (WHERE error_type <> ''))::bigint AS failed,
       sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion,
       sum(attempts)::bigint AS attempts, sum(cost) AS cost, sum(unknown_costs)::bigint AS unknown
FROM nexus.sums WHERE span = $1
"""
OF_TOTALS = OF_SUMS.replace("sum(requests) FILTER (WHERE error_type <> '')", "sum(failed)").replace(
    "nexus.sums", "nexus.totals"
)
ALL = (
    "SELECT span, at, key, requests, latency::text, attempts, cost FROM nexus.sums ORDER BY 1, 2, 3"
)


async def lead(db: PostgresDatabase, node: str = "one") -> Term:
    term = (await db.nodes.take("sum", node=node, running=0)).term
    assert term is not None
    return term


async def sum_all(store: PostgresSumStore, term: Term, keep: float = 0.0) -> int:
    """How many portions there were."""
    portions = 0
    while await store.sum_next(term, keep=keep) != "none":
        portions += 1
    return portions


async def ended(db: PostgresDatabase, name: str, count: int, hours: int, since: int = 1) -> None:
    await sql(db, ENDED, name, count, hours, since)
    await sql(db, CALLED, name)


async def test_sums_are_what_the_journal_says(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last hours by minutes, the past by hours, and by minutes where it is much."""
    monkeypatch.setattr(sum_store, "MOST_AT_ONCE", 100)
    await ended(db, "new", 200, hours=2)
    await ended(db, "past", 300, hours=40, since=5)
    await ended(db, "much", 150, hours=1, since=50)
    term = await lead(db)
    await sum_all(db.sums, term)
    told = dict((await sql(db, OF_JOURNAL))[0])
    for statement in (OF_SUMS, OF_TOTALS):
        for span in ("hour", "day"):
            assert dict((await sql(db, statement, span))[0]) == told
    recent = dict((await sql(db, OF_JOURNAL + " WHERE request_id LIKE 'new%'"))[0])
    assert dict((await sql(db, OF_SUMS, "minute"))[0]) == recent
    own = "SELECT sum(attempts)::bigint FROM nexus.sums WHERE span = 'day' AND provider = $1"
    assert (await value(db, own, "groq"), await value(db, own, "openai")) == (650, 650)
    await the_buckets_are_right(db)
    before = await sql(db, ALL)
    assert await sum_all(db.sums, term) == 0
    assert await sql(db, ALL) == before


async def the_buckets_are_right(db: PostgresDatabase) -> None:
    """A latency of exactly a bound is in the bucket that begins there."""
    buckets = await sql(
        db,
        "SELECT n::int, sum(c)::bigint AS count FROM nexus.sums,"
        " unnest(latency) WITH ORDINALITY AS l (c, n) WHERE span = 'day' GROUP BY 1 ORDER BY 1",
    )
    right = await sql(
        db,
        "SELECT n::int, count(r.*) AS count FROM generate_series(1, 24) AS g (n)"
        " LEFT JOIN nexus.requests AS r"
        " ON (n = 1 OR r.latency_ms >= (nexus.latency_bounds())[n - 1])"
        " AND (n = 24 OR r.latency_ms < (nexus.latency_bounds())[n]) GROUP BY 1 ORDER BY 1",
    )
    assert [tuple(row) for row in buckets] == [tuple(row) for row in right]
    await sql(db, "SELECT 1 / (cardinality(nexus.latency_bounds()) = 23)::int")


async def test_what_may_yet_come_is_waited_for_and_then_summed_once(db: PostgresDatabase) -> None:
    """A request ends when its transaction began, and is seen when that has ended."""
    term = await lead(db)
    await sum_all(db.sums, term)
    until = "SELECT clock_timestamp() - minutes_until FROM nexus.sums_progress"
    assert (await value(db, until)).total_seconds() >= sum_store.LEAST_DELAY
    slow = PostgresSumStore(db.pool, db.queues, statement_timeout=600.0)
    await sql(db, "DELETE FROM nexus.sums_progress")
    await sum_all(slow, term)
    assert (await value(db, until)).total_seconds() >= 600


async def test_only_who_leads_sums_and_a_portion_is_whole_or_not_at_all(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended(db, "r", 60, hours=3)
    old = await lead(db)
    assert await db.sums.sum_next(old, keep=0.0) == "new"
    await db.nodes.leave(old)
    term = await lead(db, "two")
    assert await db.sums.sum_next(old, keep=0.0) == "none"
    assert await db.sums.prune(old, keep=1.0) == 0
    # Killed in the middle of each of its portions, again and again.
    for delay in range(12):
        with trio.move_on_after(delay / 1000):
            await db.sums.sum_next(term, keep=0.0)
    await sum_all(db.sums, term)
    told = dict((await sql(db, OF_JOURNAL))[0])
    assert dict((await sql(db, OF_SUMS, "hour"))[0]) == told
    assert dict((await sql(db, OF_TOTALS, "day"))[0]) == told


async def test_requests_that_end_meanwhile_are_summed_when_their_time_has_come(
    db: PostgresDatabase,
) -> None:
    """Two lead in turns while rows appear; nobody counts one twice or forgets it."""
    await ended(db, "a", 40, hours=2)
    first = await lead(db)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sum_all, db.sums, first)
        nursery.start_soon(ended, db, "past", 90, 30, 6)
    await db.nodes.leave(first)
    second = await lead(db, "two")
    await sum_all(db.sums, second)
    assert dict((await sql(db, OF_SUMS, "hour"))[0]) == dict((await sql(db, OF_JOURNAL))[0])


async def test_old_sums_are_deleted_and_what_they_are_made_of_is_not_summed_again(
    db: PostgresDatabase,
) -> None:
    await ended(db, "new", 20, hours=1)
    await ended(db, "past", 50, hours=4, since=60)
    term = await lead(db)
    await sum_all(db.sums, term)
    aged = "UPDATE nexus.{} SET at = at - interval '4 hours' WHERE span = 'minute'"
    await sql(db, aged.format("sums"))
    await sql(db, aged.format("totals"))
    while await db.sums.prune(term, keep=2 * DAY):
        pass
    spans = await sql(
        db, "SELECT DISTINCT span FROM nexus.sums UNION SELECT span FROM nexus.totals"
    )
    assert {row["span"] for row in spans} == {"hour", "day"}
    oldest = "SELECT now() - min(at) < '50 hours' FROM nexus.sums WHERE span = 'hour'"
    assert await value(db, oldest)
    assert await sum_all(db.sums, term, keep=2 * DAY) == 0


async def test_hostile_texts_and_many_agents_are_summed(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sum_store, "MOST_AGENTS", 2)
    await ended(db, "r", 70, hours=1)
    await sql(db, "UPDATE nexus.requests SET model = repeat('\U0001f600', 300) || request_id")
    await sql(db, "UPDATE nexus.requests SET agent_id = repeat('\u202e', 9000), error_type = 'x'")
    await sql(db, "UPDATE nexus.requests SET agent_id = 'b' WHERE msg_id % 2 = 0")
    await sql(db, "UPDATE nexus.requests SET agent_id = 'c' WHERE msg_id = 1")
    await sum_all(db.sums, await lead(db))
    rows: list[Any] = await sql(
        db,
        "SELECT agent_id, sum(requests)::int AS count FROM nexus.sums"
        " WHERE span = 'hour' GROUP BY 1 ORDER BY 2",
    )
    assert [(row["agent_id"], row["count"]) for row in rows] == [
        ("(others)", 1),
        ("\u202e" * 255, 34),
        ("b", 35),
    ]


async def test_free_texts_take_few_rows_and_nothing_is_lost(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What producers write is theirs: of rare words and combinations there is a sum."""
    monkeypatch.setattr(sum_store, "MOST_NAMES", 5)
    monkeypatch.setattr(sum_store, "MOST_ROWS", 4)
    await ended(db, "new", 60, hours=1)
    await ended(db, "past", 60, hours=1, since=30)
    await sql(db, "UPDATE nexus.requests SET task_type = request_id, model = 'm' || msg_id")
    await sql(
        db,
        "UPDATE nexus.requests SET task_type = 'usual', model = 'm', agent_id = 'a'"
        " WHERE msg_id % 2 = 0",
    )
    await sum_all(db.sums, await lead(db))
    told = dict((await sql(db, OF_JOURNAL))[0])
    for span in ("hour", "day"):
        assert dict((await sql(db, OF_SUMS, span))[0]) == told
    words = "SELECT count(DISTINCT {}) FROM nexus.sums WHERE span = $1 AND at = $2"
    spans = await sql(db, "SELECT span, at, count(*) AS rows FROM nexus.sums GROUP BY 1, 2")
    for row in spans:
        assert await value(db, words.format("task_type"), row["span"], row["at"]) <= 6
        assert await value(db, words.format("model"), row["span"], row["at"]) <= 6
        # The rest: a row for each provider and model, with a task type or none, failed or not.
        assert row["rows"] <= 4 + 2 * 6 * 2 * 2
    usual = "SELECT sum(requests)::int FROM nexus.sums WHERE span = 'day' AND task_type = 'usual'"
    assert await value(db, usual) >= 48


SEND_AGAIN = """
SELECT why FROM nexus.send_again('ai_requests', $1, $2, jsonb_build_object('request_id', $1::text))
"""
END_AGAIN = """
WITH ended AS (UPDATE nexus.requests SET state = 'done', finished_at = clock_timestamp()
               WHERE request_id = ANY ($1) RETURNING request_id)
INSERT INTO nexus.attempts (
    request_id, number, provider, model, outcome, cost, maybe_paid, owner, started_at)
SELECT request_id, 3, 'openai', 'm', 'ok', 2, false, 'one', now() FROM ended
"""
OF_BOTH = """
SELECT sum(s.attempts)::int AS attempts, sum(s.cost) AS cost
FROM nexus.sums AS s JOIN nexus.sums_progress AS p ON p.queue = s.queue
WHERE s.span = 'hour' OR s.span = 'minute' AND s.at >= p.hours_until
"""


async def test_attempts_of_a_request_that_is_sent_again_are_summed_once(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its first end had been summed by then or not."""
    monkeypatch.setattr(sum_store, "LEAST_DELAY", -120.0)  # what ends now is summed now
    monkeypatch.setattr(sum_store, "MARGIN", -200.0)
    store = PostgresSumStore(db.pool, db.queues, statement_timeout=10.0)
    await ended(db, "r", 10, hours=1, since=6)
    await sql(db, "UPDATE nexus.requests SET attempts = 2")
    term = await lead(db)
    assert await value(db, SEND_AGAIN, "r5", 5) is None
    await sum_all(store, term)
    assert await value(db, SEND_AGAIN, "r10", 10) is None
    assert (await sql(db, OF_BOTH))[0]["attempts"] == 18
    # Minutes are summed until now: those to come are to be waited for.
    await sql(
        db,
        "UPDATE nexus.sums_progress SET minutes_until = date_trunc('minute', now()),"
        " hours_until = least(hours_until, date_trunc('hour', now(), 'UTC'))",
    )
    await sql(db, END_AGAIN, ["r5", "r10"])
    await sum_all(store, term)
    of_journal = "SELECT count(*)::int AS attempts, sum(cost) AS cost FROM nexus.attempts"
    assert dict((await sql(db, OF_BOTH))[0]) == dict((await sql(db, of_journal))[0])


async def test_a_clock_that_is_set_back_loses_nothing(db: PostgresDatabase) -> None:
    """What ends from then on is before what was summed already."""
    await ended(db, "before", 20, hours=2, since=1)
    term = await lead(db)
    await sum_all(db.sums, term)
    await sql(
        db,
        "UPDATE nexus.sums_progress SET minutes_until = minutes_until + interval '5 hours',"
        " hours_until = hours_until + interval '5 hours'",
    )
    await ended(db, "after", 20, hours=2, since=1)
    assert await sum_all(db.sums, term) > 0
    told = dict((await sql(db, OF_JOURNAL))[0])
    for span in ("hour", "day"):
        assert dict((await sql(db, OF_SUMS, span))[0]) == told
        assert dict((await sql(db, OF_TOTALS, span))[0]) == told
    assert await value(db, "SELECT minutes_until < now() FROM nexus.sums_progress")


async def test_what_another_queue_has_is_passed_over_once(db: PostgresDatabase) -> None:
    """An hour at a time, and never looked at again."""
    await ended(db, "other", 30, hours=30, since=10)
    await sql(db, "UPDATE nexus.requests SET queue = 'another'")
    term = await lead(db)
    await sum_all(db.sums, term)
    seen = "SELECT hours_since <= (SELECT min(finished_at) FROM nexus.requests)"
    assert await value(db, seen + " FROM nexus.sums_progress")
    assert await value(db, "SELECT count(*) FROM nexus.sums") == 0
