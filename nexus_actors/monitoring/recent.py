"""What ended since the sums' end, from the journal: the sums are a minute or two behind, and there
are none at the first look at a new installation."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from nexus_actors.monitoring.reading import Reader
from nexus_actors.monitoring.trends import WINDOWS, Window

MOST_RECENT: Final = 10_000
"""Requests that are looked at, the newest."""


@dataclass(frozen=True, slots=True)
class Recent:
    """Requests that ended and are in no sum yet."""

    requests: int
    failed: int
    """Those of them that failed; what was cancelled did not."""
    cost: float
    """US dollars, as far as they are known."""
    unknown_costs: int
    """Calls that may have been paid, at a cost nobody knows."""
    is_cut: bool
    """There are more than were looked at."""


async def read_recent(reader: Reader, window: Window, now: datetime | None = None) -> Recent:
    """Those of the window that no sum has yet. Raises StorageError."""
    _, length, count = WINDOWS[window]
    since = (now or datetime.now(UTC)) - length * count
    queue = reader.queues.requests
    rows = await reader.read("overview_recent", queue, since, MOST_RECENT)
    return Recent(**rows[0]) if rows else Recent(0, 0, 0.0, 0, False)
