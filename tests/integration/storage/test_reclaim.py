"""An answer is worth more than a lease: its request is leased anew, whoever has it."""

from dataclasses import replace

from nexus_actors.storage.postgres.database import PostgresDatabase
from tests.integration.storage.storage_helpers import (
    give_back,
    journal,
    other_instance,
    send,
    sql,
    success,
    value,
)


async def lapse(db: PostgresDatabase) -> None:
    await sql(db, "UPDATE pgmq.q_ai_requests SET vt = clock_timestamp() - interval '1 s'")


async def test_who_took_it_meanwhile_loses_it(db: PostgresDatabase) -> None:
    await send(db, "r")
    [ours] = await db.requests.lease(1, 30)
    await lapse(db)
    two = other_instance(db)
    [theirs] = await two.lease(1, 30)
    assert await db.requests.finish([success(ours)]) == set()
    leases = await db.requests.reclaim({"r": ours.lease.msg_id})
    assert await two.extend([theirs.lease], 30) == {}
    assert await two.finish([success(theirs)]) == set()
    answer = replace(success(ours), lease=leases["r"])
    assert await db.requests.finish([answer]) == {leases["r"]}
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_results") == 1
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_requests") == 0


async def test_it_is_ended_from_wherever_it_waits(db: PostgresDatabase) -> None:
    await send(db, "waiting", "queued")
    deliveries = {it.request_id: it for it in await db.requests.lease(2, 30)}
    await db.requests.give_back([give_back(deliveries["waiting"], waits_for="echo")])
    await db.requests.give_back([give_back(deliveries["queued"])])
    wanted = {str(name): it.lease.msg_id for name, it in deliveries.items()}
    leases = await db.requests.reclaim(wanted)
    answers = [replace(success(it), lease=leases[str(name)]) for name, it in deliveries.items()]
    assert await db.requests.finish(answers) == set(leases.values())


async def test_what_has_ended_is_left_alone(db: PostgresDatabase) -> None:
    await send(db, "r")
    [delivery] = await db.requests.lease(1, 30)
    await db.requests.finish([success(delivery)])
    before = await journal(db, "r")
    assert await other_instance(db).reclaim({"r": delivery.lease.msg_id}) == {}
    assert await db.requests.reclaim({"r": delivery.lease.msg_id + 1, "unknown": 1}) == {}
    assert await journal(db, "r") == before
