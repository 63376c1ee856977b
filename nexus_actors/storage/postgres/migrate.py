"""The schema, brought up to date at each start.

It looks before it acts: where nothing is missing, no lock is taken, no DDL is attempted and a role
with the bare working privileges suffices. What is missing is made in one transaction under an
advisory lock, so that services starting together take turns.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

import asyncpg
from pgmq.install import get_embedded_install_sql

from nexus_actors.storage.postgres.connection import Connection, PostgresPool, location
from nexus_actors.storage.postgres.due_index import ensure_due_index
from nexus_actors.storage.postgres.errors import (
    DRIVER_ERRORS,
    DatabaseStartError,
    describe,
    start_error,
)
from nexus_actors.storage.postgres.locks import lock_holders, named
from nexus_actors.storage.postgres.sql import Queues, channel, numbered_migrations, read

LOCK: Final = 0x6E65787573
"""The advisory lock of the migrations: "nexus" in ASCII."""
TIMEOUT = 60.0
"""Seconds for one statement, such as building an index."""
PATIENCE = 20.0
"""Seconds that another process's migration is waited for."""
LOOK_AGAIN = 0.1
"""Seconds between looks whether it is over."""

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
        await _check_encoding(connection, location(url))
        missing = await _missing(connection, queues)
        if missing:
            try:
                async with connection.transaction():
                    if await _take_turn(connection, queues, location(url)):
                        await _make(connection, queues)
            except asyncpg.InsufficientPrivilegeError as error:
                raise _not_ours_to_make(location(url), missing, error) from error
        await _ensure_triggers(connection, (queues.requests, queues.results))
        await ensure_due_index(connection, queues.requests)
    finally:
        connection.terminate()


async def _check_encoding(connection: Connection, where: str) -> None:
    """An answer holds any character of Unicode, and would be lost, once paid, where one does not
    fit.
    """
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise DatabaseStartError(
            "unusable",
            f"cannot use the database {where}: its encoding is {encoding}, and answers need UTF8;"
            " make another one: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0",
        )


async def _missing(connection: Connection, queues: Queues) -> list[str]:
    """What is to be made, in words."""
    tables = ["nexus.migrations", "nexus.request_queues", "public.job_results"]
    tables += [f"pgmq.q_{queue}" for queue in (queues.requests, queues.results, queues.dead)]
    missing = [row["what"] for row in await connection.fetch(read("queries", "missing"), tables)]
    if any("table nexus" in what for what in missing):
        return missing
    missing += [f"the migration {name}" for _, name in await _pending(connection)]
    if await connection.fetchval(
        # Only who may read it can tell; who may not is told by the look at its privileges.
        "SELECT has_table_privilege('nexus.request_queues', 'SELECT')"
    ) and not await _is_known(connection, queues.requests):
        missing.append(f"{queues.requests} in nexus.request_queues")
    return missing


async def _pending(connection: Connection) -> list[tuple[int, str]]:
    """The migrations that are still to be applied."""
    rows = await connection.fetch("SELECT number FROM nexus.migrations")
    applied = {row["number"] for row in rows}
    return [(number, name) for number, name in numbered_migrations() if number not in applied]


async def _take_turn(connection: Connection, queues: Queues, where: str) -> bool:
    """Hold the lock until the transaction ends; False, without it, if another process has made what
    was missing.

    Raises DatabaseStartError, which names the holder, where it is not let go of in time.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    told = False
    while not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
        holders = await lock_holders(connection, LOCK)
        if loop.time() > deadline:
            pids = ", ".join(f"pg_terminate_backend({holder.pid})" for holder in holders)
            raise DatabaseStartError(
                "unusable",
                f"cannot bring the database {where} up to date: the lock of its migrations is held"
                f" by another session ({named(holders)}) for more than {PATIENCE:.0f} s; end that"
                f" session{f', such as by SELECT {pids},' if pids else ''} and start again",
            )
        if not told:
            log.warning("waiting for the lock of the migrations, held by %s", named(holders))
            told = True
        await asyncio.sleep(LOOK_AGAIN)
        if not await _missing(connection, queues):
            return False
    return True


def _not_ours_to_make(where: str, missing: list[str], error: BaseException) -> DatabaseStartError:
    return DatabaseStartError(
        "missing_permission",
        f"cannot use the database {where}: {describe(error)}; it has yet to be given"
        f" {', '.join(missing)}: run nexus db migrate as its owner",
    )


async def _make(connection: Connection, queues: Queues) -> None:
    """All that is missing; each part looks whether it is, since another may have been quicker."""
    await _ensure_pgmq(connection)
    await _ensure_journal(connection)
    await _ensure_job_results(connection)
    for queue in (queues.requests, queues.results, queues.dead):
        await _ensure_queue(connection, queue)
    if not await _is_known(connection, queues.requests):
        await connection.execute(
            "INSERT INTO nexus.request_queues (name) VALUES ($1)", queues.requests
        )


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
    for number, name in await _pending(connection):
        await connection.execute(read("migrations", name))
        await connection.execute(
            "INSERT INTO nexus.migrations (number, name) VALUES ($1, $2)", number, name
        )
        log.info("applied migration %s", name)
    # PostgreSQL lets everybody execute a new function, and no default of a schema's can forbid it.
    await connection.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA nexus FROM PUBLIC")


async def _ensure_job_results(connection: Connection) -> None:
    if await connection.fetchval("SELECT to_regclass('public.job_results') IS NULL"):
        await connection.execute(read("migrations", "job_results"))


async def _ensure_queue(connection: Connection, queue: str) -> None:
    if await connection.fetchval("SELECT to_regclass($1) IS NULL", f"pgmq.q_{queue}"):
        await connection.execute("SELECT pgmq.create($1)", queue)


async def _is_known(connection: Connection, queue: str) -> bool:
    """Whether `nexus.send` may send to the queue."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM nexus.request_queues WHERE name = $1)", queue
        )
    )


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
