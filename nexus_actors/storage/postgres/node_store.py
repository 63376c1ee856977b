"""`NodeStore` and `ChoreStore` in PostgreSQL, and the list of nodes for operators."""

import json
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from nexus_actors.storage.nodes import SILENCE, Chore, NodeReport, Term, Turn
from nexus_actors.storage.postgres.connection import Connection, PostgresPool, fetch
from nexus_actors.storage.postgres.sql import read

MOST_LISTED = 1000


class PostgresNodeStore:
    """See `NodeStore` and `ChoreStore`. Chores are shared by the services on one queue."""

    def __init__(self, pool: PostgresPool, queue: str) -> None:
        self._pool = pool
        self._queue = queue

    async def beat(self, report: NodeReport) -> None:
        """See `NodeStore.beat`."""
        await self._pool.run(
            fetch,
            read("queries", "beat"),
            report.node,
            report.name,
            report.host,
            report.version,
            report.pid,
            report.queue,
            report.started_at,
            report.state,
            report.why,
            report.in_flight,
            json.dumps(report.concurrency),
            report.restarts,
            report.last_error,
        )

    async def take(self, chore: Chore, *, node: str, running: float) -> Turn:
        """See `ChoreStore.take`."""
        statement = read("queries", "take_chore")
        [row] = await self._pool.run(fetch, statement, chore, self._queue, node, SILENCE, running)
        number = row["term"]
        term = None if number is None else Term(chore, self._queue, node, number)
        return Turn(term, row["idle"])

    async def hold(self, term: Term) -> bool:
        """See `ChoreStore.hold`."""
        return await self._pool.run(holds, term)

    async def end(self, term: Term) -> None:
        """See `ChoreStore.end`."""
        await self._pool.run(_of, "end_chore", term)

    async def leave(self, term: Term) -> None:
        """See `ChoreStore.leave`."""
        await self._pool.run(_of, "leave_chore", term)


async def holds(connection: Connection, term: Term) -> bool:
    """See `ChoreStore.hold`. In a transaction this is a fence: no other node can take over the
    chore until it ends."""
    return bool(await _of(connection, "hold_chore", term))


async def _of(connection: Connection, query: str, term: Term) -> list[asyncpg.Record]:
    statement = read("queries", query)
    return await connection.fetch(statement, term.chore, term.queue, term.node, term.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """A row of nexus.node_states."""

    node: str
    name: str
    host: str
    version: str
    pid: int
    queue: str
    started_at: datetime
    beat_at: datetime
    state: str
    """A `NodeState`, or `lost`."""
    why: str | None
    in_flight: int
    concurrency: dict[str, int]
    restarts: int
    last_error: str | None
    beat_age: float
    """Seconds since its last heartbeat."""
    chores: list[str]
    """The chores that it is the leader for."""


async def list_nodes(connection: Connection) -> list[NodeStatus]:
    """All nodes, running ones first. Run it as `pool.run(list_nodes)`."""
    rows = await connection.fetch(read("queries", "list_nodes"), MOST_LISTED)
    return [NodeStatus(**{**row, "concurrency": json.loads(row["concurrency"])}) for row in rows]
