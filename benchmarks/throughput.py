"""Requests a second from the queue to `job_results`, the service and PostgreSQL on one machine.

    python -m benchmarks.throughput [REQUESTS]

`echo` at zero latency shows what the pipeline itself costs; with 2 s of latency and 1,000 workers
it shows calls in flight.
"""

import sys
import time

import trio
from rich.console import Console
from rich.table import Table

from benchmarks.bench import echo, request, route, running

BATCH = 500


async def measure(count: int, *, workers: int, latency: float) -> float:
    """Requests a second over all of `count`."""
    config = echo("swift", workers=workers, latency=latency) + route("*", "swift/s")
    async with running(config) as producer, producer.stored() as stored:
        began = time.perf_counter()
        for first in range(0, count, BATCH):
            last = min(first + BATCH, count)
            await producer.send(*(request(number) for number in range(first, last)))
        for _ in range(count):
            await stored.receive()
        return count / (time.perf_counter() - began)


async def main(count: int) -> None:
    """Print the table."""
    table = Table("workers", "call latency", "requests", "requests/s", "ideal")
    for workers, latency in ((8, 0.0), (64, 0.0), (1000, 2.0)):
        rate = await measure(count, workers=workers, latency=latency)
        ideal = f"{workers / latency:.0f}" if latency else "-"
        table.add_row(str(workers), f"{latency:g} s", str(count), f"{rate:.0f}", ideal)
    Console().print(table)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
