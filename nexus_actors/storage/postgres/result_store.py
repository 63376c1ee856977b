"""The results queue and `job_results` in PostgreSQL: `ResultStore`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import asyncpg

from nexus_actors.storage.errors import StorageRefused, StorageUnavailable
from nexus_actors.storage.postgres.connection import PostgresPool, fetch
from nexus_actors.storage.postgres.encoding import document, job_result_id
from nexus_actors.storage.postgres.request_store import refuse_if_full, rehearsal
from nexus_actors.storage.postgres.sql import Queues
from nexus_actors.storage.requests import Lease
from nexus_actors.storage.results import (
    BATCH_BYTES,
    RESULT_BYTES,
    JobResult,
    ResultMessage,
)

RESULTS_CHANNEL = "nexus_results"
"""Notified with the request_id of each stored row."""


class PostgresResultStore:
    """`ResultStore`, with one statement per operation, and another if results supersede errors.

    Errors are those of the ports. A cancelled operation is rolled back.
    """

    def __init__(self, pool: PostgresPool, queues: Queues) -> None:
        self._pool = pool
        self._read = queues.query("read_results")
        self._store = queues.query("store_results")
        self._supersede = queues.query("supersede_results")
        self._set_aside = queues.query("set_aside_result")
        self._postpone = queues.query("postpone_result")
        self._release = queues.query("release_results")

    async def read(
        self,
        quantity: int,
        visibility_timeout: float,
        *,
        largest: int = RESULT_BYTES,
        together: int = BATCH_BYTES,
    ) -> list[ResultMessage]:
        """See `ResultStore.read`."""
        if quantity < 1:
            return []
        rows = await self._pool.run(
            fetch, self._read, visibility_timeout, quantity, largest, together
        )
        return [
            ResultMessage(
                Lease(row["msg_id"], row["read_ct"]),
                row["body"],
                row["fault"],
                more_due=row["due"] > len(rows) or len(rows) == quantity,
            )
            for row in rows
        ]

    async def store(self, rows: Sequence[JobResult]) -> None:
        """See `ResultStore.store`."""
        if not rows:
            return
        if superseding := [_row(row) for row in rows if row.supersedes]:
            with _update_privilege():
                await self._pool.run(fetch, self._supersede, document(superseding))
        await self._pool.run(fetch, self._store, document(_row(row) for row in rows))

    async def rehearse(self, row: JobResult) -> None:
        """See `ResultStore.rehearse`."""
        row_document = document([_row(row)])
        before = (self._supersede, row_document) if row.supersedes else ()
        with _update_privilege():
            _, usage = await self._pool.run(rehearsal, self._store, row_document, before=before)
        refuse_if_full(usage)

    async def set_aside(
        self, message: ResultMessage, reason: str, request_id: str | None = None
    ) -> None:
        """See `ResultStore.set_aside`."""
        lease = message.lease
        await self._pool.run(
            fetch, self._set_aside, lease.msg_id, lease.read_ct, reason, request_id
        )

    async def postpone(self, row: JobResult, delay: float, reason: str) -> None:
        """See `ResultStore.postpone`."""
        lease = row.lease
        await self._pool.run(
            fetch, self._postpone, lease.msg_id, lease.read_ct, delay, row.request_id, reason
        )

    async def release(self, *, refused: bool = False) -> None:
        """See `ResultStore.release`."""
        await self._pool.run(fetch, self._release, refused)


@contextmanager
def _update_privilege() -> Iterator[None]:
    """If the role lacks UPDATE, refuse only rows that supersede errors: the others can be
    stored."""
    try:
        yield
    except StorageUnavailable as error:
        if not isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError):
            raise
        lacking = "a result that supersedes an error needs UPDATE on public.job_results"
        raise StorageRefused(f"{lacking}: {error}") from error


def _row(row: JobResult) -> dict[str, object]:
    return {
        "msg_id": row.lease.msg_id,
        "request_id": row.request_id,
        "id": str(job_result_id(row.request_id)),
        "workflow": row.workflow,
        "status": row.status,
        "input": row.input,
        "output": row.output,
        "error": row.error,
        "tokens_used": row.tokens_used,
        "cost_cents": row.cost_cents,
        "duration_ms": row.duration_ms,
        "completed_at": _aware(row.completed_at),
    }


def _aware(moment: datetime | None) -> datetime | None:
    """Take a time without a zone as UTC, like the column's."""
    if moment is not None and moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment
