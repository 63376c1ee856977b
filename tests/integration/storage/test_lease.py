"""Leasing: a message and its journal row are claimed together, once."""

import json
from collections import Counter
from dataclasses import replace

import pytest
import trio

from nexus_actors.storage.postgres.database import PostgresDatabase, open_database
from nexus_actors.storage.postgres.request_store import PostgresRequestStore
from tests.integration.storage.storage_helpers import (
    give_back,
    journal,
    lapse,
    other_instance,
    send,
    sql,
    success,
    value,
    verdicts,
)


async def test_a_request_is_claimed_in_the_journal(db: PostgresDatabase) -> None:
    [msg_id] = await send(db, "r1")
    [delivery] = await db.requests.lease(10, 30)

    assert (delivery.verdict, delivery.request_id, delivery.attempts) == ("claimed", "r1", 0)
    assert (delivery.lease.msg_id, delivery.lease.read_ct) == (msg_id, 1)
    assert json.loads(delivery.body or "") == {"request_id": "r1", "messages": []}
    row = await journal(db, "r1")
    assert (row["state"], row["owner"], row["attempts"], row["read_ct"]) == ("leased", "one", 1, 1)


async def test_leased_messages_are_invisible_and_come_oldest_first(db: PostgresDatabase) -> None:
    await send(db, "a", "b", "c")
    first = await db.requests.lease(2, 30)
    second = await db.requests.lease(2, 30)
    assert [d.request_id for d in first + second] == ["a", "b", "c"]
    assert await db.requests.lease(2, 30) == []


async def test_what_was_visible_first_is_leased_first(db: PostgresDatabase) -> None:
    await send(db, "late", "early", "hidden")
    await sql(db, "UPDATE pgmq.q_ai_requests SET vt = now() - interval '1 h' WHERE msg_id = 2")
    await sql(db, "UPDATE pgmq.q_ai_requests SET vt = now() + interval '1 h' WHERE msg_id = 3")
    [first] = await db.requests.lease(1, 30)
    [second] = await db.requests.lease(10, 30)
    assert (first.request_id, second.request_id) == ("early", "late")


async def test_the_time_of_sending_and_a_wrapping_do_not_make_another_request(
    db: PostgresDatabase,
) -> None:
    plain = {"request_id": "r", "n": 1, "timestamp": "2026-01-01T00:00:00Z"}
    later = {**plain, "timestamp": "2026-01-01T00:00:09Z"}
    await send(db, plain, later, {"request": plain}, {**plain, "n": 2})
    assert [one for _, one in verdicts(await db.requests.lease(10, 30))] == [
        "claimed",
        "duplicate",
        "duplicate",
        "conflict",
    ]


async def test_duplicates_within_a_batch(db: PostgresDatabase) -> None:
    await send(db, "r", "r", {"request_id": "r", "other": True}, "s")
    assert verdicts(await db.requests.lease(10, 30)) == [
        ("r", "claimed"),
        ("r", "duplicate"),
        ("r", "conflict"),
        ("s", "claimed"),
    ]


async def test_duplicates_in_a_later_batch_leave_the_claim_alone(db: PostgresDatabase) -> None:
    await send(db, "r")
    [claimed] = await db.requests.lease(1, 30)
    before = await journal(db, "r")
    await send(db, "r", {"request_id": "r", "other": True})

    assert verdicts(await db.requests.lease(10, 30)) == [("r", "duplicate"), ("r", "conflict")]
    assert await journal(db, "r") == before
    assert await db.requests.finish([success(claimed)]) == {claimed.lease}


async def test_a_finished_request_is_a_duplicate_even_as_the_same_message(
    db: PostgresDatabase,
) -> None:
    await send(db, "r")
    [delivery] = await db.requests.lease(1, 30)
    await sql(db, "UPDATE nexus.requests SET state = 'done', finished_at = now()")
    await lapse(db)
    [again] = await db.requests.lease(1, 30)
    assert again.lease.msg_id == delivery.lease.msg_id
    assert again.verdict == "duplicate"
    assert (await journal(db, "r"))["state"] == "done"


async def test_the_known_message_is_claimed_again_before_an_earlier_duplicate(
    db: PostgresDatabase,
) -> None:
    first, second = await send(db, "r", "r")
    await sql(db, "UPDATE pgmq.q_ai_requests SET vt = now() + '1 h' WHERE msg_id = $1", first)
    [claimed] = await db.requests.lease(10, 30)
    assert claimed.lease.msg_id == second
    await lapse(db)
    both = await db.requests.lease(10, 30)
    assert [(d.lease.msg_id, d.verdict) for d in both] == [
        (first, "duplicate"),
        (second, "claimed"),
    ]


