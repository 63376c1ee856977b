"""From a row that is written in SQL to the node that obeys it: two of them, on one database.

    python -m benchmarks.steering [--rounds 20]

A provider is paused and resumed by a row in `nexus.control`, as psql would write it, while requests
keep coming; a node has obeyed once its `status` says so, which is asked every 5 ms. Then, by the
database's own clock: how long after the row was there did the last call begin. In the end one node
is killed (SIGKILL) and started again, with the provider paused: it must make no call.
"""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio

from benchmarks import outcome
from benchmarks.ground import OTHER_CORES, SERVICE_CORES, Ground, open_ground
from benchmarks.nexus import Nexus, config, service
from benchmarks.outcome import Goal, Outcome
from benchmarks.race import Load
from nexus_actors.operations import control
from nexus_actors.storage.postgres.connection import PostgresPool, fetch, open_postgres

LOOK = 0.005
LOAD = Load("steering", 0, 4)
EVERY = 0.02
"""Seconds between two requests."""
PAUSE = "INSERT INTO nexus.control (action, subject, name) VALUES ('pause', 'provider', 'bench')"
RESUME = "DELETE FROM nexus.control"
SEND = """
SELECT pgmq.send('ai_requests', jsonb_build_object(
    'request_id', gen_random_uuid()::text, 'complexity', 'simple',
    'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'hello'))))
"""
LATE = """
SELECT coalesce(extract(epoch FROM max(a.started_at) - $1::timestamptz), 0)::float8 AS seconds
FROM nexus.attempts AS a
"""
CALLS = "SELECT count(*) AS calls FROM nexus.attempts"


async def obeyed(folders: list[Path], *, paused: bool) -> float:
    """Seconds until each of the nodes says so."""
    began = time.perf_counter()

    async def one(folder: Path) -> None:
        while True:
            status = await control.ask(folder, "status")
            assert isinstance(status, dict)
            if bool(status["paused"]) is paused:
                return
            await trio.sleep(LOOK)

    async with trio.open_nursery() as nursery:
        for folder in folders:
            nursery.start_soon(one, folder)
    return time.perf_counter() - began


@asynccontextmanager
async def sending(pool: PostgresPool) -> AsyncIterator[None]:
    """Requests, one after the other."""

    async def send() -> None:
        while True:
            await pool.run(fetch, SEND)
            await trio.sleep(EVERY)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        yield
        nursery.cancel_scope.cancel()


async def turns(pool: PostgresPool, folders: list[Path], count: int) -> dict[str, list[float]]:
    """Paused and resumed so often."""
    taken: dict[str, list[float]] = {"paused": [], "resumed": [], "the last call": []}
    for _ in range(count):
        (row,) = await pool.run(fetch, f"{PAUSE} RETURNING clock_timestamp() AS at")
        taken["paused"].append(await obeyed(folders, paused=True))
        await trio.sleep(0.2)  # what had begun has ended
        (late,) = await pool.run(fetch, LATE, row["at"])
        taken["the last call"].append(max(late["seconds"], 0.0))
        await pool.run(fetch, RESUME)
        taken["resumed"].append(await obeyed(folders, paused=False))
        await trio.sleep(0.2)
    return taken


async def after_a_kill(ground: Ground, pool: PostgresPool, text: str, folder: Path) -> float:
    """Calls that a node made which was killed while a provider was paused, and started again."""
    (before,) = await pool.run(fetch, CALLS)
    async with service(ground, text, folder, look=LOOK):
        await trio.sleep(1.0)
        (after,) = await pool.run(fetch, CALLS)
        return float(after["calls"] - before["calls"])


async def measure(count: int) -> Outcome:
    """Two nodes."""
    found = Outcome("steering")
    async with open_ground() as ground, AsyncExitStack() as stack:
        like = await Nexus("ours").template(ground)
        url = await stack.enter_async_context(ground.database(like))
        pool = await stack.enter_async_context(open_postgres(url, pool_size=2))
        folders = [ground.file(f"node-{number}") for number in (1, 2)]
        texts = [config(folder, LOAD, url=url) for folder in folders]
        first = await stack.enter_async_context(
            service(ground, texts[0], folders[0], where=SERVICE_CORES)
        )
        async with service(ground, texts[1], folders[1], where=OTHER_CORES), sending(pool):
            taken = await turns(pool, folders, count)
        goal = Goal("≤", 1.0)
        for name, samples in taken.items():
            what = "a row → the last call begun" if name == "the last call" else f"a row → {name}"
            found.add(f"{what}, two nodes", "ours", "s", samples, goal)
            found.add(f"{what}, the slowest", "ours", "s", [max(samples)], goal)
        await pool.run(fetch, PAUSE)
        await obeyed(folders[:1], paused=True)
        first.kill()
        await first.wait()
        await pool.run(fetch, SEND)
        calls = await after_a_kill(ground, pool, texts[0], folders[0])
        found.add("calls after SIGKILL and restart", "ours", "calls", [calls], Goal("≤", 0))
    return found


def main() -> None:
    """Print and write."""
    asked = outcome.options(__doc__, rounds=20).parse_args()
    outcome.hand_in(trio.run(measure, asked.rounds), asked.results)


if __name__ == "__main__":
    main()
