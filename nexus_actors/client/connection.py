"""The client's connections to PostgreSQL, the same for trio and asyncio programs."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

import anyio
import asyncpg

from nexus_actors.client.answers import CancelOutcome
from nexus_actors.client.bridge import Bridge, open_bridge
from nexus_actors.client.tracing import current_traceparent
from nexus_actors.client.waiters import Waiters
from nexus_actors.client.watch import Pool, Watch
from nexus_actors.contract.encode import Envelope
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres.connection import (
    COMMAND_TIMEOUT,
    CONNECT_TIMEOUT,
    GRACE,
    Connection,
    fetch,
)
from nexus_actors.storage.postgres.encoding import job_result_id
from nexus_actors.storage.postgres.errors import DRIVER_ERRORS, RELEASE_ERRORS, start_error
from nexus_actors.storage.postgres.places import location
from nexus_actors.storage.postgres.presence import consumer_is_running
from nexus_actors.storage.postgres.sessions import (
    configure,
    refuse_transaction_pooling,
    session_settings,
)

P = ParamSpec("P")
T = TypeVar("T")

LAST_LOOK = 1.0
"""Seconds after a call's timeout that may be spent on finding its cause."""


class ClientDatabase:
    """The caller's database operations. Every method raises the storage ports' errors.

    The wait for a free connection has no timeout of its own: the caller's timeout bounds it, not
    the number of concurrent calls.
    """

    def __init__(self, bridge: Bridge, pool: Pool, watch: Watch) -> None:
        self._bridge = bridge
        self._pool = pool
        self._watch = watch

    async def run(
        self,
        operation: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `operation(connection, …)`, an asyncio coroutine function, on a connection."""

        async def operate() -> T:
            connection = await self._pool.acquire()
            # A frozen server honours neither the driver's timeout nor its cancel request.
            watchdog = asyncio.get_running_loop().call_later(
                COMMAND_TIMEOUT + GRACE, connection.terminate
            )
            try:
                return await operation(connection, *args, **kwargs)
            finally:
                watchdog.cancel()
                with suppress(*RELEASE_ERRORS):
                    await self._pool.release(connection, timeout=GRACE)

        return await self._bridge(operate)

    async def send(self, queue: str, envelopes: Iterable[Envelope]) -> None:
        """Put requests into the queue, all or none. A request without a traceparent gets that of
        the caller's span."""
        sent, here = list(envelopes), current_traceparent()
        bodies = [it.body for it in sent]
        traces = [it.traceparent or here for it in sent]
        headers = [trace and json.dumps({"traceparent": trace}) for trace in traces]
        statement = "SELECT pgmq.send_batch($1, $2::text[]::jsonb[], $3::text[]::jsonb[])"
        await self.run(fetch, statement, queue, bodies, headers)

    async def consumer_is_running(self, queue: str) -> bool:
        """Whether a service is consuming the queue."""
        return await self.run(consumer_is_running, queue)

    async def why_late(self, queue: str) -> str | None:
        """Why no service takes requests, if so: all are drained, stopped or dead. The request stays
        in the queue for the next one. Takes at most `LAST_LOOK` seconds."""
        with anyio.move_on_after(LAST_LOOK), suppress(StorageError):
            if not await self.consumer_is_running(queue):
                return f"no service is consuming the queue {queue} any more"
        return None

    async def result(self, request_id: str) -> str | None:
        """The stored result as JSON text, or None if there is none yet."""
        rows = await self.run(
            fetch,
            "SELECT output::text AS body FROM public.job_results WHERE id = $1",
            job_result_id(request_id),
        )
        return next((row["body"] or "null" for row in rows), None)

    async def cancel(self, request_id: str, why: str | None) -> CancelOutcome:
        """Cancel a request. Returns the state it was found in."""
        rows = await self.run(fetch, "SELECT nexus.cancel($1, $2) AS found", request_id, why)
        found: CancelOutcome = rows[0]["found"]
        return found

    async def watch(self) -> None:
        """Begin to wake waiters, unless it already has begun."""
        await self._bridge(self._watch.start)

    async def hear(self, channel: str, listener: Callable[[str], None]) -> None:
        """Call `listener(payload)` for each notification on the channel; see `Watch.hear`."""
        await self._bridge(self._watch.hear, channel, listener)

    async def unhear(self, channel: str) -> None:
        """Undo `hear`."""
        await self._bridge(self._watch.unhear, channel)

    async def close(self) -> None:
        """Close all connections, within `GRACE` seconds, whether or not the caller is being
        cancelled.
        """
        with anyio.CancelScope(shield=True):
            await self._bridge(self._close)

    async def _close(self) -> None:
        try:
            await self._watch.stop()
            with suppress(*RELEASE_ERRORS):
                await asyncio.wait_for(self._pool.close(), timeout=GRACE)
        finally:
            self._pool.terminate()


@asynccontextmanager
async def open_client_database(
    url: str, waiters: Waiters, *, pool_size: int
) -> AsyncIterator[ClientDatabase]:
    """Connect. Raises DatabaseStartError with one line that names host and reason."""

    async def create() -> Pool:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=pool_size,
            timeout=CONNECT_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT,
            reset=_no_reset,
            init=partial(configure, settings=session_settings(COMMAND_TIMEOUT)),
            server_settings={"application_name": "nexus client"},
        )
        try:
            async with pool.acquire() as connection:
                await refuse_transaction_pooling(connection, url)
        except BaseException:
            pool.terminate()
            raise
        return pool

    async with open_bridge() as bridge:
        try:
            pool = await bridge(create)
        except StorageError as error:
            if isinstance(error.__cause__, DRIVER_ERRORS):
                raise start_error(error.__cause__, location(url)) from error.__cause__
            raise
        database = ClientDatabase(bridge, pool, Watch(url, pool, waiters))
        try:
            yield database
        finally:
            await database.close()


async def _no_reset(_connection: object) -> None:
    """Operations leave no session state behind, so a reset would only cost a round trip."""
