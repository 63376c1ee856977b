"""Dead letters, for the operator who looks through them, sends them again or throws them away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.sql import Queues


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Some of the dead letters: those that everything given is true of."""

    numbers: tuple[int, ...] | None = None
    """Their msg_ids."""
    reason: str | None = None
    provider: str | None = None
    older_than: float | None = None
    """Seconds."""
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One request that can never succeed, or did not."""

    number: int
    """The message's msg_id."""
    request_id: str | None
    reason: str | None
    provider: str | None
    message: str | None
    path: str | None
    """Of the field that was wrong."""
    attempts: int | None
    dead_at: datetime
    letter: str
    """All of it as JSON text, the request too."""


@dataclass(frozen=True, slots=True)
class Retried:
    """A letter's request, sent again."""

    number: int
    request_id: str
    new_id: str


async def find(connection: Connection, queues: Queues, which: Which) -> list[DeadLetter]:
    """Those letters, oldest first."""
    rows = await connection.fetch(
        queues.query("dead_list"),
        None if which.numbers is None else list(which.numbers),
        which.reason,
        which.provider,
        which.older_than,
        which.limit,
    )
    return [DeadLetter(**row) for row in rows]


async def retry(connection: Connection, queues: Queues, numbers: Sequence[int]) -> list[Retried]:
    """Send their requests again, in one statement; those that cannot be sent are not among the
    returned, and stay."""
    rows: list[asyncpg.Record] = await connection.fetch(queues.query("dead_retry"), list(numbers))
    return [Retried(**row) for row in rows]


async def purge(connection: Connection, queues: Queues, numbers: Sequence[int]) -> int:
    """Delete them for good; how many there were."""
    return int(await connection.fetchval(queues.query("dead_purge"), list(numbers)))
