"""The floor of a request's way: the statements and notifications, and nothing else.

    python -m benchmarks.floor URL

One connection listens, one works: woken by the queue's notification it reads with `pgmq.read` and
writes a journal row in one statement, then archives, closes the journal's row, stores in
`job_results` and notifies in another. So two durable transactions a request, as ours has at least.
Prints `ready`, and works until it is ended.
"""

import asyncio
import sys

import asyncpg
import uvloop

from nexus_actors.storage.postgres.result_store import RESULTS_CHANNEL
from nexus_actors.storage.postgres.sql import channel

QUEUE = "ai_requests"
JOURNAL = "CREATE TABLE bench_journal (request_id text PRIMARY KEY, msg_id bigint, state text)"
LEASE = """
WITH taken AS (SELECT * FROM pgmq.read('ai_requests', 60, 100)),
written AS (
    INSERT INTO bench_journal SELECT message->>'request_id', msg_id, 'leased' FROM taken
)
SELECT msg_id, message FROM taken
"""
FINISH = """
WITH archived AS (SELECT pgmq.archive('ai_requests', $1::bigint[])),
closed AS (UPDATE bench_journal SET state = 'done' WHERE msg_id = ANY ($1) RETURNING request_id),
stored AS (
    INSERT INTO public.job_results (workflow, status, output, inserted_at, updated_at)
    SELECT 'bench', 'completed', m::jsonb, now(), now() FROM unnest($2::text[]) AS m
)
SELECT pg_notify($3, request_id) FROM closed WHERE (SELECT count(*) FROM archived) >= 0
"""


async def work(url: str) -> None:
    """Until cancelled."""
    listening, working = await asyncpg.connect(url), await asyncpg.connect(url)
    await working.execute(JOURNAL)
    woken = asyncio.Event()
    await listening.add_listener(channel(QUEUE), lambda *_: woken.set())
    lease, finish = await working.prepare(LEASE), await working.prepare(FINISH)
    print("ready", flush=True)
    while True:
        await woken.wait()
        woken.clear()
        while rows := await lease.fetch():
            ids = [it["msg_id"] for it in rows]
            await finish.fetch(ids, [it["message"] for it in rows], RESULTS_CHANNEL)


if __name__ == "__main__":
    uvloop.run(work(sys.argv[1]))
