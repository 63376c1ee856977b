"""Finds the holders of locks. Any role can hold any advisory lock, and locks on tables that it may
read. So every wait for a lock is bounded, and names the holder."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nexus_actors.contract.shown_text import printable
from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.errors import DRIVER_ERRORS
from nexus_actors.storage.postgres.sessions import connect
from nexus_actors.storage.postgres.sql import read

FIRST_LOOK = 0.5
"""Seconds that a session may wait before its blockers are looked up."""
LOOK_AGAIN = 0.3

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A session that holds a lock."""

    pid: int
    """0 for a prepared transaction, which has no session."""
    role: str
    name: str
    """Its application_name."""
    ours: bool | None
    """Whether the session has our own role; None if its role is unknown."""
    silent: float | None
    """Seconds since its last statement; None if we may not see that."""

    def __str__(self) -> str:
        name = printable(self.name) or "(unnamed)"
        return f"pid {self.pid}, role {printable(self.role)}, application {name}"


async def lock_holders(connection: Connection, *key: int) -> list[Holder]:
    """The other sessions that hold the lock: its key is one number (64 bits) or two (32 each)."""
    high, low = (key[0] >> 32, key[0] & 0xFFFFFFFF) if len(key) == 1 else key
    rows = await connection.fetch(read("queries", "lock_holders"), high, low, len(key))
    return [Holder(**dict(row)) for row in rows]


def named(holders: list[Holder]) -> str:
    """Describe the holders."""
    return "; ".join(map(str, holders)) or "a session that has just let go of it"


@asynccontextmanager
async def watched(url: str, connection: Connection) -> AsyncIterator[list[Holder]]:
    """Log the sessions that the connection waits for while the block runs. Yields a list of them,
    which grows. If the block takes long, a separate connection is made for this.
    """
    blockers: list[Holder] = []
    watch = _watch(url, connection.get_server_pid(), blockers)
    task = asyncio.get_running_loop().create_task(watch)
    try:
        yield blockers
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _watch(url: str, pid: int, blockers: list[Holder]) -> None:
    try:
        await asyncio.sleep(FIRST_LOOK)
        watcher = await connect(url, "nexus lock watcher", 10.0)
        try:
            while True:
                rows = await watcher.fetch(read("queries", "blockers"), pid)
                found = [Holder(**dict(row)) for row in rows]
                if found and [it.pid for it in found] != [it.pid for it in blockers]:
                    log.warning("waiting for a lock of another session: %s", named(found))
                    blockers[:] = found
                await asyncio.sleep(LOOK_AGAIN)
        finally:
            watcher.terminate()
    except DRIVER_ERRORS as error:
        if isinstance(error, asyncio.CancelledError):
            raise
        # Then nobody is named, which does not affect the waiting connection.
