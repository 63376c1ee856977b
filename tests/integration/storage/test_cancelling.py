"""What `nexus.cancel` finds, and that the next lease of it all is told."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from nexus_actors.storage.cancellations import Cancellation
from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.postgres.database import PostgresDatabase
from tests.integration.storage.storage_helpers import (
    give_back,
    journal,
    lapse,
    other_instance,
    send,
    sql,
    success,
    until,
    value,
    verdicts,
)

CANCEL = "SELECT nexus.cancel($1, 'too dear', 'joe')"
WISH = Cancellation("joe", "too dear")


async def leased(db: PostgresDatabase, name: str = "r") -> Any:
    await send(db, name)
    [delivery] = await db.requests.lease(1, 30)
    return delivery


async def put(db: PostgresDatabase, name: str) -> None:
    """Send a request of this name, and bring it into the state that its name says."""
    match name:
        case "unread":
            await send(db, name)
        case "sent for later":
            wrapped = json.dumps({"request": {"request_id": name}})
            await sql(db, "SELECT pgmq.send('ai_requests', $1::jsonb, 600)", wrapped)
        case "waits for room":
            await db.requests.give_back([give_back(await leased(db, name), waits_for="p")])
        case "waits for a moment":
            await db.requests.give_back([give_back(await leased(db, name), delay=600.0)])
        case "in hand":
            await leased(db, name)
        case "answered":
            await db.requests.finish([success(await leased(db, name))])
        case "failed":
            end = success(await leased(db, name), succeeded=False, dead_reason="timeout")
            await db.requests.finish([end])


STATES: Mapping[str, str] = {
    "unread": "queued",
    "sent for later": "queued",
    "waits for room": "queued",
    "waits for a moment": "queued",
    "in hand": "running",
    "answered": "ended",
    "failed": "ended",
    "never sent": "unknown",
}


async def test_it_says_what_it_found_and_the_next_lease_ends_it_whoever_asks_again(
    db: PostgresDatabase,
) -> None:
    count, two = "SELECT count(*) FROM nexus.cancellations", other_instance(db)
    for name, found in STATES.items():
        await put(db, name)
        assert [await value(db, CANCEL, name) for _ in range(2)] == [found, found], name
        assert await value(db, count) == (found != "ended"), name
        if name == "never sent":
            await send(db, name)
        if name == "in hand":
            assert dict(await db.cancellations.wanted([name, "other"])) == {name: WISH}
            await lapse(db)
        again = await two.lease(9, 30)
        if found == "ended":
            assert again == [], name
            continue
        assert verdicts(again) == [(name, "cancelled")]
        assert again[0].cancellation == WISH
        # Whatever becomes of it, the wish goes with it.
        await two.finish([success(again[0], succeeded=False, dead_reason="cancelled")])
        assert await value(db, count) == 0, name
        assert await value(db, CANCEL, name) == "ended"


@pytest.mark.parametrize("waits", [{"waits_for": "p"}, {"delay": 900.0}], ids=str)
async def test_what_comes_back_from_a_service_that_had_not_heard_waits_for_nothing(
    db: PostgresDatabase, waits: dict[str, Any]
) -> None:
    delivery = await leased(db)
    assert await value(db, CANCEL, "r") == "running"
    await db.requests.give_back([give_back(delivery, **waits)])
    assert verdicts(await db.requests.lease(9, 30)) == [("r", "cancelled")]


async def test_what_was_given_back_as_its_cancellation_was_asked_for_is_hastened(
    db: PostgresDatabase,
) -> None:
    """The one saw nothing of the other."""
    await db.requests.give_back([give_back(await leased(db), waits_for="p")])
    await sql(db, "INSERT INTO nexus.cancellations (request_id) VALUES ('r'), ('nobody')")
    assert await db.cancellations.hasten_recent() == 1
    assert await db.cancellations.hasten(["r"]) == 0
    assert verdicts(await db.requests.lease(9, 30)) == [("r", "cancelled")]


async def test_a_row_and_its_end_at_one_time_leave_nothing_for_long(db: PostgresDatabase) -> None:
    await put(db, "answered")
    await put(db, "in hand")
    rows = (
        "INSERT INTO nexus.cancellations (request_id, requested_at)"
        " VALUES ($1, now() - $2::interval)"
    )
    for name, age in (("answered", 0), ("in hand", 999), ("to come", 6), ("forgotten", 8)):
        await sql(db, rows, name, timedelta(days=age))
    turn = await db.nodes.take("prune", node="one", running=100.0)
    assert turn.term is not None
    week = timedelta(days=7).total_seconds()
    limits: Any = {"seconds": week, "count": 0, "batch": 100}
    assert await db.retention.prune("cancellations", turn.term, **limits) == 2
    left = await sql(db, "SELECT request_id, by FROM nexus.cancellations ORDER BY request_id")
    assert [row["request_id"] for row in left] == ["in hand", "to come"]


FILTERS: Mapping[str, set[str]] = {
    "state => 'any'": {"runs", "waits", "unread", "wrapped", "old"},
    "state => 'running'": {"runs"},
    "state => 'queued'": {"waits", "unread", "wrapped", "old"},
    "agent => 'a'": {"runs", "waits", "wrapped"},
    "agent => 'a', state => 'queued'": {"waits", "wrapped"},
    "provider => 'p'": {"waits"},
    "provider => 'q'": set(),
    "older_than => '1 h'": {"old"},
}


async def test_filters_cancel_what_all_of_them_are_true_of(db: PostgresDatabase) -> None:
    await send(db, *({"request_id": it, "agent_id": "a"} for it in ("done", "runs", "waits")))
    done, _, waits = await db.requests.lease(3, 30)
    await db.requests.finish([success(done)])
    await db.requests.give_back([give_back(waits, waits_for="p")])
    wrapped = {"request": {"request_id": "wrapped", "agent_id": "a"}}
    await send(db, "unread", wrapped, "old", {"request_id": 7}, [])
    await sql(
        db,
        "UPDATE pgmq.q_ai_requests SET enqueued_at = now() - interval '2 h'"
        " WHERE message ->> 'request_id' = 'old'",
    )
    for told, expected in FILTERS.items():
        where = f"SELECT request_id FROM nexus.cancellable({told})"  # noqa: S608 - ours
        assert {row[0] for row in await sql(db, where)} == expected
    assert await value(db, "SELECT nexus.cancel_where(state => 'any', most => 2)") == 2
    where = "SELECT nexus.cancel_where(state => 'any', by => 'joe', why => 'too dear')"
    assert [await value(db, where) for _ in range(2)] == [3, 0]
    found = verdicts(await db.requests.lease(9, 30))
    assert {it for it in found if it[0]} == {
        (name, "cancelled") for name in ("waits", "unread", "wrapped", "old")
    }
    assert (await journal(db, "waits"))["state"] == "leased"


REFUSED = (
    "cancel('')",
    "cancel(NULL)",
    "cancel(repeat('x', 256))",
    "cancel('r', repeat('x', 1001))",
    "cancel('r', NULL, repeat('x', 256))",
    "cancel_where()",
    "cancel_where(state => 'some')",
    "cancel_where(older_than => '-1 s')",
    "cancel_where('a', most => 0)",
    "cancel_where('a', why => repeat('x', 1001))",
    "cancellable(NULL)",
)


async def test_what_cannot_be_meant_is_refused_in_words(db: PostgresDatabase) -> None:
    for statement in REFUSED:
        with pytest.raises(StorageRefused, match="expected") as caught:
            await sql(db, f"SELECT nexus.{statement}")
        assert isinstance(caught.value.__cause__, asyncpg.PostgresError)
        assert caught.value.__cause__.sqlstate == "22023"


async def test_each_row_is_reported_at_once_by_its_id_and_several_without(
    db: PostgresDatabase,
) -> None:
    heard: list[str | None] = []
    with db.hints.subscribe("nexus_cancel", heard.append):
        await until(lambda: _true(heard == [None]))
        await value(db, CANCEL, "r")
        await sql(db, "INSERT INTO nexus.cancellations (request_id) VALUES ('s'), ('t')")
        await value(db, CANCEL, "r")
        await value(db, CANCEL, "ü")
        await until(lambda: _true(heard == [None, "r", "", "ü"]))


async def _true(condition: bool) -> bool:
    return condition
