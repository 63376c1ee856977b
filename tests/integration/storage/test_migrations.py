"""The schema: made once, by whoever comes first, and only what is missing."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest
import trio

from nexus_actors.storage.accounts import BudgetShare, Quota
from nexus_actors.storage.postgres import due_index, locks
from nexus_actors.storage.postgres import migrate as migrations
from nexus_actors.storage.postgres.connection import PostgresPool, open_postgres
from nexus_actors.storage.postgres.database import open_database
from nexus_actors.storage.postgres.errors import DatabaseStartError
from nexus_actors.storage.postgres.migrate import Migrated, migrate
from nexus_actors.storage.postgres.quirk_store import forget_quirks
from nexus_actors.storage.postgres.sql import Queues, numbered_migrations, read
from nexus_actors.storage.quirks import Quirk
from tests.integration.pipeline.test_upgrade import earlier_schema
from tests.integration.storage.storage_helpers import send, sql, success, until, value
from tests.integration.storage.test_results import row

ECTO = """
CREATE TABLE pgflow_instances (id uuid PRIMARY KEY);
CREATE TABLE job_results (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workflow varchar(255) NOT NULL,
    instance_id uuid REFERENCES pgflow_instances,
    job_id bigint,
    status varchar(255) NOT NULL,
    input jsonb DEFAULT '{}', output jsonb DEFAULT '{}', error text,
    tokens_used integer NOT NULL DEFAULT 0, cost_cents integer NOT NULL DEFAULT 0,
    duration_ms integer,
    completed_at timestamp(6),
    inserted_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL
)
"""
SESSIONS = "SELECT FROM pg_stat_activity WHERE datname = current_database()"


def roles(service: str) -> str:
    names = {"requests": "ai_requests", "results": "ai_results", "dead": "ai_requests_dead"}
    names |= {"service": service, "producer": f"{service}_producer"}
    names |= {"operator": f"{service}_operator"}
    return re.sub(r"\{(\w+)\}", lambda found: names[found[1]], read(".", "roles"))


async def execute(url: str, statement: str) -> None:
    async with open_postgres(url) as pool:
        await pool.run(lambda connection: connection.execute(statement))


async def test_an_empty_database_is_made_ready_and_stays_as_it_is(empty_database_url: str) -> None:
    snapshot = "SELECT oid, relname FROM pg_class ORDER BY oid"
    async with open_database(empty_database_url, instance_id="one") as db:
        before = await sql(db, snapshot)
        assert await value(db, "SELECT count(*) FROM nexus.migrations") == len(
            numbered_migrations()
        )
        indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = 'job_results'"
        assert await value(db, indexes) == 8
    async with open_database(empty_database_url, instance_id="one") as db:
        assert await sql(db, snapshot) == before


async def test_every_column_of_the_journal_is_explained(database_url: str) -> None:
    async with open_database(database_url, instance_id="one") as db:
        silent = await sql(
            db,
            "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.relnamespace = 'nexus'::regnamespace AND c.relkind = 'r'"
            " AND a.attnum > 0 AND NOT a.attisdropped"
            " AND col_description(c.oid, a.attnum) IS NULL",
        )
        assert silent == []


async def test_services_that_start_together_take_turns(empty_database_url: str) -> None:
    async def start(name: str) -> None:
        async with open_database(empty_database_url, instance_id=name) as db:
            assert await value(db, "SELECT count(*) FROM nexus.requests") == 0

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(start, str(number))


async def test_ectos_table_is_left_alone_and_used(empty_database_url: str) -> None:
    await execute(empty_database_url, ECTO)
    async with open_database(empty_database_url, instance_id="one") as db:
        assert (
            await value(db, "SELECT count(*) FROM pg_indexes WHERE tablename = 'job_results'") == 1
        )
        await send(db, "r", queue="ai_results")
        [message] = await db.results.read(1, 30)
        await db.results.store([row(message)])
        assert await value(db, "SELECT instance_id FROM job_results") is None


async def test_a_missing_or_disabled_trigger_is_made_again(database_url: str) -> None:
    state = (
        "SELECT tgenabled FROM pg_trigger WHERE tgrelid = 'pgmq.q_ai_requests'::regclass"
        " AND tgname = 'nexus_notify_insert'"
    )
    for damage in (
        "DROP TRIGGER nexus_notify_insert ON pgmq.q_ai_requests",
        "ALTER TABLE pgmq.q_ai_requests DISABLE TRIGGER nexus_notify_insert",
    ):
        await execute(database_url, damage)
        async with open_database(database_url, instance_id="one") as db:
            assert await value(db, state) == b"O"


async def test_a_role_with_the_working_privileges_suffices(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    role = "role_" + urlsplit(database_url).path.removeprefix("/")
    await execute(database_url, roles(role))
    try:
        theirs = database_url.replace("postgres@", f"{role}@", 1)
        async with (
            open_database(database_url, instance_id="owner") as owner,
            open_database(theirs, instance_id="one") as db,
        ):
            await send(owner, "r", "r", "s")
            claimed, duplicate, failing = await db.requests.lease(3, 30)
            await db.requests.extend([claimed.lease], 30)
            assert await db.requests.take_quota([Quota("b", 1.0, 1.0, 1.0)]) == [1.0]
            share = BudgetShare("all", "day", 1.0)
            for _ in range(2):
                assert await db.requests.reserve("r", 1, 0.1, [share]) is None
            learnt = Quirk(provider="p", model="m", field="top_p", reason="refused by the model")
            for _ in range(2):
                await db.quirks.learn(learnt)
            assert [it.field for it in await db.quirks.read()] == ["top_p"]
            assert await db.run(forget_quirks, "p", "m", "top_p") == 1
            await db.requests.discard([duplicate.lease])
            failure = success(failing, succeeded=False, dead_reason="exhausted")
            assert len(await db.requests.finish([success(claimed), failure])) == 2
            await db.requests.release_orphans([], called=False)
            await db.results.store([row(message) for message in await db.results.read(10, 30)])
            assert await value(db, "SELECT count(*) FROM job_results") == 2
        assert "trigger" not in caplog.text

        await execute(database_url, "DROP TRIGGER nexus_notify_insert ON pgmq.q_ai_requests")
        with caplog.at_level(logging.WARNING):
            async with open_database(theirs, instance_id="one"):
                pass
        assert "polling only" in caplog.text

        async with open_postgres(theirs) as pool:
            with pytest.raises(DatabaseStartError) as refused:
                await migrate(pool, Queues(requests="another"))
        assert refused.value.kind == "missing_permission"
        name = urlsplit(database_url).path.removeprefix("/")
        assert str(refused.value).endswith(
            f": run nexus db migrate as postgres, the owner of the database {name}"
        )
    finally:
        both = f"{role}, {role}_producer, {role}_operator"
        await execute(database_url, f"DROP OWNED BY {both}; DROP ROLE {both}")


async def test_who_may_open_messages_may_do_so_after_an_upgrade(empty_database_url: str) -> None:
    """Processes of the release before go on until the roles are made anew."""
    role = "opener_" + urlsplit(empty_database_url).path.removeprefix("/")
    opening = ("open_message", "open_any_message")
    functions = ", ".join(f"nexus.{name}(jsonb, bigint, boolean)" for name in opening)
    granted = f"CREATE ROLE {role}; GRANT EXECUTE ON FUNCTION {functions} TO {role}"
    async with open_postgres(empty_database_url, pool_size=1) as pool:
        await pool.run(earlier_schema, 22)
        await pool.run(lambda connection: connection.execute(granted))
        try:
            await migrate(pool, Queues())
            query = (
                "SELECT p.proname FROM pg_proc AS p CROSS JOIN aclexplode(p.proacl) AS a"
                " WHERE a.grantee = $1::text::regrole"
            )
            found = await pool.run(lambda connection: connection.fetch(query, role))
            assert {it["proname"] for it in found} == {*opening, "read_message"}
        finally:
            gone = f"DROP OWNED BY {role}; DROP ROLE {role}"
            await pool.run(lambda connection: connection.execute(gone))


async def test_who_may_send_may_do_so_after_an_upgrade(empty_database_url: str) -> None:
    """A producer, and an operator who sends again what failed, before their roles are made anew."""
    role = "sender_" + urlsplit(empty_database_url).path.removeprefix("/")
    functions = "nexus.send(jsonb, integer, text), nexus.send_again(text, text, bigint, jsonb)"
    granted = f"CREATE ROLE {role}; GRANT EXECUTE ON FUNCTION {functions} TO {role}"
    async with open_postgres(empty_database_url, pool_size=1) as pool:
        await pool.run(earlier_schema, 29)
        await pool.run(lambda connection: connection.execute(granted))
        try:
            await migrate(pool, Queues())
            query = (
                "SELECT p.oid::regprocedure::text AS name FROM pg_proc AS p"
                " CROSS JOIN aclexplode(p.proacl) AS a WHERE a.grantee = $1::text::regrole"
            )
            found = await pool.run(lambda connection: connection.fetch(query, role))
            assert {it["name"] for it in found} == {
                "nexus.send(jsonb,integer,text)",
                "nexus.send_again(text,text,bigint,jsonb)",
                "nexus.traceparent(jsonb)",
            }
        finally:
            gone = f"DROP OWNED BY {role}; DROP ROLE {role}"
            await pool.run(lambda connection: connection.execute(gone))


@asynccontextmanager
async def in_transaction(
    pool: PostgresPool, statement: str
) -> AsyncIterator[tuple[int, Callable[[], Awaitable[None]]]]:
    """A session that idles in a transaction which has done something: its pid, and what ends it."""

    async def begin() -> "asyncpg.Connection[asyncpg.Record]":
        settings = {"application_name": "a long dump"}
        connection = await asyncpg.connect(pool.url, server_settings=settings)
        await connection.execute(f"BEGIN; {statement}")
        return connection

    async def end() -> None:
        await pool.on_loop(connection.close)

    connection = await pool.on_loop(begin)
    try:
        yield connection.get_server_pid(), end
    finally:
        connection.terminate()


async def test_a_migration_holds_nobody_up_while_it_waits_for_a_lock(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "ALTER TABLE nexus.requests ADD COLUMN later text"
    monkeypatch.setattr(migrations, "numbered_migrations", lambda: [(9000, "9000_later")])
    monkeypatch.setattr(
        migrations, "read", lambda *of: text if of[1] == "9000_later" else read(*of)
    )
    for name, seconds in (("LOCK_TIMEOUT", 0.4), ("PAUSE", 0.1), ("PATIENCE", 0.3)):
        monkeypatch.setattr(migrations, name, seconds)
    monkeypatch.setattr(locks, "FIRST_LOOK", 0.0)
    reading = "SELECT count(*) FROM nexus.requests"
    async with open_postgres(database_url) as pool, in_transaction(pool, reading) as (pid, end):
        with pytest.raises(DatabaseStartError) as refused:
            await migrate(pool, Queues())
        assert f"pid {pid}, role postgres, application a long dump" in str(refused.value)
        assert f"pg_terminate_backend({pid})" in str(refused.value)
        monkeypatch.setattr(migrations, "PATIENCE", 60.0)
        done: list[Migrated] = []

        async def retry() -> None:
            done.append(await migrate(pool, Queues()))

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(retry)
                waits = f"{SESSIONS} AND wait_event_type = 'Lock'"
                await until(lambda: pool.run(lambda it: it.fetch(waits)))
                assert await pool.run(lambda it: it.fetchval(reading)) == 0
                assert done == []
                await end()
    assert done == [Migrated(("the migration 9000_later",), 9000)]


async def test_the_index_of_a_long_queue_is_built_while_the_queue_is_used(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What an attempt left that failed is no index, and is made anew."""
    monkeypatch.setattr(due_index, "SHORT", -1)
    monkeypatch.setattr(locks, "FIRST_LOOK", 0.0)
    sending = "SELECT pgmq.send('ai_requests', '{}')"
    made = Migrated(("the index pgmq.nexus_due_ai_requests",), numbered_migrations()[-1][0])
    async with open_postgres(database_url) as pool, in_transaction(pool, sending) as (_, end):
        await execute(
            database_url,
            "UPDATE pg_index SET indisvalid = false"
            " WHERE indexrelid = 'pgmq.nexus_due_ai_requests'::regclass",
        )
        monkeypatch.setattr(due_index, "PATIENCE", 0.3)
        monkeypatch.setattr(migrations, "LOCK_TIMEOUT", 0.3)
        with caplog.at_level(logging.WARNING):
            assert (await migrate(pool, Queues())).made == ()
        assert "application a long dump" in caplog.text
        assert not await pool.run(due_index.has_due_index, "ai_requests")
        monkeypatch.setattr(due_index, "PATIENCE", 60.0)
        done: list[Migrated] = []

        async def build() -> None:
            done.append(await migrate(pool, Queues()))

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for _ in range(2):
                    nursery.start_soon(build)
                waits = f"{SESSIONS} AND wait_event_type = 'Lock'"
                await until(lambda: pool.run(lambda it: it.fetch(waits)))
                assert await pool.run(lambda it: it.fetchval(sending)) > 0
                assert done == []
                await end()
        assert sorted(done, key=lambda it: it.made) == [Migrated((), made.version), made]
        assert await pool.run(due_index.has_due_index, "ai_requests")


