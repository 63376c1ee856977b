"""The database from within, as its owner, as an operator, and as a role that may do nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from urllib.parse import urlsplit

import asyncpg
import trio

from nexus_actors import monitoring
from nexus_actors.monitoring.database import read_database, retention
from nexus_actors.monitoring.reading import LazyReader, open_reader
from nexus_actors.settings.model import RetentionSettings
from nexus_actors.storage.postgres.sql import Queues, numbered_migrations, read
from tests.dashboard import HOSTILE, execute, visited


@asynccontextmanager
async def as_role(url: str, kind: str) -> AsyncIterator[LazyReader]:
    """A reader of one of the roles that `roles.sql` makes; `stranger` is none of them."""
    mark = urlsplit(url).path.removeprefix("/")
    queues = Queues()
    names = {"requests": queues.requests, "results": queues.results, "dead": queues.dead}
    roles = {it: f"{it}_{mark}" for it in ("service", "producer", "operator", "stranger")}
    text = read(".", "roles")
    for name, value in {**names, **roles}.items():
        text = text.replace(f"{{{name}}}", value)
    try:
        await execute(url, f"{text}; CREATE ROLE {roles['stranger']} LOGIN")
        theirs = url.replace("postgres@", f"{roles[kind]}@", 1)
        async with open_reader(theirs, queues, command_timeout=10) as reader:
            yield reader
    finally:
        dropped = ", ".join(roles.values())
        await execute(url, f"DROP OWNED BY {dropped}; DROP ROLE {dropped}")


async def test_each_part_is_read_and_shown(reader: LazyReader, shared_url: str) -> None:
    await execute(
        shared_url,
        "INSERT INTO nexus.chores (chore, queue, node, made_at, beat_at, done_at) VALUES"
        " ('prune', 'ai_requests', 'one', now(), now(), now()),"
        " ('sum', 'ai_requests', NULL, now() - interval '2 hours', NULL, NULL),"
        " ('sum', 'other', 'two', now(), now(), now())",
    )
    await execute(shared_url, "ANALYZE nexus.migrations")
    found = await read_database(reader)
    tables = {it.name: it for it in found.tables.found}
    assert {"nexus.requests", "pgmq.q_ai_requests", "public.job_results"} <= tables.keys()
    assert tables["nexus.migrations"].row_estimate == len(numbered_migrations())
    assert tables["nexus.requests"].row_estimate is None
    assert tables["nexus.requests"].bytes > 0
    assert tables["nexus.requests"].hint is None
    assert all(it.valid for it in found.indexes.found)
    assert "requests_finished" in {it.name for it in found.indexes.found}
    [server] = found.connections.found
    assert 0 < server.ours <= server.here <= server.used <= server.most
    [age] = found.age.found
    assert age.autovacuum
    migrations = found.migrations.found
    assert [(it.number, it.name) for it in migrations] == numbered_migrations()[::-1]
    assert all(it.known and it.applied_at is not None for it in migrations)
    prune, summing = found.chores.found
    assert (prune.node, prune.trouble) == ("one", None)
    assert (summing.node, summing.trouble is not None) == (None, True)
    assert "CREATE EXTENSION" in str(found.statements.trouble)
    assert found.hidden == 0
    html = await visited(reader, "/database")
    assert "pgmq.q_ai_requests_dead" in html
    assert "overdue" in html


async def activity(url: str) -> list[asyncpg.Record]:
    """What `database_activity.sql` says while a session of ours sits in its transaction."""
    statement = files(monitoring).joinpath("sql", "database_activity.sql").read_text()
    held = await asyncpg.connect(url, server_settings={"application_name": "nexus one"})
    looking = await asyncpg.connect(url)
    try:
        await held.execute("BEGIN; SELECT 'secret', 'it''s secret',\n 7 AS seven")
        return await looking.fetch(statement, 20, 0.0)
    finally:
        held.terminate()
        looking.terminate()


async def test_what_a_session_of_ours_does_is_reported_without_texts(shared_url: str) -> None:
    rows = await trio.to_thread.run_sync(asyncio.run, activity(shared_url))
    [row] = [it for it in rows if it["name"] == "nexus one"]
    assert row["state"] == "idle in transaction"
    assert row["query"] == "BEGIN; SELECT '…', '…''…', 7 AS seven"


async def test_a_migration_that_lacks_or_is_of_a_later_program_is_reported(
    reader: LazyReader, shared_url: str
) -> None:
    newest = numbered_migrations()[-1][0]
    later = "UPDATE nexus.migrations SET number = 9000 WHERE number = $1"
    await execute(shared_url, later, newest)
    try:
        migrations = (await read_database(reader)).migrations.found
        assert (migrations[0].number, migrations[0].known) == (9000, False)
        html = await visited(reader, "/database")
        assert "of a later release" in html
        await execute(shared_url, "DELETE FROM nexus.migrations WHERE number = 9000")
        migrations = (await read_database(reader)).migrations.found
        assert (migrations[0].number, migrations[0].applied_at) == (newest, None)
        html = await visited(reader, "/database")
        assert "not applied: nexus db migrate" in html
    finally:
        await execute(shared_url, "DELETE FROM nexus.migrations WHERE number = 9000")
        again = "INSERT INTO nexus.migrations (number, name) VALUES ($1, $2)"
        await execute(shared_url, again, *numbered_migrations()[-1])


async def test_an_operator_sees_all_pages(shared_url: str) -> None:
    async with as_role(shared_url, "operator") as reader:
        found = await read_database(reader)
        parts = (found.connections, found.tables, found.migrations, found.chores, found.held)
        assert [it.trouble for it in parts] == [None] * len(parts)
        budgets = {"all": {"dollars": 5}}
        for url in ("/database", "/money", "/tree", "/control", "/config", "/audit"):
            await visited(reader, url, budgets=budgets)


async def test_what_a_role_may_not_see_is_said_and_the_rest_stands(shared_url: str) -> None:
    async with as_role(shared_url, "stranger") as reader:
        found = await read_database(reader)
        assert "permission denied" in str(found.migrations.trouble)
        assert "permission denied" in str(found.chores.trouble)
        assert found.tables.found
        assert found.connections.found
        html = await visited(reader, "/database")
        assert "permission denied" in html


TABLE = {
    "schema": "nexus",
    "name": "requests",
    "row_estimate": 1e6,
    "bytes": 2**30,
    "heap_bytes": 2**30,
    "index_bytes": 0,
    "live_rows": 1_000_000,
    "dead_rows": 0,
    "vacuumed_at": None,
    "analyzed_at": None,
    "spare": 0.0,
}
SESSION = {
    "pid": 7,
    "name": HOSTILE,
    "role": HOSTILE,
    "state": "active",
    "wait_event_type": "Lock",
    "wait_event": HOSTILE,
    "statement_seconds": 2.5,
    "transaction_seconds": None,
    "blockers": 1,
    "query": HOSTILE * 1000,
}
STATEMENT = {
    "calls": 5,
    "total_ms": 1e6,
    "mean_ms": 2e5,
    "max_ms": 3e5,
    "rows": 1,
    "blocks_read": 9,
    "query": HOSTILE * 1000,
}


class Catalogue:
    """A reader of rows that are given, by the name of what is read."""

    queues = Queues()

    def __init__(self, **rows: dict[str, object]) -> None:
        self._rows = rows

    async def read(self, name: str, *_arguments: object) -> list[dict[str, object]]:
        return [self._rows[name]] if name in self._rows else []

    async def act(self, name: str, *_arguments: object) -> list[dict[str, object]]:
        raise NotImplementedError(name)


async def test_what_servers_and_sessions_call_themselves_is_shown_as_text() -> None:
    reader = Catalogue(
        database_tables={**TABLE, "name": HOSTILE},
        database_indexes={
            "name": HOSTILE,
            "schema": HOSTILE,
            "table": HOSTILE,
            "bytes": 1,
            "scans": 0,
            "valid": False,
        },
        database_activity=SESSION,
        database_hidden={"sessions": 3, "hidden": 2},
        database_statements_there={"schema": "public"},
        database_statements=STATEMENT,
        database_held={"kind": "transaction", "name": HOSTILE, "since": None, "transactions": 9},
    )
    html = await visited(reader, "/database")
    for told in ("invalid: REINDEX", "Lock: ", "behind 1", "may not see 2 sessions of nexus"):
        assert told in html


async def test_a_bloated_table_has_a_hint() -> None:
    async def hint(**row: object) -> str:
        found = await read_database(Catalogue(database_tables={**TABLE, **row}))
        return str(found.tables.found[0].hint)

    assert await hint() == "None"
    assert await hint(dead_rows=300_000) == "None"  # autovacuum is about to come
    assert "VACUUM (ANALYZE) nexus.requests" in await hint(dead_rows=500_000)
    assert await hint(dead_rows=9_000, live_rows=0) == "None"
    assert "VACUUM FULL nexus.requests" in await hint(spare=0.6 * 2**30)
    assert await hint(spare=0.4 * 2**30) == "None"
    assert await hint(spare=None) == "None"
    assert await hint(spare=0.9 * 2**20, heap_bytes=2**20) == "None"


def test_retention_is_reported_in_words() -> None:
    found = retention(RetentionSettings(journal_count=5000, archive_days=1.5))
    archives, journal, dead, sums = found
    assert archives.how_long == "1.5 days"
    assert journal.how_long == "90 days, the newest 5,000"
    assert (dead.how_long, sums.how_long) == ("forever", "400 days")
