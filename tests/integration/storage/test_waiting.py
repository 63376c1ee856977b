"""Giving back, and waiting for a lane."""

import asyncio

import pytest
import trio

from nexus_actors.pipeline.leasing import Leasing
from nexus_actors.settings.model import QueueSettings
from nexus_actors.storage.errors import StorageStrained
from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.database import PostgresDatabase, open_database
from nexus_actors.storage.postgres.request_store import PostgresRequestStore
from nexus_actors.storage.requests import TOO_LARGE, Delivery
from nexus_actors.work.in_work import InWork
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


async def waiting(db: PostgresDatabase, *ids: str, lane: str = "x") -> list[Delivery]:
    await send(db, *ids)
    deliveries = await db.requests.lease(len(ids), 30)
    await db.requests.give_back([give_back(d, waits_for=lane) for d in deliveries])
    return deliveries


async def test_given_back_is_visible_at_once_with_its_true_count(db: PostgresDatabase) -> None:
    await send(db, "r")
    [delivery] = await db.requests.lease(1, 30)
    await db.requests.give_back(
        [
            give_back(
                delivery,
                attempts=[attempt(1, "timeout")],
                attempt_count=1,
                used_candidates=("p/a",),
            )
        ]
    )
    row = await journal(db, "r")
    assert (row["state"], row["attempts"]) == ("queued", 1)
    [again] = await other_instance(db).lease(1, 30)
    assert (again.attempts, again.used_candidates) == (1, ("p/a",))
    [recorded] = await sql(db, "SELECT number, outcome FROM nexus.attempts")
    assert tuple(recorded) == (1, "timeout")


async def test_waiting_is_invisible_and_taken_by_any_instance(db: PostgresDatabase) -> None:
    [first] = await waiting(db, "r")
    assert await db.requests.lease(10, 30) == []
    assert await db.requests.take_waiting({"y": 5, "x": 0}, 30) == []
    [taken] = await other_instance(db).take_waiting({"x": 5, "y": 5}, 30)
    assert (taken.request_id, taken.verdict, taken.attempts) == ("r", "claimed", 0)
    assert taken.body == first.body
    assert taken.lease.read_ct == 2
    row = await journal(db, "r")
    assert (row["state"], row["owner"], row["lane"]) == ("leased", "two", None)
    assert await other_instance(db).finish([success(taken)]) == {taken.lease}


async def test_at_most_the_room_is_taken_oldest_first(db: PostgresDatabase) -> None:
    await waiting(db, "a", "b", "c")
    await waiting(db, "d", lane="y")
    taken = await db.requests.take_waiting({"x": 2, "y": 2}, 30)
    assert [d.request_id for d in taken] == ["a", "b", "d"]


async def test_two_that_take_at_once_get_different_requests(database_url: str) -> None:
    async with (
        open_database(database_url, instance_id="a") as a,
        open_database(database_url, instance_id="b") as b,
    ):
        ids = [f"r{n}" for n in range(60)]
        await waiting(a, *ids)
        taken: list[str | None] = []

        async def take(store: PostgresRequestStore) -> None:
            while batch := await store.take_waiting({"x": 5}, 30):
                taken.extend(d.request_id for d in batch)

        async with trio.open_nursery() as nursery:
            for db in (a, b) * 3:
                nursery.start_soon(take, db.requests)
        assert sorted(map(str, taken)) == sorted(ids)


@pytest.mark.parametrize("table", ["pgmq.q_ai_requests", "nexus.requests"])
async def test_what_another_process_is_at_is_not_waited_for(
    db: PostgresDatabase, table: str
) -> None:
    first, *_ = await waiting(db, "a", "b", "c")

    async def take_beside_a_lock(connection: Connection) -> None:
        async with connection.transaction():
            await connection.execute(
                f"SELECT FROM {table} WHERE msg_id = $1 FOR UPDATE", first.lease.msg_id
            )
            locked.set()
            await asyncio.sleep(1000)

    locked = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(db.run, take_beside_a_lock)
        await locked.wait()
        taken = await db.requests.take_waiting({"x": 2}, 30)
        assert [d.request_id for d in taken] == ["b", "c"]
        nursery.cancel_scope.cancel()


