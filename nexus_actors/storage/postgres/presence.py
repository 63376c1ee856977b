"""Whether a service works on a queue: each one holds a shared advisory lock named after the queue,
as long as it lives and takes requests."""

import hashlib

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.locks import lock_holders, named
from nexus_actors.storage.postgres.sql import queue_name

_CLASS = 0x6E657875
"""Sets these locks apart from other users' of advisory locks: "nexu" in ASCII."""


async def announce(connection: Connection, queue: str) -> str | None:
    """Hold the lock until this session ends. Who holds it alone, where that cannot be had now; it
    is never waited for.
    """
    key = lock_key(queue)
    if await connection.fetchval("SELECT pg_try_advisory_lock_shared($1, $2)", *key):
        return None
    return named(await lock_holders(connection, *key))


async def withdraw(connection: Connection, queue: str) -> None:
    """Let go of the lock that `announce` has had on this connection."""
    await connection.execute("SELECT pg_advisory_unlock_shared($1, $2)", *lock_key(queue))


async def consumer_is_running(connection: Connection, queue: str) -> bool:
    """Whether any session holds the lock: run it as `pool.run(consumer_is_running, queue)`.

    Whoever holds it alone may keep a service from it, so that counts as one: who asks then waits
    for an answer as long as it would anyway.
    """
    return bool(await lock_holders(connection, *lock_key(queue)))


def lock_key(queue: str) -> tuple[int, int]:
    """The lock of a queue. Positive, as pg_locks shows the halves of the key unsigned."""
    digest = hashlib.sha256(queue_name(queue).encode()).digest()
    return _CLASS, int.from_bytes(digest[:4], "big") & 0x7FFFFFFF
