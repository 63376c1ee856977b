"""Enqueue to stored result, one request at a time: beside the floor, and beside a provider that
hangs.

    python -m benchmarks.latency [--rounds 5] [--requests 100] [--hung 10000]

Milliseconds from before `pgmq.send` until the notification that the row stands in `job_results`,
with `echo` at zero latency and default durability (fsync on). The floor is `benchmarks.floor`: a
bare loop of such statements and notifications.
"""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median

import trio

from benchmarks import outcome
from benchmarks.bench import Producer, echo, request, route
from benchmarks.ground import Ground, child, open_ground
from benchmarks.nexus import Nexus, service
from benchmarks.outcome import Goal, Outcome
from nexus_actors.storage.postgres.connection import open_postgres
from nexus_actors.storage.postgres.hints import open_hints

CONFIG = '[service]\nname = "bench"\ndata_dir = "{folder}"\n[database]\nurl = "{url}"\n' + (
    echo("swift", workers=8)
    + echo("hung", workers=4, latency=3600.0)
    + route("complex", "hung/h")
    + route("*", "swift/s")
)
PATIENCE = 60.0


@asynccontextmanager
async def producer(url: str) -> AsyncIterator[Producer]:
    """Sends, and hears what is stored."""
    async with (
        open_postgres(url, pool_size=2, application_name="bench") as pool,
        open_hints(pool, consumer_of=None) as hints,
    ):
        yield Producer(pool, hints)


async def taken(producer: Producer, name: str, count: int) -> list[float]:
    """The latency of each request, in milliseconds."""
    found = []
    async with producer.stored() as stored:
        for number in range(count):
            began = time.perf_counter()
            await producer.send(request(f"{name}-{number}"))
            with trio.fail_after(PATIENCE):
                await stored.receive()
            found.append((time.perf_counter() - began) * 1000)
    return found


async def floor(ground: Ground, like: str, count: int) -> list[float]:
    """Of the bare loop."""
    async with ground.database(like) as url:
        log = ground.file("floor.log")
        command = [sys.executable, "-m", "benchmarks.floor", url]
        async with child(command, log=log) as process, producer(url) as sender:
            with trio.fail_after(PATIENCE):
                while "ready" not in log.read_text():
                    if process.poll() is not None:
                        raise RuntimeError(f"the floor has ended: {log.read_text()}")
                    await trio.sleep(0.02)
            await taken(sender, "warm-up", 20)
            return await taken(sender, "floor", count)


async def ours(
    ground: Ground, like: str, count: int, hung: int
) -> tuple[list[float], float, list[float]]:
    """Idle; seconds of the first behind the hanging provider; beside it."""
    async with ground.database(like) as url:
        folder = ground.file("data")
        text = CONFIG.format(folder=folder, url=url)
        async with service(ground, text, folder) as process, producer(url) as sender:
            await taken(sender, "warm-up", 20)
            idle = await taken(sender, "idle", count)
            await sender.send(*(request(f"hung-{n}", "complex") for n in range(hung)))
            (first,) = await taken(sender, "behind", 1)
            beside = await taken(sender, "beside", count)
            process.kill()  # the hanging calls would only cost the drain
    return idle, first / 1000, beside


async def measure(count: int, requests: int, hung: int) -> Outcome:
    """In turns."""
    found = Outcome("latency")
    floors, idles, firsts, besides = [], [], [], []
    async with open_ground() as ground:
        like = await Nexus("ours").template(ground)
        for _ in range(count):
            floors.append(median(await floor(ground, like, requests)))
            idle, first, beside = await ours(ground, like, requests, hung)
            idles.append(median(idle))
            firsts.append(first)
            besides.append(median(beside))
            print(f"floor {floors[-1]:.1f} ms, ours {idles[-1]:.1f} ms, first {first:.2f} s")
    name = "enqueue → stored, idle, median"
    mine = found.add(name, "ours", "ms", idles)
    found.divide(mine, found.add(name, "floor", "ms", floors), Goal("≤", 1.5))
    found.add(f"enqueue → stored beside {hung:,} that hang, median", "ours", "ms", besides)
    found.add(f"the first behind {hung:,} that hang", "ours", "s", firsts, Goal("≤", 0.5))
    return found


def main() -> None:
    """Print and write."""
    parser = outcome.options(__doc__, rounds=5, requests=100, hung=10_000)
    asked = parser.parse_args()
    found = trio.run(measure, asked.rounds, asked.requests, asked.hung)
    outcome.hand_in(found, asked.results)


if __name__ == "__main__":
    main()
