"""How requests ended of late, as the verdict sees it: failures that are nobody's fault here do not
count."""

from dataclasses import dataclass

from nexus_actors.contract.errors import NO_FAULT
from nexus_actors.monitoring.reading import Reader


@dataclass(frozen=True, slots=True)
class Ends:
    """Requests that ended, without those of `NO_FAULT`. All are 0 where nothing failed."""

    requests: int = 0
    """In the last hour, as far as it is summed."""
    failed: int = 0
    newest_requests: int = 0
    """In the newest full minute; 0 if that is not summed in time."""
    newest_failed: int = 0


async def read_ends(reader: Reader) -> Ends:
    """Of the installation. Raises StorageError."""
    rows = await reader.read("overview_ends", reader.queues.requests, sorted(NO_FAULT))
    return Ends(**rows[0])
