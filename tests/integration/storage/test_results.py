"""Results: from the queue into `job_results`, once."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
import trio

from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.postgres.encoding import job_result_id
from nexus_actors.storage.postgres.result_store import RESULTS_CHANNEL
from nexus_actors.storage.results import JobResult, ResultMessage
from tests.integration.storage.storage_helpers import bodies, lapse, send, sql, value

DONE = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=1)))


def row(message: ResultMessage) -> JobResult:
    request_id = json.loads(message.body or "")["request_id"]
    return JobResult(
        lease=message.lease,
        request_id=request_id,
        workflow="Singularity.Workflows.LlmRequest",
        status="success",
        input=json.dumps({"request_id": request_id}),
        output=json.dumps({"response": "text"}),
        error=None,
        tokens_used=7,
        cost_cents=10,
        duration_ms=5,
        completed_at=DONE,
    )


async def read(db: PostgresDatabase, *ids: str) -> list[ResultMessage]:
    await send(db, *ids, queue="ai_results")
    return await db.results.read(10, 30)


async def test_results_become_rows_and_leave_the_queue(db: PostgresDatabase) -> None:
    messages = await read(db, "a", "b")
    await db.results.store([row(message) for message in messages])

    stored = await sql(db, "SELECT * FROM job_results WHERE id = $1", job_result_id("a"))
    assert len(stored) == 1
    assert (stored[0]["status"], stored[0]["tokens_used"], stored[0]["instance_id"]) == (
        "success", 7, None,
    )  # fmt: skip
    assert json.loads(stored[0]["input"]) == {"request_id": "a"}
    assert stored[0]["completed_at"] == DONE.astimezone(UTC).replace(tzinfo=None)
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_results") == 0
    assert await value(db, "SELECT count(*) FROM pgmq.a_ai_results") == 2


async def test_storing_twice_leaves_one_row(db: PostgresDatabase) -> None:
    [first] = await read(db, "r")
    [second] = await read(db, "r")
    await db.results.store([row(first)])
    await db.results.store([row(first)])
    await db.results.store([replace(row(second), status="failed"), row(second)])
    assert [r["status"] for r in await sql(db, "SELECT status FROM job_results")] == ["success"]
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_results") == 0


async def test_the_id_is_the_same_wherever_it_is_computed() -> None:
    assert job_result_id("r") == UUID("a90fb09f-16ea-5ef5-ac16-87a8db7549d1")


@pytest.mark.parametrize(
    "changes",
    [{"output": '{"response": "\\u0000"}'}, {"error": "nul \0"}, {"tokens_used": 2**40}],
)
async def test_a_row_that_cannot_be_stored_leaves_everything_as_it_was(
    db: PostgresDatabase, changes: dict[str, object]
) -> None:
    good, bad = await read(db, "good", "bad")
    with pytest.raises(StorageRefused):
        await db.results.store([row(good), replace(row(bad), **changes)])  # type: ignore[arg-type]
    assert await sql(db, "SELECT * FROM job_results") == []
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_results") == 2


async def test_what_cannot_be_a_row_is_set_aside(db: PostgresDatabase) -> None:
    await send(db, {"no": "id"}, queue="ai_results")
    [message] = await db.results.read(10, 30)
    await lapse(db, "ai_results")
    [again] = await db.results.read(10, 30)
    await db.results.set_aside(message, "stale: not ours any more")
    assert await bodies(db, "q_ai_requests_dead") == []

    await db.results.set_aside(again, "no request_id")
    [letter] = await bodies(db, "q_ai_requests_dead")
    assert (letter["result"], letter["reason"]) == ({"no": "id"}, "no request_id")
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_results") == 0


async def test_who_waits_for_an_id_is_notified(db: PostgresDatabase) -> None:
    heard, hear = trio.open_memory_channel[str | None](10)
    with db.hints.subscribe(RESULTS_CHANNEL, heard.send_nowait):
        assert await hear.receive() is None
        await db.results.store([row(message) for message in await read(db, "a", "b")])
        assert {await hear.receive(), await hear.receive()} == {"a", "b"}


def failure(message: ResultMessage, **changes: object) -> JobResult:
    return replace(row(message), status="failed", error="e", completed_at=DONE, **changes)  # type: ignore[arg-type]


async def statuses(db: PostgresDatabase) -> list[tuple[str, str | None]]:
    return [tuple(it) for it in await sql(db, "SELECT status, error FROM job_results ORDER BY id")]  # type: ignore[misc]


async def test_a_result_that_supersedes_takes_the_place_of_an_error_alone(
    db: PostgresDatabase,
) -> None:
    before, after = DONE - timedelta(days=1), DONE + timedelta(days=1)
    old, new = await read(db, "r", "r")
    # Both in one batch, in either order; an old message that is read again; and another's clock.
    success = replace(row(new), supersedes=True, completed_at=before)
    await db.results.store([success, failure(old)])
    for again in ([failure(old)], [failure(old, supersedes=True)], [success], [row(old)]):
        await db.results.store(again)
        assert await statuses(db) == [("success", None)]
    assert await value(db, "SELECT count(*) FROM pgmq.q_ai_results") == 0

    [first, second, third] = await read(db, "s", "s", "s")
    await db.results.store([failure(first)])
    await db.results.store(
        [
            replace(failure(second, supersedes=True), error="third", completed_at=after),
            replace(failure(third, supersedes=True), error="second"),
        ]
    )
    await db.results.store([replace(failure(second, supersedes=True), error="second")])
    assert ("failed", "third") in await statuses(db)
    # A plain result never takes a place, nor does what supersedes the place of a success.
    await db.results.store([row(first)])
    assert ("failed", "third") in await statuses(db)
    await db.results.rehearse(replace(row(third), supersedes=True))
    assert ("failed", "third") in await statuses(db)
    await db.results.store([replace(row(third), supersedes=True, completed_at=before)])
    assert await statuses(db) == [("success", None)] * 2
