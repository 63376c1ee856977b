"""Brings the schema up to date at each start.

Everything is checked first: if nothing is missing, it takes no lock and attempts no DDL, and a role
with only the working privileges suffices. What is missing is created in one transaction under an
advisory lock, so that services starting together take turns.

A session that waits for a lock on a table blocks all later ones. So no wait is longer than
`LOCK_TIMEOUT`; then everything is rolled back, others have their turn, and it is retried.
"""

import asyncio
import logging
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import asyncpg

from nexus_actors.storage.postgres.connection import Connection, PostgresPool
from nexus_actors.storage.postgres.due_index import ensure_due_index
from nexus_actors.storage.postgres.errors import (
    DRIVER_ERRORS,
    DatabaseStartError,
    describe,
    start_error,
)
from nexus_actors.storage.postgres.locks import Holder, lock_holders, named, watched
from nexus_actors.storage.postgres.places import location
from nexus_actors.storage.postgres.schema_checks import (
    missing_indexes,
    refuse_conflicting_objects,
    refuse_newer,
)
from nexus_actors.storage.postgres.sessions import configure, connect, session_settings
from nexus_actors.storage.postgres.sql import Queues, channel, numbered_migrations, read

LOCK: Final = 0x6E65787573
"""The advisory lock of the migrations: "nexus" in ASCII."""
TIMEOUT = 60.0
"""Seconds for one statement."""
LONGEST = 3600.0
"""Seconds for a statement whose time grows with the tables, such as a migration."""
PATIENCE = 20.0
"""Seconds to wait for other sessions' locks in total."""
LOCK_TIMEOUT = 2.0
"""Seconds to wait for a lock on a table each time."""
PAUSE = 1.0
"""Seconds between tries, for the sessions that waited behind this one."""
LOOK_AGAIN = 0.1
"""Seconds between checks whether another process has finished its migration."""

SETTINGS: Final = {
    "lock_timeout": f"{LOCK_TIMEOUT * 1000:.0f}",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "enable_seqscan": "on",
    "plan_cache_mode": "auto",
    "enable_nestloop": "on",
    "enable_mergejoin": "on",
    "jit": "on",
}
"""Settings of the migrating session: it reads whole tables, so only waits for locks are short."""

_WORKS_WITH: Final = re.compile(r"^-- Works with programs that know (\d{4})\.$", re.MULTILINE)
"""Marks a migration that an earlier program need not know, so that a downgrade is possible."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Migrated:
    """The outcome of `migrate`."""

    made: tuple[str, ...]
    """A description of each created object; empty if nothing was missing."""
    version: int
    """The number of the last migration."""


async def migrate(pool: PostgresPool, queues: Queues, *, stores_results: bool = True) -> Migrated:
    """Create whatever is missing of PGMQ, the journal, `job_results`, the queues, their triggers
    and the index of due times.

    `stores_results`: job_results is written to, so it must have the columns for that. Raises
    DatabaseStartError. If cancelled, each part is wholly done or wholly undone.
    """
    try:
        # A separate connection, since DDL may take longer than the pool's timeouts allow.
        return await pool.on_loop(_migrate, pool.url, queues, stores_results)
    except DRIVER_ERRORS as error:
        raise start_error(error, location(pool.url)) from error


async def _migrate(url: str, queues: Queues, stores_results: bool) -> Migrated:
    connection = await connect(url, "nexus migrate", 10.0, TIMEOUT, SETTINGS)
    try:
        where = location(url)
        await check_encoding(connection, where)
        await refuse_conflicting_objects(connection, queues, where, stores_results=stores_results)
        made = await _make_patiently(connection, queues, url)
        async with watched(url, connection) as blockers:
            for queue in (queues.requests, queues.results):
                made += await _ensure_trigger(connection, queue, blockers)
            made += await ensure_due_index(connection, queues.requests, blockers)
        version = await connection.fetchval("SELECT max(number) FROM nexus.migrations")
        return Migrated(tuple(made), version)
    finally:
        connection.terminate()


async def _make_patiently(connection: Connection, queues: Queues, url: str) -> list[str]:
    """Create what is missing in one transaction. Retried while others hold its locks."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while missing := await missing_parts(connection, queues, location(url)):
        async with watched(url, connection) as blockers:
            try:
                return await _make_at_once(connection, queues, location(url))
            except asyncpg.InsufficientPrivilegeError as error:
                owner = await _owner(connection)
                raise _not_ours_to_make(location(url), missing, error, owner) from error
            except asyncpg.LockNotAvailableError as error:
                if loop.time() > deadline:
                    what = "a lock that its migrations need is"
                    raise _held_up(location(url), what, blockers) from error
        await asyncio.sleep(PAUSE)
    return []


