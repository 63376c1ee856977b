"""Finishing: result, acknowledgement, journal and attempts together, fenced."""

import json
import math
from dataclasses import replace
from decimal import Decimal

import pytest
import trio

from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.postgres.database import PostgresDatabase, open_database
from nexus_actors.storage.postgres.journal import read_entry
from nexus_actors.storage.postgres.sql import Queues
from nexus_actors.storage.requests import Delivery
from tests.integration.storage.storage_helpers import (
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


async def leased(db: PostgresDatabase, *messages: object) -> list[Delivery]:
    await send(db, *messages)
    return await db.requests.lease(len(messages), 30)


async def counts(db: PostgresDatabase) -> dict[str, int]:
    """Rows of every table that finishing changes."""
    tables = {
        "queued": "pgmq.q_ai_requests",
        "archived": "pgmq.a_ai_requests",
        "results": "pgmq.q_ai_results",
        "dead": "pgmq.q_ai_requests_dead",
        "attempts": "nexus.attempts",
        "ended": "nexus.requests WHERE finished_at IS NOT NULL",
    }
    return {
        name: await value(db, f"SELECT count(*) FROM {of}")  # noqa: S608
        for name, of in tables.items()
    }


async def test_a_success_is_published_archived_and_recorded(db: PostgresDatabase) -> None:
    [delivery] = await leased(db, "r")
    assert await db.requests.finish([success(delivery)]) == {delivery.lease}

    assert await bodies(db, "q_ai_results") == [json.loads(str(success(delivery).result))]
    assert await counts(db) == {
        "queued": 0, "archived": 1, "results": 1, "dead": 0, "attempts": 1, "ended": 1,
    }  # fmt: skip
    entry = await db.run(read_entry, "r")
    assert entry is not None
    assert entry.request["state"] == "done"
    assert entry.request["cost"] == Decimal("0.1")
    assert (entry.request["prompt_tokens"], entry.request["attempts"]) == (3, 1)
    assert [(step["number"], step["name"]) for step in entry.steps] == [
        (1, "validate"),
        (2, "route_llm"),
    ]
    assert json.loads(str(entry.steps[1]["detail"])) == {"candidates": ["echo/echo-1"]}
    assert [(row["number"], row["outcome"], row["owner"]) for row in entry.attempts] == [
        (1, "ok", "one")
    ]
    assert await db.run(read_entry, "unknown") is None


async def test_it_is_reported_where_a_cost_comes_from(db: PostgresDatabase) -> None:
    one, other = await leased(db, "r", "s")
    paid = replace(attempt(1, "invalid_response"), cost=0.3, cost_basis="list", uncounted=True)
    await db.requests.give_back([give_back(one, attempts=[paid], attempt_count=1)])
    [one] = await db.requests.lease(1, 30)
    told = replace(attempt(2), cost_basis="told")
    ends = [
        success(one, attempts=[told], attempt_count=2, cost_basis="told"),
        success(other, attempts=[replace(attempt(), cost=None)], cost=None),
    ]
    assert len(await db.requests.finish(ends)) == 2
    entry = await db.run(read_entry, "r")
    assert entry is not None
    assert entry.request["cost_basis"] == "told"
    assert [(row["cost"], row["cost_basis"]) for row in entry.attempts] == [
        (Decimal("0.3"), "list"),
        (Decimal("0.1"), "told"),
    ]
    row = await journal(db, "s")
    assert (row["cost"], row["cost_basis"]) == (None, None)


async def test_a_failure_also_leaves_a_dead_letter_with_the_request(db: PostgresDatabase) -> None:
    [delivery] = await leased(db, "r")
    failure = success(
        delivery,
        succeeded=False,
        dead_reason="invalid_request",
        dead_detail={"path": "messages"},
        attempts=(),
        attempt_count=0,
    )
    assert await db.requests.finish([failure]) == {delivery.lease}
    [letter] = await bodies(db, "q_ai_requests_dead")
    assert letter.pop("dead_at")
    assert letter == {
        "request": {"request_id": "r", "messages": []},
        "reason": "invalid_request",
        "detail": {"type": "invalid_request", "path": "messages"},
        "request_id": "r",
        "msg_id": delivery.lease.msg_id,
        "attempts": 0,
    }
    row = await journal(db, "r")
    assert (row["state"], row["error_type"], row["attempts"]) == ("failed", "invalid_request", 0)
    assert len(await bodies(db, "q_ai_results")) == 1


async def test_what_nothing_identifies_becomes_a_dead_letter_only(db: PostgresDatabase) -> None:
    await sql(db, "SELECT pgmq.send('ai_requests', NULL::jsonb)")
    [delivery] = await db.requests.lease(1, 30)
    end = success(
        delivery, result=None, succeeded=False, dead_reason="invalid_request", attempts=()
    )
    assert await db.requests.finish([end]) == {delivery.lease}
    assert await counts(db) == {
        "queued": 0, "archived": 1, "results": 0, "dead": 1, "attempts": 0, "ended": 0,
    }  # fmt: skip


async def test_a_conflict_does_not_touch_the_other_messages_row(db: PostgresDatabase) -> None:
    claimed, conflict = await leased(db, "r", {"request_id": "r", "other": True})
    before = await journal(db, "r")
    end = success(conflict, result=None, succeeded=False, dead_reason="conflict", attempts=())
    assert await db.requests.finish([end]) == {conflict.lease}
    assert await journal(db, "r") == before
    [letter] = await bodies(db, "q_ai_requests_dead")
    assert letter["request"] == {"request_id": "r", "other": True}
    assert await db.requests.finish([success(claimed)]) == {claimed.lease}
    assert (await counts(db))["results"] == 1


async def test_claim_and_conflict_may_end_in_one_batch(db: PostgresDatabase) -> None:
    claimed, conflict = await leased(db, "r", {"request_id": "r", "other": True})
    end = success(conflict, result=None, succeeded=False, dead_reason="conflict")
    assert await db.requests.finish([end, success(claimed)]) == {claimed.lease, conflict.lease}
    assert await counts(db) == {
        "queued": 0, "archived": 2, "results": 1, "dead": 1, "attempts": 1, "ended": 1,
    }  # fmt: skip


async def test_an_end_without_a_result_writes_no_journal_row(db: PostgresDatabase) -> None:
    [delivery] = await leased(db, "r")
    before = await journal(db, "r")
    end = success(delivery, result=None, succeeded=False, dead_reason="conflict")
    assert await db.requests.finish([end]) == {delivery.lease}
    assert await journal(db, "r") == before
    assert await counts(db) == {
        "queued": 0, "archived": 1, "results": 0, "dead": 1, "attempts": 0, "ended": 0,
    }  # fmt: skip


async def test_a_lost_lease_leaves_no_trace(db: PostgresDatabase) -> None:
    [lost] = await leased(db, "lost")
    await lapse(db)
    [theirs] = await other_instance(db).lease(1, 30)
    [held] = await leased(db, "held")

    before = await journal(db, "lost")
    assert await db.requests.finish([success(lost), success(held)]) == {held.lease}
    assert await journal(db, "lost") == before
    assert [body["request_id"] for body in await bodies(db, "q_ai_results")] == ["held"]
    assert await other_instance(db).finish([success(theirs)]) == {theirs.lease}


async def test_a_request_ends_once(db: PostgresDatabase) -> None:
    [delivery] = await leased(db, "r")
    assert await db.requests.finish([success(delivery)]) == {delivery.lease}
    # The answer may have been lost on its way: saying it again tells the same and does nothing.
    assert await db.requests.finish([success(delivery)]) == {delivery.lease}
    assert (await counts(db))["results"] == 1


async def test_an_unidentified_message_delivered_again_is_not_ours_to_end(
    db: PostgresDatabase,
) -> None:
    [delivery] = await leased(db, {"request_id": 5})
    await lapse(db)
    await other_instance(db).lease(1, 30)
    end = success(delivery, result=None, succeeded=False, dead_reason="invalid_request")
    assert await db.requests.finish([end]) == set()
    assert (await counts(db))["dead"] == 0


async def test_a_given_back_request_cannot_be_ended(db: PostgresDatabase) -> None:
    [delivery] = await leased(db, "r")
    await db.requests.give_back([give_back(delivery)])
    assert await db.requests.finish([success(delivery)]) == set()
    assert (await counts(db))["results"] == 0


async def test_the_result_of_a_purged_message_is_still_published(db: PostgresDatabase) -> None:
    [delivery] = await leased(db, "r")
    await sql(db, "SELECT pgmq.purge_queue('ai_requests')")
    end = success(delivery, succeeded=False, dead_reason="exhausted")
    assert await db.requests.finish([end]) == {delivery.lease}
    assert await counts(db) == {
        "queued": 0, "archived": 0, "results": 1, "dead": 1, "attempts": 1, "ended": 1,
    }  # fmt: skip
    [letter] = await bodies(db, "q_ai_requests_dead")
    assert letter["request"] is None


async def test_a_message_that_an_operator_looked_at_is_ended_all_the_same(
    db: PostgresDatabase,
) -> None:
    [delivery] = await leased(db, "r")
    await lapse(db)
    await sql(db, "SELECT pgmq.read('ai_requests', 30, 1)")
    assert await db.requests.finish([success(delivery)]) == {delivery.lease}
    assert await counts(db) == {
        "queued": 0, "archived": 1, "results": 1, "dead": 0, "attempts": 1, "ended": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"result": '{"response": "\\u0000"}'},
        {"result": "no JSON"},
        {"result": "\ud800"},
        {"agent_id": "nul \0"},
        {"cost": math.nan},
        {"dead_reason": "x", "dead_detail": {"excerpt": "nul \0"}},
        {"dead_reason": "x", "dead_detail": {"object": object()}},
        {"usage": {"prompt_tokens": 2**70}},
        {"attempts": [replace(attempt(), error="nul \0")]},
    ],
)
async def test_a_value_that_cannot_be_stored_leaves_everything_as_it_was(
    db: PostgresDatabase, changes: dict[str, object]
) -> None:
    good, bad = await leased(db, "good", "bad")
    before = await counts(db)
    with pytest.raises(StorageRefused) as refused:
        await db.requests.finish([success(good), success(bad, **changes)])
    assert "\n" not in str(refused.value)
    assert "nul" not in str(refused.value)
    assert await counts(db) == before
    assert await db.requests.finish([success(good), success(bad)]) == {good.lease, bad.lease}


