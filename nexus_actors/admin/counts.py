"""What only the database knows, for scrapes: asked by one of them, for all that come soon."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from nexus_actors.storage.errors import StorageError, StorageUnavailable
from nexus_actors.storage.postgres.counted import Counted

TIMEOUT: Final = 2.0
"""Seconds that a scrape waits for the database."""
FRESH: Final = 4.0
"""Seconds for which an answer is used again, at least: ten scrapers cost one."""
TIMES: Final = 20.0
"""It is used again for so many times what it took to give it: counting long queues takes the
database a twentieth of its time at most."""


class Counts:
    """One for the life of a process."""

    def __init__(self, ask: Callable[[], Awaitable[Counted]]) -> None:
        self._ask = ask
        self._turn = trio.Lock()
        self._found: Counted | None = None
        self._fresh_until = float("-inf")
        self.unavailable = False
        """The database could not be reached when it was asked last."""

    async def read(self) -> Counted | None:
        """What was counted a few seconds ago at most; None where it cannot be, or not in time.
        Cancelled, what was asked is given up."""
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
        finally:  # cut off at the end of its time, too
            now = trio.current_time()
            self._fresh_until = now + max(FRESH, TIMES * (now - began))