async def _make_at_once(connection: Connection, queues: Queues, where: str) -> list[str]:
    async with connection.transaction():
        ours = await _take_turn(connection, queues, where)
        return await _make(connection, queues) if ours else []


async def check_encoding(connection: Connection, where: str) -> None:
    """Raise DatabaseStartError unless the encoding is UTF8. In any other, an answer with an
    unsupported character could not be stored after it was paid for.
    """
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise DatabaseStartError(
            "unusable",
            f"cannot use the database {where}: its encoding is {encoding}, and answers need UTF8",
            "make another one: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0",
        )


async def missing_parts(connection: Connection, queues: Queues, where: str) -> list[str]:
    """Descriptions of what is missing. Raises DatabaseStartError like `refuse_newer`."""
    tables = ["nexus.migrations", "nexus.request_queues", "public.job_results"]
    tables += [f"pgmq.q_{queue}" for queue in (queues.requests, queues.results, queues.dead)]
    missing = [row["what"] for row in await connection.fetch(read("queries", "missing"), tables)]
    if any("table nexus" in what for what in missing):
        return missing
    await refuse_newer(connection, where)
    pending = await _pending(connection)
    missing += [f"the migration {name}" for _, name in pending]
    if not pending:
        missing += [f"the index nexus.{name}" for name in await missing_indexes(connection)]
    if await connection.fetchval(
        # A role without this privilege cannot tell; the check of privileges reports that.
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
    """Hold the lock until the transaction ends. False, without the lock, if another process has
    meanwhile created what was missing.

    Raises DatabaseStartError, which names the holder, if it is not released in time.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    is_logged = False
    while not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
        holders = await lock_holders(connection, LOCK)
        if loop.time() > deadline:
            raise _held_up(where, "the lock of its migrations is", holders)
        if not is_logged:
            log.warning("waiting for the lock of the migrations, held by %s", named(holders))
            is_logged = True
        await asyncio.sleep(LOOK_AGAIN)
        if not await missing_parts(connection, queues, where):
            return False
    return True


def _held_up(where: str, what: str, holders: list[Holder]) -> DatabaseStartError:
    pids = ", ".join(f"pg_terminate_backend({it.pid})" for it in holders if it.pid)
    return DatabaseStartError(
        "unusable",
        f"cannot bring the database {where} up to date: {what} held by another session"
        f" ({named(holders)}) for more than {PATIENCE:.0f} s; end that session"
        f"{f', such as by SELECT {pids},' if pids else ''} and start again",
    )


async def _owner(connection: Connection) -> str:
    """Who may make what is missing: the owner of the database, or a superuser if we own it."""
    row = await connection.fetchrow(
        "SELECT datname, pg_get_userbyid(datdba) AS owner, pg_get_userbyid(datdba) = current_user"
        " AS is_ours FROM pg_database WHERE datname = current_database()"
    )
    assert row is not None  # noqa: S101 - the one that we are connected to
    if row["is_ours"]:
        return "a superuser"
    return f"{row['owner']}, the owner of the database {row['datname']}"


def _not_ours_to_make(
    where: str, missing: list[str], error: BaseException, owner: str
) -> DatabaseStartError:
    return DatabaseStartError(
        "missing_permission",
        f"cannot use the database {where}: {describe(error)}; it has yet to be given"
        f" {', '.join(missing)}: run nexus db migrate as {owner}",
    )


async def _make(connection: Connection, queues: Queues) -> list[str]:
    """Create all that is missing. Returns descriptions. Each part checks whether it is missing,
    since another process may have created it.
    """
    made = await _ensure_pgmq(connection)
    made += await _ensure_journal(connection)
    for name, statement in (await missing_indexes(connection)).items():
        await connection.execute(statement, timeout=LONGEST)
        made.append(f"the index nexus.{name}")
    made += await _ensure_job_results(connection)
    for queue in (queues.requests, queues.results, queues.dead):
        made += await _ensure_queue(connection, queue)
    if not await _is_known(connection, queues.requests):
        await connection.execute(
            "INSERT INTO nexus.request_queues (name) VALUES ($1)", queues.requests
        )
    return made


def pgmq_sql() -> str:
    """PGMQ's SQL from its package. Importing the package would import another driver."""
    found = find_spec("pgmq")
    assert found is not None and found.origin is not None  # noqa: S101, PT018 - a dependency
    return Path(found.origin).with_name("sql").joinpath("pgmq.sql").read_text("utf-8")


async def _ensure_pgmq(connection: Connection) -> list[str]:
    if await connection.fetchval("SELECT to_regnamespace('pgmq') IS NOT NULL"):
        return []
    if await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pgmq')"
    ):
        await connection.execute("CREATE EXTENSION pgmq CASCADE")
    else:
        await connection.execute(pgmq_sql())
        # PGMQ's SQL may leave session settings behind, such as the search path.
        await connection.execute("RESET ALL")
        await configure(connection, session_settings(TIMEOUT) | SETTINGS)
    return ["the schema pgmq"]


