"""`RetentionStore` in PostgreSQL: deletes in small batches, so that no lock is long."""

from collections.abc import Mapping

from nexus_actors.storage.postgres.connection import Connection, PostgresPool
from nexus_actors.storage.postgres.sql import Queues
from nexus_actors.storage.retention import Kept


class PostgresRetentionStore:
    """See `RetentionStore`."""

    def __init__(self, pool: PostgresPool, queues: Queues) -> None:
        self._pool = pool
        self._sql: Mapping[Kept, str] = {
            "requests": queues.query("prune_requests"),
            "results": queues.query("prune_results"),
            "journal": queues.query("prune_journal"),
            "dead": queues.query("prune_dead"),
        }

    async def prune(self, what: Kept, *, seconds: float, count: int, batch: int) -> int:
        """See `RetentionStore.prune`."""
        return await self._pool.run(_delete, self._sql[what], seconds, count, batch)


async def _delete(connection: Connection, sql: str, seconds: float, count: int, batch: int) -> int:
    status = await connection.execute(sql, seconds, count, batch)
    return int(status.rpartition(" ")[2])  # DELETE 17
