"""Sums the journal by minutes, hours and days (`nexus.sums`), and records the queue's length
(`nexus.backlog`), for reports over time.

Only one of all processes on a database does so: the leader of the chore `sum` (`nexus.chores`).
"""

from collections.abc import Callable
from typing import Final

import trio

from nexus_actors.operations.leader import Leader, Leadership
from nexus_actors.settings.model import RetentionSettings
from nexus_actors.storage.nodes import Term
from nexus_actors.storage.sums import SumStore

INTERVAL: Final = 20.0
"""Seconds between two rounds."""
OVERDUE: Final = 600.0
"""Seconds without a round after which the service reports it: the dashboard is then out of date."""
PAUSE: Final = 0.05
"""Seconds between two statements, so that others get their turn."""
PAST: Final = 20.0
"""The most seconds of a round for the past."""
DAY: Final = 86_400.0


class Rollup(Leader):
    """Sums a minute or an hour at a time, each in one transaction, and only in its own term. It
    reads the journal, so requests neither wait for it nor do anything for it."""

    chore = "sum"
    doing = "roll-up"
    interval = INTERVAL
    overdue = OVERDUE

    def __init__(
        self,
        *,
        settings: Callable[[], RetentionSettings],
        store: SumStore,
        leadership: Leadership,
    ) -> None:
        """`settings` returns the settings in force."""
        super().__init__(leadership)
        self._settings = settings
        self._store = store

    async def round(self, term: Term) -> None:
        """Record the backlog, sum what is new, delete what is old, then continue with the past for
        a while. A round is complete when nothing new is left, since the past may take hours."""
        keep = self._settings().sums_days * DAY
        await self._store.note_backlog(term)
        while (portion := await self._store.sum_next(term, keep=keep)) == "new":
            await _pause()
        while await self._store.prune(term, keep=keep):
            await _pause()
        await self.chores.end(term)
        until = trio.current_time() + PAST
        while portion == "old" and trio.current_time() < until:
            await _pause()
            portion = await self._store.sum_next(term, keep=keep)


async def _pause() -> None:
    await trio.sleep(PAUSE)
