"""Detects whether a service works on a queue. Each service holds a shared advisory lock, whose key
is made from the queue's name, for as long as it runs and takes requests."""

import hashlib

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.locks import lock_holders, named
from nexus_actors.storage.postgres.sql import queue_name

_CLASS = 0x6E657875
"""The key space of these advisory locks: "nexu" in ASCII."""


async def announce(connection: Connection, queue: str) -> str | None:
    """Hold the lock until this session ends. Returns the sessions that hold it exclusively, if it
    is not available now. It never waits.
    """
    key = lock_key(queue)
    if await connection.fetchval("SELECT pg_try_advisory_lock_shared($1, $2)", *key):
        return None
    return named(await lock_holders(connection, *key))


async def withdraw(connection: Connection, queue: str) -> None:
    """Release the lock that `announce` took on this connection."""
    await connection.execute("SELECT pg_advisory_unlock_shared($1, $2)", *lock_key(queue))


async def consumer_is_running(connection: Connection, queue: str) -> bool:
    """Whether any session holds the lock. Run it as `pool.run(consumer_is_running, queue)`.

    An exclusive holder counts as a service, since it may prevent one from announcing itself. The
    client then waits for an answer as long as it would anyway.
    """
    return bool(await lock_holders(connection, *lock_key(queue)))


def lock_key(queue: str) -> tuple[int, int]:
    """The key of a queue's lock. Its halves are positive, since pg_locks shows them unsigned."""
    digest = hashlib.sha256(queue_name(queue).encode()).digest()
    return _CLASS, int.from_bytes(digest[:4], "big") & 0x7FFFFFFF
