"""Whoever leases a request that goes on with an answer is told who gave it."""

from dataclasses import replace

import pytest

from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.requests import Previous
from tests.integration.storage.storage_helpers import (
    attempt,
    give_back,
    journal,
    send,
    sql,
    success,
)


async def answered(db: PostgresDatabase, request_id: str, response_id: str, **who: str) -> None:
    await send(db, request_id)
    [delivery] = await db.requests.lease(1, 30)
    with_a = replace(attempt(1, "rate_limited"), key_name="KEY_A")
    with_b = replace(attempt(2, "ok"), key_name="KEY_B")
    finish = success(delivery, response_id=response_id, attempts=[with_a, with_b], **who)
    assert await db.requests.finish([finish]) == {delivery.lease}


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_lease_names_provider_and_model_of_the_answer(
    db: PostgresDatabase, wrapped: bool
) -> None:
    await answered(db, "first", "resp_1", provider="two", model="m/2")
    assert (await journal(db, "first"))["response_id"] == "resp_1"
    follow_up = {"request_id": "next", "previous_response_id": "resp_1"}
    await send(db, {"request": follow_up} if wrapped else follow_up)
    [delivery] = await db.requests.lease(1, 30)
    assert delivery.previous == Previous("two", "m/2", "KEY_B")

    await db.requests.give_back([give_back(delivery, waits_for="two")])
    [again] = await db.requests.take_waiting({"two": 1}, 30)
    assert again.previous == Previous("two", "m/2", "KEY_B")


@pytest.mark.parametrize(
    "message",
    [
        {"request_id": "next"},
        {"request_id": "next", "previous_response_id": "resp_2"},
        {"request_id": "next", "previous_response_id": None},
        {"request_id": "next", "previous_response_id": 7},
        {"request_id": "next", "request": {"previous_response_id": "resp_1"}},
        ["resp_1"],
    ],
    ids=["without", "unknown", "null", "no text", "of the inner one, not the request", "a list"],
)
async def test_without_such_an_answer_it_names_nobody(
    db: PostgresDatabase, message: object
) -> None:
    await answered(db, "first", "resp_1")
    await send(db, message)
    [delivery] = await db.requests.lease(1, 30)
    assert delivery.previous is None


async def test_of_answers_with_the_same_id_the_last_one_counts(db: PostgresDatabase) -> None:
    await answered(db, "a", "resp", provider="two")
    await answered(db, "b", "resp", provider="one")
    await sql(
        db,
        "UPDATE nexus.requests SET finished_at = finished_at - interval '1 h'"
        " WHERE request_id = 'b'",
    )
    await send(db, {"request_id": "next", "previous_response_id": "resp"})
    [delivery] = await db.requests.lease(1, 30)
    assert delivery.previous == Previous("two", "echo-1", "KEY_B")


async def test_an_id_may_be_longer_than_an_index_holds(db: PostgresDatabase) -> None:
    response_id = "".join(chr(0x4E00 + number) for number in range(2000))
    await answered(db, "first", response_id)
    await send(db, {"request_id": "next", "previous_response_id": response_id})
    [delivery] = await db.requests.lease(1, 30)
    assert delivery.previous == Previous("echo", "echo-1", "KEY_B")


async def test_the_look_up_reads_an_index(db: PostgresDatabase) -> None:
    await sql(
        db,
        "INSERT INTO nexus.requests (request_id, queue, msg_id, read_ct, owner, state, digest,"
        " received_at, leased_at, finished_at, response_id)"
        " SELECT n::text, 'q', n, 1, 'one', 'done', '', now(), now(), now(), 'resp_' || n"
        " FROM generate_series(1, 20000) AS n",
    )
    await sql(db, "ANALYZE nexus.requests")
    plan = await sql(
        db,
        "EXPLAIN "
        + db.queues.query("lease")
        .replace("$1", "'one'")
        .replace("$2", "30")
        .replace("$3", "10")
        .replace("$4", "1000")
        .replace("$5", "1000")
        .replace("$6", "false"),
    )
    assert any("requests_response" in row[0] for row in plan), plan
