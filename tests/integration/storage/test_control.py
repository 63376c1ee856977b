"""Rows of `nexus.control`: what may be said, by whom, and what is on record of it."""

import pytest

from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.postgres.database import PostgresDatabase
from tests.integration.storage.storage_helpers import give_back, send, sql, value

INSERT = "INSERT INTO nexus.control (action, subject, name, value) VALUES "


async def test_each_change_is_on_record_and_by_whom(db: PostgresDatabase) -> None:
    await sql(db, "SELECT nexus.pause('provider', 'openai', why => 'it burns', by => 'joe')")
    await sql(db, "SELECT nexus.pause('provider', 'openai', fallback => true, by => 'mike')")
    assert await value(db, "SELECT nexus.resume('provider', 'openai', by => 'robert')") == 1
    assert await value(db, "SELECT nexus.resume('provider', 'openai')") == 0
    await sql(
        db, "INSERT INTO nexus.control (action, subject, name) VALUES ('pause', 'agent', 'a')"
    )
    await sql(db, "UPDATE nexus.control SET why = why")
    await sql(db, "TRUNCATE nexus.control")
    log = await sql(
        db,
        "SELECT by, role, subject, name, before ->> 'value' AS before, after ->> 'value' AS after,"
        " before IS NULL AS new, after IS NULL AS gone FROM nexus.control_log ORDER BY number",
    )
    me = await value(db, "SELECT session_user::text")
    assert {it["role"] for it in log} == {me}
    told = [(it["by"], it["name"], it["before"], it["after"], it["new"], it["gone"]) for it in log]
    assert told == [
        ("joe", "openai", None, "wait", True, False),
        ("mike", "openai", "wait", "fallback", False, False),
        ("robert", "openai", "fallback", None, False, True),
        (me, "a", None, None, True, False),
        (me, "a", None, None, False, True),
    ]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("nexus.pause('providers', 'p')", "expected queue, provider, model, agent or node"),
        ("nexus.pause(NULL)", "expected queue, provider"),
        ("nexus.pause('provider')", "expected the name of the provider"),
        ("nexus.pause('queue', 'q')", "one queue of: ai_requests"),
        ("nexus.pause('agent', repeat('a', 256))", "255 characters"),
        ("nexus.pause('agent', 'a', fallback => true)", "expected fallback with a provider or a"),
        ("nexus.pause('agent', 'a', until => now() - interval '1 s')", "a time to come"),
        ("nexus.scale('p', 0)", "1 to 9999"),
        ("nexus.scale('', 1)", "expected the name of the provider"),
        ("nexus.log_level('loud')", "expected debug, info"),
        ("nexus.drain(NULL)", "expected the name of the node"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_a_sentence(
    db: PostgresDatabase, call: str, told: str
) -> None:
    with pytest.raises(StorageRefused, match=told):
        await sql(db, f"SELECT {call}")
    assert await value(db, "SELECT count(*) FROM nexus.control") == 0


@pytest.mark.parametrize(
    "columns",
    [
        "('concurrency', 'provider', 'p', '0')",
        "('concurrency', 'provider', 'p', NULL)",
        "('pause', 'agent', 'a', 'fallback')",
        "('pause', 'provider', '', NULL)",
        "('pause', 'node', 'n', NULL)",
        "('drain', 'node', '', 'x')",
        "('log_level', 'node', '', 'loud')",
        "('stop', 'node', '', NULL)",
    ],
)
async def test_no_row_says_what_nobody_could_obey(db: PostgresDatabase, columns: str) -> None:
    with pytest.raises(StorageRefused, match="control_"):
        await sql(db, INSERT + columns)


async def test_null_gives_back_to_the_config(db: PostgresDatabase) -> None:
    await sql(db, "SELECT nexus.scale('p', 3), nexus.log_level('debug')")
    assert await value(db, "SELECT count(*) FROM nexus.control") == 2
    await sql(db, "SELECT nexus.scale('p', NULL), nexus.log_level(NULL)")
    assert await value(db, "SELECT count(*) FROM nexus.control") == 0


async def test_what_waits_for_a_pause_that_is_over_or_for_a_provider_passed_over_is_released(
    db: PostgresDatabase,
) -> None:
    lanes = ["paused agent a", "paused agent b", "one", "two", "paused agent a"]
    await send(db, *(f"r{number}" for number in range(len(lanes))))
    leased = await db.requests.lease(len(lanes), 30)
    waits = zip(leased, lanes, strict=True)
    await db.requests.give_back([give_back(it, waits_for=lane) for it, lane in waits])
    assert await db.control.release(["paused agent b"], ["one"], 2) == 2
    assert await db.control.release(["paused agent b"], ["one"], 2) == 1
    assert await db.control.release(["paused agent b"], ["one"], 2) == 0
    again = await db.requests.lease(9, 30)
    assert {it.request_id for it in again} == {"r0", "r2", "r4"}


@pytest.mark.parametrize("state", ["lost", "stopped", "ready"])
async def test_what_a_process_that_is_gone_had_in_hand_says_so(
    db: PostgresDatabase, state: str
) -> None:
    await send(db, "r")
    await db.requests.lease(1, 30)
    told = "ready" if state == "lost" else state
    await sql(
        db,
        "INSERT INTO nexus.nodes (node, name, host, version, pid, queue, started_at, beat_at,"
        " state, in_flight, concurrency, restarts) VALUES ('one', 'nexus@here', 'here', '1', 1,"
        " 'ai_requests', now(), now() - make_interval(secs => $1), $2, 1, '{}', 0)",
        20.0 if state == "lost" else 0.0,
        told,
    )
    waiting = await sql(db, "SELECT reason, detail FROM nexus.waiting")
    expected = [("lost_node", f"leased by nexus@here, which is {state}")]
    assert [tuple(row.values()) for row in waiting] == ([] if state == "ready" else expected)


async def test_only_what_holds_for_a_node_now_is_read(db: PostgresDatabase) -> None:
    await sql(
        db,
        "INSERT INTO nexus.control (action, subject, name, node, until) VALUES"
        " ('pause', 'agent', 'all', '*', NULL), ('pause', 'agent', 'others', 'two', NULL),"
        " ('pause', 'agent', 'mine', 'one', now() + interval '1 h'),"
        " ('pause', 'agent', 'over', '*', now())",
    )
    found = {it.name: it.seconds_left for it in await db.control.read(["one", "nexus@here"])}
    assert set(found) == {"all", "mine"}
    assert found["all"] is None
    left = found["mine"]
    assert left is not None
    assert 3500 < left <= 3600