async def test_a_hundred_at_once(db: PostgresDatabase) -> None:
    deliveries = await leased(db, *(f"r{n}" for n in range(100)))
    ended = await db.requests.finish([success(delivery) for delivery in deliveries])
    assert ended == {delivery.lease for delivery in deliveries}
    assert await counts(db) == {
        "queued": 0, "archived": 100, "results": 100, "dead": 0, "attempts": 100, "ended": 100,
    }  # fmt: skip
    assert await db.requests.finish([]) == set()


async def test_processes_that_work_on_the_same_messages_do_not_deadlock(
    database_url: str,
) -> None:
    """Leases lapse at once, so everybody leases, extends, gives back and ends the same ones."""
    async with (
        open_database(database_url, instance_id="a") as a,
        open_database(database_url, instance_id="b") as b,
    ):
        ids = [f"r{n}" for n in range(40)]
        await send(a, *ids, *reversed(ids))
        ended: list[str | None] = []

        async def work(db: PostgresDatabase, turn: int) -> None:
            for _ in range(12):
                batch = [d for d in await db.requests.lease(30, 30) if d.verdict == "claimed"]
                await lapse(db)
                await db.requests.extend([d.lease for d in reversed(batch)], 30)
                mine = batch[turn::3]
                await db.requests.give_back(
                    [give_back(d, waits_for="x") for d in reversed(batch) if d not in mine]
                )
                done = await db.requests.finish([success(d) for d in reversed(mine)])
                ended.extend(d.request_id for d in mine if d.lease in done)
                await db.requests.take_waiting({"x": 5}, 30)

        async with trio.open_nursery() as nursery:
            for turn in range(3):
                nursery.start_soon(work, a, turn)
                nursery.start_soon(work, b, turn)
        assert len(ended) == len(set(ended))
        results = [body["request_id"] for body in await bodies(a, "q_ai_results")]
        assert sorted(results) == sorted(str(name) for name in ended)


