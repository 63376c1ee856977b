"""The index by which requests are leased in the order in which they are due."""

import logging

import asyncpg

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.sql import DUE, queue_name

log = logging.getLogger(__name__)


async def has_due_index(connection: Connection, queue: str) -> bool:
    """Whether the queue has it."""
    found: bool = await connection.fetchval(
        "SELECT to_regclass($1) IS NOT NULL", f"pgmq.{_name(queue)}"
    )
    return found


async def ensure_due_index(connection: Connection, queue: str) -> None:
    """Make it, if the privileges allow it; without it, a message that was sent with a negative
    delay comes before all others, which is told."""
    if await has_due_index(connection, queue):
        return
    columns = DUE.replace("q.", "")
    try:
        await connection.execute(
            f"CREATE INDEX IF NOT EXISTS {_name(queue)} ON pgmq.q_{queue} (({columns}))"
        )
    except asyncpg.InsufficientPrivilegeError:
        log.warning(
            "no right to create an index on pgmq.q_%s: a message that is sent with a negative delay"
            " comes before all others",
            queue,
        )


def _name(queue: str) -> str:
    return f"nexus_due_{queue_name(queue)}"