async def test_what_waits_too_long_is_leased_as_any_other(database_url: str) -> None:
    async with open_database(database_url, instance_id="one", waiting_timeout=0) as db:
        await waiting(db, "r")
        [again] = await db.requests.lease(1, 30)
        assert (again.verdict, again.attempts) == ("claimed", 0)
        assert (await journal(db, "r"))["lane"] is None
        assert await db.requests.take_waiting({"x": 1}, 30) == []


async def test_what_another_has_leased_since_cannot_be_given_back(db: PostgresDatabase) -> None:
    await send(db, "r")
    [lost] = await db.requests.lease(1, 30)
    await lapse(db)
    await other_instance(db).lease(1, 30)
    before = await journal(db, "r")
    await db.requests.give_back([give_back(lost, attempts=[attempt()])])
    assert await journal(db, "r") == before
    assert await db.requests.lease(1, 30) == []


async def test_forget_waiting_makes_only_our_own_visible(db: PostgresDatabase) -> None:
    await waiting(db, "mine")
    await send(db, "theirs")
    two = other_instance(db)
    await two.give_back([give_back(d, waits_for="x") for d in await two.lease(1, 30)])

    assert await db.requests.forget_waiting() == 1
    assert [d.request_id for d in await db.requests.lease(10, 30)] == ["mine"]
    assert [d.request_id for d in await db.requests.take_waiting({"x": 9}, 30)] == ["theirs"]


async def test_what_comes_back_later_is_invisible_until_then_and_keeps_its_counts(
    db: PostgresDatabase,
) -> None:
    await send(db, "r")
    [delivery] = await db.requests.lease(1, 30)
    await db.requests.give_back(
        [
            give_back(
                delivery, delay=3600.0, attempt_count=2, uncounted_count=1, used_candidates=("p/a",)
            )
        ]
    )
    assert await db.requests.lease(1, 30) == []
    assert await db.requests.take_waiting({"x": 5}, 30, expired=5) == []
    left = "SELECT extract(epoch FROM vt - clock_timestamp())::float8 FROM pgmq.q_ai_requests"
    assert 3500 < await value(db, left) <= 3600
    await sql(db, "UPDATE pgmq.q_ai_requests SET vt = clock_timestamp()")
    [again] = await other_instance(db).lease(1, 30)
    assert (again.attempts, again.uncounted_attempts, again.used_candidates) == (2, 1, ("p/a",))


async def test_a_number_that_is_another_messages_by_now_is_not_taken_for_it(
    db: PostgresDatabase,
) -> None:
    # The queue was emptied and its sequence began anew; the journal still tells of what was there.
    await send(db, "waiting", "leased")
    waiting, leased = await db.requests.lease(9, 30)
    await db.requests.give_back([give_back(waiting, waits_for="x", expires_in=0.0)])
    await sql(db, "DELETE FROM pgmq.q_ai_requests")
    await sql(db, "SELECT setval('pgmq.q_ai_requests_msg_id_seq', 1, false)")
    await send(db, "new-1", "new-2")
    new = await other_instance(db).lease(9, 600)
    assert [it.lease for it in new] == [waiting.lease, leased.lease]

    assert await db.requests.take_waiting({"x": 5}, 30) == []
    assert await db.requests.take_waiting({}, 30, expired=5) == []
    assert await db.requests.forget_waiting() == 0
    assert await db.requests.release_orphans([], called=True) == 0
    # Nor what we have in work still, whatever becomes of it.
    await db.requests.extend([leased.lease], 7200)
    assert await db.requests.finish([success(leased, dead_reason="x")]) == {leased.lease}
    assert (await bodies(db, "q_ai_requests_dead"))[0].get("request") is None
    await sql(db, "UPDATE nexus.requests SET state = 'leased' WHERE request_id IN ('waiting')")
    await db.requests.give_back([give_back(waiting)])
    assert await value(
        db, "SELECT count(*) FROM pgmq.q_ai_requests WHERE vt - now() BETWEEN '5 min' AND '11 min'"
    ) == len(new)
    assert await other_instance(db).finish([success(it) for it in new]) == {it.lease for it in new}
    # Nor does a row that says of itself that it is sent next year lose its place.
    await send(db, "odd")
    await sql(db, "UPDATE pgmq.q_ai_requests SET enqueued_at = 'infinity'")
    [odd] = await db.requests.lease(9, 30)
    await db.requests.give_back([give_back(odd, waits_for="x")])
    assert [it.request_id for it in await db.requests.take_waiting({"x": 5}, 30)] == ["odd"]