async def test_operations_on_the_same_rows_at_once_do_not_deadlock(
    db: PostgresDatabase,
) -> None:
    """One instance has lost its leases to another, and both use them, in different orders."""
    two = other_instance(db)
    for turn in range(4):
        ids = [f"{turn}-{n}" for n in range(80)]
        lost = await leased(db, *ids)
        await lapse(db)
        theirs = await two.lease(80, 30)
        backwards = list(reversed(theirs))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(db.requests.finish, [success(d) for d in reversed(lost)])
            nursery.start_soon(db.requests.extend, [d.lease for d in lost[40:] + lost[:40]], 30)
            nursery.start_soon(db.requests.give_back, [give_back(d) for d in lost])
            for _ in range(3):
                nursery.start_soon(two.extend, [d.lease for d in theirs], 30)
                nursery.start_soon(two.extend, [d.lease for d in backwards], 30)
            nursery.start_soon(two.finish, [success(d) for d in backwards[::2]])
            nursery.start_soon(two.finish, [success(d) for d in theirs[::2]])
    found = await counts(db)
    # Extended meanwhile or not, each has left the queue.
    assert (found["results"], found["archived"], found["queued"]) == (320, 320, 0)


async def test_a_request_is_archived_whole(db: PostgresDatabase) -> None:
    [delivery] = await leased(db, "r")
    columns = "msg_id, vt, read_ct, enqueued_at, last_read_at, message, headers"
    await sql(db, "UPDATE pgmq.q_ai_requests SET last_read_at = now(), headers = '{}'")
    [before] = await sql(db, f"SELECT {columns} FROM pgmq.q_ai_requests")  # noqa: S608
    await db.requests.finish([success(delivery)])
    [kept] = await sql(db, f"SELECT {columns} FROM pgmq.a_ai_requests")  # noqa: S608
    assert kept == before


