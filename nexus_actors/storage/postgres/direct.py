"""Ends requests and stores their results in one statement, without the results queue."""

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
"""Seconds in which results go by the results queue, once this way has failed."""
_NOT_OF_ROWS = ("08", "25", "28", "3D", "57P")
"""How the states begin that tell of a connection or a server, which the queue's way would meet
too."""

log = structlog.get_logger("nexus.storage")


class DirectWay:
    """Tried first where this service stores results; the queue's way takes what it does not do.

    If job_results refuses a row, or cannot be written at all, the batch goes by the queue: its
    poller finds out whose fault that is, and tells. So do others, for growing pauses. `pool` is one
    connection, on which a table's lock is waited for as briefly as a row's: whoever holds up
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
        """Why it fails, where that is for no result's sake: a privilege, a column, a lock. None
        once it is to be tried again: without requests nobody knows more."""
        return self._trouble if trio.current_time() < self._shut_until else None

    async def finish(self, batch: Sequence[Finish]) -> list[asyncpg.Record] | None:
        """As `queries/finish.sql`, all or nothing; None where the queue's way is to do it. Raises
        StorageUnavailable if that could not do it either."""
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
        told = "results go by the results queue for now"
        if self._failures == 1:  # a lock, or one row: the queue's way bears it, and nobody need act
            log.info(told, error=str(error))
        elif self._failures == 2:  # it lasts
            log.warning(told, error=str(error))
        self._trouble = None if isinstance(error, StorageRefused) else str(error)
