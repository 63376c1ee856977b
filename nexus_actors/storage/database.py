"""The actor that owns the database: the embedded server if there is no URL, the pool, the LISTEN
connection.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import structlog
import trio

from nexus_actors.settings.model import Settings
from nexus_actors.storage.errors import StorageError, StorageUnavailable
from nexus_actors.storage.outages import Outages
from nexus_actors.storage.postgres.claim import InstanceTaken, Place
from nexus_actors.storage.postgres.database import PostgresDatabase, open_database
from nexus_actors.storage.postgres.embedded import open_embedded
from nexus_actors.storage.postgres.errors import DatabaseStartError
from nexus_actors.storage.postgres.sql import Queues
from supervisors import GenServer, Status

AGAIN = 0.5
"""Seconds between tries to reach a database that is not there yet."""

log = structlog.get_logger("nexus.database")


class DatabaseOwner(GenServer):
    """Opens the database when it starts, and closes it however it ends.

    Siblings that start after it are restarted with it (rest_for_one). `on_open` is called before
    `init` returns, so they get the database that it has opened. The pool replaces lost connections,
    and an embedded server that ends is started again, so this actor survives both. If it uses an
    embedded server that another process has started, it ends with that server.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        data_dir: Path,
        instance_id: str,
        here: Place,
        outages: Outages,
        on_open: Callable[[PostgresDatabase], None],
        on_wait: Callable[[str], None],
        on_taken: Callable[[InstanceTaken], None],
    ) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._instance_id = instance_id
        self._here = here
        self._patience = outages.patience("embedded PostgreSQL")
        self._on_open = on_open
        self._on_wait = on_wait
        self._on_taken = on_taken
        self._opened = trio.Event()
        self._error: StorageError | None = None

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "is_open": self._opened.is_set(),
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Open the database. Raises `StorageError`, with one line for the operator, if it cannot.

        If an external database cannot be reached, this retries for `wait` seconds: after a power
        cut, the database may come up later than this service.
        """
        self.spawn_link(self._hold)
        await self._opened.wait()
        if self._error is not None:
            raise self._error

    async def _hold(self) -> None:
        deadline = trio.current_time() + self._settings.database.wait
        logged = ""
        while True:
            async with AsyncExitStack() as stack:
                try:
                    database = await self._open(stack)
                except StorageError as error:
                    if not self._may_come(error) or trio.current_time() >= deadline:
                        self._error = error
                        self._opened.set()
                        return
                    if str(error) != logged:
                        logged = str(error)
                        left = round(deadline - trio.current_time(), 1)
                        log.warning("waiting for the database", error=logged, seconds_left=left)
                        self._on_wait(logged)
                else:
                    self._on_open(database)
                    self._opened.set()
                    await trio.sleep_forever()
            await trio.sleep(min(AGAIN, max(deadline - trio.current_time(), 0.0)))

    def _may_come(self, error: StorageError) -> bool:
        passes = isinstance(error, DatabaseStartError) and error.kind == "unreachable"
        waited_for = passes or isinstance(error, StorageUnavailable)
        return waited_for and not self._settings.database.embedded

    async def _open(self, stack: AsyncExitStack) -> PostgresDatabase:
        settings = self._settings
        url = settings.database.url.get_secret_value()
        if settings.database.embedded:
            server = open_embedded(self._data_dir, patience=self._patience)
            url = await stack.enter_async_context(server)
        return await stack.enter_async_context(
            open_database(
                url,
                queues=Queues.of(settings.queue),
                instance_id=self._instance_id,
                application_name=settings.service.name,
                pool_size=settings.database.pool_size,
                command_timeout=settings.database.statement_timeout,
                stores_results=settings.result_poller.enabled,
                direct_results=settings.result_poller.enabled,
                here=self._here,
            )
        )
