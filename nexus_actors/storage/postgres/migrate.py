"""The schema, brought up to date at each start.

One transaction under an advisory lock, so that services starting together take turns. It looks
before it creates: where everything exists, no DDL is attempted and a role with the bare working
privileges suffices.
"""

import logging
from collections.abc import Sequence

import asyncpg
from pgmq.install import get_embedded_install_sql

from nexus_actors.storage.postgres.connection import Connection, PostgresPool, location
from nexus_actors.storage.postgres.errors import DRIVER_ERRORS, start_error
from nexus_actors.storage.postgres.sql import Queues, channel, numbered_migrations, read

LOCK = 0x6E65787573
"""The advisory lock of the migrations: "nexus" in ASCII."""
TIMEOUT = 60.0
"""Seconds for all of it, waiting for another process's migration included."""

log = logging.getLogger(__name__)


async def migrate(pool: PostgresPool, queues: Queues) -> None:
    """Create whatever is missing of PGMQ, the journal, `job_results`, the queues and their
    triggers.

    Raises DatabaseStartError. If cancelled, nothing has changed.
    """
    try:
        # A connection of its own: building an index may take longer than the pool's timeouts allow.
        await pool.on_loop(_migrate, pool.url, queues)
    except DRIVER_ERRORS as error:
        raise start_error(error, location(pool.url)) from error


async def _migrate(url: str, queues: Queues) -> None:
    connection = await asyncpg.connect(url, timeout=10, command_timeout=TIMEOUT)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            await _ensure_pgmq(connection)
            await _ensure_journal(connection)
            await _ensure_job_results(connection)
            for queue in (queues.requests, queues.results, queues.dead):
                await _ensure_queue(connection, queue)
        await _ensure_triggers(connection, (queues.requests, queues.results))
    finally:
        connection.terminate()


async def _ensure_pgmq(connection: Connection) -> None:
    if await connection.fetchval("SELECT to_regnamespace('pgmq') IS NOT NULL"):
        return
    if await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pgmq')"
    ):
        await connection.execute("CREATE EXTENSION pgmq CASCADE")
    else:
        await connection.execute(get_embedded_install_sql())
        # It may leave settings of the session behind, the search path for one.
        await connection.execute("RESET ALL")


async def _ensure_journal(connection: Connection) -> None:
    if await connection.fetchval("SELECT to_regclass('nexus.migrations') IS NULL"):
        await connection.execute(read("migrations", "migrations_table"))
    applied = {
        row["number"] for row in await connection.fetch("SELECT number FROM nexus.migrations")
    }
    for number, name in numbered_migrations():
        if number in applied:
            continue
        await connection.execute(read("migrations", name))
        await connection.execute(
            "INSERT INTO nexus.migrations (number, name) VALUES ($1, $2)", number, name
        )
        log.info("applied migration %s", name)


async def _ensure_job_results(connection: Connection) -> None:
    if await connection.fetchval("SELECT to_regclass('public.job_results') IS NULL"):
        await connection.execute(read("migrations", "job_results"))


async def _ensure_queue(connection: Connection, queue: str) -> None:
    if await connection.fetchval("SELECT to_regclass($1) IS NULL", f"pgmq.q_{queue}"):
        await connection.execute("SELECT pgmq.create($1)", queue)


async def _ensure_triggers(connection: Connection, queues: Sequence[str]) -> None:
    """Our trigger on each queue, if the privileges allow it; without it, it is only polled."""
    for queue in queues:
        table = f"pgmq.q_{queue}"
        present = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass($1)"
            " AND tgname = 'nexus_notify_insert' AND tgenabled <> 'D')",
            table,
        )
        if present:
            continue
        try:
            # OR REPLACE: another process may have been quicker, and a disabled one is made anew.
            await connection.execute(
                f"CREATE OR REPLACE TRIGGER nexus_notify_insert AFTER INSERT ON {table}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION nexus.notify_insert('{channel(queue)}')"
            )
        except asyncpg.InsufficientPrivilegeError:
            log.warning(
                "no right to create a trigger on %s: new messages are found by polling only", table
            )