async def test_an_earlier_pgmq_archives_what_it_has(
    db: PostgresDatabase, database_url: str
) -> None:
    for table in ("q_ai_requests", "a_ai_requests"):
        await sql(db, f"ALTER TABLE pgmq.{table} DROP COLUMN last_read_at")
    async with open_database(database_url, instance_id="one") as earlier:
        [delivery] = await leased(earlier, "r")
        await earlier.requests.finish([success(delivery)])
        assert (await counts(earlier))["archived"] == 1


async def test_messages_may_be_deleted_instead_of_archived(database_url: str) -> None:
    queues = Queues(requests="q1", results="r1", dead="d1", acknowledge="delete")
    async with open_database(database_url, instance_id="one", queues=queues) as db:
        await send(db, "r", "r", queue="q1")
        claimed, duplicate = await db.requests.lease(10, 30)
        await db.requests.discard([duplicate.lease])
        await db.requests.finish([success(claimed)])
        assert await value(db, "SELECT count(*) FROM pgmq.q_q1") == 0
        assert await value(db, "SELECT count(*) FROM pgmq.a_q1") == 0
        assert await value(db, "SELECT count(*) FROM pgmq.q_r1") == 1


async def test_an_attempt_taken_for_interrupted_is_told_rightly_once_it_ends(
    db: PostgresDatabase,
) -> None:
    await leased(db, "r")
    await lapse(db)
    [again] = await db.requests.lease(1, 30)
    [row] = await sql(db, "SELECT outcome, maybe_paid FROM nexus.attempts")
    assert (row["outcome"], row["maybe_paid"]) == ("interrupted", True)
    end = success(again, attempts=[attempt(1)], attempt_count=1)
    assert await db.requests.finish([end]) == {again.lease}
    [row] = await sql(db, "SELECT number, outcome, provider, maybe_paid FROM nexus.attempts")
    assert (row["number"], row["outcome"], row["maybe_paid"]) == (1, "ok", False)
    assert row["provider"] is not None
