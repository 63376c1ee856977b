"""What moves results into `job_results` asks of its storage. `ports.py` says what holds of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from nexus_actors.storage.ports import Lease


@dataclass(frozen=True, slots=True)
class ResultMessage:
    """One message of the results queue."""

    lease: Lease
    body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """A row of `job_results`; see `results/job_results.py` for how a result becomes one."""

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


class ResultStore(Protocol):
    """The results queue and the `job_results` table."""

    async def read(self, quantity: int, visibility_timeout: float) -> list[ResultMessage]: ...

    async def store(self, rows: Sequence[JobResult]) -> None:
        """Insert the rows, acknowledge their messages and notify who waits, in one transaction.
        Idempotent.

        `StorageRefused`: some row cannot be stored and none was.
        """
        ...

    async def set_aside(self, message: ResultMessage, reason: str) -> None:
        """Move a result that no row can be made from to the dead-letter queue, with the reason."""
        ...

    async def postpone(self, row: JobResult, delay: float, reason: str) -> None:
        """Keep a result invisible for another `delay` seconds, fenced; `reason` is why."""
        ...

    async def release(self, *, refused: bool = False) -> None:
        """Make visible what was read for the first time and not stored, by whomever: at start. With
        `refused` also what was refused."""
        ...
