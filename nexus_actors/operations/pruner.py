"""Deletes what exceeds its retention: archives, journal, dead letters, lost nodes and others.

Only one of all processes on a database does so: the leader of the chore `prune` (`nexus.chores`).
"""

from collections.abc import Callable, Mapping
from typing import Final

import structlog
import trio

from nexus_actors.operations.leader import Leader, Leadership
from nexus_actors.settings.model import RetentionSettings
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.nodes import Term
from nexus_actors.storage.retention import Kept, RetentionStore

INTERVAL = 600.0
"""Seconds between two rounds."""
BATCH = 500
"""Rows per statement."""
PAUSE = 0.05
"""Seconds between two statements, so that others get their turn."""
OVERDUE = 3600.0
"""Seconds without a round after which the service reports it, since tables grow."""
OVER: Final = 60.0
"""Seconds for which an expired row of nexus.control, or an expired look, is kept."""
DAY: Final = 86_400.0
NODES: Final = 100
"""The most lost nodes that are kept, for a day."""
CANCELLATIONS: Final = 7 * DAY
"""How long a cancellation is kept for a request that was never leased."""
COMMANDS: Final = 30 * DAY
"""How long orders and their outcomes are kept."""

log = structlog.get_logger("nexus.pruner")


class Pruner(Leader):
    """Prunes in small batches, and only in its own term: a deleting statement has no effect once
    another node leads. An interrupted round is completed by the next one."""

    chore = "prune"
    doing = "pruning"
    interval = INTERVAL
    overdue = OVERDUE

    def __init__(
        self,
        *,
        settings: Callable[[], RetentionSettings],
        store: RetentionStore,
        leadership: Leadership,
    ) -> None:
        """`settings` returns the settings in force."""
        super().__init__(leadership)
        self._settings = settings
        self._store = store

    async def round(self, term: Term) -> None:
        """Prune everything."""
        complete = True
        for what, (seconds, count) in _limits(self._settings()).items():
            if not (seconds or count):
                continue
            if not await self.chores.hold(term):
                return
            try:
                await self._prune(what, term, seconds, count)
            except StorageError as error:  # perhaps only this kind fails
                complete = False
                log.warning("pruning put off", what=what, error=str(error))
        if complete:
            await self.chores.end(term)

    async def _prune(self, what: Kept, term: Term, seconds: float, count: int) -> None:
        total = 0
        while deleted := await self._store.prune(
            what, term, seconds=seconds, count=count, batch=BATCH
        ):
            total += deleted
            await trio.sleep(PAUSE)
        if total:
            log.info("pruned", what=what, rows=total)


def _limits(settings: RetentionSettings) -> Mapping[Kept, tuple[float, int]]:
    """For each kind, how many seconds and how many rows are kept; 0: no such limit."""
    return {
        "requests": (settings.archive_days * DAY, settings.archive_count),
        "results": (settings.archive_days * DAY, settings.archive_count),
        "journal": (settings.journal_days * DAY, settings.journal_count),
        "dead": (settings.dead_days * DAY, settings.dead_count),
        "nodes": (DAY, NODES),
        "control": (OVER, 0),
        "cancellations": (CANCELLATIONS, 0),
        "looks": (OVER, 0),
        "commands": (COMMANDS, 0),
    }