async def test_an_interrupted_lease_counts_as_an_attempt(db: PostgresDatabase) -> None:
    await send(db, "r")
    await db.requests.lease(1, 30)
    await lapse(db)
    [again] = await other_instance(db).lease(1, 30)

    assert (again.verdict, again.attempts, again.lease.read_ct) == ("claimed", 1, 2)
    [row] = await sql(db, "SELECT * FROM nexus.attempts")
    assert (row["number"], row["outcome"], row["owner"]) == (1, "interrupted", "one")


async def test_a_lease_given_back_is_no_interrupted_attempt(db: PostgresDatabase) -> None:
    await send(db, "r")
    [delivery] = await db.requests.lease(1, 30)
    await db.requests.give_back([give_back(delivery, used_candidates=("p/a", "p/b"))])
    [again] = await db.requests.lease(1, 30)
    assert (again.verdict, again.attempts, again.used_candidates) == ("claimed", 0, ("p/a", "p/b"))
    assert await sql(db, "SELECT * FROM nexus.attempts") == []


@pytest.mark.parametrize(
    "message",
    [
        None,
        5,
        "text",
        [],
        [{"request_id": "r"}],
        {},
        {"request_id": None},
        {"request_id": 5},
        {"request_id": ""},
        {"request_id": "x" * 256},
        {"request_id": {"request_id": "r"}},
        {"request": "r"},
        {"request": {"request_id": 5}},
    ],
)
async def test_what_carries_no_id_is_unidentified(db: PostgresDatabase, message: object) -> None:
    await sql(db, "SELECT pgmq.send('ai_requests', $1::jsonb)", json.dumps(message))
    [delivery] = await db.requests.lease(1, 30)
    assert (delivery.verdict, delivery.request_id) == ("unidentified", None)
    assert json.loads(delivery.body or "") == message
    assert await sql(db, "SELECT * FROM nexus.requests") == []


async def test_the_longest_id_and_a_wrapped_one_identify(db: PostgresDatabase) -> None:
    await send(db, "ä" * 255, {"request": {"request_id": "wrapped"}})
    assert verdicts(await db.requests.lease(10, 30)) == [
        ("ä" * 255, "claimed"),
        ("wrapped", "claimed"),
    ]


async def test_hostile_bodies_do_not_harm_their_neighbours(db: PostgresDatabase) -> None:
    deep = '{"request_id": "deep", "x": ' + "[" * 5000 + "]" * 5000 + "}"
    huge = '{"request_id": "huge", "n": 1e131071}'
    await send(db, "before")
    await sql(db, "SELECT pgmq.send('ai_requests', NULL::jsonb)")
    for text in (deep, huge):
        await sql(db, "SELECT pgmq.send('ai_requests', $1::jsonb)", text)
    await send(db, "after")

    leased = await db.requests.lease(10, 30)
    assert verdicts(leased) == [
        ("before", "claimed"),
        (None, "unidentified"),
        ("deep", "claimed"),
        ("huge", "claimed"),
        ("after", "claimed"),
    ]
    assert leased[1].body is None
    assert len(leased[3].body or "") > 131_000


async def test_of_many_processes_exactly_one_claims_an_id(database_url: str) -> None:
    """Every id is sent many times in different orders, and several pools lease at once."""
    ids = [f"r{n}" for n in range(20)]
    found: Counter[tuple[str | None, str]] = Counter()
    async with (
        open_database(database_url, instance_id="a") as a,
        open_database(database_url, instance_id="b") as b,
    ):
        for shift in range(8):
            await send(a, *(ids[shift:] + ids[:shift]))

        async def consume(db: PostgresDatabase) -> None:
            while batch := await db.requests.lease(7, 30):
                found.update(verdicts(batch))

        async with trio.open_nursery() as nursery:
            for db in (a, b) * 4:
                nursery.start_soon(consume, db)
    assert {key: count for key, count in found.items() if key[1] == "claimed"} == {
        (request_id, "claimed"): 1 for request_id in ids
    }
    assert found.total() == 160


async def test_discard_acknowledges_only_what_was_not_delivered_again(
    db: PostgresDatabase,
) -> None:
    await send(db, "r", "r", "r")
    _, kept, gone = await db.requests.lease(10, 30)
    await sql(db, "UPDATE pgmq.q_ai_requests SET read_ct = 2 WHERE msg_id = $1", kept.lease.msg_id)
    await db.requests.discard([kept.lease, gone.lease])
    assert await value(db, "SELECT array_agg(msg_id) FROM pgmq.a_ai_requests") == [
        gone.lease.msg_id
    ]


async def test_extend_keeps_what_is_held_and_names_it(db: PostgresDatabase) -> None:
    await send(db, "a", "b", "c", "d")
    a, b, c, d = await db.requests.lease(10, 1)
    await db.requests.give_back([give_back(b)])
    await lapse(db)
    await sql(
        db, "UPDATE pgmq.q_ai_requests SET vt = now() + '1 h' WHERE msg_id <> $1", c.lease.msg_id
    )
    await other_instance(db).lease(1, 30)
    await sql(db, "DELETE FROM pgmq.q_ai_requests WHERE msg_id = $1", d.lease.msg_id)

    held = await db.requests.extend([x.lease for x in (a, b, c, d)], 100)
    assert held == {"a": a.lease, "d": d.lease}
    left = (
        "SELECT extract(epoch FROM vt - clock_timestamp()) FROM pgmq.q_ai_requests"
        " WHERE msg_id = $1"
    )
    assert 90 < await value(db, left, a.lease.msg_id) <= 100
    assert await db.requests.extend([], 100) == {}


async def test_an_older_lease_of_the_same_process_changes_nothing(db: PostgresDatabase) -> None:
    await send(db, "r")
    [old] = await db.requests.lease(1, 30)
    await lapse(db)
    [new] = await db.requests.lease(1, 30)

    left = "SELECT vt - clock_timestamp() < interval '1 min' FROM pgmq.q_ai_requests"
    assert await db.requests.extend([old.lease], 3600) == {"r": new.lease}  # and not longer
    assert await value(db, left)
    await db.requests.give_back([give_back(old, attempt_count=7)])
    row = await journal(db, "r")
    assert (row["state"], row["read_ct"], row["attempts"]) == ("leased", new.lease.read_ct, 2)
    left = "SELECT extract(epoch FROM vt - clock_timestamp()) FROM pgmq.q_ai_requests"
    assert 0 < await value(db, left) <= 30


async def test_release_orphans_makes_visible_what_is_not_held(db: PostgresDatabase) -> None:
    await send(db, "mine", "orphan", "theirs")
    mine, orphan = await db.requests.lease(2, 600)
    await other_instance(db).lease(1, 600)

    assert await db.requests.release_orphans([mine.lease.msg_id], called=True) == 1
    [again] = await db.requests.lease(10, 30)
    assert (again.lease.msg_id, again.attempts) == (orphan.lease.msg_id, 1)
    [row] = await sql(db, "SELECT outcome FROM nexus.attempts")
    assert row["outcome"] == "interrupted"


async def test_orphans_that_nobody_called_for_have_made_no_attempt(db: PostgresDatabase) -> None:
    await send(db, "orphan")
    await db.requests.lease(1, 600)
    assert await db.requests.release_orphans([], called=False) == 1
    [again] = await db.requests.lease(10, 30)
    assert again.attempts == 0
    assert await sql(db, "SELECT * FROM nexus.attempts") == []


@pytest.mark.parametrize("read_ct", [2147483647, 2147483646, -2147483648, 0])
async def test_whatever_a_row_says_of_its_deliveries_the_lease_is_a_new_one(
    db: PostgresDatabase, read_ct: int
) -> None:
    update = "UPDATE pgmq.q_ai_requests SET vt = now(), read_ct = $1"
    await send(db, "r")
    await sql(db, update, read_ct)  # before it is known
    [first] = await db.requests.lease(1, 30)
    await sql(db, update, read_ct)  # afterwards
    [second] = await db.requests.lease(1, 30)
    assert (first.verdict, second.verdict) == ("claimed", "claimed")
    assert first.lease != second.lease
    assert await db.requests.finish([success(first)]) == set()
    assert await db.requests.finish([success(second)]) == {second.lease}


