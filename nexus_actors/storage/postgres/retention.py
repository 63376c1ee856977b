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
"""Of rows: numbers of messages, ids of requests."""

MOST_STUCK: Final = 100
"""Rows of a round that may be refused, each by itself. More are not the rows' fault."""
LONGEST_AGE: Final = 1000 * 366 * 86_400.0
"""Seconds. Nothing is older."""


@dataclass(slots=True)
class _Kind:
    """One of what is kept."""

    chosen: str
    """The statement that says which rows go next."""
    deleted: str
    """The statement that deletes rows by their keys."""
    stuck: Keys = field(default_factory=list)
    """Rows of this round that were refused by themselves."""
    error: StorageError | None = None
    """Of the last of them."""

    def end_round(self) -> None:
        """They are told, and tried again in the next one."""
        if self.stuck:
            log.warning("not deleted, %d old rows: %s", len(self.stuck), self.error)
        self.stuck, self.error = [], None


class PostgresRetentionStore:
    """See `RetentionStore`. A batch that is refused is halved; a row that is refused alone is left
    for the next round, and holds up no other."""

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
            if len(kind.stuck) == stuck:  # others have deleted or hold them, or lead now
                break
        kind.end_round()
        return 0

    async def _delete(self, kind: _Kind, term: Term, keys: Keys) -> int:
        """By halves where they are refused; how many were deleted."""
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
        # Whoever holds a row may do so for long.
        await connection.execute("SET LOCAL lock_timeout = '200ms'")
        return int(await connection.fetchval(sql, keys))
