"""Ensures one service per instance id. A separate session holds an advisory lock for as long as the
service runs, and names the place where it runs in its application_name.

The lock of a data directory proves that no other process uses that directory. It proves nothing
about a copy of the directory, which has the same instance id. Two services with one id would each
mistake the other's leases for those of a dead predecessor.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import asyncpg
import trio

from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres.connection import (
    CONNECT_TIMEOUT,
    Connection,
    PostgresPool,
)
from nexus_actors.storage.postgres.errors import DRIVER_ERRORS, describe
from nexus_actors.storage.postgres.locks import Holder, lock_holders
from nexus_actors.storage.postgres.sessions import connect

BEAT = 2.0
"""Seconds between heartbeats of a session that holds a lock; 5 in earlier releases."""
SILENCE = 20.0
"""Seconds without a heartbeat after which a session's process is considered dead."""
PATIENCE = 3.0
"""Seconds to wait until the session of a dead predecessor has ended."""
LOOK_AGAIN = 0.2
"""Seconds between checks of the session that holds the lock."""
AGAIN = 1.0
"""Seconds between tries to take the lock while the service runs without it."""
_CLASS = 0x6E657869
"""The key space of these advisory locks: "nexi" in ASCII."""
NAME = re.compile(
    r"nexus [0-9a-f]{8} ([^/]{1,20})/([0-9a-f]{8})/(\d+)/([0-9a-f]{6})(?:/([0-9a-f]{8}))?"
)
"""The application_name of such a session. In earlier releases it ends after the directory."""

log = logging.getLogger(__name__)


class InstanceTaken(StorageError):
    """Another service runs with this instance's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a service runs."""

    host: str
    """The beginning of the host's name, for messages. It may not be unique among containers."""
    boot: str
    """Eight hexadecimal digits that change at each boot of the host."""
    pid: int
    directory: str
    """Six hexadecimal digits that distinguish data directories on a host."""
    machine: str | None
    """Eight hexadecimal digits that distinguish containers on a host; None for an earlier
    release."""

    def session_name(self, instance_id: str) -> str:
        """The application_name of its session, at most 63 bytes."""
        parts = (self.host, self.boot, str(self.pid), self.directory, self.machine)
        return f"nexus {_short(instance_id, 8)} {'/'.join(filter(None, parts))}"


def place(host: str, boot: str, pid: int, directory: str, namespace: str = "") -> Place:
    """Make a place from texts of any length and characters. `namespace`: that of process ids."""
    return Place(
        host=re.sub(r"[^A-Za-z0-9._-]", "-", host)[:15] or "-",
        boot=_short(boot, 8),
        pid=pid,
        directory=_short(directory, 6),
        machine=_short(f"{host}\n{namespace}", 8),
    )


