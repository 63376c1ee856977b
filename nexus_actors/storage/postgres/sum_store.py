"""`SumStore` in PostgreSQL: one transaction per portion, fenced by the leadership."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from nexus_actors.storage.nodes import Term
from nexus_actors.storage.postgres.connection import Connection, PostgresPool
from nexus_actors.storage.postgres.node_store import holds
from nexus_actors.storage.postgres.sql import Queues, read
from nexus_actors.storage.sums import Portion

LEAST_DELAY: Final = 30.0
MARGIN: Final = 10.0
"""Seconds. A request's end time is when its transaction began, which others see only at its commit:
after up to the statement timeout and the time of the commit itself."""
MOST_AGENTS: Final = 1000
"""The most agents of a span. All others are summed together."""
MOST_NAMES: Final = 100
"""The most task types, models and so on of a span."""
MOST_ROWS: Final = 3000
"""The most rows of a span with all their texts. The rest is summed by provider and model."""
MOST_AT_ONCE: Final = 50_000
"""The most requests of a past hour to sum in one statement. If it has more, by minutes."""
BATCH: Final = 5000
COUNTED: Final = 100_000
"""The most messages of the queue to count. Beyond that, PostgreSQL's estimate is good enough."""
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
FOREVER: Final = timedelta(days=36_500)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Next:
    """A row of sums_next.sql: how far the sums have come, and what is next."""

    minutes_until: datetime
    hours_until: datetime
    hours_since: datetime
    minutes_since: datetime | None
    minutes_to: datetime
    minute: datetime | None
    old_hour: datetime | None
    is_large: bool


class PostgresSumStore:
    """See `SumStore`. Its sums are those of one queue."""

    def __init__(self, pool: PostgresPool, queues: Queues, *, statement_timeout: float) -> None:
        """`statement_timeout`: seconds, of the services that end requests."""
        self._pool = pool
        self._queue = queues.requests
        self._of_requests = queues.query("sum_requests")
        self._of_sums = queues.query("sum_sums")
        self._total = queues.query("sum_total")
        self._backlog = queues.query("note_backlog")
        self._delay = max(LEAST_DELAY, statement_timeout + MARGIN)

    async def sum_next(self, term: Term, *, keep: float) -> Portion:
        """See `SumStore.sum_next`."""
        return await self._pool.run(self._sum_next, term, keep)

    async def note_backlog(self, term: Term) -> None:
        """See `SumStore.note_backlog`."""
        await self._pool.run(self._note_backlog, term)

    async def prune(self, term: Term, *, keep: float) -> int:
        """See `SumStore.prune`."""
        return await self._pool.run(self._prune, term, keep)

    async def _note_backlog(self, connection: Connection, term: Term) -> None:
        async with connection.transaction():
            if await holds(connection, term):
                await connection.execute(self._backlog, COUNTED)

    async def _prune(self, connection: Connection, term: Term, keep: float) -> int:
        async with connection.transaction():
            if not await holds(connection, term):
                return 0
            return int(
                await connection.fetchval(read("queries", "prune_sums"), self._queue, keep, BATCH)
            )

    async def _sum_next(self, connection: Connection, term: Term, keep: float) -> Portion:
        async with connection.transaction():
            if not await holds(connection, term):
                return "none"
            todo = await self._todo(connection, keep)
            portion: Portion = "new"
            if todo.minutes_until >= todo.hours_until + HOUR:
                done = await self._close_hour(connection, todo)
            elif todo.minutes_until < todo.minutes_to:
                done = await self._sum_minute(connection, todo)
            elif todo.old_hour is not None:
                portion, done = "old", await self._sum_old(connection, todo, todo.old_hour)
            else:
                return "none"
            await connection.execute(
                read("queries", "sums_until"),
                self._queue,
                done.minutes_until,
                done.hours_until,
                done.hours_since,
                done.minutes_since,
            )
            return portion

    async def _todo(self, connection: Connection, keep: float) -> _Next:
        statement = read("queries", "sums_next")
        given = self._queue, self._delay, keep, MOST_AT_ONCE
        await self._set_back(connection)
        while (row := await connection.fetchrow(statement, *given)) is None:
            await connection.execute(read("queries", "sums_begin"), self._queue, self._delay)
        return _Next(**dict(row))

    async def _set_back(self, connection: Connection) -> None:
        """Forget the sums of the last hours if they are ahead of the clock."""
        until: datetime | None = await connection.fetchval(
            read("queries", "sums_back"), self._queue, self._delay
        )
        if until is None:
            return
        day = until.replace(hour=0)
        for span, start in (("minute", until), ("hour", until), ("day", day)):
            await self._delete(connection, span, start, start + FOREVER)
        await self._sum_day(connection, until)

    async def _sum_minute(self, connection: Connection, todo: _Next) -> _Next:
        if todo.minute is None:
            return replace(todo, minutes_until=todo.minutes_to)
        until = todo.minute + MINUTE
        await self._sum_requests(connection, "minute", todo.minute, until)
        return replace(todo, minutes_until=until)

    async def _close_hour(self, connection: Connection, todo: _Next) -> _Next:
        await self._sum_sums(connection, "minute", "hour", todo.hours_until, HOUR)
        await self._sum_day(connection, todo.hours_until)
        return replace(todo, hours_until=todo.hours_until + HOUR)

    async def _sum_old(self, connection: Connection, todo: _Next, hour: datetime) -> _Next:
        """Sum a past hour, or one of its minutes, which are not kept."""
        since = todo.minutes_since
        if since is None and todo.is_large:
            since = hour + HOUR
        if since is not None and since > hour:
            await self._sum_requests(connection, "minute", since - MINUTE, since)
            return replace(todo, minutes_since=since - MINUTE)
        if since is None:
            await self._sum_requests(connection, "hour", hour, hour + HOUR)
        else:
            await self._sum_sums(connection, "minute", "hour", hour, HOUR)
            await self._delete(connection, "minute", hour, hour + HOUR)
        await self._sum_day(connection, hour)
        return replace(todo, hours_since=hour, minutes_since=None)

    async def _sum_day(self, connection: Connection, hour: datetime) -> None:
        day = hour.replace(hour=0)
        await self._sum_sums(connection, "hour", "day", day, DAY)

    async def _sum_requests(
        self, connection: Connection, span: str, start: datetime, end: datetime
    ) -> None:
        await self._delete(connection, span, start, end)
        await connection.execute(self._of_requests, *self._given(span, start, end))
        await connection.execute(self._total, self._queue, span, start)

    async def _sum_sums(
        self, connection: Connection, of: str, span: str, start: datetime, length: timedelta
    ) -> None:
        end = start + length
        await self._delete(connection, span, start, end)
        await connection.execute(self._of_sums, *self._given(span, start, end), of)
        await connection.execute(self._total, self._queue, span, start)

    def _given(self, span: str, start: datetime, end: datetime) -> tuple[object, ...]:
        return self._queue, span, start, end, MOST_AGENTS, MOST_NAMES, MOST_ROWS

    async def _delete(
        self, connection: Connection, span: str, start: datetime, end: datetime
    ) -> None:
        await connection.execute(read("queries", "delete_span"), self._queue, span, start, end)
