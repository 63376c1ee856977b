"""pgqueuer's consumer, as its README has it.

    python -m benchmarks.peers.pgqueuer_worker BATCH_SIZE [MAX_CONCURRENT_TASKS]

Does what `pgq run --batch-size` does, whose option for the log's level fails with today's typer.
"""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.adapters.cli import supervisor
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.types import QueueExecutionMode

from benchmarks.peers.calls import STORE, URL, caller


@asynccontextmanager
async def main() -> AsyncIterator[PgQueuer]:
    """One connection for the queue, a pool for what the jobs store."""
    connection = await asyncpg.connect(URL)
    worker = PgQueuer(AsyncpgDriver(connection))
    ask = caller()
    async with asyncpg.create_pool(URL, min_size=1, max_size=8) as pool:

        @worker.entrypoint("answer")
        async def answer(job: Job) -> None:
            request = json.loads(job.payload or b"")
            if ask is not None:
                await pool.execute(STORE, job.id, await ask(request["messages"]))

        yield worker
    await connection.close()


def run(batch_size: int, most: int | None = None) -> None:
    """Until the process is ended; all else as the command line has it by default."""
    uvloop.run(
        supervisor.run(
            main,
            dequeue_timeout=timedelta(seconds=30),
            batch_size=batch_size,
            restart_delay=timedelta(seconds=5),
            restart_on_failure=False,
            mode=QueueExecutionMode.continuous,
            max_concurrent_tasks=most,
            shutdown_on_listener_failure=False,
            heartbeat_timeout=timedelta(seconds=30),
        )
    )


if __name__ == "__main__":
    run(*(int(it) for it in sys.argv[1:]))