class Claim:
    """The instance's lock; made by `open_claim`."""

    def __init__(
        self,
        pool: PostgresPool,
        instance_id: str,
        here: Place,
        on_taken: Callable[[InstanceTaken], None],
    ) -> None:
        self._pool = pool
        self._here = here
        self._on_taken = on_taken
        self._name = here.session_name(instance_id)
        self._key = key_of(instance_id)
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self.trouble: str | None = None
        """Why the lock is not held at present; None if it is held."""

    async def take(self) -> None:
        """Take the lock, or find out who holds it.

        Raises InstanceTaken if a live service elsewhere holds it. Another session is reported in
        `trouble`, since it proves nothing. This takes at most `SILENCE` seconds, and only if
        another service's session holds the lock. Like the others, an asyncio coroutine for the
        pool's loop.
        """
        try:
            connection = await self._connect()
            holders = await self._watch(connection)
            if await self._end_the_dead(connection, holders):
                holders = await self._wait(connection)
        except DRIVER_ERRORS as error:
            if isinstance(error, asyncio.CancelledError):
                raise
            self._drop(describe(error))
            return
        self._judge(holders)

    async def keep(self) -> None:
        """Send heartbeats, and take the lock again whenever it is lost, until cancelled.

        `on_taken` is called once if a live service holds it by then, which took us for dead.
        """
        while True:
            await asyncio.sleep(BEAT if self.trouble is None else AGAIN)
            try:
                connection = await self._connect()
                holders = [] if self.trouble is None else await self._watch(connection)
                await connection.execute("SELECT 1")
                await self._end_the_dead(connection, holders)
            except DRIVER_ERRORS as error:
                if isinstance(error, asyncio.CancelledError):
                    raise
                self._drop(describe(error))
                continue
            try:
                self._judge(holders)
            except InstanceTaken as taken:
                self._tell(str(taken))
                self._on_taken(taken)
                return

    async def release(self) -> None:
        """End the session."""
        if self._connection is not None:
            self._connection.terminate()

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._pool.url, self._name, CONNECT_TIMEOUT)
            self.trouble = self.trouble or "not tried yet"
        return self._connection

    async def _try(self, connection: Connection) -> list[Holder]:
        """Try to take the lock. Returns its holders; empty if it is ours now."""
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", *self._key):
            # Without a holder, it was released in between: try again.
            if holders := await lock_holders(connection, *self._key):
                return holders
            await asyncio.sleep(0.02)
        return []

    async def _watch(self, connection: Connection) -> list[Holder]:
        """The lock's holders, once a service among them has sent a heartbeat, or all have been
        silent for long: a session survives a host that was cut off, or a killed container.
        """
        before: dict[int, float] = {}
        while holders := await self._try(connection):
            silent = {
                it.pid: it.silent
                for it in holders
                if _service(it) and not self._is_dead(it) and it.silent is not None
            }
            if not silent or any(now < before.get(pid, now) for pid, now in silent.items()):
                break
            before = silent
            await asyncio.sleep(LOOK_AGAIN)
        return holders

    async def _end_the_dead(self, connection: Connection, holders: list[Holder]) -> bool:
        """End the sessions of dead services. Returns whether there were any."""
        dead = [holder for holder in holders if self._is_dead(holder)]
        for holder in dead:
            log.warning("ending the session that a dead predecessor left behind: %s", holder)
            # PostgreSQL lets a role end its own sessions.
            await connection.execute("SELECT pg_terminate_backend($1)", holder.pid)
        return bool(dead)

    async def _wait(self, connection: Connection) -> list[Holder]:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while holders := await self._try(connection):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.02)
        return holders

    def _is_dead(self, holder: Holder) -> bool:
        return _service(holder) is not None and live_service(holder, self._here) is None

    def _judge(self, holders: list[Holder]) -> None:
        for holder in holders:
            found = live_service(holder, self._here)
            if found is not None:
                raise InstanceTaken(
                    f"a service with the same instance-id runs on host {found.host} (pid"
                    f" {found.pid}, with another data_dir): one data_dir is a copy of the other's;"
                    " delete the file instance-id in the copy, and start it again"
                )
        self._tell(_held(holders[0]) if holders else None)

    def _drop(self, reason: str) -> None:
        self._tell(reason)
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _tell(self, trouble: str | None) -> None:
        if trouble is not None and trouble != self.trouble:
            log.warning("the lock of this instance is not held: %s", trouble)
        self.trouble = trouble


def key_of(instance_id: str) -> tuple[int, int]:
    """The lock's key. Its halves are positive, since pg_locks shows them unsigned."""
    return _CLASS, int(_short(instance_id, 8), 16) & 0x7FFFFFFF


def live_service(holder: Holder, here: Place) -> Place | None:
    """Where the live service runs whose session holds the lock. None if the session is not a
    service's of our role, or was left behind: by a process with the same directory as `here`,
    whose lock we hold, or by one that has sent no heartbeat for long.
    """
    found = _service(holder)
    if found is None or replace(found, pid=here.pid) == here:
        return None
    return None if holder.silent is not None and holder.silent > SILENCE else found


def _service(holder: Holder) -> Place | None:
    """Where the session's service runs; None if it is not a service's of our role."""
    found = NAME.fullmatch(holder.name)
    if found is None or not holder.ours:
        return None
    host, boot, pid, directory, machine = found.groups()
    return Place(host=host, boot=boot, pid=int(pid), directory=directory, machine=machine)


@asynccontextmanager
async def open_claim(
    pool: PostgresPool,
    instance_id: str,
    here: Place | None,
    on_taken: Callable[[InstanceTaken], None] = lambda _: None,
) -> AsyncIterator[Claim | None]:
    """Hold the instance's lock until the block ends. Raises InstanceTaken.

    If the lock cannot be taken for another reason, the block runs without it, and taking it is
    retried. `on_taken` is called, in the pool's loop, if the lock was lost to another live service:
    two services must not share an id, so this one has to stop.
    """
    if here is None:
        yield None
        return
    claim = Claim(pool, instance_id, here, on_taken)
    async with trio.open_nursery() as nursery:
        try:
            await pool.on_loop(claim.take)
            nursery.start_soon(pool.on_loop, claim.keep)
            yield claim
        finally:
            nursery.cancel_scope.cancel()
            await _released(pool, claim)


async def _released(pool: PostgresPool, claim: Claim) -> None:
    with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
        await pool.on_loop(claim.release)


def _held(holder: Holder) -> str:
    return f"another session holds it ({holder})"


def _short(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
