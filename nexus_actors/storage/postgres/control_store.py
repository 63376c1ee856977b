"""`ControlStore` in PostgreSQL."""

from collections.abc import Collection, Sequence

from nexus_actors.storage.control import ControlRow
from nexus_actors.storage.postgres.connection import Connection, PostgresPool, fetch
from nexus_actors.storage.postgres.sql import Queues, read


class PostgresControlStore:
    """See `ControlStore`."""

    def __init__(self, pool: PostgresPool, queues: Queues) -> None:
        self._pool = pool
        self._release = queues.query("release_paused")
        self._any_waits = queues.query("any_waits")

    async def read(self, nodes: Collection[str]) -> Sequence[ControlRow]:
        """See `ControlStore.read`."""
        rows = await self._pool.run(fetch, read("queries", "read_control"), list(nodes))
        return [ControlRow(**dict(row)) for row in rows]

    async def release(self, lanes: Collection[str], providers: Collection[str], most: int) -> int:
        """See `ControlStore.release`."""
        return await self._pool.run(self._release_some, list(lanes), list(providers), most)

    async def _release_some(
        self, connection: Connection, lanes: list[str], providers: list[str], most: int
    ) -> int:
        # Mostly nothing waits, and to see that takes a hundredth of planning the other statement,
        # which each connection has to do once.
        if not await connection.fetchval(self._any_waits):
            return 0
        count: int = await connection.fetchval(self._release, lanes, providers, most)
        return count
