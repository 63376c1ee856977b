"""`QuirkStore` in PostgreSQL, and the operators' actions on it."""

from dataclasses import dataclass
from datetime import datetime

from nexus_actors.storage.postgres.connection import Connection, PostgresPool, fetch
from nexus_actors.storage.postgres.sql import read
from nexus_actors.storage.quirks import PROVIDER_QUIRKS, QUIRK_SECONDS, Quirk

MOST_READ = 10_000
"""The most rows to read."""
KEPT_SECONDS = 7 * QUIRK_SECONDS
"""How long a row is kept for people to see."""


class PostgresQuirkStore:
    """See `QuirkStore`."""

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool

    async def read(self) -> list[Quirk]:
        """See `QuirkStore.read`."""
        rows = await self._pool.run(fetch, read("queries", "read_quirks"), QUIRK_SECONDS, MOST_READ)
        return [
            Quirk(
                provider=row["provider"],
                model=row["model"],
                field=row["field"],
                effort=row["effort"],
                reason=row["reason"],
                age=row["age"],
            )
            for row in rows
        ]

    async def learn(self, quirk: Quirk) -> None:
        """See `QuirkStore.learn`."""
        await self._pool.run(
            fetch,
            read("queries", "learn_quirk"),
            quirk.provider,
            quirk.model,
            quirk.field,
            quirk.effort,
            quirk.reason,
            KEPT_SECONDS,
            PROVIDER_QUIRKS,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LearntQuirk:
    """A row for operators."""

    provider: str
    model: str
    field: str
    effort: str
    reason: str
    learnt_at: datetime
    age: float
    """Seconds."""


async def list_quirks(connection: Connection) -> list[LearntQuirk]:
    """The quirks in effect, newest first. Run it as `pool.run(list_quirks)`."""
    rows = await connection.fetch(read("queries", "read_quirks"), QUIRK_SECONDS, MOST_READ)
    return [LearntQuirk(**dict(row)) for row in rows]


async def forget_quirks(
    connection: Connection, provider: str | None, model: str | None, field: str | None
) -> int:
    """Forget what was learnt of these; None stands for any. Returns the number of rows."""
    return len(await connection.fetch(read("queries", "forget_quirks"), provider, model, field))
