"""Configures sessions so that they behave alike, whatever defaults a database, a role or a pooler
sets.

Settings are made by a statement, not at the connection's start, where a pooler such as PgBouncer
lets only a few pass. A pooler must not change the server session between transactions (PgBouncer's
`pool_mode = transaction`): settings, prepared statements, LISTEN and the locks that prove presence
belong to a session. The start detects this and refuses.
"""

from typing import TypeAlias

import asyncpg
import asyncpg.pool

from nexus_actors.storage.postgres.array_types import declare_arrays
from nexus_actors.storage.postgres.places import location

Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)

_APPLY = (
    "SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS s (name, value)"
)
_ROUNDS = 3
"""The number of comparisons of two connections, since a pooler's other clients may interfere."""


class TransactionPooling(ValueError):
    """The database is behind a pooler that does not keep sessions."""


def session_settings(command_timeout: float) -> dict[str, str]:
    """The settings that our statements rely on. `command_timeout` in seconds; 0: none.

    The statement timeout stops on the server what the client has given up on. A transaction that is
    idle for twice as long belongs to a frozen process: it is ended, which releases its locks.
    """
    return {
        "statement_timeout": str(int(command_timeout * 1000)),
        "idle_in_transaction_session_timeout": str(int(2 * command_timeout * 1000)),
        "lock_timeout": "0",
        # JIT: our statements are short, but estimated as expensive because they call functions.
        "jit": "off",
        # They look up a few rows by key. Before a table's first ANALYZE, and because the planner
        # does not know a batch's size, it would read the whole queue or journal for that.
        "enable_seqscan": "off",
        # They look up by key whatever a table's size, so one plan is right for all parameters.
        # Planning takes as long as executing.
        "plan_cache_mode": "force_generic_plan",
        # Look-ups are hash joins. The planner does not know a batch's size; if it expected one row,
        # a nested loop would scan the batch for each row.
        "enable_nestloop": "off",
        "enable_mergejoin": "off",
        # The settings of a database or role are for others; these are PostgreSQL's defaults. Not
        # default_transaction_read_only: whoever sets that means this service, too.
        "search_path": '"$user", public',
        "standard_conforming_strings": "on",
        "default_transaction_isolation": "read committed",
        "default_transaction_deferrable": "off",
        "row_security": "on",
        "DateStyle": "ISO, MDY",
        "IntervalStyle": "postgres",
        "TimeZone": "UTC",
        "bytea_output": "hex",
        "extra_float_digits": "1",
        "transform_null_equals": "off",
    }


async def configure(connection: Connection, settings: dict[str, str]) -> None:
    """Apply the settings to a session, and tell the driver of the types that we use."""
    declare_arrays(connection.get_settings())
    await connection.fetch(_APPLY, list(settings), list(settings.values()))


async def connect(
    url: str,
    name: str,
    timeout: float,
    command_timeout: float | None = None,
    settings: dict[str, str] | None = None,
) -> "asyncpg.Connection[asyncpg.Record]":
    """Open a separate connection with the application name `name` and our settings, changed by
    `settings`."""
    connection = await asyncpg.connect(
        url,
        timeout=timeout,
        command_timeout=command_timeout or timeout,
        server_settings={"application_name": name},
    )
    try:
        await configure(connection, session_settings(timeout) | (settings or {}))
    except BaseException:
        connection.terminate()
        raise
    return connection


async def refuse_transaction_pooling(connection: Connection, url: str) -> None:
    """Raise TransactionPooling if two connections share server sessions, or change them.

    Only a pooler reports another process id to the client than the server does, so without a pooler
    this costs one statement.
    """
    mine = await _pid(connection)
    if mine == connection.get_server_pid():
        return
    other = await asyncpg.connect(url, timeout=10, command_timeout=10)
    try:
        theirs = None
        for _ in range(_ROUNDS):
            # Inside a transaction, so that two clients cannot have the same session at once.
            async with other.transaction():
                held = await _pid(other)
                changed = theirs is not None and held != theirs
                theirs = held
                if held == mine or changed or await _pid(connection) != mine:
                    raise TransactionPooling(_explanation(url))
            if await _pid(connection) != mine:
                raise TransactionPooling(_explanation(url))
    finally:
        other.terminate()


async def _pid(connection: Connection) -> int:
    pid: int = await connection.fetchval("SELECT pg_backend_pid()")
    return pid


def _explanation(url: str) -> str:
    return (
        f"the pooler at {location(url)} gives each transaction another session of the server"
        " (PgBouncer's pool_mode = transaction or statement), and nexus needs sessions of its own:"
        " connect to PostgreSQL itself, or to a database of the pooler with pool_mode = session"
    )
