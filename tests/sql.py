"""Plain SQL from a test that has no event loop, as any client sends it.

A connection costs both sides more than most statements do, and tests ask again and again until
something has happened: so the last one is kept until another database is asked.
"""

import asyncio
import atexit
import threading
from typing import Any

import asyncpg

_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server said that it ends while nobody read
    OSError,
)


class Client:
    """Asks one database after the other, through one connection."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self._url = ""
        self._connection: asyncpg.Connection[Any] | None = None

    def query(self, url: str, sql: str, *arguments: object) -> list[dict[str, Any]]:
        """The rows of a statement, or of the last one of several. In another thread than the main
        one, where the browser tests ask, by a connection of its own: a loop belongs to its thread.
        """
        if threading.current_thread() is not threading.main_thread():
            return asyncio.run(self._query_once(url, sql, arguments))
        if self._runner is None:
            # Not the loop that trio-asyncio puts in its place: that one ends with a new thread,
            # which Python 3.12 refuses at exit.
            self._runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)
            atexit.register(self.close)
        return self._runner.run(self._query(url, sql, arguments))

    def close(self) -> None:
        """Forget the connection, and whatever became of it."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
        if self._runner is not None:
            atexit.unregister(self.close)
            self._runner.close()
            self._runner = None

    async def _query_once(
        self, url: str, sql: str, arguments: tuple[object, ...]
    ) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(url, statement_cache_size=0)
        try:
            return await self._fetch(connection, sql, arguments)
        finally:
            await connection.close()

    async def _query(
        self, url: str, sql: str, arguments: tuple[object, ...]
    ) -> list[dict[str, Any]]:
        if self._connection is not None and url == self._url:
            try:
                return await self._fetch(self._connection, sql, arguments)
            except _LOST:
                pass  # it was lost since the last statement
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
        # Statements that are kept would be refused once a test has changed the tables.
        self._connection = await asyncpg.connect(url, statement_cache_size=0)
        self._url = url
        return await self._fetch(self._connection, sql, arguments)

    async def _fetch(
        self, connection: "asyncpg.Connection[Any]", sql: str, arguments: tuple[object, ...]
    ) -> list[dict[str, Any]]:
        return [dict(row) for row in await connection.fetch(sql, *arguments)]
