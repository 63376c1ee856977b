"""What nodes tell of themselves, which of them leads a chore, and what an operator's words mean."""

from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.nodes import SILENCE, NodeReport
from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.postgres.node_store import list_nodes
from tests.integration.storage.storage_helpers import send, sql, value

DAY = 86_400.0
REPORT = NodeReport(
    node="0a1b2c3d-0000-4000-8000-000000000001",
    name="nexus@one",
    host="one",
    version="1",
    pid=7,
    queue="ai_requests",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    state="ready",
    why=None,
    in_flight=3,
    concurrency={"echo": 16},
    restarts=0,
    last_error="rate_limited (echo)",
)
OTHER = replace(REPORT, node="0a1b9999-0000-4000-8000-000000000002", name="nexus@two", host="two")


async def silence(db: PostgresDatabase, node: str, seconds: float = SILENCE + 1) -> None:
    await sql(
        db,
        "UPDATE nexus.nodes SET beat_at = beat_at - make_interval(secs => $2) WHERE node = $1",
        node,
        seconds,
    )


async def states(db: PostgresDatabase) -> dict[str, str]:
    return {it.name: it.state for it in await db.run(list_nodes)}


async def test_a_node_without_a_beat_is_lost_unless_it_has_stopped(db: PostgresDatabase) -> None:
    for report in (REPORT, OTHER):
        await db.nodes.beat(report)
    await db.nodes.beat(replace(REPORT, state="degraded", why="no database", restarts=2))
    [first, _] = await db.run(list_nodes)
    assert (first.state, first.why, first.restarts) == ("degraded", "no database", 2)
    assert (first.concurrency, first.in_flight, first.last_error) == (
        {"echo": 16},
        3,
        "rate_limited (echo)",
    )
    assert first.beat_age < SILENCE
    await silence(db, REPORT.node)
    assert await states(db) == {"nexus@two": "ready", "nexus@one": "lost"}
    await db.nodes.beat(REPORT)
    assert await states(db) == {"nexus@one": "ready", "nexus@two": "ready"}
    await db.nodes.beat(replace(OTHER, state="stopped"))
    await silence(db, OTHER.node)
    assert await states(db) == {"nexus@one": "ready", "nexus@two": "stopped"}


async def test_a_node_is_meant_by_its_id_its_beginning_its_name_or_its_host(
    db: PostgresDatabase,
) -> None:
    async def meant(wanted: str | None) -> str:
        return str(await value(db, "SELECT nexus.node_id($1)", wanted))

    with pytest.raises(StorageRefused) as none:
        await meant("one")
    assert _said(none) == 'nexus.node_id: there is no node "one"; no node is known'
    for report in (REPORT, OTHER):
        await db.nodes.beat(report)
    assert await meant("*") == "*"
    for wanted in (REPORT.node, REPORT.node.upper(), "0a1b2", "nexus@one", "one"):
        assert await meant(wanted) == REPORT.node
    for unknown in ("0a1", "0a1c", "", None, "%", "nexus", "ONE"):
        with pytest.raises(StorageRefused) as refused:
            await meant(unknown)
        assert _said(refused).endswith(
            f'there is no node "{unknown or ""}"; expected one of:'
            f" {REPORT.node} nexus@one (ready), {OTHER.node} nexus@two (ready)"
        )
    with pytest.raises(StorageRefused) as several:
        await meant("0a1b")
    assert 'there are several nodes "0a1b"' in _said(several)
    # A new data_dir on the same host: the one that runs is meant, not the one that is gone.
    again = replace(REPORT, node="ffff0000-0000-4000-8000-000000000003")
    await db.nodes.beat(replace(REPORT, state="stopped"))
    await db.nodes.beat(again)
    assert await meant("nexus@one") == again.node
    assert await meant(REPORT.node) == REPORT.node


def _said(refused: pytest.ExceptionInfo[StorageRefused]) -> str:
    cause = refused.value.__cause__
    assert isinstance(cause, asyncpg.InvalidParameterValueError)
    return str(cause.args[0])


