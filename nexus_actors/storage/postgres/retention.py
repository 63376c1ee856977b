"""`RetentionStore` in PostgreSQL: deletes in small batches, so that no lock is long."""

from collections.abc import Mapping
from typing import Final

from nexus_actors.storage.ports import StorageRefused
from nexus_actors.storage.postgres.connection import Connection, PostgresPool
from nexus_actors.storage.postgres.sql import Queues
from nexus_actors.storage.retention import Kept

MOST_REFUSED: Final = 200
"""Rows of a kind that are passed over in a round: of more it is not for their sake."""


class PostgresRetentionStore:
    """See `RetentionStore`. A row that is refused by itself is passed over until the round ends."""

    def __init__(self, pool: PostgresPool, queues: Queues) -> None:
        self._pool = pool
        self._sql: Mapping[Kept, str] = {
            "requests": queues.query("prune_requests"),
            "results": queues.query("prune_results"),
            "journal": queues.query("prune_journal"),
            "dead": queues.query("prune_dead"),
        }
        # Those before them are deleted, so the refused ones are the oldest of all.
        self._refused: dict[Kept, int] = {}

    async def prune(self, what: Kept, *, seconds: float, count: int, batch: int) -> int:
        """See `RetentionStore.prune`. Raises StorageRefused, and begins anew with the oldest, once
        `MOST_REFUSED` rows were refused."""
        skipped, portion = self._refused.pop(what, 0), batch
        while True:
            arguments = (seconds, count, portion, skipped, 10 * batch + skipped)
            try:
                deleted = await self._pool.run(_delete, self._sql[what], *arguments)
            except StorageRefused:
                if portion > 1:
                    portion //= 2
                    continue
                skipped += 1
                if skipped > MOST_REFUSED:
                    raise
            else:
                if deleted:
                    self._refused[what] = skipped
                return deleted


async def _delete(connection: Connection, sql: str, *arguments: float) -> int:
    status = await connection.execute(sql, *arguments)
    return int(status.rpartition(" ")[2])  # DELETE 17
