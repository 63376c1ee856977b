"""What has been kept for long enough is deleted, the oldest first, in small batches."""

import asyncio

import pytest
import trio

from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.nodes import Term
from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.postgres.retention import MOST_STUCK
from nexus_actors.storage.retention import Kept
from tests.integration.storage.storage_helpers import send, sql, success, value

DAY = 86_400.0
TABLES: dict[Kept, str] = {
    "requests": "pgmq.a_ai_requests",
    "results": "pgmq.a_ai_results",
    "dead": "pgmq.q_ai_requests_dead",
    "journal": "nexus.requests",
}


async def leader(db: PostgresDatabase, node: str = "one") -> Term:
    """Lead the chore, as this node."""
    term = (await db.nodes.take("prune", node=node, running=0)).term
    assert term is not None
    return term


async def prune(db: PostgresDatabase, what: Kept, days: float, count: int = 0) -> list[int]:
    """What each batch deleted."""
    batches = []
    term = await leader(db)
    while deleted := await db.retention.prune(what, term, seconds=days * DAY, count=count, batch=3):
        batches.append(deleted)
    return batches


async def test_archives_and_dead_letters_by_age_and_by_count(db: PostgresDatabase) -> None:
    queues: dict[Kept, str] = {"requests": "ai_requests", "results": "ai_results"}
    for what, queue in queues.items():
        ids = await send(db, *(str(n) for n in range(12)), queue=queue)
        await sql(db, "SELECT pgmq.archive($1, $2::bigint[])", queue, ids)
        old = "UPDATE {} SET archived_at = now() - interval '31 days' WHERE msg_id <= 5"
        await sql(db, old.format(TABLES[what]))
        assert await prune(db, what, 30) == [3, 2]
        assert await prune(db, what, 0) == []
        assert await prune(db, what, 0, count=4) == [3]
        least = "SELECT min(msg_id) FROM {}"
        assert await value(db, least.format(TABLES[what])) == 9
    await send(db, *(str(n) for n in range(4)), queue="ai_requests_dead")
    await sql(db, "UPDATE pgmq.q_ai_requests_dead SET enqueued_at = now() - interval '8 days'")
    assert await prune(db, "dead", 9) == []
    assert await prune(db, "dead", 7) == [3, 1]


async def test_of_dead_letters_the_newest_stay_though_some_between_them_were_sent_again(
    db: PostgresDatabase,
) -> None:
    ids = await send(db, *(str(n) for n in range(12)), queue="ai_requests_dead")
    await sql(db, "SELECT pgmq.archive('ai_requests_dead', $1::bigint[])", ids[1:-1])
    assert await prune(db, "dead", 0, count=2) == []
    await send(db, *(str(n) for n in range(6)), queue="ai_requests_dead")
    assert await prune(db, "dead", 0, count=4) == [3, 1]
    left = await sql(db, "SELECT msg_id FROM pgmq.q_ai_requests_dead ORDER BY 1")
    assert [row[0] for row in left] == [15, 16, 17, 18]


async def test_of_the_journal_only_what_has_ended_with_its_attempts(db: PostgresDatabase) -> None:
    await send(db, "done", "young", "in work")
    done, young, _ = await db.requests.lease(3, 30)
    await db.requests.finish([success(done), success(young)])
    await sql(
        db,
        "UPDATE nexus.requests SET finished_at = now() - interval '91 days',"
        " received_at = now() - interval '99 days', leased_at = now() - interval '99 days'"
        " WHERE request_id <> 'young' AND finished_at IS NOT NULL",
    )
    assert await prune(db, "journal", 90) == [1]
    left = await sql(db, "SELECT request_id FROM nexus.requests ORDER BY 1")
    assert [row[0] for row in left] == ["in work", "young"]
    assert await value(db, "SELECT count(*) FROM nexus.attempts WHERE request_id = 'done'") == 0


