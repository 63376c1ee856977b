"""The database of the drill: an embedded server that can be killed and comes back."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from nexus_actors.storage.ports import StorageUnavailable
from nexus_actors.storage.postgres.embedded import embedded_url, open_embedded, server_pid


class DrillDatabase:
    """A PostgreSQL that is there most of the time."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.url = embedded_url(data_dir)
        self._up = trio.Event()
        self._down = trio.Event()

    async def run(self) -> None:
        """Keep the server running, however often it ends."""
        while True:
            try:
                async with open_embedded(self._data_dir):
                    self._down = trio.Event()
                    self._up.set()
                    await trio.sleep_forever()
            except StorageUnavailable:
                self._up = trio.Event()
                self._down.set()

    async def until_up(self) -> None:
        """Until it accepts connections."""
        await self._up.wait()

    async def restart(self) -> None:
        """An immediate shutdown, as by `pg_ctl stop -m immediate`, and a start that recovers."""
        await self._up.wait()
        down = self._down
        if (pid := server_pid(self._data_dir)) is not None:
            os.kill(pid, signal.SIGQUIT)
            await down.wait()
            await self._up.wait()


@asynccontextmanager
async def open_drill_database(data_dir: Path) -> AsyncIterator[DrillDatabase]:
    """The server runs as long as the block."""
    database = DrillDatabase(data_dir)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.run)
        await database.until_up()
        yield database
        nursery.cancel_scope.cancel()
