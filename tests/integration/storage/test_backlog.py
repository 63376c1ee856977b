"""nexus.backlog is the most that was seen of the queue in each minute and hour."""

from typing import Any

import pytest

from nexus_actors.storage.nodes import Term
from nexus_actors.storage.postgres import sum_store
from nexus_actors.storage.postgres.database import PostgresDatabase
from tests.integration.storage.storage_helpers import sql

SEND = (
    "SELECT pgmq.send('ai_requests', '{}'::jsonb, $1::integer) FROM generate_series(1, $2::integer)"
)
HAS_BEEN_DUE = "UPDATE pgmq.q_ai_requests SET vt = clock_timestamp() - interval '90 s'"
DAY = 86_400.0


async def lead(db: PostgresDatabase, node: str = "one") -> Term:
    term = (await db.nodes.take("sum", node=node, running=0)).term
    assert term is not None
    return term


async def noted(db: PostgresDatabase) -> list[tuple[Any, ...]]:
    """Span, messages, seconds; a minute may end meanwhile, so the most of each span."""
    rows = await sql(
        db,
        "SELECT span, max(messages) AS messages, max(due_seconds) AS due FROM nexus.backlog"
        " WHERE queue = 'ai_requests' GROUP BY span ORDER BY span",
    )
    return [tuple(row.values()) for row in rows]


async def test_a_span_keeps_the_most_that_was_seen(db: PostgresDatabase) -> None:
    term = await lead(db)
    await db.sums.note_backlog(term)
    assert await noted(db) == [("hour", 0, 0.0), ("minute", 0, 0.0)]
    await sql(db, SEND, 60, 3)  # not due yet, and in the queue all the same
    await db.sums.note_backlog(term)
    assert await noted(db) == [("hour", 3, 0.0), ("minute", 3, 0.0)]
    await sql(db, HAS_BEEN_DUE)
    await db.sums.note_backlog(term)
    assert [due >= 90 for _, _, due in await noted(db)] == [True, True]
    await sql(db, "DELETE FROM pgmq.q_ai_requests")
    await db.sums.note_backlog(term)
    assert [(messages, due >= 90) for _, messages, due in await noted(db)] == [(3, True)] * 2


async def test_a_long_queue_is_not_counted_to_its_end(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sum_store, "COUNTED", 10)
    term = await lead(db)
    await sql(db, SEND, 0, 50)
    await db.sums.note_backlog(term)
    assert [it[1] for it in await noted(db)] == [10, 10]  # nothing is estimated yet
    await sql(db, "ANALYZE pgmq.q_ai_requests")
    await db.sums.note_backlog(term)
    assert [it[1] for it in await noted(db)] == [50, 50]


async def test_who_leads_no_longer_notes_nothing(db: PostgresDatabase) -> None:
    old = await lead(db)
    await sql(db, "UPDATE nexus.chores SET term = term + 1 WHERE chore = 'sum'")
    await db.sums.note_backlog(old)
    assert await noted(db) == []


async def test_old_notes_are_deleted(db: PostgresDatabase) -> None:
    term = await lead(db)
    await db.sums.sum_next(term, keep=2 * DAY)
    await sql(
        db,
        "INSERT INTO nexus.backlog (queue, span, at, messages, due_seconds)"
        " SELECT 'ai_requests', s, now() - make_interval(hours => h), 1, 0"
        " FROM (VALUES ('minute', 5), ('hour', 5), ('hour', 50)) AS t (s, h)",
    )
    while await db.sums.prune(term, keep=2 * DAY):
        pass
    ages = await sql(
        db, "SELECT span, now() - at < '6 hours' AS is_new FROM nexus.backlog ORDER BY span"
    )
    assert [tuple(it.values()) for it in ages] == [("hour", True)]
