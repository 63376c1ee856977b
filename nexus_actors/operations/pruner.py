"""Deletes what has been kept for long enough: archives, journal, dead letters."""

from collections.abc import Callable

import structlog
import trio

from nexus_actors.settings.model import RetentionSettings
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.retention import Kept, RetentionStore
from supervisors import GenServer

INTERVAL = 600.0
"""Seconds between two rounds."""
BATCH = 500
"""Rows of a statement."""
PAUSE = 0.05
"""Seconds between two statements, for others."""
DAY = 86_400.0

log = structlog.get_logger("nexus.pruner")


class Pruner(GenServer):
    """A round at a time, a small batch at a time. Several processes may do so at once. A round that
    the database interrupts is done by the next one."""

    def __init__(self, *, settings: Callable[[], RetentionSettings], store: RetentionStore) -> None:
        """`settings` gives those that hold now."""
        self._store = store
        self._settings = settings

    async def init(self) -> None:
        """Begin with a round."""
        self.spawn_link(self._prune_all)

    async def _prune_all(self) -> None:
        while True:
            for what, (seconds, count) in _limits(self._settings()).items():
                if not (seconds or count):
                    continue
                try:
                    await self._prune(what, seconds, count)
                except StorageError as error:  # perhaps of this kind alone
                    log.warning("pruning put off", what=what, error=str(error))
            await trio.sleep(INTERVAL)

    async def _prune(self, what: Kept, seconds: float, count: int) -> None:
        total = 0
        while deleted := await self._store.prune(what, seconds=seconds, count=count, batch=BATCH):
            total += deleted
            await trio.sleep(PAUSE)
        if total:
            log.info("pruned", what=what, rows=total)


def _limits(settings: RetentionSettings) -> dict[Kept, tuple[float, int]]:
    return {
        "requests": (settings.archive_days * DAY, settings.archive_count),
        "results": (settings.archive_days * DAY, settings.archive_count),
        "journal": (settings.journal_days * DAY, settings.journal_count),
        "dead": (settings.dead_days * DAY, settings.dead_count),
    }
