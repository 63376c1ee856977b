"""The client's way to PostgreSQL, the same from trio and from asyncio.

asyncpg lives on asyncio. In an asyncio program it runs on the program's loop; in a trio program on
a
trio-asyncio loop that is open as long as the client is. Everything here is written for asyncio and
entered through `Bridge.run`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, ParamSpec, Protocol, TypeVar

import asyncpg
import sniffio
import trio_asyncio  # type: ignore[import-untyped]

from nexus_actors.storage.postgres.connection import collapsed_groups, location, server_settings
from nexus_actors.storage.postgres.errors import DRIVER_ERRORS, start_error, translated
from nexus_actors.storage.postgres.presence import consumer_is_running
from nexus_actors.storage.postgres.result_store import RESULTS_CHANNEL, job_result_id

P = ParamSpec("P")
T = TypeVar("T")

COMMAND_TIMEOUT = 10.0
"""Seconds for one statement."""


class Bridge(Protocol):
    """Runs an asyncio coroutine function from whichever library the caller is on."""

    async def __call__(
        self, operation: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T: ...


@asynccontextmanager
async def open_bridge() -> AsyncIterator[Bridge]:
    """A bridge to asyncio for the library that is running, trio or asyncio."""
    if sniffio.current_async_library() == "asyncio":

        async def direct(
            operation: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
        ) -> Any:
            return await operation(*args, **kwargs)

        yield direct
        return
    with collapsed_groups():
        async with trio_asyncio.open_loop() as loop:
            # Without a handler, an exception in any asyncio callback would end the caller's block.
            loop.set_exception_handler(lambda _loop, _context: None)

            async def across(
                operation: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
            ) -> Any:
                return await trio_asyncio.aio_as_trio(operation, loop=loop)(*args, **kwargs)

            yield across


class ClientDatabase:
    """What a caller needs of the database. Every method raises the storage ports' errors."""

    def __init__(self, bridge: Bridge, pool: "asyncpg.Pool[asyncpg.Record]", url: str) -> None:
        self._bridge = bridge
        self._pool = pool
        self._url = url
        self._listener: asyncpg.Connection[asyncpg.Record] | None = None
        self._listening = asyncio.Lock()

    async def send(self, queue: str, bodies: list[str]) -> None:
        """Put messages into the queue, all or none."""
        with translated():
            await self._bridge(
                self._pool.execute,
                "SELECT pgmq.send_batch($1, $2::text[]::jsonb[])",
                queue,
                bodies,
            )

    async def consumer_is_running(self, queue: str) -> bool:
        """Whether a service works on the queue."""

        async def ask() -> bool:
            async with self._pool.acquire() as connection:
                return await consumer_is_running(connection, queue)

        with translated():
            return await self._bridge(ask)

    async def result(self, request_id: str) -> str | None:
        """The stored result as JSON text, or None."""
        with translated():
            found: str | None = await self._bridge(
                self._pool.fetchval,
                "SELECT output::text FROM public.job_results WHERE id = $1",
                job_result_id(request_id),
            )
            return found

    async def listen(self, callback: Callable[[str | None], None]) -> None:
        """Be told the id of each result that is stored, and None when the connection is lost.

        Does nothing while a connection listens already.
        """
        with translated():
            await self._bridge(self._listen, callback)

    async def _listen(self, callback: Callable[[str | None], None]) -> None:
        async with self._listening:
            if self._listener is not None and not self._listener.is_closed():
                return
            connection = await connect(self._url)

            def notified(
                _connection: object, _pid: object, _channel: object, payload: object
            ) -> None:
                callback(str(payload))

            def lost(_connection: object) -> None:
                callback(None)

            await connection.add_listener(RESULTS_CHANNEL, notified)
            connection.add_termination_listener(lost)
            self._listener = connection

    async def close(self) -> None:
        """Close the connections."""

        async def close() -> None:
            with suppress(*DRIVER_ERRORS):
                if self._listener is not None:
                    await self._listener.close(timeout=2)
            with suppress(*DRIVER_ERRORS):
                await asyncio.wait_for(self._pool.close(), timeout=2)
            self._pool.terminate()

        await self._bridge(close)


async def connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection of its own."""
    return await asyncpg.connect(
        url,
        timeout=COMMAND_TIMEOUT,
        command_timeout=COMMAND_TIMEOUT,
        server_settings=server_settings("nexus client", COMMAND_TIMEOUT),
    )


@asynccontextmanager
async def open_client_database(url: str, *, pool_size: int) -> AsyncIterator[ClientDatabase]:
    """Connect. Raises DatabaseStartError with one line that names host and reason."""

    async def create() -> "asyncpg.Pool[asyncpg.Record]":
        return await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=pool_size,
            timeout=COMMAND_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT,
            server_settings=server_settings("nexus client", COMMAND_TIMEOUT),
        )

    async with AsyncExitStack() as stack:
        bridge = await stack.enter_async_context(open_bridge())
        try:
            pool = await bridge(create)
        except DRIVER_ERRORS as error:
            raise start_error(error, location(url)) from error
        database = ClientDatabase(bridge, pool, url)
        stack.push_async_callback(database.close)
        yield database
