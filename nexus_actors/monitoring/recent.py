"""Requests that ended after the end of the sums, from the journal. The sums are a minute or two
behind, and a new installation has none."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from nexus_actors.monitoring.reading import Reader
from nexus_actors.monitoring.trends import WINDOWS, Window

MOST_RECENT: Final = 10_000
"""The most requests that are read, newest first."""


@dataclass(frozen=True, slots=True)
class Recent:
    """Requests that ended and are in no sum yet."""

    requests: int
    failed: int
    """Failed requests, without cancelled ones."""
    cost: float
    """US dollars, as far as costs are known."""
    unknown_costs: int
    """Calls that may have been paid, at an unknown cost."""
    is_cut: bool
    """Whether there are more requests than were read."""


async def read_recent(reader: Reader, window: Window, now: datetime | None = None) -> Recent:
    """Requests of the window that are in no sum yet. Raises StorageError."""
    _, length, count = WINDOWS[window]
    since = (now or datetime.now(UTC)) - length * count
    queue = reader.queues.requests
    rows = await reader.read("overview_recent", queue, since, MOST_RECENT)
    return Recent(**rows[0]) if rows else Recent(0, 0, 0.0, 0, False)
