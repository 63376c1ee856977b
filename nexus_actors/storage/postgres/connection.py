"""The connection pool: asyncpg on a trio-asyncio loop, usable from any trio task.

Crossing from trio to asyncio and back costs more than a small query, so one crossing carries a
whole operation: `await pool.run(operation, *arguments)`.

Every operation is bounded three times. After `command_timeout` the server ends the statement with
an error that says what it was doing; the connection stays usable. If the server does not respond,
the driver gives up a moment later and sends a cancel request. A frozen server ignores that, and the
driver would wait for it, so a watchdog closes the connection's transport. A trio deadline alone
bounds nothing here.

What happened to one connection has probably happened to all: the server was restarted or failed
over, or a firewall silently dropped them. So after one connection was lost, or did not answer in
time, the others are replaced before they are used.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

import asyncpg
import asyncpg.pool
import trio
import trio_asyncio  # type: ignore[import-untyped]

from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.postgres.errors import (
    DRIVER_ERRORS,
    RELEASE_ERRORS,
    describe,
    start_error,
    translated,
)
from nexus_actors.storage.postgres.places import location
from nexus_actors.storage.postgres.sessions import (
    Connection,
    configure,
    refuse_transaction_pooling,
    session_settings,
)

P = ParamSpec("P")
T = TypeVar("T")
_Pooled: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

__all__ = [
    "COMMAND_TIMEOUT",
    "CONNECT_TIMEOUT",
    "GRACE",
    "Connection",
    "PostgresPool",
    "Runs",
    "collapsed_groups",
    "fetch",
    "open_postgres",
]

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a new connection, or for a free one in a busy pool."""
COMMAND_TIMEOUT = 10.0
"""Seconds for one statement."""
GRACE = 2.0
"""Seconds beyond `command_timeout` for a cancelled statement to end in an orderly way."""
HELD = 2
"""Idle connections that are held outside the driver's pool: one for leasing, one for finishing."""
INACTIVE = 300.0
"""Seconds after which an idle connection is no longer used, as in the driver's pool."""
_SERVERS_WORD = 1.0
"""Seconds beyond `command_timeout` for the server to report that it has ended a statement."""

log = logging.getLogger(__name__)
# It logs a traceback for errors that each operation raises anyway.
logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)


