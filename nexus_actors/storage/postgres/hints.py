"""Wake-ups by LISTEN/NOTIFY, on a connection of their own.

A notification is a hint: it may be lost with the connection, so whoever listens polls as well.
After each (re)connect all listeners are called once, since something may have come in between.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
import trio

from nexus_actors.storage.postgres.connection import (
    CONNECT_TIMEOUT,
    PostgresPool,
)
from nexus_actors.storage.postgres.errors import DRIVER_ERRORS, describe
from nexus_actors.storage.postgres.presence import announce
from nexus_actors.storage.postgres.sessions import connect
from nexus_actors.storage.postgres.sql import channel

FIRST_DELAY = 0.05
"""Seconds before the first attempt to reconnect; doubled each time."""
LONGEST_DELAY = 5.0
PROBE_INTERVAL = 15.0
"""Seconds between questions to the server, which find a connection whose other end is gone without
a word.
"""
ANNOUNCE_AGAIN = 1.0
"""Seconds between tries to announce a consumer that somebody else keeps from it."""

Listener = Callable[[str | None], None]

log = logging.getLogger(__name__)


class PostgresHints:
    """`Hints`; made by `open_hints`.

    Also gives the notifications of any channel, with their payload.
    """

    def __init__(self, pool: PostgresPool, consumer_of: str | None) -> None:
        self._pool = pool
        self._consumer_of = consumer_of
        self._listeners: dict[str, list[Listener]] = {}
        self._changed = asyncio.Event()
        self._tried = asyncio.Event()
        self.connected = False
        """Whether notifications arrive at present."""
        self.unannounced: str | None = None
        """Who keeps this process from being announced as a consumer; None where nobody does."""

    @contextmanager
    def listen(self, queue: str, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` soon after something was sent to `queue`, and after each (re)connect."""
        with self.subscribe(channel(queue), lambda _payload: callback()):
            yield

    @contextmanager
    def subscribe(self, name: str, listener: Listener) -> Iterator[None]:
        """Call `listener(payload)` for each notification on the channel, and `listener(None)` after
        each (re)connect.

        Also called once when the channel is first listened to. The listener must not block or
        raise.
        """
        listeners = self._listeners.setdefault(name, [])
        listeners.append(listener)
        self._changed.set()
        try:
            yield
        finally:
            listeners.remove(listener)

    async def stay_connected(self) -> None:
        """Connect, listen, and connect again, for ever.

        An asyncio coroutine, for the pool's loop.
        """
        delay = FIRST_DELAY
        while True:
            try:
                await self._one_connection()
            except DRIVER_ERRORS as error:
                if isinstance(error, asyncio.CancelledError):
                    raise
                # Once an outage, not once an attempt: the polls of the stages say the rest.
                level = logging.WARNING if self.connected else logging.DEBUG
                log.log(level, "notifications interrupted: %s", describe(error))
            self._tried.set()
            if self.connected:
                delay = FIRST_DELAY
            self.connected = False
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def tried(self) -> None:
        """Until the first attempt to connect is over: the consumer is announced, or could not be.

        An asyncio coroutine, for the pool's loop.
        """
        await self._tried.wait()

    async def _one_connection(self) -> None:
        connection = await connect(self._pool.url, "nexus listener", CONNECT_TIMEOUT)
        try:
            connection.add_termination_listener(lambda _connection: self._changed.set())
            await self._announce(connection)
            self._tried.set()
            heard: set[str] = set()
            while not connection.is_closed():
                self._changed.clear()
                for name in self._listeners.keys() - heard:
                    await connection.add_listener(name, self._notified)
                    heard.add(name)
                    self._call(name, None)
                self.connected = True
                await self._wait_for_change(connection)
                if self.unannounced is not None:
                    await self._announce(connection)
        finally:
            connection.terminate()

    async def _announce(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Announce this process as a consumer, unless somebody holds the lock alone."""
        if self._consumer_of is None:
            return
        holder = await announce(connection, self._consumer_of)
        if holder is not None and self.unannounced is None:
            log.warning("cannot announce that this service runs: the lock is held by %s", holder)
        self.unannounced = holder

    async def _wait_for_change(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Until a channel is new or the connection is gone; raises where the server no longer
        answers.
        """
        try:
            patience = PROBE_INTERVAL if self.unannounced is None else ANNOUNCE_AGAIN
            async with asyncio.timeout(patience):
                await self._changed.wait()
        except TimeoutError:
            await connection.execute("SELECT 1")

    def _notified(self, _connection: object, _pid: int, name: str, payload: object) -> None:
        self._call(name, str(payload))

    def _call(self, name: str, payload: str | None) -> None:
        for listener in tuple(self._listeners.get(name, ())):
            try:
                listener(payload)
            except Exception:
                log.exception("a listener of %s failed", name)


@asynccontextmanager
async def open_hints(
    pool: PostgresPool, *, consumer_of: str | None = None
) -> AsyncIterator[PostgresHints]:
    """Hints on a connection of their own, kept for as long as the block lasts.

    `consumer_of` names a requests queue to announce this process as a consumer of; the block then
    begins after the first attempt to, so that who is told that the service is ready can dispatch to
    it. Does not fail without a connection: hints are then missing until it can be made.
    """
    hints = PostgresHints(pool, consumer_of)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.on_loop, hints.stay_connected)
        try:
            if consumer_of is not None:
                await pool.on_loop(hints.tried)
            yield hints
        finally:
            nursery.cancel_scope.cancel()
