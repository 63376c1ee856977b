"""Hours at full load: does anything grow? Memory, tasks, connections, file descriptors.

    python -m benchmarks.soak [MINUTES]

A service on its shipped defaults, with limits a minute and a budget; of its own are only the number
of workers, and a timeout so short that calls that hang leave the others full load. Beside it stand
its PostgreSQL, and the drill's provider over real HTTP, which spoils one call in fifty. The queue
is never empty and never long. A line each quarter of a minute; in the end the third
fifth of the time beside the last one. The first two fifths are for what is filled once: caches,
pools, the allocator.
"""

import random
import sys
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median

import trio

from benchmarks.bench import Producer, request, route, running
from nexus_actors.drill.provider import PRICE, open_provider

EVERY = 15.0
"""Seconds between two samples."""
WAITING = 400
"""Requests in the queue at least, while there is time left."""
BATCH = 200
WORKERS = 64
GROWTH = 1.1
"""How much more than in the third fifth there may be in the last one; noise included."""
STORED = "SELECT count(*) AS count FROM public.job_results"
QUEUED = "SELECT count(*) AS count FROM pgmq.q_ai_requests"
CONNECTIONS = (
    "SELECT count(*) AS count FROM pg_stat_activity"
    " WHERE backend_type = 'client backend' AND application_name NOT LIKE 'bench%'"
)
CONFIG = """
[providers.soak]
kind = "openai_compatible"
base_url = "{url}"
pool_size = {workers}
timeout = 5.0
requests_per_minute = 1000000.0
tokens_per_minute = 1000000000.0

[providers.soak.models."model"]
input_price = {price}
output_price = {price}

[budgets.soak]
dollars = 1000000.0
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the service."""

    minute: float
    stored: int
    rate: float
    megabytes: float
    tasks: int
    connections: int
    descriptors: int
    threads: int


async def _count(producer: Producer, sql: str) -> int:
    return int((await producer.rows(sql))[0]["count"])


async def _feed(producer: Producer) -> None:
    number = 0
    while True:
        if await _count(producer, QUEUED) < WAITING:
            await producer.send(*(request(number + n) for n in range(BATCH)))
            number += BATCH
        else:
            await trio.sleep(0.05)


async def _look(producer: Producer, began: float, before: Sample | None) -> Sample:
    proc = Path(f"/proc/{producer.stage.process.pid}")
    words = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    stored = await _count(producer, STORED)
    return Sample(
        minute=round((trio.current_time() - began) / 60, 2),
        stored=stored,
        rate=round((stored - (before.stored if before else 0)) / EVERY, 1),
        megabytes=round(int(words["VmRSS"].split()[0]) / 1024, 1),
        tasks=(await producer.stage.ask("status"))["tasks"],
        connections=await _count(producer, CONNECTIONS),
        descriptors=len(list((proc / "fd").iterdir())),
        threads=int(words["Threads"]),
    )


def _grown(samples: list[Sample]) -> list[str]:
    fifth = len(samples) // 5
    middle, last = samples[2 * fifth : 3 * fifth], samples[-fifth:]
    told = []
    for name in ("megabytes", "tasks", "connections", "descriptors", "threads"):
        then, now = (median(getattr(it, name) for it in part) for part in (middle, last))
        print(f"{name:12} {then:g} → {now:g}")
        if now > then * GROWTH:
            told.append(name)
    return told


async def main(minutes: float) -> int:
    """Print the samples; 1 if something grew."""
    samples: list[Sample] = []
    async with open_provider(random.Random(1), 0.02) as provider:  # noqa: S311 - a chance to repeat
        config = CONFIG.format(url=provider.url, workers=WORKERS, price=PRICE) + route(
            "*", "soak/model"
        )
        async with running(config) as producer, trio.open_nursery() as nursery:
            nursery.start_soon(_feed, producer)
            print(*(f"{field.name:>11}" for field in fields(Sample)))
            began = trio.current_time()
            for number in range(1, round(minutes * 60 / EVERY) + 1):
                await trio.sleep_until(began + number * EVERY)
                samples.append(await _look(producer, began, samples[-1] if samples else None))
                print(*(f"{value:>11g}" for value in astuple(samples[-1])), flush=True)
            nursery.cancel_scope.cancel()
    grown = _grown(samples)
    print("grew: " + ", ".join(grown) if grown else "nothing grew")
    return int(bool(grown))


if __name__ == "__main__":
    sys.exit(trio.run(main, float(sys.argv[1]) if len(sys.argv) > 1 else 15.0))
