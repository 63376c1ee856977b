"""Whether a service works on a queue: each holds a shared advisory lock named after it, for as long
as it lives.
"""

import hashlib

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.sql import queue_name

_CLASS = 0x6E657875
"""Sets these locks apart from other users' of advisory locks: "nexu" in ASCII."""


async def announce(connection: Connection, queue: str) -> None:
    """Hold the lock until this session ends."""
    await connection.execute("SELECT pg_advisory_lock_shared($1, $2)", _CLASS, _key(queue))


async def consumer_is_running(connection: Connection, queue: str) -> bool:
    """Whether any service holds the lock: run it as `pool.run(consumer_is_running, queue)`."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid = $1::oid AND objid = $2::oid AND objsubid = 2)",
            _CLASS,
            _key(queue),
        )
    )


def _key(queue: str) -> int:
    """Positive, as pg_locks shows the halves of the key unsigned."""
    digest = hashlib.sha256(queue_name(queue).encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF
