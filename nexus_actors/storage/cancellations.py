"""The port for cancellations of requests, and the rows that it returns."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

CANCEL_CHANNEL = "nexus_cancel"
"""Notified for each new row of `nexus.cancellations`. Any role can notify, so only rows count."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """An order to cancel a request."""

    by: str | None
    """Who gave it, by their own word; None or empty if they did not say."""
    why: str | None


class CancellationStore(Protocol):
    """Raises what `RequestStore` raises."""

    async def wanted(self, request_ids: Collection[str]) -> Mapping[str, Cancellation]:
        """Which of these requests are to be cancelled."""
        ...

    async def hasten(self, request_ids: Collection[str]) -> int:
        """Make those of these requests visible that wait in the store, so that their next lease
        ends them. Returns how many. Safe to repeat."""
        ...

    async def hasten_recent(self) -> int:
        """The same for all requests that were cancelled within the last seconds."""
        ...
