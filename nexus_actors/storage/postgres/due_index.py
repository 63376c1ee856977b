"""The index for leasing requests in the order in which they are due.

On a short queue it is created at once, which blocks the queue for a moment. On a long queue it is
created concurrently with the running work, which takes longer and waits for open transactions.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

import asyncpg

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.errors import describe
from nexus_actors.storage.postgres.locks import Holder, lock_holders, named
from nexus_actors.storage.postgres.presence import lock_key
from nexus_actors.storage.postgres.sql import DUE, queue_name

SHORT = 16 * 2**20
"""The largest queue to block while the index is created, in bytes: about ten thousand requests."""
PATIENCE = 20.0
"""Seconds to wait for another process, or for an open transaction."""
LONGEST = 3600.0
"""Seconds for creating the index."""
_CLASS: Final = 0x6E657864
"""The key space of these advisory locks: "nexd" in ASCII."""

log = logging.getLogger(__name__)


async def has_due_index(connection: Connection, queue: str) -> bool:
    """Whether the queue has a valid index."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND indisvalid)",
        f"pgmq.{_name(queue)}",
    )
    return found


async def ensure_due_index(
    connection: Connection, queue: str, blockers: Sequence[Holder] = ()
) -> list[str]:
    """Create the index, unless the server forbids it or another session is in the way. Without it,
    a message with a negative delay precedes all others; a warning says so, and names the `blockers`
    seen so far. Returns what was created, in words.
    """
    if await has_due_index(connection, queue):
        return []
    try:
        await _take_turn(connection, queue)
        if await has_due_index(connection, queue):
            return []
        table = f"pgmq.q_{queue}"
        if await connection.fetchval("SELECT pg_relation_size($1::regclass)", table) > SHORT:
            await _build_beside(connection, queue)
        else:
            async with connection.transaction():
                await connection.execute(f"DROP INDEX IF EXISTS pgmq.{_name(queue)}")
                await connection.execute(f"CREATE INDEX {_columns(queue)}")
    except asyncpg.PostgresError as error:
        # Even a full disk, or a limit of this server: everything else works without the index.
        if connection.is_closed():
            raise
        log.warning(
            "no index on pgmq.q_%s, so a message that is sent with a negative delay comes before"
            " all others: %s%s",
            queue,
            describe(error),
            f" (in the way: {named(list(blockers))})" if blockers else "",
        )
        return []
    return [f"the index pgmq.{_name(queue)}"]


async def _build_beside(connection: Connection, queue: str) -> None:
    """Create the index without blocking the queue. A failed attempt leaves an invalid index, which
    this or the next attempt removes.
    """
    log.info("building the index pgmq.%s; its queue is used meanwhile", _name(queue))
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS pgmq.{_name(queue)}"
    before = await connection.fetchval("SHOW lock_timeout")
    await connection.execute(f"SET lock_timeout = '{PATIENCE}s'")
    try:
        await connection.execute(drop, timeout=LONGEST)
        await connection.execute(f"CREATE INDEX CONCURRENTLY {_columns(queue)}", timeout=LONGEST)
    except asyncpg.PostgresError:
        await connection.execute(f"SET lock_timeout = '{before}'")
        await connection.execute(drop)
        raise
    await connection.execute(f"SET lock_timeout = '{before}'")
    log.info("the index pgmq.%s is built", _name(queue))


async def _take_turn(connection: Connection, queue: str) -> None:
    """Hold the lock for creating the index until the session ends, since two processes would wait
    for each other. It is polled: a waiting statement would hold up the process that creates it.

    Raises LockNotAvailableError.
    """
    key = _CLASS, lock_key(queue)[1]
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", *key):
        if loop.time() > deadline:
            holders = named(await lock_holders(connection, *key))
            raise asyncpg.LockNotAvailableError(f"another session is building it ({holders})")
        await asyncio.sleep(0.1)


def _columns(queue: str) -> str:
    return f"{_name(queue)} ON pgmq.q_{queue} (({DUE.replace('q.', '')}))"


def _name(queue: str) -> str:
    return f"nexus_due_{queue_name(queue)}"
