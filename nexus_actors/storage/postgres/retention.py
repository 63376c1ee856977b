"""`RetentionStore` in PostgreSQL: deletes in small batches, so that locks are short."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.nodes import Term
from nexus_actors.storage.postgres.connection import Connection, PostgresPool
from nexus_actors.storage.postgres.errors import is_of_rows
from nexus_actors.storage.postgres.node_store import holds
from nexus_actors.storage.postgres.sql import Queues
from nexus_actors.storage.retention import Kept

log = logging.getLogger(__name__)

Keys = list[int | str]
"""Keys of rows: numbers of messages, ids of requests."""

MOST_STUCK: Final = 100
"""The most rows of a round that may each be refused. If there are more, rows are not the cause."""
LONGEST_AGE: Final = 1000 * 366 * 86_400.0
"""The greatest age that anything can have, in seconds."""


@dataclass(slots=True)
class _Kind:
    """The statements and the state of one kind of rows."""

    chosen: str
    """The statement that selects the next rows."""
    deleted: str
    """The statement that deletes rows by their keys."""
    stuck: Keys = field(default_factory=list)
    """Rows of this round that were refused on their own."""
    error: StorageError | None = None
    """The error of the last of them."""

    def end_round(self) -> None:
        """Report the refused rows, and let the next round try them again."""
        if self.stuck:
            log.warning("not deleted, %d old rows: %s", len(self.stuck), self.error)
        self.stuck, self.error = [], None


class PostgresRetentionStore:
    """See `RetentionStore`. A batch that is refused is halved. A row that is refused on its own is
    left for the next round, and does not hold up the others."""

    def __init__(self, pool: PostgresPool, queues: Queues) -> None:
        self._pool = pool
        self._kinds: Mapping[Kept, _Kind] = {
            "requests": _Kind(queues.query("prune_requests"), queues.query("delete_requests")),
            "results": _Kind(queues.query("prune_results"), queues.query("delete_results")),
            "journal": _Kind(queues.query("prune_journal"), queues.query("delete_journal")),
            "dead": _Kind(queues.query("prune_dead"), queues.query("dead_purge")),
            "nodes": _Kind(queues.query("prune_nodes"), queues.query("delete_nodes")),
            "control": _Kind(queues.query("prune_control"), queues.query("delete_control")),
            "cancellations": _Kind(
                queues.query("prune_cancellations"), queues.query("delete_cancellations")
            ),
            "looks": _Kind(queues.query("prune_looks"), queues.query("delete_looks")),
            "commands": _Kind(queues.query("prune_commands"), queues.query("delete_commands")),
        }

    async def prune(self, what: Kept, term: Term, *, seconds: float, count: int, batch: int) -> int:
        """See `RetentionStore.prune`."""
        kind = self._kinds[what]
        age = min(seconds, LONGEST_AGE)
        while keys := await self._pool.run(_choose, kind.chosen, age, count, batch, kind.stuck):
            stuck = len(kind.stuck)
            deleted = await self._delete(kind, term, keys)
            if deleted:
                return deleted
            if len(kind.stuck) == stuck:  # others have deleted or locked them, or lead now
                break
        kind.end_round()
        return 0

    async def _delete(self, kind: _Kind, term: Term, keys: Keys) -> int:
        """Delete rows, and halve batches that are refused. Returns how many were deleted."""
        batches: list[Keys] = [keys]
        deleted = 0
        while batches:
            batch = batches.pop()
            try:
                deleted += await self._pool.run(_delete, kind.deleted, term, batch)
            except StorageError as error:
                if not is_of_rows(error) or len(kind.stuck) >= MOST_STUCK:
                    kind.end_round()
                    raise
                if len(batch) == 1:
                    kind.stuck = [*kind.stuck, *batch]
                    kind.error = error
                else:
                    middle = len(batch) // 2
                    batches += [batch[middle:], batch[:middle]]
        return deleted


async def _choose(
    connection: Connection, sql: str, seconds: float, count: int, batch: int, stuck: Keys
) -> Keys:
    rows = await connection.fetch(sql, seconds, count, batch, stuck)
    return [row["key"] for row in rows]


async def _delete(connection: Connection, sql: str, term: Term, keys: Keys) -> int:
    async with connection.transaction():
        if not await holds(connection, term):
            return 0
        # A row may be locked for long.
        await connection.execute("SET LOCAL lock_timeout = '200ms'")
        return int(await connection.fetchval(sql, keys))
