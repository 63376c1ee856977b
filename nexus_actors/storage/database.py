"""The actor that owns the database: the embedded server if there is no URL, the pool, the LISTEN
connection.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import trio

from nexus_actors.storage.ports import StorageError
from nexus_actors.storage.postgres.claim import InstanceTaken, Place
from nexus_actors.storage.postgres.database import PostgresDatabase, open_database
from nexus_actors.storage.postgres.embedded import open_embedded
from nexus_actors.storage.postgres.sql import Queues
from supervisors import GenServer


class DatabaseOwner(GenServer):
    """Opens the database when it starts and closes it when it ends, whatever ends it.

    Its siblings after it are restarted with it (rest_for_one), so they get the one it has opened
    from
    `on_open`, which is called before `init` returns. Lost connections are the pool's to mend: this
    actor ends only with the embedded server.
    """

    def __init__(
        self,
        *,
        url: str | None,
        data_dir: Path,
        queues: Queues,
        instance_id: str,
        application_name: str,
        pool_size: int,
        statement_timeout: float,
        on_open: Callable[[PostgresDatabase], None],
        here: Place,
        on_taken: Callable[[InstanceTaken], None],
    ) -> None:
        self._url = url
        self._data_dir = data_dir
        self._queues = queues
        self._instance_id = instance_id
        self._application_name = application_name
        self._pool_size = pool_size
        self._statement_timeout = statement_timeout
        self._on_open = on_open
        self._here = here
        self._on_taken = on_taken
        self._opened = trio.Event()
        self._error: StorageError | None = None

    async def init(self) -> None:
        """Open. Raises `StorageError` with one line for the operator if that cannot be done."""
        self.spawn_link(self._hold)
        await self._opened.wait()
        if self._error is not None:
            raise self._error

    async def _hold(self) -> None:
        async with AsyncExitStack() as stack:
            try:
                url = self._url
                if url is None:
                    url = await stack.enter_async_context(open_embedded(self._data_dir))
                database = await stack.enter_async_context(
                    open_database(
                        url,
                        queues=self._queues,
                        instance_id=self._instance_id,
                        application_name=self._application_name,
                        pool_size=self._pool_size,
                        command_timeout=self._statement_timeout,
                        here=self._here,
                        on_taken=self._on_taken,
                    )
                )
            except StorageError as error:
                self._error = error
                self._opened.set()
                return
            self._on_open(database)
            self._opened.set()
            await trio.sleep_forever()
