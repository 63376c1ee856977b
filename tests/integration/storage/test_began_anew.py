"""The sequence of message numbers began anew, after a failover or an emptied queue: two requests
have the same number, and both end in one batch."""

import json

import pytest

from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.requests import Delivery
from tests.integration.storage.storage_helpers import send, sql, success, value

DEAD = "SELECT message::text FROM pgmq.q_ai_requests_dead ORDER BY msg_id"


async def leased_before(db: PostgresDatabase) -> Delivery:
    """Of the request `before`. `after` waits under its number now."""
    await send(db, "before")
    [before] = await db.requests.lease(1, 30)
    await sql(db, "DELETE FROM pgmq.q_ai_requests")
    await sql(db, "SELECT setval('pgmq.q_ai_requests_msg_id_seq', 1, false)")
    await send(db, "after")
    return before


@pytest.mark.parametrize("failed", [(), ("before",), ("after",), ("before", "after")])
async def test_each_ends_once_and_each_letter_quotes_its_own(
    db: PostgresDatabase, failed: tuple[str, ...]
) -> None:
    before = await leased_before(db)
    [after] = await db.requests.lease(1, 30)
    assert before.lease == after.lease
    ends = [
        success(it, succeeded=False, dead_reason="timeout")
        if it.request_id in failed
        else success(it)
        for it in (before, after)
    ]
    await db.requests.finish(ends)
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_requests") == 0
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_results") == 2
    letters = [json.loads(row["message"]) for row in await sql(db, DEAD)]
    told = {it["request_id"]: (it.get("request") or {}).get("request_id") for it in letters}
    # The message of the one before is gone.
    assert told == {name: "after" if name == "after" else None for name in failed}
    kept = {it["request_id"]: it.get("archived_msg_id") for it in letters}
    assert kept.get("before") is None


async def test_one_that_ends_leaves_the_message_that_has_its_number_now(
    db: PostgresDatabase,
) -> None:
    before = await leased_before(db)
    await db.requests.finish([success(before)])
    assert await value(db, "SELECT count(*) FROM pgmq.a_ai_requests") == 0
    [after] = await db.requests.lease(1, 30)
    assert after.request_id == "after"