async def _ensure_journal(connection: Connection) -> list[str]:
    """Create the journal's schema. PostgreSQL lets everyone execute a new function, and a schema's
    default privileges cannot prevent that, so the privilege is revoked.
    """
    made = []
    if await connection.fetchval("SELECT to_regclass('nexus.migrations') IS NULL"):
        await connection.execute(read("migrations", "migrations_table"))
        made.append("the schema nexus")
    for number, name in await _pending(connection):
        text = read("migrations", name)
        await connection.execute(text, timeout=LONGEST)
        await connection.execute(
            "INSERT INTO nexus.migrations (number, name) VALUES ($1, $2)", number, name
        )
        if works_with := _WORKS_WITH.search(text):
            await connection.execute(
                "UPDATE nexus.migrations SET works_with = $2 WHERE number = $1",
                number,
                int(works_with[1]),
            )
        log.info("applied migration %s", name)
        if "the schema nexus" not in made:
            made.append(f"the migration {name}")
    await connection.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA nexus FROM PUBLIC")
    return made


async def _ensure_job_results(connection: Connection) -> list[str]:
    if not await connection.fetchval("SELECT to_regclass('public.job_results') IS NULL"):
        return []
    await connection.execute(read("migrations", "job_results"))
    return ["the table public.job_results"]


async def _ensure_queue(connection: Connection, queue: str) -> list[str]:
    if not await connection.fetchval("SELECT to_regclass($1) IS NULL", f"pgmq.q_{queue}"):
        return []
    await connection.execute("SELECT pgmq.create($1)", queue)
    return [f"the queue {queue}"]


async def _is_known(connection: Connection, queue: str) -> bool:
    """Whether `nexus.send` may send to the queue."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM nexus.request_queues WHERE name = $1)", queue
        )
    )


async def _ensure_trigger(connection: Connection, queue: str, blockers: list[Holder]) -> list[str]:
    """Create our trigger on the queue, unless the privileges forbid it or another session is in the
    way. Without it, the queue is only polled.
    """
    table = f"pgmq.q_{queue}"
    present = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass($1)"
        " AND tgname = 'nexus_notify_insert' AND tgenabled <> 'D')",
        table,
    )
    if present:
        return []
    try:
        # OR REPLACE: another process may have created it, and a disabled one is created anew.
        await connection.execute(
            f"CREATE OR REPLACE TRIGGER nexus_notify_insert AFTER INSERT ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION nexus.notify_insert('{channel(queue)}')"
        )
    except (asyncpg.InsufficientPrivilegeError, asyncpg.LockNotAvailableError) as error:
        log.warning(
            "no trigger on %s, so new messages are found by polling only: %s%s",
            table,
            describe(error),
            f" (in the way: {named(blockers)})" if blockers else "",
        )
        return []
    return [f"the trigger on {table}"]
