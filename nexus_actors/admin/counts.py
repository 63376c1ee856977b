"""The database's counts for `/metrics`, cached for a few seconds and shared by all scrapes."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from nexus_actors.storage.errors import StorageError, StorageUnavailable
from nexus_actors.storage.postgres.counted import Counted

TIMEOUT: Final = 2.0
"""Seconds that a scrape waits for the database."""
FRESH: Final = 4.0
"""The least seconds for which counts are cached, so that ten scrapers cost as much as one."""
TIMES: Final = 20.0
"""Counts are cached for this many times as long as counting took, so that counting long queues
takes at most a twentieth of the time."""


class Counts:
    """The cache of the counts."""

    def __init__(self, ask: Callable[[], Awaitable[Counted]]) -> None:
        self._ask = ask
        self._turn = trio.Lock()
        self._found: Counted | None = None
        self._fresh_until = float("-inf")
        self.unavailable = False
        """Whether the database could not be reached the last time."""

    async def read(self) -> Counted | None:
        """The cached or new counts; None if counting fails or takes more than `TIMEOUT`. If
        cancelled, it aborts its query."""
        with trio.move_on_after(TIMEOUT):
            async with self._turn:
                if trio.current_time() >= self._fresh_until:
                    await self._renew()
                return self._found
        return None

    async def _renew(self) -> None:
        began = trio.current_time()
        self._found, self.unavailable = None, False
        try:
            self._found = await self._ask()
        except StorageError as error:
            self.unavailable = isinstance(error, StorageUnavailable)
        finally:  # also after a timeout
            now = trio.current_time()
            self._fresh_until = now + max(FRESH, TIMES * (now - began))
