"""The direct way: ends requests and stores their results in one statement, bypassing the results
queue."""

from collections.abc import Sequence
from math import inf

import asyncpg
import structlog
import trio

from nexus_actors.storage.errors import StorageError, StorageRefused
from nexus_actors.storage.postgres import encoding
from nexus_actors.storage.postgres.connection import PostgresPool, fetch
from nexus_actors.storage.postgres.sql import Queues
from nexus_actors.storage.requests import Finish

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds for which results go through the results queue after the direct way has failed."""
_NOT_OF_ROWS = ("08", "25", "28", "3D", "57P")
"""Prefixes of SQLSTATEs that concern the connection or the server: the results queue would fail in
the same way."""

log = structlog.get_logger("nexus.storage")


class DirectWay:
    """Tried first if this service stores results. What it cannot do goes through the results queue.

    If job_results refuses a row, or cannot be written at all, the batch goes through the queue, and
    ResultPoller finds out and reports what is at fault. Later batches do the same, for growing
    pauses. `pool` is one connection with a short lock_timeout for tables, too, so a lock on
    job_results holds up no request.
    """

    def __init__(self, pool: PostgresPool, queues: Queues, instance_id: str) -> None:
        self._pool = pool
        self._sql = queues.query("finish", way="direct")
        self._owner = instance_id
        self._busy = False
        self._shut_until = -inf
        self._failures = 0
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why the direct way fails, if no single result is at fault: a privilege, a column, a lock.
        None once it is to be tried again, since without requests nothing more is known."""
        return self._trouble if trio.current_time() < self._shut_until else None

    async def finish(self, batch: Sequence[Finish]) -> list[asyncpg.Record] | None:
        """End requests as `queries/finish.sql` does, all or nothing. None if the batch must go
        through the results queue. Raises StorageUnavailable if that would fail, too."""
        if self._busy or trio.current_time() < self._shut_until:
            return None
        self._busy = True
        try:
            rows = await self._pool.run(
                fetch,
                self._sql,
                self._owner,
                encoding.finishes(batch, stored=True),
                encoding.attempts(batch),
            )
        except StorageError as error:
            state = str(getattr(error.__cause__, "sqlstate", None) or "08")
            if state.startswith(_NOT_OF_ROWS):
                raise
            self._shut(error)
            return None
        finally:
            self._busy = False
        if self._failures:
            log.info("results are stored directly again", failures=self._failures)
            self._failures, self._trouble = 0, None
        return rows

    def _shut(self, error: StorageError) -> None:
        pause = min(FIRST_PAUSE * 2.0 ** min(self._failures, 10), LONGEST_PAUSE)
        self._shut_until = trio.current_time() + pause
        self._failures += 1
        message = "results go by the results queue for now"
        if self._failures == 1:  # a lock, or one row: the queue's way bears it, and nobody need act
            log.info(message, error=str(error))
        elif self._failures == 2:  # it lasts
            log.warning(message, error=str(error))
        self._trouble = None if isinstance(error, StorageRefused) else str(error)
