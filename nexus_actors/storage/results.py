"""What the ResultPoller, which moves results into `job_results`, asks of its storage. `requests.py`
says what holds for all ports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from nexus_actors.storage.requests import Lease

RESULT_BYTES = 128 * 2**20
"""What a result may have, to be read: more than any answer of ours."""
BATCH_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class ResultMessage:
    """One message of the results queue."""

    lease: Lease
    body: str | None
    fault: str | None = None
    """Why there is no body, where that is not because the message is SQL NULL."""
    more_due: bool = False
    """Others that were due were left for the next reading, for their bytes or their number."""


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
    """It takes the place of an error under its id; others leave alone what is there."""


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
        """Up to `quantity` results, invisible to other readers for `visibility_timeout` seconds.

        One of more than `largest` bytes comes without its text. `together`: bytes that all of them
        may have; one comes in any case.
        """
        ...

    async def store(self, rows: Sequence[JobResult]) -> None:
        """Insert the rows, acknowledge their messages and notify who waits, in one transaction;
        those that supersede are written in one of their own, before. Idempotent.

        `StorageRefused`: some row cannot be stored and none was.
        """
        ...

    async def rehearse(self, row: JobResult) -> None:
        """Try whether a row could be stored, and undo it. Raises as `store` does where it would
        not be."""
        ...

    async def set_aside(
        self, message: ResultMessage, reason: str, request_id: str | None = None
    ) -> None:
        """Move a result that no row can be made from to the dead-letter queue, with the reason,
        which is noted with the request."""
        ...

    async def postpone(self, row: JobResult, delay: float, reason: str) -> None:
        """Keep a result invisible for another `delay` seconds, fenced; `reason` is why."""
        ...

    async def release(self, *, refused: bool = False) -> None:
        """Make visible what was read for the first time and not stored, by whomever: at start. With
        `refused` also what was refused."""
        ...
