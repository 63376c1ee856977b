"""`CancellationStore` in PostgreSQL."""

from collections.abc import Collection, Mapping

from nexus_actors.storage.cancellations import Cancellation
from nexus_actors.storage.postgres.connection import PostgresPool, fetch
from nexus_actors.storage.postgres.sql import read


class PostgresCancellationStore:
    """See `CancellationStore`."""

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool

    async def wanted(self, request_ids: Collection[str]) -> Mapping[str, Cancellation]:
        """See `CancellationStore.wanted`."""
        rows = await self._pool.run(fetch, read("queries", "cancelled"), list(request_ids))
        return {row["request_id"]: Cancellation(row["by"], row["why"]) for row in rows}

    async def hasten(self, request_ids: Collection[str]) -> int:
        """See `CancellationStore.hasten`."""
        rows = await self._pool.run(fetch, read("queries", "hasten"), list(request_ids))
        count: int = rows[0]["count"]
        return count

    async def hasten_recent(self) -> int:
        """See `CancellationStore.hasten_recent`."""
        rows = await self._pool.run(fetch, read("queries", "hasten_recent"))
        count: int = rows[0]["count"]
        return count
