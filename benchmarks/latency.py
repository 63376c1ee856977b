"""Enqueue to stored result, one request at a time: alone, and beside a provider that hangs.

    python -m benchmarks.latency [REQUESTS]

Milliseconds from before `pgmq.send` until the notification that the row stands in `job_results`,
with `echo` at zero latency, on the embedded PostgreSQL with its default durability (fsync on).
"""

import statistics
import sys
import time

import trio
from rich.console import Console
from rich.table import Table

from benchmarks.bench import Producer, echo, request, route, running

HUNG = 10_000
CONFIG = (
    echo("swift", workers=8)
    + echo("hung", workers=4, latency=3600.0)
    + route("complex", "hung/h")
    + route("*", "swift/s")
)


async def measure(producer: Producer, name: str, count: int) -> list[float]:
    """The latency of each request, in milliseconds."""
    taken = []
    async with producer.stored() as stored:
        for number in range(count):
            began = time.perf_counter()
            await producer.send(request(f"{name}-{number}"))
            await stored.receive()
            taken.append((time.perf_counter() - began) * 1000)
    return taken


async def main(count: int) -> None:
    """Print the table."""
    table = Table("enqueue → stored result", "requests", "median ms", "p95 ms", "max ms")
    async with running(CONFIG) as producer:
        await measure(producer, "warm-up", 20)
        for name in ("idle", "beside a hanging provider"):
            if name != "idle":
                await producer.send(*(request(f"hung-{n}", "complex") for n in range(HUNG)))
                began = time.perf_counter()
                await measure(producer, "behind", 1)
                Console().print(
                    f"the first request sent behind {HUNG} for the hanging provider:"
                    f" {time.perf_counter() - began:.1f} s"
                )
            taken = sorted(await measure(producer, name, count))
            table.add_row(
                name,
                str(count),
                f"{statistics.median(taken):.1f}",
                f"{taken[int(count * 0.95)]:.1f}",
                f"{taken[-1]:.1f}",
            )
        producer.stage.process.kill()  # the hanging calls would only cost the drain
    Console().print(table)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 300)
