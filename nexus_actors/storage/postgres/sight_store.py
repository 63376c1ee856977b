"""`SightStore` in PostgreSQL."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from nexus_actors.storage.postgres.connection import PostgresPool, fetch
from nexus_actors.storage.postgres.sql import read
from nexus_actors.storage.sights import Order

STALE: Final = 60.0
"""Seconds after which a pending order is no longer carried out."""


class PostgresSightStore:
    """See `SightStore`."""

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool

    async def looks(self, node: str) -> Sequence[str]:
        """See `SightStore.looks`."""
        rows = await self._pool.run(fetch, read("queries", "read_looks"), node)
        return [row["what"] for row in rows]

    async def show(self, node: str, sights: Mapping[str, str | None]) -> Collection[str]:
        """See `SightStore.show`."""
        # Each body is JSON already. jsonb does not accept the character 0.
        pairs = (f"{json.dumps(what)}:{body or 'null'}" for what, body in sights.items())
        text = f"{{{','.join(pairs)}}}".replace("\\u0000", "\\ufffd")
        rows = await self._pool.run(fetch, read("queries", "write_sights"), node, text)
        return [row["what"] for row in rows]

    async def take(self, node: str) -> Order | None:
        """See `SightStore.take`."""
        rows = await self._pool.run(fetch, read("queries", "take_commands"), node, STALE)
        return Order(**dict(rows[0])) if rows else None

    async def end(self, number: int, outcome: str) -> None:
        """See `SightStore.end`."""
        await self._pool.run(fetch, read("queries", "end_command"), number, outcome)
