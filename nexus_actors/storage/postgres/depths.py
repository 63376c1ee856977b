"""Reads the lengths of the queues and the recent cost of calls, for monitoring."""

from dataclasses import dataclass
from typing import TypedDict

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.sql import Queues, read


class QueueLength(TypedDict):
    """One queue, as in the JSON of status."""

    total: int
    visible: int
    """Messages that may be leased now."""
    oldest_seconds: float | None
    """Age of the oldest message; None if the queue is empty."""
    due_seconds: float | None
    """How long the longest visible message has been visible; None if no message is visible."""


@dataclass(frozen=True, slots=True)
class Spend:
    """US dollars for calls to one provider, by requests that have ended."""

    hour: float
    day: float
    """Since midnight, UTC."""


async def read_queue_lengths(connection: Connection, queues: Queues) -> dict[str, QueueLength]:
    """For each queue the number of messages, the number of visible ones, the age of the oldest, and
    how long one has been visible. It reads all queues, so the caller should set a deadline."""
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
    """By provider. The time grows with the requests that ended today: set a deadline here, too."""
    rows = await connection.fetch(read("queries", "spending_by_provider"))
    return {row["provider"]: Spend(row["hour"], row["day"]) for row in rows}


async def read_waiting(connection: Connection, queues: Queues) -> dict[str, int]:
    """The number of requests that were leased once and wait, by reason, most frequent first."""
    rows = await connection.fetch(queues.query("waiting_counts"))
    return {row["reason"]: row["requests"] for row in rows}
