"""One connection that LISTENs for any number of listeners. The service uses it for wake-ups, the
client for results.

A notification is a hint: it may be lost with the connection, so every listener also polls. After
each (re)connect all listeners are called once, since they may have missed notifications.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import asyncpg

from nexus_actors.storage.postgres.connection import COMMAND_TIMEOUT, CONNECT_TIMEOUT, GRACE
from nexus_actors.storage.postgres.errors import DRIVER_ERRORS, describe
from nexus_actors.storage.postgres.sessions import connect

FIRST_DELAY = 0.05
"""Seconds before the first attempt to reconnect; doubled each time."""
LONGEST_DELAY = 5.0
PROBE_INTERVAL = 15.0
"""Seconds between probes, which detect a connection whose other end is silently gone."""

OwnConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Listener = Callable[[str | None], None]
"""Called with each notification's payload, and with None after each (re)connect. It must not block
or raise."""
Look: TypeAlias = "Callable[[OwnConnection | None], Awaitable[float]]"
"""Called with the connection once it listens, and again after the number of seconds that it
returned; called with None between attempts to connect. If it raises an error of the driver, the
connection counts as lost."""

log = logging.getLogger(__name__)


class ListenLoop:
    """A connection that is re-established whenever it is lost. Runs on asyncio; `run` does the
    work."""

    def __init__(self, url: str, name: str, look: Look) -> None:
        self._url = url
        self._name = name
        self._look = look
        self._listeners: dict[str, list[Listener]] = {}
        self._heard: set[str] = set()
        """Channels that are listened to, and whose listeners have been called since."""
        self._changed = asyncio.Event()
        self._look_wanted = False
        self._settled = asyncio.Event()
        self._troubled = False
        self.connected = False
        """Whether notifications arrive at present."""

    def add(self, channel: str, listener: Listener) -> None:
        """Call `listener` for notifications on the channel from now on."""
        self._listeners.setdefault(channel, []).append(listener)
        if self.connected and channel not in self._heard:
            self._settled.clear()
        self._changed.set()

    def remove(self, channel: str, listener: Listener) -> None:
        """Undo `add`."""
        listeners = self._listeners[channel]
        listeners.remove(listener)
        if not listeners:
            del self._listeners[channel]
            self._heard.discard(channel)
            self._changed.set()

    def look_soon(self) -> None:
        """Have `look` called at once, if there is a connection."""
        self._look_wanted = True
        self._changed.set()

    async def settled(self) -> None:
        """Wait until every channel is listened to, or the attempt to connect has failed."""
        await self._settled.wait()

    async def run(self) -> None:
        """Connect, listen, and reconnect, until cancelled. Then the connection is closed."""
        delay = FIRST_DELAY
        while True:
            with self._tolerated():
                await self._one_connection()
            if self.connected:
                delay = FIRST_DELAY
            self.connected = False
            self._heard.clear()
            self._settled.set()
            pause = delay
            with self._tolerated():
                pause = min(delay, await self._look(None))
            await asyncio.sleep(pause)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _one_connection(self) -> None:
        connection = await connect(self._url, self._name, CONNECT_TIMEOUT)
        now = asyncio.get_running_loop().time
        try:
            connection.add_termination_listener(lambda _connection: self._changed.set())
            channels: set[str] = set()
            look_at, probe_at = now(), now() + PROBE_INTERVAL
            while not connection.is_closed():
                self._changed.clear()
                with _watched(connection):
                    await self._agree(connection, channels)
                    if self._look_wanted or now() >= look_at:
                        self._look_wanted = False
                        look_at = now() + await self._look(connection)
                    if now() >= probe_at:
                        await connection.execute("SELECT 1")
                        probe_at = now() + PROBE_INTERVAL
                if self._heard >= self._listeners.keys():
                    self._settled.set()
                await self._wait_for_change(min(look_at, probe_at) - now())
        finally:
            connection.terminate()

    async def _agree(self, connection: OwnConnection, channels: set[str]) -> None:
        """Make the connection's channels (`channels`) equal to those that have listeners."""
        for channel in channels - self._listeners.keys():
            await connection.remove_listener(channel, self._notified)
            channels.discard(channel)
        for channel in self._listeners.keys() - self._heard:
            await connection.add_listener(channel, self._notified)
            channels.add(channel)
            if channel in self._listeners:
                self._heard.add(channel)
                self._call(channel, None)
        self.connected, self._troubled = True, False

    async def _wait_for_change(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _notified(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        self._call(channel, str(payload))

    def _call(self, channel: str, payload: str | None) -> None:
        for listener in tuple(self._listeners.get(channel, ())):
            try:
                listener(payload)
            except Exception:
                log.exception("a listener of %s failed", channel)

    @contextmanager
    def _tolerated(self) -> Iterator[None]:
        """Suppress errors of the driver. The first of an outage is logged."""
        try:
            yield
        except asyncio.CancelledError:
            raise
        except DRIVER_ERRORS as error:
            if not self._troubled:
                log.warning("%s: notifications are interrupted: %s", self._name, describe(error))
            self._troubled = True


@contextmanager
def _watched(connection: OwnConnection) -> Iterator[None]:
    """Terminate the connection if the block takes too long. A frozen server ignores the driver's
    own timeout, and the driver waits for it even when it is cancelled."""
    limit = COMMAND_TIMEOUT + GRACE
    watchdog = asyncio.get_running_loop().call_later(limit, connection.terminate)
    try:
        yield
    finally:
        watchdog.cancel()
