"""The port for the results queue and `job_results`, used by the ResultPoller. `requests.py` says
what holds for all ports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from nexus_actors.storage.requests import Lease

RESULT_BYTES = 128 * 2**20
"""The largest result that is read. No result of this service is as large."""
BATCH_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class ResultMessage:
    """One message of the results queue."""

    lease: Lease
    body: str | None
    fault: str | None = None
    """Why there is no body; None if there is one or the message is SQL NULL."""
    more_due: bool = False
    """Whether more messages are due that did not fit into this batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """A row of `job_results`; see `storage/job_results.py` for how a result becomes one."""

    lease: Lease
    request_id: str
    workflow: str
    status: Literal["success", "failed", "timeout"]
    input: str
    """JSON text."""
    output: str
    """JSON text."""
    error: str | None
    tokens_used: int
    cost_cents: int
    duration_ms: int | None
    completed_at: datetime | None
    supersedes: bool = False
    """Whether it replaces an error under the same id. Other rows never replace anything."""


class ResultStore(Protocol):
    """The results queue and the `job_results` table."""

    async def read(
        self,
        quantity: int,
        visibility_timeout: float,
        *,
        largest: int = RESULT_BYTES,
        together: int = BATCH_BYTES,
    ) -> list[ResultMessage]:
        """Read up to `quantity` results, which are invisible to other readers for
        `visibility_timeout` seconds.

        A result of more than `largest` bytes is returned without its text. `together` bounds the
        bytes of all of them, but at least one is returned.
        """
        ...

    async def store(self, rows: Sequence[JobResult]) -> None:
        """Insert the rows, acknowledge their messages and notify waiting clients, in one
        transaction. Rows that supersede errors are written before, in a transaction of their own.
        Idempotent.

        `StorageRefused` means that some row cannot be stored and none was.
        """
        ...

    async def rehearse(self, row: JobResult) -> None:
        """Store a row and roll that back. Raises what `store` would raise."""
        ...

    async def set_aside(
        self, message: ResultMessage, reason: str, request_id: str | None = None
    ) -> None:
        """Move a result that cannot become a row to the dead-letter queue, with the reason, and
        record that with the request."""
        ...

    async def postpone(self, row: JobResult, delay: float, reason: str) -> None:
        """Keep a result invisible for another `delay` seconds, fenced, and record the reason."""
        ...

    async def release(self, *, refused: bool = False) -> None:
        """Make results visible that any process has read once and not stored; called at the start.
        With `refused`, also those that were refused."""
        ...