async def test_a_delivery_that_an_earlier_release_counted_to_the_last_is_leased_again(
    db: PostgresDatabase,
) -> None:
    await send(db, "leased", "waiting")
    await db.requests.lease(2, 30)
    await sql(db, "UPDATE pgmq.q_ai_requests SET read_ct = 2147483647")
    await sql(db, "UPDATE nexus.requests SET read_ct = 2147483647")
    await sql(db, "UPDATE nexus.requests SET state = 'waiting', lane = 'x' WHERE msg_id = 2")
    assert await db.requests.take_waiting({"x": 5}, 30, expired=5) == []
    await lapse(db)
    leased = await db.requests.lease(2, 30)
    assert verdicts(leased) == [("leased", "claimed"), ("waiting", "claimed")]
    assert await db.requests.finish([success(d) for d in leased]) == {d.lease for d in leased}


@pytest.mark.parametrize("at", ["infinity", "-infinity", "294000-01-01", "4000-01-01 BC"])
async def test_whenever_a_row_says_it_was_sent_it_is_leased_and_read(
    db: PostgresDatabase, at: str
) -> None:
    await send(db, "before", "odd", "after")
    await sql(
        db,
        "UPDATE pgmq.q_ai_requests SET enqueued_at = $1::text::timestamptz WHERE msg_id = 2",
        at,
    )
    leased = await db.requests.lease(10, 30)
    assert verdicts(leased) == [("before", "claimed"), ("odd", "claimed"), ("after", "claimed")]
    assert all(d.enqueued_at <= d.leased_at for d in leased)
    assert (await journal(db, "odd"))["received_at"] == leased[1].enqueued_at
    await db.requests.give_back([give_back(d, waits_for="x") for d in leased])
    again = await db.requests.take_waiting({"x": 5}, 30)
    assert [d.enqueued_at for d in again] == [d.enqueued_at for d in leased]


async def test_a_negative_delay_overtakes_nobody(db: PostgresDatabase) -> None:
    await send(db, "first", "second")
    body = json.dumps({"request_id": "hasty"})
    await sql(db, "SELECT pgmq.send('ai_requests', $1::text::jsonb, -1000000000)", body)
    await sql(
        db,
        "INSERT INTO pgmq.q_ai_requests (vt, message) VALUES ('-infinity', $1::text::jsonb)",
        body.replace("hasty", "endless"),
    )
    await send(db, "last")
    leased = [await db.requests.lease(1, 30) for _ in range(5)]
    assert [d.request_id for [d] in leased] == ["first", "second", "hasty", "endless", "last"]


async def test_a_lease_reads_no_more_than_what_is_due(db: PostgresDatabase) -> None:
    """A hundred thousand that wait for a provider cost it nothing: the index tells who is due."""
    await sql(
        db,
        "INSERT INTO pgmq.q_ai_requests (vt, message)"
        " SELECT now() + interval '1 h', '{}' FROM generate_series(1, 3000)",
    )
    await send(db, "due")
    statement = db.queues.query("lease")
    for place, literal in enumerate(("'one'", "30", "10", "1000", "1000"), 1):
        statement = statement.replace(f"${place}", literal)
    rows = await sql(db, f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}")
    plans = [json.loads(rows[0][0])[0]["Plan"]]
    for plan in plans:
        plans += plan.get("Plans", [])
    [scan] = [it for it in plans if it.get("Index Name") == "nexus_due_ai_requests"]
    assert (scan["Actual Rows"], scan.get("Rows Removed by Filter", 0)) == (1, 0)
    assert "Seq Scan" not in {it["Node Type"] for it in plans if "q_ai" in str(it)}


async def test_without_our_index_the_oldest_visible_is_first(db: PostgresDatabase) -> None:
    await send(db, "a", "b")
    await sql(db, "DROP INDEX pgmq.nexus_due_ai_requests")
    poor = PostgresRequestStore(db.pool, replace(db.queues, fair=False), "one")
    assert verdicts(await poor.lease(10, 30)) == [("a", "claimed"), ("b", "claimed")]


async def test_what_is_in_the_archive_already_is_acknowledged_all_the_same(
    db: PostgresDatabase,
) -> None:
    await send(db, "r", "r", "r")
    _, second, third = await db.requests.lease(10, 30)
    await sql(db, "INSERT INTO pgmq.a_ai_requests (msg_id, vt, message) VALUES (2, now(), '0')")
    await db.requests.discard([second.lease, third.lease])
    assert await value(db, "SELECT array_agg(msg_id) FROM pgmq.q_ai_requests") == [1]
    assert await value(db, "SELECT count(*) FROM pgmq.a_ai_requests") == 2
