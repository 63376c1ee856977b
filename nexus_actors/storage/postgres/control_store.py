"""`ControlStore` in PostgreSQL."""

from collections.abc import Collection, Sequence

from nexus_actors.storage.control import ControlRow
from nexus_actors.storage.postgres.connection import PostgresPool, fetch
from nexus_actors.storage.postgres.sql import Queues, read


class PostgresControlStore:
    """See `ControlStore`."""

    def __init__(self, pool: PostgresPool, queues: Queues) -> None:
        self._pool = pool
        self._release = queues.query("release_paused")

    async def read(self, nodes: Collection[str]) -> Sequence[ControlRow]:
        """See `ControlStore.read`."""
        rows = await self._pool.run(fetch, read("queries", "read_control"), list(nodes))
        return [ControlRow(**dict(row)) for row in rows]

    async def release(self, lanes: Collection[str], providers: Collection[str], most: int) -> int:
        """See `ControlStore.release`."""
        rows = await self._pool.run(fetch, self._release, list(lanes), list(providers), most)
        count: int = rows[0]["count"]
        return count
