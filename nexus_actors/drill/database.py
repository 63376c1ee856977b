"""The drill's database: an embedded server that can be killed, or a database on a given server."""

import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import trio

from nexus_actors.storage.errors import StorageUnavailable
from nexus_actors.storage.postgres.connection import Connection, PostgresPool, open_postgres
from nexus_actors.storage.postgres.embedded import embedded_url, open_embedded, server_pid


class DrillDatabase(Protocol):
    """A PostgreSQL database that is available most of the time."""

    url: str

    async def restart(self) -> None:
        """Interrupt all its users in the middle of their work. They can reconnect afterwards."""
        ...


class EmbeddedDrillDatabase:
    """An embedded server."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.url = embedded_url(data_dir)
        self._up = trio.Event()
        self._down = trio.Event()

    async def run(self) -> None:
        """Keep the server running, however often it stops."""
        while True:
            try:
                async with open_embedded(self._data_dir):
                    self._down = trio.Event()
                    self._up.set()
                    await trio.sleep_forever()
            except StorageUnavailable:
                self._up = trio.Event()
                self._down.set()

    async def until_up(self) -> None:
        """Wait until it accepts connections."""
        await self._up.wait()

    async def restart(self) -> None:
        """Shut down at once, as `pg_ctl stop -m immediate` does, and start with crash recovery."""
        await self._up.wait()
        down = self._down
        if (pid := server_pid(self._data_dir)) is not None:
            os.kill(pid, signal.SIGQUIT)
            await down.wait()
            await self._up.wait()


class GivenDrillDatabase:
    """A database on a given server. The drill may not restart that server, so it terminates all
    connections to the database instead."""

    def __init__(self, server: PostgresPool, url: str, name: str) -> None:
        self._server = server
        self._name = name
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        self.url = f"{parts.scheme}://{parts.netloc}/{name}{query}"

    async def create(self) -> None:
        """Create the database."""
        await self._server.run(_execute, f'CREATE DATABASE "{self._name}"')

    async def drop(self) -> None:
        """Drop the database, even if it is in use."""
        await self._server.run(_execute, f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')

    async def restart(self) -> None:
        """Terminate all connections."""
        await self._server.run(_cut, self._name)


async def _execute(connection: Connection, sql: str) -> None:
    await connection.execute(sql)


async def _cut(connection: Connection, name: str) -> None:
    sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
    await connection.fetch(sql, name)


@asynccontextmanager
async def open_drill_database(data_dir: Path, url: str | None) -> AsyncIterator[DrillDatabase]:
    """Open a database for the duration of the block, and remove it afterwards."""
    opened = _embedded(data_dir) if url is None else _given(url)
    async with opened as database:
        yield database


@asynccontextmanager
async def _given(url: str) -> AsyncIterator[DrillDatabase]:
    async with open_postgres(url, pool_size=1, application_name="nexus drill") as server:
        database = GivenDrillDatabase(server, url, f"nexus_drill_{secrets.token_hex(4)}")
        await database.create()
        try:
            yield database
        finally:
            with trio.CancelScope(shield=True):
                await database.drop()


@asynccontextmanager
async def _embedded(data_dir: Path) -> AsyncIterator[DrillDatabase]:
    database = EmbeddedDrillDatabase(data_dir)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.run)
        await database.until_up()
        yield database
        nursery.cancel_scope.cancel()