async def test_one_node_leads_until_it_leaves_or_is_silent_and_each_has_its_term(
    db: PostgresDatabase,
) -> None:
    first = (await db.nodes.take("prune", node="one", running=0)).term
    assert first is not None
    assert (await db.nodes.take("prune", node="two", running=0)).term is None
    assert (await db.nodes.take("prune", node="one", running=0)).term == first
    await db.nodes.leave(first)
    assert not await db.nodes.hold(first)
    second = (await db.nodes.take("prune", node="two", running=0)).term
    assert second is not None
    assert second.number == first.number + 1
    await sql(db, "UPDATE nexus.chores SET beat_at = beat_at - interval '11 s'")
    third = (await db.nodes.take("prune", node="one", running=0)).term
    assert third is not None
    assert third.number == second.number + 1
    # What the second one still says changes nothing.
    await db.nodes.end(second)
    await db.nodes.leave(second)
    assert not await db.nodes.hold(second)
    assert await value(db, "SELECT done_at FROM nexus.chores") is None
    await db.nodes.end(third)
    assert await value(db, "SELECT done_at IS NOT NULL AND node = 'one' FROM nexus.chores")


async def test_whose_term_is_over_deletes_nothing(db: PostgresDatabase) -> None:
    ids = await send(db, "a", "b")
    await sql(db, "SELECT pgmq.archive('ai_requests', $1::bigint[])", ids)
    term = (await db.nodes.take("prune", node="one", running=0)).term
    assert term is not None
    await db.nodes.leave(term)
    assert (await db.nodes.take("prune", node="two", running=0)).term is not None
    assert await db.retention.prune("requests", term, seconds=0, count=1, batch=9) == 0
    assert await value(db, "SELECT count(*) FROM pgmq.a_ai_requests") == 2


async def test_how_long_nobody_has_completed_a_round(db: PostgresDatabase) -> None:
    async def idle(running: float) -> float:
        return (await db.nodes.take("prune", node="one", running=running)).idle

    assert await idle(DAY) < 60
    await sql(db, "UPDATE nexus.chores SET made_at = made_at - interval '5000 s'")
    assert 5000 <= await idle(DAY) < 5060
    assert await idle(100) == 100
    await sql(db, "UPDATE nexus.chores SET done_at = now() - interval '4000 s'")
    assert 4000 <= await idle(DAY) < 4060


async def test_of_nodes_that_are_gone_few_are_kept_and_none_that_runs_goes(
    db: PostgresDatabase,
) -> None:
    term = (await db.nodes.take("prune", node="one", running=0)).term
    assert term is not None
    for name in ("old", "stopped", "lost", "runs"):
        state = "stopped" if name in ("old", "stopped") else "ready"
        await db.nodes.beat(replace(REPORT, node=name, name=name, state=state))
    await silence(db, "old", 2 * DAY)
    await silence(db, "lost", 100)
    await silence(db, "stopped", 200)

    async def prune(seconds: float, count: int) -> int:
        return await db.retention.prune("nodes", term, seconds=seconds, count=count, batch=9)

    assert await prune(DAY, 100) == 1
    assert await states(db) == {"runs": "ready", "lost": "lost", "stopped": "stopped"}
    assert await prune(DAY, 1) == 1
    assert await states(db) == {"runs": "ready", "lost": "lost"}


async def test_what_operators_wanted_goes_a_while_after_its_end(db: PostgresDatabase) -> None:
    term = (await db.nodes.take("prune", node="one", running=0)).term
    assert term is not None
    for name, over in (("over", 90), ("just over", 30), ("holds", -60), ("for good", None)):
        await sql(
            db,
            "INSERT INTO nexus.control (action, subject, name, until)"
            " VALUES ('pause', 'agent', $1, now() - make_interval(secs => $2))",
            name,
            over,
        )

    async def prune() -> int:
        return await db.retention.prune("control", term, seconds=60, count=0, batch=9)

    assert await prune() == 1
    assert await prune() == 0
    left = await sql(db, "SELECT name FROM nexus.control ORDER BY name")
    assert [row[0] for row in left] == ["for good", "holds", "just over"]