async def test_what_takes_too_long_is_put_back_and_left_to_the_lease(
    db: PostgresDatabase,
) -> None:
    await waiting(db, "a", "b")
    await sql(db, "ALTER FUNCTION nexus.read_message(jsonb, bigint, boolean) RENAME TO opened")
    await sql(
        db,
        "CREATE FUNCTION nexus.read_message(jsonb, bigint, boolean DEFAULT true, OUT body text,"
        " OUT bytes bigint, OUT request_id text, OUT digest text, OUT previous_id text,"
        " OUT retry_of text, OUT fault text, OUT agent_id text,"
        " OUT complexity text, OUT task_type text) LANGUAGE plpgsql AS"
        # As the server ends what takes too long.
        " $$ BEGIN IF $2 > 0 THEN RAISE 'no' USING ERRCODE = 'query_canceled'; END IF; END $$",
    )
    leasing = Leasing(db.requests, QueueSettings, InWork({"x": 9}))
    with pytest.raises(StorageStrained):
        await leasing.take_waiting({"x": 5}, 0)
    assert await leasing.take_waiting({"x": 5}, 0) is None
    assert [(await journal(db, it))["state"] for it in "ab"] == ["queued", "waiting"]


async def test_no_more_is_opened_at_once_than_takes_a_moment(db: PostgresDatabase) -> None:
    sizes = [300_000] * 7 + [2_000_000]  # times six bytes: the last is alone too much
    for number, size in enumerate(sizes):
        await send(db, {"request_id": str(number), "x": "a b c " * size})
    leased = await db.requests.lease(9, 30, together=1)
    assert len(leased) == 1
    leased += await db.requests.lease(9, 30)
    assert 2 < len(leased) < 7
    while more := await db.requests.lease(9, 30):
        leased += more
    assert [it.request_id for it in leased] == [str(number) for number in range(8)]
    assert [it.fault for it in leased] == [None] * 7 + [TOO_LARGE]
    await db.requests.give_back([give_back(it, waits_for="x") for it in leased])
    taken = await db.requests.take_waiting({"x": 9}, 30)
    assert 1 < len(taken) < 7
    assert len(await db.requests.take_waiting({"x": 9}, 30, together=1)) == 1
    while more := await db.requests.take_waiting({"x": 9}, 30):
        taken += more
    assert len(taken) == 7


async def test_what_the_journal_does_not_take_of_those_that_wait_is_left_to_the_lease(
    db: PostgresDatabase,
) -> None:
    await waiting(db, "a", "b")
    await sql(
        db,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF NEW.request_id = 'a' THEN RAISE 'no'; END IF; RETURN NEW; END $$",
    )
    await sql(
        db,
        "CREATE TRIGGER refuse BEFORE UPDATE ON nexus.requests"
        " FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    leasing = Leasing(db.requests, QueueSettings, InWork({"x": 9}))
    assert [await leasing.take_waiting({"x": 2}, 0) for _ in range(2)] == [None, None]
    taken = await leasing.take_waiting({"x": 2}, 0)
    assert [it.request_id for it in taken or ()] == ["b"]
    assert await value(db, "SELECT vt <= now() FROM pgmq.q_ai_requests WHERE msg_id = 1")
