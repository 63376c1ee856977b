"""Reads which requests wait, and for what, from the view `nexus.waiting`, for operators."""

from typing import Any

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.sql import read

Row = dict[str, Any]
_GROUP = ("reason", "detail", "requests", "since", "until")
_REQUEST = (
    "request_id",
    "agent_id",
    "reason",
    "detail",
    "since",
    "until",
    "deadline",
    "before",
    "attempts",
)


async def read_waiting(
    connection: Connection, queue: str, agent: str | None, reason: str | None, most: int
) -> tuple[list[Row], list[Row]]:
    """For a queue, how many requests wait for each reason and detail, and up to `most` requests,
    longest waiting first; optionally of one agent and for one reason.

    Run it as `pool.run(read_waiting, …)`.
    """
    rows = await connection.fetch(read("queries", "list_waiting"), queue, agent, reason, most)
    groups = [{name: row[name] for name in _GROUP} for row in rows if row["is_group"]]
    requests = [{name: row[name] for name in _REQUEST} for row in rows if not row["is_group"]]
    return groups, requests


async def read_wait(connection: Connection, request_id: str) -> Row | None:
    """What one request waits for, as in nexus.waiting; None if it does not wait. Run it as
    `pool.run(read_wait, request_id)`."""
    row = await connection.fetchrow(read("queries", "read_wait"), request_id)
    return None if row is None else dict(row)
