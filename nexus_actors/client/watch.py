"""One connection that hears of every result that is stored, for all who wait."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

import asyncpg

from nexus_actors.client.waiters import Waiters
from nexus_actors.storage.postgres.connection import COMMAND_TIMEOUT, GRACE
from nexus_actors.storage.postgres.errors import DRIVER_ERRORS, describe
from nexus_actors.storage.postgres.result_store import RESULTS_CHANNEL, job_result_id
from nexus_actors.storage.postgres.sessions import connect

LOOK_AGAIN = 2.0
"""Seconds between looks for every result that is waited for, in case a notification was lost."""
RELISTEN = 0.05
"""Seconds before a lost connection is made anew."""

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
log = logging.getLogger(__name__)


class Watch:
    """Wakes waiters: at a notification, and by looking for the ids of all of them in one query
    after each (re)connect and every `LOOK_AGAIN` seconds. Lives on asyncio.
    """

    def __init__(self, url: str, pool: Pool, waiters: Waiters) -> None:
        self._url = url
        self._pool = pool
        self._waiters = waiters
        self._task: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._lost = asyncio.Event()
        self._troubled = False
        self._listeners: dict[str, Callable[[str], None]] = {}

    async def start(self) -> None:
        """Watch from now on; does nothing if it does so already.

        Who waits need not wait for the connection: once it listens, it looks for what came before.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="nexus client watch")

    async def hear(self, channel: str, listener: Callable[[str], None]) -> None:
        """Call `listener(payload)` for each notification on the channel from now on, as long as
        the connection holds and again once there is another. It must not block or raise.
        """
        self._listeners[channel] = listener
        await self.start()
        connection = self._connection
        if connection is not None and not connection.is_closed():
            with self._tolerated(), _watched(connection, COMMAND_TIMEOUT + GRACE):
                await connection.add_listener(channel, self._heard)

    async def unhear(self, channel: str) -> None:
        """Undo `hear`, within `GRACE` seconds: a connection that does not answer is given up."""
        self._listeners.pop(channel, None)
        connection = self._connection
        if connection is not None and not connection.is_closed():
            with self._tolerated(), _watched(connection, GRACE):
                await connection.remove_listener(channel, self._heard)

    async def stop(self) -> None:
        """End, and wait for the end."""
        if self._task is not None:
            self._task.cancel()
            # `wait` raises nothing of the task's, and so only a cancellation of our own.
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while True:
                with self._tolerated():
                    await self._connect()
                    self._troubled = False
                with self._tolerated():
                    await self._look()
                await self._pause()
        finally:
            self._disconnect()

    async def _connect(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            return
        self._connection = connection = await connect(
            self._url, "nexus client listener", COMMAND_TIMEOUT
        )
        self._lost.clear()
        connection.add_termination_listener(lambda _connection: self._lost.set())
        try:
            await connection.add_listener(RESULTS_CHANNEL, self._notified)
            for channel in tuple(self._listeners):
                await connection.add_listener(channel, self._heard)
        except DRIVER_ERRORS:
            self._disconnect()
            raise

    async def _look(self) -> None:
        ids = {job_result_id(request_id): request_id for request_id in self._waiters.ids()}
        if not ids:
            return
        # On the listening connection, which this proves alive. Without one, looking must do.
        source = self._connection or self._pool
        try:
            rows = await source.fetch(
                "SELECT id FROM public.job_results WHERE id = ANY($1::uuid[])", list(ids)
            )
        except DRIVER_ERRORS:
            self._disconnect()
            raise
        for row in rows:
            self._waiters.told(ids[row["id"]])

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN):
                await self._lost.wait()
        if self._lost.is_set():
            self._disconnect()
            self._lost.clear()
            await asyncio.sleep(RELISTEN)

    def _notified(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._waiters.told(str(payload))

    def _heard(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        listener = self._listeners.get(channel)
        if listener is not None:
            listener(str(payload))

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    @contextmanager
    def _tolerated(self) -> Iterator[None]:
        """Go on after the driver's errors; the first of a row is logged."""
        try:
            yield
        except asyncio.CancelledError:
            raise
        except DRIVER_ERRORS as error:
            if not self._troubled:
                log.warning("waiting for results is interrupted: %s", describe(error))
            self._troubled = True


@contextmanager
def _watched(connection: "asyncpg.Connection[asyncpg.Record]", limit: float) -> Iterator[None]:
    """Cut the connection if this takes more than `limit` seconds: a frozen server ignores the
    driver's own timeout, and the driver then waits for it even where it is cancelled.
    """
    watchdog = asyncio.get_running_loop().call_later(limit, connection.terminate)
    try:
        yield
    finally:
        watchdog.cancel()
