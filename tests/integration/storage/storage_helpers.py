"""Words that the storage tests share."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import trio

from nexus_actors.storage.postgres.connection import Connection
from nexus_actors.storage.postgres.database import PostgresDatabase
from nexus_actors.storage.postgres.request_store import PostgresRequestStore
from nexus_actors.storage.requests import Attempt, Delivery, Finish, GiveBack, Step

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def sql(db: PostgresDatabase, statement: str, *arguments: Any) -> list[asyncpg.Record]:
    async def operation(connection: Connection) -> list[asyncpg.Record]:
        return await connection.fetch(statement, *arguments)

    return await db.run(operation)


async def value(db: PostgresDatabase, statement: str, *arguments: Any) -> Any:
    return (await sql(db, statement, *arguments))[0][0]


async def send(db: PostgresDatabase, *messages: object, queue: str = "ai_requests") -> list[int]:
    """Send messages, in this order; a text is a request_id."""
    texts = [
        json.dumps({"request_id": message, "messages": []} if isinstance(message, str) else message)
        for message in messages
    ]
    rows = await sql(
        db, "SELECT pgmq.send($1, text::jsonb) FROM unnest($2::text[]) AS text", queue, texts
    )
    return [row[0] for row in rows]


def other_instance(db: PostgresDatabase, name: str = "two") -> PostgresRequestStore:
    return PostgresRequestStore(db.pool, db.queues, name)


def attempt(number: int = 1, outcome: str = "ok") -> Attempt:
    return Attempt(
        number=number,
        provider="echo",
        model="echo-1",
        outcome=outcome,
        status_code=200,
        duration_ms=7,
        cost=0.1,
        error=None,
        started_at=NOW,
    )


def success(
    delivery: Delivery,
    *,
    succeeded: bool = True,
    dead_reason: str | None = None,
    dead_detail: Mapping[str, object] | None = None,
    **changes: Any,
) -> Finish:
    """The end of a request. `changes`: of what the result says, or of the Finish. One with a
    `dead_reason` has a dead letter, though its result may say otherwise."""
    document: dict[str, Any] = {
        "request_id": delivery.request_id,
        "response": "text",
        "status": "ok" if succeeded else "error",
        "error": None if succeeded else {"type": dead_reason},
        "agent_id": "agent",
        "complexity": "simple",
        "task_type": "chat",
        "provider": "echo",
        "model": "echo-1",
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
        "cost": 0.1,
        "latency_ms": 7,
    }
    told = changes.keys() & {*document, "cost_basis", "response_id"} - {"request_id"}
    document |= {name: changes.pop(name) for name in told}
    finish = Finish(
        lease=delivery.lease,
        request_id=delivery.request_id,
        result=json.dumps(document),
        failure=None if dead_reason is None else {**(dead_detail or {}), "type": dead_reason},
        attempts=[attempt(delivery.attempts + 1)],
        attempt_count=delivery.attempts + 1,
        steps=[
            Step(name="validate", outcome="ok", at=NOW),
            Step(name="route_llm", outcome="ok", at=NOW, detail={"candidates": ["echo/echo-1"]}),
        ],
    )
    return replace(finish, **changes)


def give_back(delivery: Delivery, **changes: Any) -> GiveBack:
    assert delivery.request_id is not None
    item = GiveBack(
        lease=delivery.lease, request_id=delivery.request_id, attempt_count=delivery.attempts
    )
    return replace(item, **changes)


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait until the condition holds, half a minute at most."""
    with trio.fail_after(30):
        while True:
            if await condition():
                return
            await trio.sleep(0.01)


async def lapse(db: PostgresDatabase, queue: str = "ai_requests") -> None:
    """Let every visibility timeout be over. Waits for no lock, so it is in nobody's way."""
    table = f"pgmq.q_{queue}"
    free = f"SELECT msg_id FROM {table} FOR UPDATE SKIP LOCKED"  # noqa: S608
    update = f"UPDATE {table} SET vt = clock_timestamp() WHERE msg_id IN ({free})"  # noqa: S608
    await sql(db, update)


async def journal(db: PostgresDatabase, request_id: str) -> dict[str, Any]:
    return dict(
        (await sql(db, "SELECT * FROM nexus.requests WHERE request_id = $1", request_id))[0]
    )


async def bodies(db: PostgresDatabase, table: str) -> list[Any]:
    rows = await sql(db, f"SELECT message::text FROM pgmq.{table} ORDER BY msg_id")  # noqa: S608
    return [json.loads(row[0]) for row in rows]


def verdicts(deliveries: Sequence[Delivery]) -> list[tuple[str | None, str]]:
    return [(delivery.request_id, delivery.verdict) for delivery in deliveries]
