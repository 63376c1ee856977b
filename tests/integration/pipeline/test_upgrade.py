"""A database of an earlier release, with rows in every state, is upgraded and finishes."""

import json
import uuid
from collections import Counter
from pathlib import Path

from pgmq.install import get_embedded_install_sql

from nexus_actors.storage.postgres.connection import Connection, open_postgres
from nexus_actors.storage.postgres.encoding import job_result_id
from nexus_actors.storage.postgres.sql import numbered_migrations, read
from tests.service import running_service

LAST = 10
"""The last migration of that release."""
JOB_ID = job_result_id("stored")
ALL = [
    "unread",
    "leased-by-predecessor",
    "leased-by-dead",
    "waiting",
    "queued",
    "done",
    "failed",
    "stored",
]
OURS, DEAD = str(uuid.uuid4()), str(uuid.uuid4())

SEND = """
INSERT INTO pgmq.q_ai_requests (vt, read_ct, message)
VALUES (now() + make_interval(secs => $3), $2, $1::text::jsonb) RETURNING msg_id
"""
# As its lease.sql and give_back.sql wrote it.
CLAIM = """
INSERT INTO nexus.requests (
    request_id, queue, msg_id, read_ct, owner, state, digest, attempts, lane, received_at,
    leased_at)
SELECT $1, 'ai_requests', q.msg_id, q.read_ct, $3, $4, md5((q.message - 'timestamp')::text), $5, $6,
       q.enqueued_at, now() - interval '1 minute'
FROM pgmq.q_ai_requests AS q WHERE q.msg_id = $2
"""
ATTEMPT = """
INSERT INTO nexus.attempts (request_id, number, provider, model, outcome, error, owner, started_at)
VALUES ($1, 1, 'echo', 'echo-1', $2, NULL, $3, now() - interval '1 minute')
"""
# As its finish.sql left it: the message archived, the row closed, the result sent.
END = """
WITH closed AS (
    UPDATE nexus.requests
    SET state = $3, finished_at = now(), provider = 'echo', model = 'echo-1', cost = 0,
        latency_ms = 7,
        steps = '[{"name": "validate", "outcome": "ok", "at": "2026-01-02T03:04:05Z"}]'
    WHERE request_id = $1
)
SELECT pgmq.archive('ai_requests', $2::bigint), pgmq.send('ai_results', $4::text::jsonb)
"""
BURY = """
SELECT pgmq.send('ai_requests_dead', jsonb_build_object(
    'request', $2::text::jsonb, 'request_id', $1::text, 'reason', 'timeout', 'attempts', 1,
    'detail', jsonb_build_object('type', 'timeout', 'message', 'too late', 'provider', 'echo'),
    'msg_id', 1, 'dead_at', now()))
"""
STORED = """
INSERT INTO public.job_results (
    id, workflow, status, output, tokens_used, cost_cents, inserted_at, updated_at)
VALUES ($1, 'chat', 'completed', '{}', 0, 0, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')
"""


def body(request_id: str) -> str:
    fields = {"request_id": request_id, "agent_id": "a", "complexity": "simple"}
    return json.dumps({**fields, "messages": [{"role": "user", "content": request_id}]})


async def earlier_schema(connection: Connection, last: int = LAST) -> None:
    await connection.execute(get_embedded_install_sql())
    await connection.execute("RESET ALL")
    await connection.execute(read("migrations", "migrations_table"))
    for number, name in numbered_migrations():
        if number <= last:
            await connection.execute(read("migrations", name))
            insert = "INSERT INTO nexus.migrations (number, name) VALUES ($1, $2)"
            await connection.execute(insert, number, name)
    await connection.execute(read("migrations", "job_results"))
    for queue in ("ai_requests", "ai_results", "ai_requests_dead"):
        await connection.execute("SELECT pgmq.create($1)", queue)


async def earlier_rows(connection: Connection) -> None:
    """Rows as that release left them when its processes were killed."""
    for request_id, read_ct, seconds, owner, state, attempts, lane in (
        ("unread", 0, 0.0, None, None, 0, None),
        ("leased-by-predecessor", 1, 3600.0, OURS, "leased", 1, None),
        ("leased-by-dead", 2, -1.0, DEAD, "leased", 2, None),
        ("waiting", 1, 3600.0, DEAD, "waiting", 0, "echo"),
        ("queued", 1, -1.0, DEAD, "queued", 1, None),
        ("done", 1, 3600.0, DEAD, "leased", 1, None),
        ("failed", 1, 3600.0, DEAD, "leased", 1, None),
        ("stored", 1, 3600.0, DEAD, "leased", 1, None),
    ):
        msg_id = await connection.fetchval(SEND, body(request_id), read_ct, seconds)
        if state is not None:
            await connection.execute(CLAIM, request_id, msg_id, owner, state, attempts, lane)
        if request_id in ("queued", "done", "failed", "stored"):
            outcome = "timeout" if request_id in ("queued", "failed") else "ok"
            await connection.execute(ATTEMPT, request_id, outcome, DEAD)
        if request_id in ("done", "failed", "stored"):
            result: dict[str, object] = {
                "request_id": request_id,
                "agent_id": "a",
                "status": "ok",
                "response": "paid",
            }
            if request_id == "failed":
                error = {"type": "timeout", "message": "too late"}
                result = {"request_id": request_id, "status": "error", "error": error}
                await connection.execute(BURY, request_id, body(request_id))
            ended = "failed" if request_id == "failed" else "done"
            await connection.execute(END, request_id, msg_id, ended, json.dumps(result))
    # One request whose result was stored, and was sent by its producer once more.
    await connection.execute(STORED, JOB_ID)
    await connection.execute(
        "SELECT pgmq.archive('ai_results', msg_id) FROM pgmq.q_ai_results"
        " WHERE message ->> 'request_id' = 'stored'"
    )
    await connection.fetchval(SEND, body("stored"), 0, 0.0)


async def test_rows_in_every_state_of_an_earlier_release_end_exactly_once(
    empty_database_url: str, tmp_path: Path
) -> None:
    async with open_postgres(empty_database_url, pool_size=1) as pool:
        await pool.run(earlier_schema)
        await pool.run(earlier_rows)
    (tmp_path / "instance-id").write_text(OURS + "\n")
    async with running_service(empty_database_url, tmp_path) as service:
        await service.stored(8)
        await service.sql.until("SELECT count(*) = 0 FROM pgmq.q_ai_requests")
        results = await service.sql.results()
        assert Counter(result["request_id"] for result in results) == Counter(ALL)
        answers = {result["request_id"]: result.get("response") for result in results}
        assert answers["done"] == answers["stored"] == "paid"  # what was paid is not bought again
        assert [it["request_id"] for it in await service.sql.dead()] == ["failed"]
        states = await service.sql.rows("SELECT request_id, state, attempts FROM nexus.requests")
        assert {row["request_id"]: row["state"] for row in states} == {
            **dict.fromkeys(ALL, "done"),
            "failed": "failed",
        }
        (attempts,) = await service.sql.rows(
            "SELECT array_agg(outcome ORDER BY number) AS told FROM nexus.attempts"
            " WHERE request_id = 'queued'"
        )
        assert attempts["told"] == ["timeout", "ok"]
        assert await service.sql.value("SELECT count(*) FROM nexus.migrations") == len(
            numbered_migrations()
        )
