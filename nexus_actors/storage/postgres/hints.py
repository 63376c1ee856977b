"""Wakes the service by LISTEN/NOTIFY, and shows clients that a consumer is running."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from nexus_actors.storage.postgres.connection import PostgresPool
from nexus_actors.storage.postgres.listen import (
    PROBE_INTERVAL,
    Listener,
    ListenLoop,
    OwnConnection,
)
from nexus_actors.storage.postgres.presence import announce, withdraw
from nexus_actors.storage.postgres.sql import channel

ANNOUNCE_AGAIN = 1.0
"""Seconds between tries to announce this consumer while another session prevents that."""

log = logging.getLogger(__name__)


class PostgresHints:
    """`Hints` in PostgreSQL; made by `open_hints`."""

    def __init__(self, url: str, consumer_of: str | None) -> None:
        self._consumer_of = consumer_of
        self._announces = True
        self._announced_on: OwnConnection | None = None
        self.loop = ListenLoop(url, "nexus listener", self._look)
        self.unannounced: str | None = None
        """The session that prevents announcing this process as a consumer; None if there is
        none."""

    @property
    def connected(self) -> bool:
        """Whether notifications arrive at present."""
        return self.loop.connected

    @contextmanager
    def listen(self, queue: str, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` soon after something was sent to `queue`, and after each (re)connect."""
        with self.subscribe(channel(queue), lambda _payload: callback()):
            yield

    @contextmanager
    def subscribe(self, name: str, listener: Listener) -> Iterator[None]:
        """Call `listener(payload)` for each notification on the channel, and `listener(None)` after
        each (re)connect, also when the channel is first listened to."""
        self.loop.add(name, listener)
        try:
            yield
        finally:
            self.loop.remove(name, listener)

    def announce(self) -> None:
        """See `Hints.announce`."""
        self._announces = True
        self.loop.look_soon()

    def withdraw(self) -> None:
        """See `Hints.withdraw`."""
        self._announces = False
        self.loop.look_soon()

    async def _look(self, connection: "OwnConnection | None") -> float:
        """Announce this process as a consumer, unless it is withdrawn or another session holds the
        lock exclusively."""
        if connection is None or self._consumer_of is None:
            return PROBE_INTERVAL
        if not self._announces:
            if connection is self._announced_on:
                await withdraw(connection, self._consumer_of)
            self._announced_on = self.unannounced = None
            return PROBE_INTERVAL
        if connection is self._announced_on:
            return PROBE_INTERVAL
        holder = await announce(connection, self._consumer_of)
        if holder is not None and self.unannounced is None:
            log.warning("cannot announce that this service runs: the lock is held by %s", holder)
        self.unannounced = holder
        if holder is not None:
            return ANNOUNCE_AGAIN
        self._announced_on = connection
        return PROBE_INTERVAL


@asynccontextmanager
async def open_hints(
    pool: PostgresPool, *, consumer_of: str | None = None
) -> AsyncIterator[PostgresHints]:
    """Open hints on a connection of their own, for as long as the block lasts.

    `consumer_of` names the requests queue of which this process is announced as a consumer. The
    block then begins after the first attempt, so that a client can dispatch as soon as the service
    is reported as ready. This does not fail without a connection: hints are then missing until it
    can be made.
    """
    hints = PostgresHints(pool.url, consumer_of)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.on_loop, hints.loop.run)
        try:
            if consumer_of is not None:
                await pool.on_loop(hints.loop.settled)
            yield hints
        finally:
            nursery.cancel_scope.cancel()