async def test_of_the_journal_so_many_ended_requests_stay_whatever_the_statistics_say(
    db: PostgresDatabase,
) -> None:
    await send(db, *(str(n) for n in range(9)), "in work")
    *ended, _ = await db.requests.lease(10, 30)
    for one in ended:  # each at a time of its own
        await db.requests.finish([success(one)])
    await sql(db, "ANALYZE nexus.requests")
    assert await prune(db, "journal", 0, count=9) == []
    assert await prune(db, "journal", 0, count=4) == [3, 2]
    left = await sql(db, "SELECT request_id FROM nexus.requests ORDER BY 1")
    assert [row[0] for row in left] == ["5", "6", "7", "8", "in work"]
    assert await prune(db, "journal", 0) == []


@pytest.mark.parametrize("what", ["requests", "results", "dead", "journal"])
async def test_a_row_that_cannot_be_deleted_is_in_the_way_of_no_other(
    db: PostgresDatabase, what: Kept
) -> None:
    queue = "ai_results" if what == "results" else "ai_requests"
    if what == "journal":
        await send(db, *(str(n) for n in range(9)))
        await db.requests.finish([success(one) for one in await db.requests.lease(9, 30)])
        await sql(db, "UPDATE nexus.requests SET finished_at = now() - interval '9 days'")
        stays = "OLD.request_id IN ('0', '1', '5')"
    else:
        ids = await send(
            db, *(str(n) for n in range(9)), queue="ai_requests_dead" if what == "dead" else queue
        )
        if what != "dead":
            await sql(db, "SELECT pgmq.archive($1, $2::bigint[])", queue, ids)
        stays = f"OLD.msg_id IN ({ids[0]}, {ids[1]}, {ids[5]})"
        column = "enqueued_at" if what == "dead" else "archived_at"
        old = "UPDATE {} SET {} = now() - interval '9 days'"
        await sql(db, old.format(TABLES[what], column))
    await sql(
        db,
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no'; END $$",
    )
    trigger = "CREATE TRIGGER no BEFORE DELETE ON {} FOR EACH ROW WHEN ({}) EXECUTE FUNCTION no()"
    await sql(db, trigger.format(TABLES[what], stays))
    for deleted in (6, 0):
        assert sum(await prune(db, what, 7)) == deleted
        assert await value(db, f"SELECT count(*) FROM {TABLES[what]}") == 3  # noqa: S608
    await sql(db, f"DROP TRIGGER no ON {TABLES[what]}")
    assert sum(await prune(db, what, 7)) == 3


async def test_a_row_that_somebody_holds_is_in_the_way_of_no_other(db: PostgresDatabase) -> None:
    ids = await send(db, *(str(n) for n in range(9)))
    await sql(db, "SELECT pgmq.archive('ai_requests', $1::bigint[])", ids)
    release = trio.Event()

    async def hold(task_status: trio.TaskStatus[None]) -> None:
        async def holding(connection: Connection) -> None:
            async with connection.transaction():
                lock = "SELECT FROM pgmq.a_ai_requests WHERE msg_id = $1 FOR UPDATE"
                await connection.fetch(lock, ids[2])
                task_status.started()
                while not release.is_set():
                    await asyncio.sleep(0.02)

        await db.run(holding)

    async with trio.open_nursery() as nursery:
        await nursery.start(hold)
        assert sum(await prune(db, "requests", 0, count=1)) == 7
        assert await value(db, "SELECT count(*) FROM pgmq.a_ai_requests") == 2
        release.set()
    assert sum(await prune(db, "requests", 0, count=1)) == 1


async def test_where_every_row_is_refused_it_says_so_and_ends(db: PostgresDatabase) -> None:
    ids = await send(db, *(str(n) for n in range(MOST_STUCK + 9)))
    await sql(db, "SELECT pgmq.archive('ai_requests', $1::bigint[])", ids)
    await sql(
        db,
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no'; END $$",
    )
    await sql(
        db,
        "CREATE TRIGGER no BEFORE DELETE ON pgmq.a_ai_requests FOR EACH ROW EXECUTE FUNCTION no()",
    )
    with pytest.raises(StorageRefused):
        await db.retention.prune("requests", await leader(db), seconds=0, count=1, batch=200)
