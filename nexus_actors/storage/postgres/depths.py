"""What waits in the queues, and what calls have cost lately: for monitoring."""

from dataclasses import dataclass
from typing import TypedDict

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.sql import Queues, read


class QueueLength(TypedDict):
    """One queue. JSON, as status has it."""

    total: int
    visible: int
    """Messages that may be leased now."""
    oldest_seconds: float | None
    """Since the oldest was sent; None in an empty queue."""
    due_seconds: float | None
    """For which the one that is visible longest has been so; None where none is."""


@dataclass(frozen=True, slots=True)
class Spend:
    """US dollars for the calls to one provider, of requests that have ended."""

    hour: float
    day: float
    """Since midnight, UTC."""


async def read_queue_lengths(connection: Connection, queues: Queues) -> dict[str, QueueLength]:
    """For each queue how many messages it holds, how many are visible, how old the oldest is,
    and how long one has been visible. It reads them all: to be bounded in time by the caller."""
    rows = await connection.fetch(queues.query("queue_lengths"))
    return {
        row["queue"]: QueueLength(
            total=row["total"],
            visible=row["visible"],
            oldest_seconds=_rounded(row["oldest_seconds"]),
            due_seconds=_rounded(row["due_seconds"]),
        )
        for row in rows
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


async def read_spend(connection: Connection) -> dict[str, Spend]:
    """By provider. It takes the longer, the more requests ended today: to be bounded likewise."""
    rows = await connection.fetch(read("queries", "spending_by_provider"))
    return {row["provider"]: Spend(row["hour"], row["day"]) for row in rows}


async def read_waiting(connection: Connection, queues: Queues) -> dict[str, int]:
    """How many requests that were leased once wait, by what for; the most first."""
    rows = await connection.fetch(queues.query("waiting_counts"))
    return {row["reason"]: row["requests"] for row in rows}
