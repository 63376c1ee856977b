"""Reads the database for dashboard and observer, through a few connections of their own, so that
they and the pipeline never wait for each other's connections."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

import trio

from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.settings.model import Settings
from nexus_actors.storage.errors import StorageError, StorageUnavailable
from nexus_actors.storage.postgres.connection import Connection, PostgresPool, open_postgres
from nexus_actors.storage.postgres.sql import Queues

READ_TIMEOUT: Final = 2.0
"""Seconds for one reading statement."""
CONNECTIONS: Final = 3
"""The most connections. Pages and live updates share them."""
OPEN_TIMEOUT: Final = 3.0
"""Seconds to wait for a connection to a database that does not respond."""
UNUSED: Final = 60.0
"""Seconds without a query after which the connections are closed."""
APPLICATION_NAME: Final = "nexus dashboard"
_PLANS: Final = {
    "plan_cache_mode": "force_custom_plan",
    "enable_nestloop": "on",
    "enable_mergejoin": "on",
    "enable_bitmapscan": "off",
    "work_mem": "32MB",
}
"""Session settings. Queries for people are rare and differ, so they are planned with their
parameters, unlike the pipeline's statements. Sequential scans stay the last resort. Bitmap scans
are off: an index is read in its order up to the LIMIT, but a bitmap would cover all rows. The
memory is enough for everything that the queries read, so that nothing is written to files."""

Row = dict[str, Any]
P = ParamSpec("P")
T = TypeVar("T")


def connections_of(settings: Settings) -> int:
    """The most connections that a service opens for its dashboard."""
    return CONNECTIONS if settings.admin.listen and settings.dashboard.enabled else 0


class Reader(Protocol):
    """The database as the modules of `monitoring` use it. `jsonb` is returned as text; see
    `parsed`."""

    @property
    def queues(self) -> Queues:
        """The queues of the installation."""
        ...

    async def read(self, name: str, *arguments: object) -> list[Row]:
        """Run `monitoring/sql/NAME.sql` in a read-only transaction, with `READ_TIMEOUT` seconds per
        statement. Raises StorageError."""
        ...

    async def act(self, name: str, *arguments: object) -> list[Row]:
        """Run `monitoring/sql/NAME.sql`, which may write, in one transaction. Raises StorageError;
        StorageRefused has a line for the operator. If cancelled, it may have been done."""
        ...

    async def reading(
        self,
        operation: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run an operation of the storage, like `PostgresPool.run`, with the limits of `read`."""
        ...

    async def writing(
        self,
        operation: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run an operation that may write, in one transaction, like `act`."""
        ...


@dataclass(frozen=True, slots=True)
class Looking:
    """A reader with the interface of a pool. Everything that it runs is read-only."""

    reader: Reader

    async def run(
        self,
        operation: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """See `Reader.reading`."""
        return await self.reader.reading(operation, *args, **kwargs)


@dataclass(slots=True)
class _Opening:
    """One attempt to connect, shared by all who wait for it."""

    done: trio.Event = field(default_factory=trio.Event)
    pool: PostgresPool | None = None
    error: StorageError | None = None


class LazyReader:
    """A Reader that connects at the first query, and disconnects after a minute without one. It
    works while `run` runs."""

    def __init__(
        self,
        url: Callable[[], str | None],
        queues: Queues,
        *,
        command_timeout: float,
        application_name: str = APPLICATION_NAME,
    ) -> None:
        """`url` returns the database's URL; None if it is not known yet. `command_timeout`: seconds
        per statement of `act`."""
        self.queues = queues
        self._url = url
        self._command_timeout = command_timeout
        self._application_name = application_name
        self._wanted = trio.Event()
        self._opening: _Opening | None = None
        self._busy = 0
        self._used_at = float("-inf")

    async def run(self) -> None:
        """Connect and disconnect on demand, until cancelled. Then the connections are closed."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            opening = self._opening
            assert opening is not None  # noqa: S101 - made before `run` is woken
            try:
                await self._keep(opening)
            except StorageError as error:
                opening.error = error
            finally:
                opening.done.set()
                if self._opening is opening:
                    self._opening = None

    async def read(self, name: str, *arguments: object) -> list[Row]:
        """See Reader."""
        return await self.reading(_fetch, self.queues.named(statement(name)), *arguments)

    async def act(self, name: str, *arguments: object) -> list[Row]:
        """See Reader."""
        return await self.writing(_fetch, self.queues.named(statement(name)), *arguments)

    async def reading(
        self,
        operation: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """See Reader."""
        found: T = await self._run(_read, lambda connection: operation(connection, *args, **kwargs))
        return found

    async def writing(
        self,
        operation: Callable[Concatenate[Connection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """See Reader."""
        found: T = await self._run(_act, lambda connection: operation(connection, *args, **kwargs))
        return found

    async def _keep(self, opening: _Opening) -> None:
        url = self._url()
        if url is None:
            raise StorageUnavailable("no database is open yet")
        async with open_postgres(
            url,
            pool_size=CONNECTIONS,
            command_timeout=self._command_timeout,
            application_name=self._application_name,
            settings=_PLANS,
        ) as pool:
            opening.pool = pool
            self._used_at = trio.current_time()
            opening.done.set()
            left = UNUSED
            while left > 0:
                await trio.sleep(left)
                left = self._left()
            self._opening = None  # later queries wait for the next attempt

    def _left(self) -> float:
        """Seconds until the connections are to be closed, unless there is another query."""
        return UNUSED if self._busy else self._used_at + UNUSED - trio.current_time()

    async def _run(self, within: Callable[[Connection, Any], Any], operation: Any) -> Any:
        self._busy += 1
        try:
            pool = await self._pool()
            return await pool.run(within, operation)
        finally:
            self._busy -= 1
            self._used_at = trio.current_time()

    async def _pool(self) -> PostgresPool:
        opening = self._opening
        if opening is None:
            opening = self._opening = _Opening()
            self._wanted.set()
        with trio.move_on_after(OPEN_TIMEOUT):
            await opening.done.wait()
        if not opening.done.is_set():
            raise StorageUnavailable(f"no connection to it within {OPEN_TIMEOUT:g} s")
        if opening.pool is None:
            raise StorageUnavailable(str(opening.error)) from opening.error
        return opening.pool


@asynccontextmanager
async def open_reader(
    url: str, queues: Queues, *, command_timeout: float, application_name: str = APPLICATION_NAME
) -> AsyncIterator[LazyReader]:
    """Open a reader for the duration of the block."""
    reader = LazyReader(
        lambda: url, queues, command_timeout=command_timeout, application_name=application_name
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        yield reader
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def together() -> AsyncIterator[trio.Nursery]:
    """A nursery for parallel queries. If some fail, the first StorageError is raised by itself, so
    that callers can catch it by its type."""
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        refused, others = group.split(StorageError)
        if refused is None or others is not None:
            raise
        error: BaseException = refused
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from error.__cause__


def parsed(text: str | None) -> Any:
    """A value of `jsonb`. None for SQL NULL, and for values too deep or too large."""
    if text is None:
        return None
    match parse(text):
        case Parsed(value):
            return value
        case _:
            return None


@cache
def statement(name: str) -> str:
    """The text of `sql/NAME.sql`."""
    return (
        files("nexus_actors.monitoring").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    )


async def _fetch(connection: Connection, sql: str, *arguments: object) -> list[Row]:
    return [dict(row) for row in await connection.fetch(sql, *arguments)]


async def _read(connection: Connection, operation: Callable[[Connection], Awaitable[T]]) -> T:
    async with connection.transaction(readonly=True):
        await connection.execute(f"SET LOCAL statement_timeout = {int(READ_TIMEOUT * 1000)}")
        return await operation(connection)


async def _act(connection: Connection, operation: Callable[[Connection], Awaitable[T]]) -> T:
    async with connection.transaction():
        return await operation(connection)
