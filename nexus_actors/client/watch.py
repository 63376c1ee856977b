"""One connection that hears of every result that is stored, for all who wait."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

import asyncpg

from nexus_actors.client.waiters import Waiters
from nexus_actors.storage.postgres.encoding import job_result_id
from nexus_actors.storage.postgres.listen import Listener, ListenLoop, OwnConnection
from nexus_actors.storage.postgres.result_store import RESULTS_CHANNEL

LOOK_AGAIN = 2.0
"""Seconds between looks for every result that is waited for, in case a notification was lost."""

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class Watch:
    """Wakes waiters: at a notification, and by looking for the ids of all of them in one query
    after each (re)connect and every `LOOK_AGAIN` seconds. Lives on asyncio.
    """

    def __init__(self, url: str, pool: Pool, waiters: Waiters) -> None:
        self._pool = pool
        self._waiters = waiters
        self._listen = ListenLoop(url, "nexus client listener", self._look)
        self._listen.add(RESULTS_CHANNEL, self._stored)
        self._task: asyncio.Task[None] | None = None
        self._listeners: dict[str, Listener] = {}

    async def start(self) -> None:
        """Watch from now on; does nothing if it does so already.

        Who waits need not wait for the connection: once it listens, it looks for what came before.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen.run(), name="nexus client watch")

    async def hear(self, channel: str, listener: Callable[[str], None]) -> None:
        """Call `listener(payload)` for each notification on the channel from now on, as long as
        the connection holds and again once there is another. It must not block or raise.
        """

        def heard(payload: str | None) -> None:
            if payload is not None:
                listener(payload)

        self._listeners[channel] = heard
        self._listen.add(channel, heard)
        await self.start()
        await self._listen.settled()

    async def unhear(self, channel: str) -> None:
        """Undo `hear`."""
        listener = self._listeners.pop(channel, None)
        if listener is not None:
            self._listen.remove(channel, listener)

    async def stop(self) -> None:
        """End, and wait for the end."""
        if self._task is not None:
            self._task.cancel()
            # `wait` raises nothing of the task's, and so only a cancellation of our own.
            await asyncio.wait([self._task])

    def _stored(self, request_id: str | None) -> None:
        if request_id is not None:
            self._waiters.wake(request_id)

    async def _look(self, connection: "OwnConnection | None") -> float:
        ids = {job_result_id(request_id): request_id for request_id in self._waiters.ids()}
        if ids:
            # On the listening connection, which this proves alive. Without one, looking must do.
            rows = await (connection or self._pool).fetch(
                "SELECT id FROM public.job_results WHERE id = ANY($1::uuid[])", list(ids)
            )
            for row in rows:
                self._waiters.wake(ids[row["id"]])
        return LOOK_AGAIN
