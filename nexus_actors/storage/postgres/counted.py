"""The numbers about a service's work that only the database knows."""

from collections.abc import Mapping
from dataclasses import dataclass

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.depths import QueueLength, read_queue_lengths, read_waiting
from nexus_actors.storage.postgres.sql import Queues, read


@dataclass(frozen=True, slots=True)
class Spending:
    """Of one budget, US dollars in the day or month that runs."""

    spent: float
    reserved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """At one moment, about."""

    queues: Mapping[str, QueueLength]
    """By what they are for: `requests`, `results`, `dead`."""
    waiting: Mapping[str, int]
    """Requests that were leased once and wait, by what for."""
    spending: Mapping[str, Spending]
    """By the budget's name."""
    nodes: Mapping[str, int]
    """On the same queue, by state."""
    unpruned_seconds: float | None
    """For which no round of pruning was completed; None where there was no leader yet."""


async def read_counted(
    connection: Connection, queues: Queues, budgets: Mapping[str, str]
) -> Counted:
    """One statement after the other. It reads all of the queues, so it is to be bounded in time by
    the caller. `budgets`: by name, whether of a `day` or a `month`."""
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
