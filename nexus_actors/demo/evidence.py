"""What the database holds after the demo, read with SQL that anybody could run."""

from dataclasses import dataclass
from typing import Any

from nexus_actors.settings.model import QueueSettings
from nexus_actors.storage.postgres.connection import Connection, PostgresPool

Row = dict[str, Any]

SEND = "SELECT pgmq.send($1, $2::jsonb)"

_RESULTS = """
SELECT input ->> 'request_id' AS request_id, input ->> 'complexity' AS complexity,
       input ->> 'task_type' AS task_type, output ->> 'model' AS model,
       output ->> 'provider' AS provider, (output ->> 'cost')::float AS cost,
       status, tokens_used, cost_cents, duration_ms, output ->> 'response' AS response, id::text
FROM job_results
ORDER BY completed_at, request_id
"""
_ATTEMPTS = """
SELECT request_id, number, provider, model, outcome, status_code, duration_ms, error
FROM nexus.attempts
ORDER BY request_id, number
"""
_STEPS = "SELECT request_id, name, outcome FROM nexus.steps ORDER BY request_id, number"


@dataclass(frozen=True, slots=True)
class Evidence:
    """All relevant rows, as column → value."""

    results: list[Row]
    """Rows of `job_results` in order of completion."""
    attempts: list[Row]
    """Rows of nexus.attempts, by request."""
    steps: list[Row]
    dead: list[Row]
    """Dead letters: `reason`, `message`, `path`, `request_id`, `request`."""
    archived: Row
    """How many messages the archive of the requests queue has, and how many distinct ids."""
    waiting: int
    """How many messages are left in the requests and results queues."""


async def send(pool: PostgresPool, queue: str, message: str) -> None:
    """Send a message as a producer does: with one plain statement."""
    await pool.run(_execute, SEND, queue, message)


async def count_results(pool: PostgresPool) -> int:
    """The number of rows in `job_results`."""
    return int((await pool.run(_fetch, "SELECT count(*) AS n FROM job_results"))[0]["n"])


async def count_waiting(pool: PostgresPool, queue: QueueSettings) -> int:
    """The number of messages still in the requests and results queues."""
    sql = (
        f"SELECT (SELECT count(*) FROM pgmq.q_{queue.requests})"  # noqa: S608 - checked names
        f" + (SELECT count(*) FROM pgmq.q_{queue.results}) AS n"
    )
    return int((await pool.run(_fetch, sql))[0]["n"])


async def collect(pool: PostgresPool, queue: QueueSettings) -> Evidence:
    """Read all evidence."""
    dead = f"""
        SELECT message ->> 'request_id' AS request_id, message ->> 'reason' AS reason,
               message #>> '{{detail,message}}' AS message, message #>> '{{detail,path}}' AS path
        FROM pgmq.q_{queue.dead} ORDER BY msg_id
    """  # noqa: S608 - checked names
    archived = f"""
        SELECT count(*) AS messages,
               count(DISTINCT coalesce(message ->> 'request_id',
                                       message #>> '{{request,request_id}}')) AS ids
        FROM pgmq.a_{queue.requests}
    """  # noqa: S608 - checked names
    return Evidence(
        results=await pool.run(_fetch, _RESULTS),
        attempts=await pool.run(_fetch, _ATTEMPTS),
        steps=await pool.run(_fetch, _STEPS),
        dead=await pool.run(_fetch, dead),
        archived=(await pool.run(_fetch, archived))[0],
        waiting=await count_waiting(pool, queue),
    )


async def _execute(connection: Connection, sql: str, *arguments: object) -> None:
    await connection.execute(sql, *arguments)


async def _fetch(connection: Connection, sql: str, *arguments: object) -> list[Row]:
    return [dict(row) for row in await connection.fetch(sql, *arguments)]
