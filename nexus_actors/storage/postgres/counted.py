"""Reads the numbers about a service's work that only the database has."""

from collections.abc import Mapping
from dataclasses import dataclass

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.depths import QueueLength, read_queue_lengths, read_waiting
from nexus_actors.storage.postgres.sql import Queues, read


@dataclass(frozen=True, slots=True)
class Spending:
    """US dollars of one budget in its current day or month."""

    spent: float
    reserved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The numbers at about one moment."""

    queues: Mapping[str, QueueLength]
    """By purpose: `requests`, `results`, `dead`."""
    waiting: Mapping[str, int]
    """The number of requests that were leased once and wait, by reason."""
    spending: Mapping[str, Spending]
    """By the name of the budget."""
    nodes: Mapping[str, int]
    """The number of nodes on the same queue, by state."""
    unpruned_seconds: float | None
    """Since the last complete round of pruning; None if there has been no leader yet."""


async def read_counted(
    connection: Connection, queues: Queues, budgets: Mapping[str, str]
) -> Counted:
    """Run one statement after the other. Since they read all queues, the caller should set a
    deadline. `budgets`: each budget's name and period, `day` or `month`."""
    lengths = await read_queue_lengths(connection, queues)
    names = {"requests": queues.requests, "results": queues.results, "dead": queues.dead}
    waiting = await read_waiting(connection, queues)
    spending = await connection.fetch(
        read("queries", "spending"), list(budgets), list(budgets.values())
    )
    nodes = await connection.fetch(read("queries", "node_counts"), queues.requests)
    idle = await connection.fetchval(read("queries", "chore_idle"), "prune", queues.requests)
    return Counted(
        queues={role: lengths[name] for role, name in names.items()},
        waiting=waiting,
        spending={row["name"]: Spending(row["spent"], row["reserved"]) for row in spending},
        nodes={row["state"]: row["nodes"] for row in nodes},
        unpruned_seconds=idle,
    )