async def test_whatever_keeps_the_index_from_being_made_stops_no_start(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_postgres(database_url) as pool:
        await execute(database_url, "DROP INDEX pgmq.nexus_due_ai_requests")
        await execute(
            database_url,
            "CREATE FUNCTION full_disk() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'no' USING ERRCODE = '53100'; END $$",
        )
        await execute(
            database_url,
            "CREATE EVENT TRIGGER full_disk ON ddl_command_start WHEN TAG IN ('CREATE INDEX')"
            " EXECUTE FUNCTION full_disk()",
        )
        with caplog.at_level(logging.WARNING):
            assert (await migrate(pool, Queues())).made == ()
        assert "no index on pgmq.q_ai_requests" in caplog.text
        assert "53100" in caplog.text
        await execute(database_url, "DROP EVENT TRIGGER full_disk")
        assert len((await migrate(pool, Queues())).made) == 1


async def test_a_cancelled_migration_leaves_nothing(empty_database_url: str) -> None:
    await execute(
        empty_database_url,
        "CREATE FUNCTION public.wait() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF to_regclass('nexus.sums') IS NOT NULL THEN PERFORM pg_sleep(1000); END IF;"
        " END $$",
    )
    await execute(
        empty_database_url,
        "CREATE EVENT TRIGGER wait ON ddl_command_end WHEN TAG IN ('CREATE TABLE')"
        " EXECUTE FUNCTION public.wait()",
    )
    sleeping = f"{SESSIONS} AND wait_event = 'PgSleep'"
    async with open_postgres(empty_database_url) as pool:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(migrate, pool, Queues())
            await until(lambda: pool.run(lambda it: it.fetch(sleeping)))
            nursery.cancel_scope.cancel()

        def schemas() -> object:
            return asyncio.run(_schemas(empty_database_url))

        assert await trio.to_thread.run_sync(schemas) == []
        await execute(empty_database_url, "DROP EVENT TRIGGER wait")
        await migrate(pool, Queues())


async def _schemas(url: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        # The server may still be ending the cut session's transaction: its lock says when it has.
        await connection.execute("SELECT pg_advisory_lock($1)", 0x6E65787573)
        return await connection.fetch(
            "SELECT nspname FROM pg_namespace WHERE nspname IN ('nexus', 'pgmq')"
        )
    finally:
        await connection.close()


@pytest.mark.parametrize("name", ["", "A", "a-b", 'a"b', "a b", "x" * 48, "ä", "a\n"])
def test_names_that_are_no_queue_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a queue name"):
        Queues(requests=name)


def test_the_queues_differ() -> None:
    with pytest.raises(ValueError, match="different names"):
        Queues(requests="ai_results")
