"""Every statement looks its rows up, and once, whatever the planner takes a table for.

The worst is a table that was empty when it was analysed, which a queue often is: to read all of one
row costs what looking it up costs, so a join reads the whole table, for each row, until the table
is analysed again. And a batch that is taken for one row is gone through for each of its rows.
"""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, get_args

import asyncpg
import pytest

from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.postgres.sql import LeaseKind
from tests.integration.storage.storage_helpers import sql

LARGE = re.compile(r"[qa]_ai_\w+|requests|attempts|cancellations|job_results")
"""Tables that grow."""
READ_WHOLE = {
    # By the hour, or at a start or a stop.
    "prune_dead",
    "prune_requests",
    "prune_results",
    "prune_journal",
    "prune_cancellations",
    "hasten_recent",
    "release_results",
    # For status, with a limit and a timeout.
    "queue_lengths",
    # By one node, every 20 seconds, up to a bound.
    "note_backlog",
    # What could not be opened, and only the message's number is known.
    "lease held",
}
FILL = (
    "INSERT INTO pgmq.q_ai_requests (vt, message) SELECT now(), '{}' FROM generate_series(1, 5000)",
    "INSERT INTO nexus.requests"
    " (request_id, queue, msg_id, read_ct, owner, state, digest, attempts, received_at, leased_at)"
    " SELECT 'r' || g, 'ai_requests', g, 1, 'one', 'leased', 'd', 1, now(), now()"
    " FROM generate_series(1, 5000) AS g",
    "INSERT INTO nexus.attempts (request_id, number, outcome, owner, started_at)"
    " SELECT 'r' || g, 1, 'ok', 'one', now() FROM generate_series(1, 5000) AS g",
)


def statements(db: PostgresDatabase) -> dict[str, str]:
    """All of ours, by name."""
    folder = files("nexus_actors.storage.postgres").joinpath("queries")
    names = sorted(it.name.removesuffix(".sql") for it in folder.iterdir())
    found = {name: db.queues.query(name) for name in names if name != "lease"}
    found["finish direct"] = db.queues.query("finish", way="direct")
    return found | {f"lease {it}": db.queues.query("lease", it) for it in get_args(LeaseKind)}


async def plan(db: PostgresDatabase, statement: str) -> dict[str, Any]:
    """How it is executed, with the session's own settings."""
    count = len(set(re.findall(r"\$(\d+)", statement)))
    nulls = f"({', '.join(['NULL'] * count)})" if count else ""

    async def explain(connection: Any) -> list[asyncpg.Record]:
        await connection.execute(f"PREPARE explained AS {statement}")
        try:
            return await connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE explained{nulls}")
        finally:
            await connection.execute("DEALLOCATE explained")

    rows = await db.run(explain)
    found: dict[str, Any] = json.loads(rows[0][0])[0]["Plan"]
    return found


def nodes(of: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's parts."""
    yield of
    for part in of.get("Plans", ()):
        yield from nodes(part)


def reads_whole(node: dict[str, Any]) -> bool:
    """Whether it goes through a table that grows."""
    table = node.get("Relation Name", "")
    looked_up = {"Index Cond", "Recheck Cond", "TID Cond"} & node.keys()
    return "Scan" in node["Node Type"] and bool(LARGE.fullmatch(table)) and not looked_up


def repeats(node: dict[str, Any], *, inner: bool = False) -> bool:
    """Whether, for each of some rows, it goes through all of a list, or of a batch."""
    conditions = str(node.get("Index Cond", "")) + str(node.get("Recheck Cond", ""))
    if (inner and "ANY (" in conditions) or (
        node["Node Type"] == "Nested Loop" and "Join Filter" in node
    ):
        return True
    is_loop = node["Node Type"] == "Nested Loop"
    return any(
        repeats(part, inner=inner or (is_loop and part["Parent Relationship"] == "Inner"))
        for part in node.get("Plans", ())
        if part["Parent Relationship"] != "InitPlan"
    )


@pytest.mark.parametrize("taken_for", ["never looked at", "empty", "full"])
async def test_every_statement_looks_its_rows_up(db: PostgresDatabase, taken_for: str) -> None:
    if taken_for == "full":
        for statement in FILL:
            await sql(db, statement)
    if taken_for != "never looked at":
        await sql(db, "VACUUM ANALYZE")
    plans = {name: await plan(db, text) for name, text in statements(db).items()}
    # That one reads catalogues, once at a start.
    assert [
        name for name, it in plans.items() if repeats(it) and name != "conflicting_objects"
    ] == []
    found = {name: [node for node in nodes(it) if reads_whole(node)] for name, it in plans.items()}
    told = {
        name: [(it["Node Type"], it.get("Index Name"), it["Relation Name"]) for it in bad]
        for name, bad in found.items()
        if bad
    }
    assert told.keys() <= READ_WHOLE, told
