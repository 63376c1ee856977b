"""Requests that somebody wants cancelled: the port, and the rows that it returns."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

CANCEL_CHANNEL = "nexus_cancel"
"""Notified of each new row of `nexus.cancellations`. Anybody may notify: the rows alone count."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A wish that a request be cancelled."""

    by: str | None
    """Who asked for it, as they say; None, or empty, where nobody said."""
    why: str | None


class CancellationStore(Protocol):
    """Raises what `RequestStore` raises."""

    async def wanted(self, request_ids: Collection[str]) -> Mapping[str, Cancellation]:
        """Which of these requests are to be cancelled."""
        ...

    async def hasten(self, request_ids: Collection[str]) -> int:
        """Make visible those of these requests that wait in the store, so that whoever leases them
        ends them; how many. Safe to repeat."""
        ...

    async def hasten_recent(self) -> int:
        """The same of all whose cancellation was asked for within the last seconds."""
        ...