class Runs(Protocol):
    """Runs operations on a connection, like a pool."""

    async def run(
        self,
        operation: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """See `PostgresPool.run`."""
        ...


class PostgresPool:
    """A pool of connections. Made by `open_postgres`, and valid while that is open."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        loop: trio_asyncio.TrioEventLoop,
        command_timeout: float,
        url: str,
    ) -> None:
        self._pool = pool
        self._loop = loop
        self.command_timeout = command_timeout
        """Seconds that a statement may take."""
        self._limit = command_timeout + GRACE
        self._held: list[tuple[_Pooled, float]] = []
        """Idle connections for the next operations, each with the time since when it is idle."""
        self._waiting = 0
        """Operations that wait for the driver's pool."""
        self.closed = False
        """True once the pool is closing: every operation then fails."""
        self.url = url
        """Contains the password: use it for further connections, never in a message."""

    async def run(
        self,
        operation: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `operation(connection, …)`, an asyncio coroutine function, on a connection of the
        pool.

        Raises StorageUnavailable or StorageRefused. Bounded by the connect and command timeouts. If
        cancelled, the running statement is stopped on the server; one statement is then wholly done
        or wholly undone.
        """
        if self.closed:
            raise StorageUnavailable("the database is not available: the pool is closed")
        with translated():
            return await self.on_loop(self._operate, operation, args, kwargs)

    async def on_loop(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run an asyncio coroutine function on the pool's loop. Raises what it raises."""
        result: T = await trio_asyncio.aio_as_trio(function, loop=self._loop)(*args, **kwargs)
        return result

    async def _operate(self, operation: Callable[..., Awaitable[T]], args: Any, kwargs: Any) -> T:
        connection = await self._take()
        loop = asyncio.get_running_loop()
        end = loop.time() + self._limit
        watchdog = loop.call_at(end, _terminate, connection)
        held = False
        try:
            result = await operation(connection, *args, **kwargs)
        except DRIVER_ERRORS as error:
            if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
                # A standby, or a read-only server. This session may stay read-only for ever; a new
                # one finds the server's current state.
                _terminate(connection)
            if isinstance(error, TimeoutError) or _lost(connection):
                for other, _ in self._held:
                    _terminate(other)
                self._held.clear()
                await self._pool.expire_connections()
            if loop.time() >= end and not isinstance(error, asyncpg.PostgresError):
                # The watchdog has cut the connection. The driver's error is a consequence of that.
                raise TimeoutError from error
            raise
        else:
            held = self._hold(connection)
            return result
        finally:
            watchdog.cancel()
            if not held:
                await self._release(connection)

    async def _take(self) -> _Pooled:
        while self._held:
            connection, since = self._held.pop()
            if not _lost(connection) and time.monotonic() - since < INACTIVE:
                return connection
            _terminate(connection)
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=CONNECT_TIMEOUT)
        finally:
            self._waiting -= 1

    def _hold(self, connection: _Pooled) -> bool:
        """Keep a connection outside the driver's pool, whose overhead exceeds that of a small
        statement. Not if another operation waits for one there."""
        if self._waiting or self.closed or len(self._held) >= HELD or _lost(connection):
            return False
        if connection.is_in_transaction():
            return False
        self._held.append((connection, time.monotonic()))
        return True

    async def _release(self, connection: _Pooled) -> None:
        with suppress(*RELEASE_ERRORS):
            await self._pool.release(connection, timeout=GRACE)

    async def _close(self) -> None:
        while self._held:
            await self._release(self._held.pop()[0])
        await self._pool.close()

    async def close(self) -> None:
        """Close all connections, within `GRACE` seconds, whether or not the caller is being
        cancelled.
        """
        self.closed = True
        with (
            trio.CancelScope(shield=True, deadline=trio.current_time() + GRACE),
            suppress(*DRIVER_ERRORS),
        ):
            await self.on_loop(self._close)
        with suppress(asyncpg.InterfaceError):
            self._pool.terminate()


@asynccontextmanager
async def open_postgres(
    url: str,
    *,
    pool_size: int = 10,
    command_timeout: float = COMMAND_TIMEOUT,
    application_name: str = "nexus",
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[PostgresPool]:
    """Open a pool of up to `pool_size` connections, on an asyncio loop of its own. `settings` are
    session settings in addition to the common ones.

    Raises DatabaseStartError if the first connection cannot be made.
    """
    with collapsed_groups():
        async with trio_asyncio.open_loop() as loop:
            loop.set_exception_handler(_log_stray_exception)
            alike = session_settings(command_timeout) | dict(settings or {})
            pool = await _connect(url, pool_size, command_timeout, application_name, loop, alike)
            try:
                yield pool
            finally:
                await pool.close()


async def fetch(connection: Connection, sql: str, *arguments: object) -> list[asyncpg.Record]:
    """Run one statement as an operation of its own."""
    return await connection.fetch(sql, *arguments)


async def _connect(
    url: str,
    size: int,
    command_timeout: float,
    name: str,
    loop: trio_asyncio.TrioEventLoop,
    settings: dict[str, str],
) -> PostgresPool:
    async def connect() -> "asyncpg.Pool[asyncpg.Record]":
        pool = await asyncpg.create_pool(
            url,
            min_size=0,
            init_size=1,
            max_size=size,
            timeout=CONNECT_TIMEOUT,
            command_timeout=command_timeout + _SERVERS_WORD,
            reset=_no_reset,
            init=partial(configure, settings=settings),
            # 0: no limit. With long queue names, our statements exceed the default.
            max_cacheable_statement_size=0,
            server_settings={"application_name": name},
        )
        try:
            async with pool.acquire() as connection:
                await refuse_transaction_pooling(connection, url)
        except BaseException:
            pool.terminate()
            raise
        return pool

    try:
        made = await trio_asyncio.aio_as_trio(connect, loop=loop)()
    except DRIVER_ERRORS as error:
        raise start_error(error, location(url)) from error
    return PostgresPool(made, loop, command_timeout, url)


async def _no_reset(_connection: object) -> None:
    """Operations leave no session state behind, so a reset would only cost a round trip."""


def _terminate(connection: _Pooled) -> None:
    """Terminate a connection, unless the pool has taken it back after its server went away."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


def _lost(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # already terminated, so no longer the pool's
        return True


def _log_stray_exception(_loop: object, context: dict[str, Any]) -> None:
    """Log it. Without this handler, an exception in any asyncio callback ends the whole loop."""
    error = context.get("exception")
    reason = describe(error) if isinstance(error, BaseException) else ""
    log.warning("asyncio: %s %s", context.get("message", ""), reason)


@contextmanager
def collapsed_groups() -> Iterator[None]:
    """Unwrap a nursery's exception group that contains one exception, so that callers can catch it
    by its type.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if error is group:
            raise
        raise error from error.__cause__
