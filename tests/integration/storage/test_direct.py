"""Results that are stored by the statement that ends their requests, and what goes by the queue."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio
from structlog.testing import capture_logs

from nexus_actors.contract.encode import decode_result, encode_result
from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.result import Answer, Failure, LLMResult, Usage
from nexus_actors.storage.errors import StorageRefused
from nexus_actors.storage.job_results import job_result
from nexus_actors.storage.postgres import direct
from nexus_actors.storage.postgres.database import PostgresDatabase, open_database
from nexus_actors.storage.postgres.encoding import job_result_id
from nexus_actors.storage.postgres.result_store import RESULTS_CHANNEL
from nexus_actors.storage.postgres.sql import Queues
from nexus_actors.storage.refused_answers import unstorable
from nexus_actors.storage.requests import Finish
from tests.integration.storage.storage_helpers import bodies, send, sql, success, value
from tests.integration.storage.test_privileges import execute, rendered, temporary_roles, user

ANSWER = Answer(
    response='Grüße \U0001f600 \\u0000 "x"',
    provider="echo",
    model="echo-1",
    usage=Usage(3, 4, 7, cached_tokens=1),
    cost=0.005,
    cost_basis="list",
    response_id="r-1",
    tool_calls=({"id": "c", "function": {"name": "f", "arguments": "{}"}},),
    dropped=("temperature",),
    provider_state={"sealed": [1, 1e-7, 2**60]},
)
FAILURE = Failure(type=ErrorType.TIMEOUT, message="too slow", retryable=True, provider="echo")
OUTCOMES: dict[str, Answer | Failure] = {
    "answer": ANSWER,
    "free": replace(ANSWER, cost=0.0, response=None),
    "price unknown": replace(ANSWER, cost=None, cost_basis="unknown"),
    "less than half a cent": replace(ANSWER, cost=0.00499999999999),
    "dear": replace(ANSWER, cost=1e12),
    "long": replace(ANSWER, usage=Usage(0, 2**31 - 1, 2**31 - 1)),
    "timeout": FAILURE,
    "failure": replace(FAILURE, type="provider_error", provider=None),
    "path": replace(FAILURE, type="invalid_request", path="messages", message="expected a list"),
    "path told": replace(FAILURE, path="messages", message="messages: expected a list"),
    "path alone": replace(FAILURE, path="messages", message="messages"),
}


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[PostgresDatabase]:
    async with open_database(database_url, instance_id="one", direct_results=True) as database:
        yield database


def result(request_id: str, outcome: Answer | Failure) -> LLMResult:
    return LLMResult(
        request_id=request_id,
        agent_id="agent",
        complexity=None,
        task_type="chat",
        outcome=outcome,
        latency_ms=7,
        attempts=1,
        timestamp=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    )


async def ends(db: PostgresDatabase, outcomes: dict[str, Answer | Failure]) -> list[Finish]:
    """Leased requests, one for each outcome, and how they are to end."""
    await send(db, *outcomes)
    deliveries = await db.requests.lease(100, 30)
    return [
        success(it, result=encode_result(result(str(it.request_id), outcomes[str(it.request_id)])))
        for it in deliveries
    ]


async def finished(db: PostgresDatabase, batch: list[Finish]) -> None:
    assert await db.requests.finish(batch) == {item.lease for item in batch}


async def ended(db: PostgresDatabase, *names: str) -> None:
    await finished(db, await ends(db, dict.fromkeys(names, ANSWER)))


async def by_queue(db: PostgresDatabase) -> list[str]:
    return [it["request_id"] for it in await bodies(db, "q_ai_results")]


async def test_a_row_is_what_the_poller_makes_of_the_result(db: PostgresDatabase) -> None:
    batch = await ends(db, OUTCOMES)
    batch[0] = unstorable(batch[0], StorageRefused("refused"))
    await finished(db, batch)
    for item in batch:
        told = decode_result(item.result)
        assert isinstance(told, LLMResult)
        expected = job_result(told, item.lease)
        [row] = await sql(
            db, "SELECT * FROM job_results WHERE id = $1", job_result_id(told.request_id)
        )
        for column in ("workflow", "status", "error", "tokens_used", "cost_cents", "duration_ms"):
            assert row[column] == getattr(expected, column), (told.request_id, column)
        assert json.loads(row["input"]) == json.loads(expected.input)
        assert json.loads(row["output"]) == json.loads(expected.output)
        assert row["completed_at"] == told.timestamp.replace(tzinfo=None)
        assert (row["instance_id"], row["job_id"]) == (None, None)
    assert await value(db, "SELECT count(*) FROM job_results") == len(OUTCOMES)
    assert db.requests.direct is not None
    assert db.requests.direct.trouble is None


async def test_results_are_filed_as_if_they_had_been_read_from_the_queue_and_told_of(
    db: PostgresDatabase,
) -> None:
    heard, told = trio.open_memory_channel[str | None](10)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await sql(
        db,
        "SELECT pgmq.send('ai_requests', $1::text::jsonb, $2::text::jsonb)",
        json.dumps({"request_id": "traced", "messages": []}),
        json.dumps({"traceparent": trace}),
    )
    await send(db, "a")
    batch = [
        success(it, result=encode_result(result(str(it.request_id), ANSWER)))
        for it in await db.requests.lease(10, 30)
    ]
    with db.hints.subscribe(RESULTS_CHANNEL, heard.send_nowait), trio.fail_after(30):
        assert await told.receive() is None  # it listens
        await finished(db, batch)
        names = [await told.receive() for _ in range(2)]
    assert sorted(filter(None, names)) == ["a", "traced"]
    rows = await sql(db, "SELECT * FROM pgmq.a_ai_results ORDER BY msg_id")
    assert [(row["msg_id"], row["read_ct"], row["headers"]) for row in rows] == [
        (1, 1, None), (2, 1, None),
    ]  # fmt: skip
    assert all(row["enqueued_at"] == row["archived_at"] for row in rows)
    found = {it["request_id"]: it.get("traceparent") for it in await bodies(db, "a_ai_results")}
    assert found == {"a": None, "traced": trace}
    assert await by_queue(db) == []
    assert (
        await value(
            db, "SELECT output ->> 'traceparent' FROM job_results WHERE output ? 'traceparent'"
        )
        == trace
    )
    # The next number is another's.
    await send(db, "later", queue="ai_results")
    assert await value(db, "SELECT msg_id FROM pgmq.q_ai_results") == 3


async def test_nothing_is_filed_where_messages_are_deleted(database_url: str) -> None:
    queues = Queues(acknowledge="delete")
    async with open_database(
        database_url, instance_id="one", queues=queues, direct_results=True
    ) as db:
        await ended(db, "a")
        assert await value(db, "SELECT count(*) FROM job_results") == 1
        assert await value(db, "SELECT count(*) FROM pgmq.a_ai_results") == 0


async def test_what_job_results_refuses_goes_by_the_queue_and_others_are_stored_again(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sql(
        db, "ALTER TABLE job_results ADD CONSTRAINT odd CHECK (input ->> 'request_id' <> 'b')"
    )
    await ended(db, "a", "b", "c")
    assert await by_queue(db) == ["a", "b", "c"]
    await ended(db, "d")  # not tried for a while
    assert await by_queue(db) == ["a", "b", "c", "d"]
    assert await value(db, "SELECT count(*) FROM nexus.requests WHERE state = 'done'") == 4
    assert db.requests.direct is not None
    assert db.requests.direct.trouble is None  # the poller finds out whose fault it is
    monkeypatch.setattr(db.requests.direct, "_shut_until", 0.0)
    await ended(db, "e")
    assert len(await by_queue(db)) == 4
    assert await value(db, "SELECT input ->> 'request_id' FROM job_results") == "e"


async def test_whatever_fails_is_tried_again_after_growing_pauses(
    db: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "FIRST_PAUSE", 1000.0)
    monkeypatch.setattr(direct, "LONGEST_PAUSE", 3000.0)
    await sql(db, "ALTER TABLE job_results RENAME COLUMN cost_cents TO cents")
    way = db.requests.direct
    assert way is not None
    pauses = []
    levels = []
    for name in ("a", "b", "c"):
        way._shut_until = 0.0
        before = trio.current_time()
        with capture_logs() as logged:
            await ended(db, name)
        levels.append([it["log_level"] for it in logged if "results queue" in it["event"]])
        pauses.append(round(way._shut_until - before, -3))
    assert pauses == [1000, 2000, 3000]
    assert levels == [["info"], ["warning"], []]  # once, and only of what lasts
    assert "cost_cents" in str(way.trouble)
    await sql(db, "ALTER TABLE job_results RENAME COLUMN cents TO cost_cents")
    way._shut_until = 0.0
    await ended(db, "d")
    assert way.trouble is None
    assert await by_queue(db) == ["a", "b", "c"]


async def test_a_result_that_supersedes_goes_by_the_queue_beside_others(
    db: PostgresDatabase,
) -> None:
    batch = await ends(db, {"again": ANSWER, "new": ANSWER})
    await sql(db, "UPDATE nexus.requests SET sent_again_after = 1 WHERE request_id = 'again'")
    await finished(db, batch)
    [queued] = await bodies(db, "q_ai_results")
    assert (queued["request_id"], queued["supersedes"]) == ("again", True)
    assert await value(db, "SELECT input ->> 'request_id' FROM job_results") == "new"


async def test_a_request_that_was_ended_is_stored_once(db: PostgresDatabase) -> None:
    batch = await ends(db, {"a": ANSWER})
    await finished(db, batch)
    await finished(db, batch)  # its answer was lost
    assert await value(db, "SELECT count(*) FROM job_results") == 1
    assert await value(db, "SELECT count(*) FROM pgmq.a_ai_results") == 1


async def test_who_locks_job_results_holds_up_no_request(db: PostgresDatabase) -> None:
    batch = await ends(db, {"a": ANSWER})
    locked = trio.Event()

    async def hold(connection: Any) -> None:
        async with connection.transaction():
            await connection.execute("LOCK TABLE job_results")
            locked.set()
            await connection.fetch("SELECT pg_sleep(8)")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(db.run, hold)
        await locked.wait()
        await finished(db, batch)
        waiting = (
            "SELECT count(*) FROM pg_locks WHERE relation = 'job_results'::regclass AND granted"
        )
        assert await value(db, waiting) == 1
        nursery.cancel_scope.cancel()
    assert await by_queue(db) == ["a"]
    assert db.requests.direct is not None
    assert "lock not available" in str(db.requests.direct.trouble)


async def test_the_roles_suffice_and_those_of_an_earlier_release_do_with_the_queue(
    database_url: str,
) -> None:
    mark = urlsplit(database_url).path.removeprefix("/")
    made = [f"{kind}_{mark}" for kind in ("service", "producer", "operator")]
    await execute(database_url, rendered(mark))
    async with temporary_roles(database_url, *made):
        theirs = user(database_url, made[0])
        async with open_database(theirs, instance_id="one", direct_results=True) as db:
            await send_as_owner(database_url, "a")
            await end_one(db)
            assert await by_queue(db) == []
            assert await value(db, "SELECT count(*) FROM pgmq.a_ai_results") == 1
        revoked = f"REVOKE USAGE ON SEQUENCE pgmq.q_ai_results_msg_id_seq FROM {made[0]}"
        await execute(database_url, revoked)
        async with open_database(theirs, instance_id="one", direct_results=True) as db:
            await send_as_owner(database_url, "b")
            await end_one(db)
            assert await by_queue(db) == ["b"]
            assert db.requests.direct is not None
            assert "nexus db roles" in str(db.requests.direct.trouble)


async def send_as_owner(url: str, request_id: str) -> None:
    body = json.dumps({"request_id": request_id, "messages": []})
    await execute(url, f"SELECT pgmq.send('ai_requests', '{body}')")


async def end_one(db: PostgresDatabase) -> None:
    [delivery] = await db.requests.lease(1, 30)
    ending = result(str(delivery.request_id), ANSWER)
    await finished(db, [success(delivery, result=encode_result(ending))])
