"""The index by which requests are leased in the order in which they are due."""

import logging
from typing import Final

import asyncpg

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.errors import describe
from nexus_actors.storage.postgres.sql import DUE, queue_name

PATIENCE: Final = 2
"""Seconds that transactions which have written to the queue are waited for."""

log = logging.getLogger(__name__)


async def has_due_index(connection: Connection, queue: str) -> bool:
    """Whether the queue has it."""
    found: bool = await connection.fetchval(
        "SELECT to_regclass($1) IS NOT NULL", f"pgmq.{_name(queue)}"
    )
    return found


async def ensure_due_index(connection: Connection, queue: str) -> None:
    """Make it, if the privileges allow it and nobody is in the way; without it, a message that was
    sent with a negative delay comes before all others, which is told."""
    if await has_due_index(connection, queue):
        return
    columns = DUE.replace("q.", "")
    try:
        async with connection.transaction():
            # Who waits for this lock holds up all that send.
            await connection.execute(f"SET LOCAL lock_timeout = '{PATIENCE}s'")
            await connection.execute(
                f"CREATE INDEX IF NOT EXISTS {_name(queue)} ON pgmq.q_{queue} (({columns}))"
            )
    except (asyncpg.UniqueViolationError, asyncpg.DuplicateTableError):
        pass  # another process was quicker
    except (asyncpg.InsufficientPrivilegeError, asyncpg.LockNotAvailableError) as error:
        log.warning(
            "no index on pgmq.q_%s, so a message that is sent with a negative delay comes before"
            " all others: %s",
            queue,
            describe(error),
        )


def _name(queue: str) -> str:
    return f"nexus_due_{queue_name(queue)}"
