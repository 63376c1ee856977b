"""Reads one request's journal, and what was spent, for operators."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.encoding import job_result_id
from nexus_actors.storage.postgres.sql import queue_name, read

Row = dict[str, object]
MOST_SEARCHED = 10_000
"""The most messages that `nexus.find_queued` reads."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One request: its row, its steps and its attempts, each as column → value, in order."""

    request: Row
    steps: list[Row]
    attempts: list[Row]
    retries: list[str]
    """The ids of the requests that its dead letter was sent again as, oldest first."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A request that has not been leased yet."""

    msg_id: int
    visible: bool
    visible_from: str
    """As the database writes it, since it may be outside of Python's range."""

    def __str__(self) -> str:
        since = "visible since" if self.visible else "visible from"
        return f"queued, {since} {self.visible_from} (message {self.msg_id})"


async def read_queued(connection: Connection, queue: str, request_id: str) -> Queued | None:
    """Find a request that the journal does not know among the last messages of the queue (see
    `nexus.find_queued`)."""
    row = await connection.fetchrow(
        "SELECT msg_id, visible, visible_from FROM nexus.find_queued($1, $2)", queue, request_id
    )
    return None if row is None else Queued(row["msg_id"], row["visible"], row["visible_from"])


async def read_holder(connection: Connection, queue: str, request_id: str) -> Row | None:
    """The holder of a request's lease: `node`, `name` and `state`, None if the node is unknown; and
    the latest time at which its message is visible again (`lapses_at`), if it has one."""
    statement = (
        "SELECT r.owner AS node, n.name, n.state, q.vt AS lapses_at"  # noqa: S608
        " FROM nexus.requests AS r LEFT JOIN nexus.node_states AS n ON n.node = r.owner"
        f" LEFT JOIN pgmq.q_{queue_name(queue)} AS q ON q.msg_id = r.msg_id"
        " WHERE r.request_id = $1 AND r.state = 'leased'"
    )
    row = await connection.fetchrow(statement, request_id)
    return None if row is None else dict(row)


async def read_pauses(connection: Connection, queue: str) -> list[Row]:
    """The pause of the queue for all nodes, if there is one: `subject`, `name`, `by`, `why`,
    `since`, `until`."""
    return _rows(await connection.fetch(read("queries", "read_pauses"), queue))


async def read_reach(connection: Connection, queue: str) -> tuple[int, int | None]:
    """How many messages `read_queued` reads, and the number of the first. None instead of that
    number if they are all there are."""
    row = await connection.fetchrow(
        f"SELECT count(*) AS looked, min(l.msg_id) AS first FROM (SELECT q.msg_id FROM"  # noqa: S608
        f" pgmq.q_{queue_name(queue)} AS q ORDER BY q.msg_id DESC LIMIT $1) AS l",
        MOST_SEARCHED,
    )
    assert row is not None  # noqa: S101 - count(*)
    return row["looked"], row["first"] if row["looked"] == MOST_SEARCHED else None


async def read_entry(connection: Connection, request_id: str) -> JournalEntry | None:
    """The journal's entry, or None. Run it as `pool.run(read_entry, request_id)`."""
    rows = _rows(
        await connection.fetch(
            "SELECT r.* FROM nexus.requests AS r WHERE request_id = $1",
            request_id,
        )
    )
    if not rows:
        return None
    request = rows[0]
    del request["steps"]
    if request["result_trouble"] is not None and await connection.fetchval(
        "SELECT true FROM public.job_results WHERE id = $1", job_result_id(request_id)
    ):
        request["result_trouble"] = None  # the result was stored in the end
    steps = await connection.fetch(
        "SELECT number, name, outcome, at, detail FROM nexus.steps WHERE request_id = $1"
        " ORDER BY number",
        request_id,
    )
    attempts = await connection.fetch(
        "SELECT number, provider, model, outcome, status_code, duration_ms, cost, cost_basis,"
        " error, maybe_paid, spared, dropped, first_text_ms, key_name, owner, started_at"
        " FROM nexus.attempts WHERE request_id = $1 ORDER BY number",
        request_id,
    )
    retries = await connection.fetch(
        "SELECT request_id FROM nexus.requests WHERE retry_of = $1 ORDER BY received_at", request_id
    )
    new_ids = [it["request_id"] for it in retries]
    return JournalEntry(request, _rows(steps), _rows(attempts), new_ids)


async def count_known(connection: Connection, ids: Sequence[str]) -> int:
    """The number of these requests that are in the journal."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM nexus.requests WHERE request_id = ANY($1::text[])", ids
        )
    )


async def read_spending(
    connection: Connection, names: Sequence[str], periods: Sequence[str]
) -> list[Row]:
    """For each budget `name`, `spent` and `reserved` (US dollars) in its current day or month, and
    when that began (`begins_at`, `seconds` ago) and ends (`renews_at`)."""
    return _rows(await connection.fetch(read("queries", "spending"), names, periods))


def _rows(records: list[asyncpg.Record]) -> list[Row]:
    return [dict(record) for record in records]
