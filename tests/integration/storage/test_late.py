"""What came too late has cost all the same; dead letters and archives fail no end."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import trio

from nexus_actors.storage.accounts import BudgetShare
from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.database import PostgresDatabase
from tests.integration.storage.storage_helpers import (
    NOW,
    attempt,
    bodies,
    give_back,
    journal,
    lapse,
    other_instance,
    send,
    sql,
    success,
    value,
)

DAY = [BudgetShare("all", "day", 100.0)]


async def spent(db: PostgresDatabase) -> tuple[float, float]:
    [row] = await sql(db, "SELECT spent, reserved FROM nexus.spending")
    return float(row["spent"]), float(row["reserved"])


async def test_who_answers_too_late_has_its_cost_told(db: PostgresDatabase) -> None:
    await send(db, "r")
    [ours] = await db.requests.lease(1, 30)
    await db.requests.reserve("r", 1, 5.0, DAY)
    await lapse(db)
    two = other_instance(db)
    [theirs] = await two.lease(1, 30)
    assert await spent(db) == (5.0, 0.0)  # what the interrupted attempt is taken to have cost
    await two.reserve("r", 2, 5.0, DAY)
    await two.finish([success(theirs)])

    later = replace(attempt(2), started_at=NOW + timedelta(seconds=1))
    late = replace(success(ours), attempts=[attempt(1), later], attempt_count=2)
    assert await db.requests.reclaim({"r": ours.lease.msg_id}) == {}
    assert await db.requests.record_late([late]) == 2
    assert await db.requests.record_late([late]) == 0  # said again
    rows = await sql(
        db, "SELECT number, owner, outcome, cost, error FROM nexus.attempts ORDER BY 1"
    )
    marked = "answered too late: another process answered"
    assert [(row["number"], row["owner"], row["error"]) for row in rows] == [
        (1, "one", marked), (2, "two", None), (3, "one", marked),
    ]  # fmt: skip
    assert {float(row["cost"]) for row in rows} == {0.1}
    assert (await journal(db, "r"))["attempts"] == 3
    assert await spent(db) == (0.2, 0.0)  # the second late one was never reserved for


async def test_what_was_taken_for_interrupted_and_is_told_rightly_corrects_what_was_spent(
    db: PostgresDatabase,
) -> None:
    await send(db, "r")
    await db.requests.lease(1, 30)
    await db.requests.reserve("r", 1, 5.0, DAY)
    await lapse(db)
    [again] = await db.requests.lease(1, 30)  # by the same process, which goes on with it
    assert await spent(db) == (5.0, 0.0)
    await db.requests.finish([replace(success(again), attempts=[attempt(1)], attempt_count=1)])
    assert await spent(db) == (0.1, 0.0)
    assert await value(db, "SELECT count(*) FROM nexus.assumed_costs") == 0


async def test_an_archive_that_has_the_number_already_stops_no_end(db: PostgresDatabase) -> None:
    await send(db, "r", "s")
    await sql(
        db,
        "INSERT INTO pgmq.a_ai_requests (msg_id, read_ct, enqueued_at, vt, message)"
        " SELECT msg_id, 1, now(), now(), '{}' FROM pgmq.q_ai_requests WHERE msg_id = 1",
    )
    deliveries = await db.requests.lease(2, 30)
    ended = await db.requests.finish([success(it) for it in deliveries])
    assert ended == {it.lease for it in deliveries}
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_requests") == 0
    assert len(await bodies(db, "a_ai_requests")) == 2
    assert len(await bodies(db, "q_ai_results")) == 2


async def test_a_message_too_large_for_its_dead_letter_stays_in_the_archive(
    db: PostgresDatabase,
) -> None:
    # 300 KB stored, 40 MB as it is.
    await sql(
        db,
        "SELECT pgmq.send('ai_requests', jsonb_build_object("
        " 'request_id', 'large', 'text', repeat(repeat('a', 10000), 4000)))",
    )
    await send(db, "small")
    await sql(db, "UPDATE pgmq.q_ai_requests SET vt = now()")
    dead = {"succeeded": False, "dead_reason": "invalid_request", "dead_detail": {"type": "x"}}
    [large] = await db.requests.lease(1, 30)
    [small] = await db.requests.lease(1, 30)
    await db.requests.finish([success(large, **dead), success(small, **dead)])
    one, two = await bodies(db, "q_ai_requests_dead")
    assert one["request"] is None
    assert one["request_bytes"] > 40_000_000
    assert one["archived_msg_id"] == large.lease.msg_id
    assert one["excerpt"] == {"request_id": "large"}
    assert one["digest"]
    assert two["request"]["request_id"] == "small"
    assert await value(db, "SELECT count(*) FROM pgmq.a_ai_requests") == 2


async def test_a_rehearsal_leaves_nothing(db: PostgresDatabase) -> None:
    await send(db, "r")
    [delivery] = await db.requests.lease(1, 30)
    assert await db.requests.rehearse(success(delivery))
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_results") == 0
    assert (await journal(db, "r"))["state"] == "leased"
    assert not await other_instance(db).rehearse(success(delivery))


BLOCKED = (
    "SELECT count(*) > 0 FROM pg_locks"
    " WHERE NOT granted AND transactionid = pg_current_xact_id()::xid"
)
JOURNAL = "SELECT FROM nexus.requests WHERE request_id = 's' FOR UPDATE"
BUDGET = "SELECT FROM nexus.spending WHERE budget = '{}' FOR UPDATE"


@pytest.mark.parametrize(
    ("way", "first", "second"),
    [
        ("record_late", JOURNAL, BUDGET.format("b")),
        ("record_late", BUDGET.format("a"), BUDGET.format("b")),
        ("finish", BUDGET.format("a"), BUDGET.format("b")),
        ("give_back", BUDGET.format("a"), BUDGET.format("b")),
    ],
)
async def test_money_is_locked_after_the_journal_and_in_one_order(
    db: PostgresDatabase, way: str, first: str, second: str
) -> None:
    """Else who locks in that order, too, and it would wait for each other."""
    await send(db, "r", "s")
    before = await db.requests.lease(2, 30)
    for name, budget in (("r", "b"), ("s", "a")):
        await db.requests.reserve(name, 1, 5.0, [BudgetShare(budget, "day", 100.0)])
    await lapse(db)
    again = await db.requests.lease(2, 30)  # both are taken to have cost something
    told = {"attempts": [attempt(1)], "attempt_count": 2}
    late = [replace(success(it), **told) for it in before]

    async def write() -> None:
        if way == "record_late":
            assert await db.requests.record_late(late) == 2
        elif way == "finish":
            await db.requests.finish([replace(success(it), **told) for it in again])
        else:
            await db.requests.give_back([give_back(it, **told) for it in again])

    held = trio.Event()

    async def hold(connection: Connection) -> None:
        async with connection.transaction():
            await connection.execute(first)
            held.set()
            while not await connection.fetchval(BLOCKED):
                await asyncio.sleep(0.01)
            await connection.execute(second)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(db.run, hold)
        await held.wait()
        await write()
    rows = await sql(db, "SELECT budget, spent::float8 FROM nexus.spending ORDER BY budget")
    assert [tuple(row) for row in rows] == [("a", 0.1), ("b", 0.1)]
