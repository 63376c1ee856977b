"""One connection that listens for results on behalf of all waiting calls."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

import asyncpg

from nexus_actors.client.waiters import Waiters
from nexus_actors.storage.postgres.encoding import job_result_id
from nexus_actors.storage.postgres.listen import Listener, ListenLoop, OwnConnection
from nexus_actors.storage.postgres.result_store import RESULTS_CHANNEL

LOOK_AGAIN = 2.0
"""Seconds between queries for all awaited results, in case a notification was lost."""

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class Watch:
    """Wakes waiters when a notification arrives. Also queries for the results of all waiters at
    once, after each (re)connect and every `LOOK_AGAIN` seconds. Runs on asyncio.
    """

    def __init__(self, url: str, pool: Pool, waiters: Waiters) -> None:
        self._pool = pool
        self._waiters = waiters
        self._listen = ListenLoop(url, "nexus client listener", self._look)
        self._listen.add(RESULTS_CHANNEL, self._stored)
        self._task: asyncio.Task[None] | None = None
        self._listeners: dict[str, Listener] = {}

    async def start(self) -> None:
        """Begin to watch, unless it already does.

        Callers need not wait for the connection: once it listens, it queries for earlier results.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen.run(), name="nexus client watch")

    async def hear(self, channel: str, listener: Callable[[str], None]) -> None:
        """Call `listener(payload)` for each notification on the channel, also after a reconnect.
        `listener` must not block or raise.
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
        """Stop and wait for the end."""
        if self._task is not None:
            self._task.cancel()
            # `wait` does not raise the task's exceptions, only the caller's own cancellation.
            await asyncio.wait([self._task])

    def _stored(self, request_id: str | None) -> None:
        if request_id is not None:
            self._waiters.wake(request_id)

    async def _look(self, connection: "OwnConnection | None") -> float:
        ids = {job_result_id(request_id): request_id for request_id in self._waiters.ids()}
        if ids:
            # The listening connection is preferred: the query proves that it is alive.
            rows = await (connection or self._pool).fetch(
                "SELECT id FROM public.job_results WHERE id = ANY($1::uuid[])", list(ids)
            )
            for row in rows:
                self._waiters.wake(ids[row["id"]])
        return LOOK_AGAIN
