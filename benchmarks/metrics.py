"""What numbers cost: of the CPU of a request, and of each scrape.

    python -m benchmarks.metrics [--rounds 3] [--requests 10000] [--scrapes 30]

Counting is measured by itself, in a loop: it is so little of a request that no race would show it.
What is counted of a request with one call is three events, one of each kind. A race all the same:
without the admin server, with it, and with it scraped each second. And what one scrape takes.
"""

import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trio

from benchmarks import outcome
from benchmarks.ground import SERVICE_CORES, Ground, open_ground, open_upstream, process_cpu
from benchmarks.nexus import Nexus, config, service
from benchmarks.outcome import Goal, Outcome
from benchmarks.race import Load, rounds
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Usage
from nexus_actors.routing.in_force import InForce
from nexus_actors.settings import Settings, parse_settings
from nexus_actors.settings.model import ModelRef
from nexus_actors.storage.requests import Attempt, Lease
from nexus_actors.work.job import Job
from nexus_actors.work.objective import Objective
from nexus_actors.work.tallies import Tallies

SHARE = Goal("≤", 0.02)
EVENTS = 50_000
SOCKET = "admin.sock"
EVERY = 1.0
"""Seconds between two scrapes."""
ASK = b"GET /metrics HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
CONFIG = {
    "providers": {"bench": {"kind": "echo"}},
    "routes": [{"complexity": "*", "task_type": "*", "models": ["bench/model"]}],
}


def microseconds(event: Callable[[], object]) -> float:
    """Of CPU, for one."""
    began = time.process_time()
    for _ in range(EVENTS):
        event()
    return (time.process_time() - began) / EVENTS * 1e6


def counting() -> dict[str, float]:
    """µs of CPU of each event, by its name; those of a request are one of each."""
    settings = parse_settings(CONFIG, {})
    assert isinstance(settings, Settings)
    tallies, objective = Tallies(InForce(settings)), Objective()
    now = trio.current_time()
    usage = Usage(100, 20, 120, cached_tokens=10, reasoning_tokens=5)
    body = LLMRequest(request_id="r", complexity="simple", messages=())
    job = Job(
        lease=Lease(1, 1), body=body, request_id="r", candidates=(ModelRef("bench", "model"),)
    )
    job.sent_at, job.tried_at, job.latency_ms = now - 1, now, 1500
    job.outcome = Answer(response="", provider="bench", model="model", usage=usage, cost=0.01)
    call = Attempt(
        number=1,
        provider="bench",
        model="model",
        outcome="ok",
        status_code=200,
        duration_ms=1500,
        cost=0.01,
        error=None,
        started_at=datetime.now(UTC),
        first_text_ms=200,
        cost_basis="list",
    )
    return {
        "a call": microseconds(lambda: tallies.called("bench", call)),
        "an end": microseconds(lambda: tallies.ended(job, now)),
        "the objective": microseconds(lambda: objective.count(1500, now)),
    }


async def scrape(folder: Path) -> bytes:
    """One, as Prometheus would."""
    async with await trio.open_unix_socket(folder / SOCKET) as stream:
        await stream.send_all(ASK)
        answer = b"".join([chunk async for chunk in stream])
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
    return answer


@dataclass(slots=True)
class Counted(Nexus):
    """Ours with its admin server; scraped all the time, or not."""

    scraped: bool = False

    @asynccontextmanager
    async def started(
        self, ground: Ground, url: str, load: Load, place: int, where: set[int]
    ) -> AsyncIterator[trio.Process]:
        """The process, ready."""
        folder = ground.file("data")
        text = f'{config(folder, load, url=url)}\n[admin]\nlisten = "unix:{SOCKET}"\n'
        async with service(ground, text, folder, where=where) as process, scraping(folder, self):
            yield process


@asynccontextmanager
async def scraping(folder: Path, side: Counted) -> AsyncIterator[None]:
    """Each second, from when it listens."""
    while not (folder / SOCKET).exists():
        await trio.sleep(0.05)
    async with trio.open_nursery() as nursery:

        async def again() -> None:
            while True:
                await scrape(folder)
                await trio.sleep(EVERY)

        if side.scraped:
            nursery.start_soon(again)
        yield
        nursery.cancel_scope.cancel()


async def one_scrape(ground: Ground, load: Load, count: int) -> tuple[list[float], int]:
    """ms of CPU for each, of the service; and the bytes of the last."""
    side, taken, size = Counted("scrapes"), [], 0
    like = await side.template(ground)
    async with (
        ground.database(like) as url,
        side.started(ground, url, load, 0, SERVICE_CORES) as process,
    ):
        (socket,) = ground.folder.rglob(SOCKET)
        for _ in range(count):
            began = process_cpu(process.pid)
            size = len(await scrape(socket.parent))
            taken.append((process_cpu(process.pid) - began) * 1e3)
    return taken, size


async def measure(count: int, requests: int, scrapes: int) -> Outcome:
    """In turns."""
    found = Outcome("metrics")
    events: dict[str, list[float]] = {}
    for _ in range(count):
        for name, value in counting().items():
            events.setdefault(name, []).append(value)
    for name, samples in events.items():
        found.add(f"counting {name}", "ours", "µs", samples)
    sides = (Nexus("off"), Counted("on"), Counted("scraped", scraped=True))
    async with open_ground() as ground, open_upstream(ground) as upstream:
        load = Load("http", requests, 200, upstream=upstream)
        runs = await rounds(sides, ground, load, count)
        cpu = {
            name: found.add("CPU a request, HTTP", name, "µs", [it.service for it in of])
            for name, of in runs.items()
        }
        for name in ("on", "scraped"):
            found.divide(cpu[name], cpu["off"])
        whole = [sum(of) for of in zip(*events.values(), strict=True)]
        shares = [it / cpu["off"].median for it in whole]
        found.add("counting, of a request's CPU", "ours", "share", shares, SHARE)
        taken, size = await one_scrape(ground, load, scrapes)
    # What the kernel counts comes in ticks of 10 ms: the mean of many is right, each is not.
    mean = sum(taken) / len(taken)
    found.add("one scrape", "ours", "ms", [mean])
    found.add("a scrape a second, of a core", "ours", "share", [mean / 1e3 / EVERY], SHARE)
    found.notes.append(f"a scrape has {size / 1e3:.1f} kB")
    return found


def main() -> None:
    """Print and write."""
    asked = outcome.options(__doc__, rounds=3, requests=10_000, scrapes=60).parse_args()
    found = trio.run(measure, asked.rounds, asked.requests, asked.scrapes)
    outcome.hand_in(found, asked.results)


if __name__ == "__main__":
    sys.exit(main())
