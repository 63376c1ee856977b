"""Sums the journal by minutes, hours and days (`nexus.sums`), and notes how long the queue is
(`nexus.backlog`), for whoever wants to see how it went.

Of all processes on a database one does so, the leader of the chore `sum` (`nexus.chores`).
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
"""Seconds without a round, after which the service says so: the dashboard shows what was."""
PAUSE: Final = 0.05
"""Seconds between two statements, for others."""
PAST: Final = 20.0
"""Seconds of a round that may be spent on the past."""
DAY: Final = 86_400.0


class Rollup(Leader):
    """A minute or an hour at a time, each wholly or not at all, and only in its own term. Requests
    do not wait for it, nor does it count anything when they end: it reads what the journal has."""

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
        """`settings` gives those that hold now."""
        super().__init__(leadership)
        self._settings = settings
        self._store = store

    async def round(self, term: Term) -> None:
        """Note the backlog, sum what is new, delete what is old; then go on with the past for a
        while. A round is complete when nothing new is left: the past may take hours."""
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
