"""What the dashboard costs: each page at ten million requests, and a request while many look.

    python -m benchmarks.pages [--rounds 3] [--requests 10000] [--rows 10000000] [--viewers 100]
        [--url URL]

The pages: milliseconds of each, the slowest of five after a first look, of a service beside a
journal of so many rows (a seed makes it: minutes, and some gigabytes; `--url` takes a database that
a seed has filled).
The races: CPU a request without the admin server, with it, with so many viewers of its pages over
server-sent events, and with it ended again and again under load; all requests are answered in each.
"""

import argparse
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from benchmarks import outcome
from benchmarks.ground import OTHER_CORES, Ground, open_ground, open_upstream
from benchmarks.nexus import Nexus, config, service
from benchmarks.outcome import Goal, Outcome
from benchmarks.race import Load, rounds
from nexus_actors.operations import control
from nexus_actors.storage.postgres.connection import fetch, open_postgres
from tests.browser.seed import Plan, fill

SLOWEST = Goal("≤", 300.0)
DEARER = Goal("≤", 1.05)
SOCKET = "admin.sock"
LOOKS = 5
"""At each page."""
WRITTEN = 600.0
"""Seconds."""
PAUSE = 2.0
"""Seconds between two ends of the admin server."""
PATHS = (
    "/",
    "/?window=week",
    "/requests",
    "/requests?state=failed&window=month",
    "/requests?agent=agent-07&window=month",
    "/slow",
    "/letters",
    "/money",
    "/money?period=month",
    "/tree",
    "/control",
    "/config",
    "/audit",
    "/database",
)
WATCHED = ("/", "/requests", "/slow", "/letters", "/money", "/tree", "/control")
"""Pages that are live."""
ONE = (
    "SELECT request_id FROM nexus.requests WHERE finished_at IS NOT NULL"
    " ORDER BY finished_at DESC LIMIT 1"
)
SUMMED = """
SELECT minutes_until > now() - interval '2 minutes' FROM nexus.sums_progress
WHERE queue = 'ai_requests'
"""
"""Whether the roll-up has caught up with what was filled in."""
LETTER = "SELECT msg_id FROM pgmq.q_ai_requests_dead LIMIT 1"
CONFIG = """
[admin]
listen = "127.0.0.1:0"
[dashboard]
loopback = "read"
"""


async def get(port: int, path: str) -> float:
    """Milliseconds of one page, from asking to its last byte."""
    began = time.perf_counter()
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(_ask(port, path))
        answer = b"".join([chunk async for chunk in stream])
    taken = time.perf_counter() - began
    # 503: a query was given up after its two seconds, which is too slow, and no mistake of ours.
    assert answer[9:12] in (b"200", b"503"), (path, answer[:300])
    return taken * 1e3


def _ask(port: int, path: str) -> bytes:
    lines = (f"GET {path} HTTP/1.1", f"host: 127.0.0.1:{port}", "connection: close", "", "")
    return "\r\n".join(lines).encode()


async def port_of(folder: Path) -> int:
    """Where the service that has this folder listens."""
    log = max(folder.parent.glob("*service.log"), key=lambda it: it.stat().st_mtime)
    text = log.read_text(errors="replace")
    return int(text.split("the admin server listens", 1)[1].split("'127.0.0.1', ")[1].split(")")[0])


async def time_pages(found: Outcome, ground: Ground, url: str) -> None:
    """Each page, with the service there that it is of."""
    folder = ground.file("data")
    load = Load("", 0, 16)
    text = config(folder, load, url=url) + CONFIG
    async with open_postgres(url, pool_size=1, application_name="bench") as pool:
        one, letter = [(await pool.run(fetch, it))[0][0] for it in (ONE, LETTER)]
    async with service(ground, text, folder):
        port = await port_of(folder)
        await settled(url)
        for path in (*PATHS, f"/request?id={one}", f"/letter?number={letter}"):
            await get(port, path)
            samples = [await get(port, path) for _ in range(LOOKS)]
            plain = path.partition("=")[0] if path.startswith(("/request?", "/letter?")) else path
            found.add(f"{plain}, the slowest of {LOOKS}", "ours", "ms", [max(samples)], SLOWEST)
            print(f"{plain}: {', '.join(f'{it:.0f}' for it in samples)} ms", flush=True)


async def settled(url: str) -> None:
    """Wait until what was filled in is written to disk, and the service has summed it: it does so
    once, and is to be measured as it is on other days."""
    async with open_postgres(
        url, pool_size=1, application_name="bench", command_timeout=WRITTEN
    ) as pool:
        await pool.run(fetch, "CHECKPOINT")
        with trio.fail_after(WRITTEN):
            while not (await pool.run(fetch, SUMMED))[0][0]:
                await trio.sleep(1)


@dataclass(slots=True)
class Watched(Nexus):
    """Ours with its admin server; with viewers, or ended again and again."""

    viewers: int = 0
    ended: bool = False

    @asynccontextmanager
    async def started(
        self, ground: Ground, url: str, load: Load, place: int, where: set[int]
    ) -> AsyncIterator[trio.Process]:
        """The process, ready."""
        folder = ground.file("data")
        text = config(folder, load, url=url) + CONFIG
        async with service(ground, text, folder, where=where) as process:
            port = await port_of(folder)
            async with trio.open_nursery() as nursery:
                for number in range(self.viewers):
                    await nursery.start(view, port, WATCHED[number % len(WATCHED)])
                if self.ended:
                    nursery.start_soon(end, folder)
                yield process
                nursery.cancel_scope.cancel()


async def view(
    port: int, path: str, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """As a browser does that has the page open; started when it is told how that is. Raises
    RuntimeError if it is sent away later."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(_ask(port, f"/live?path={path}"))
        last = b""
        async for chunk in stream:
            if not last:
                assert chunk.startswith(b"HTTP/1.1 200"), (path, chunk[:300])
                task_status.started()
            last = chunk
    raise RuntimeError(f"nobody is told any more how {path} is; the last word: {last[-300:]!r}")


async def end(folder: Path) -> None:
    """Kill the actor that keeps the admin server, which its supervisor starts again."""
    while True:
        await trio.sleep(PAUSE)
        await control.ask(folder, "restart", {"actor": "Admin", "now": True})


async def measure(asked: argparse.Namespace) -> Outcome:
    """The pages first, then the races in turns."""
    found = Outcome("pages")
    async with open_ground() as ground, open_upstream(ground, where=OTHER_CORES) as upstream:
        sides = (
            Nexus("off"),
            Watched("on"),
            Watched(f"{asked.viewers} viewers", viewers=asked.viewers),
            Watched("ended", ended=True),
        )
        load = Load("http", asked.requests, 200, upstream=upstream)
        if asked.rounds:
            runs = await rounds(sides, ground, load, asked.rounds)
            cpu = {
                name: found.add("CPU a request, HTTP", name, "µs", [it.service for it in of])
                for name, of in runs.items()
            }
            for side in sides[1:]:
                found.divide(cpu[side.name], cpu["off"], DEARER)
        if asked.url:
            await time_pages(found, ground, asked.url)
        elif asked.rows:
            like = await sides[0].template(ground)
            async with ground.database(like) as made:
                plan = Plan(
                    rows=asked.rows, days=80, agents=200, whole=False, letters=2_000, waiting=20_000
                )
                await trio.to_thread.run_sync(fill, made, plan)
                await time_pages(found, ground, made)
        found.notes.append(f"{asked.rows:,} requests in the journal; {asked.viewers} viewers")
    return found


def main() -> None:
    """Print and write."""
    parser = outcome.options(__doc__, rounds=3, requests=10_000, rows=10_000_000, viewers=100)
    parser.add_argument("--url", default="", help="of a database that a seed has filled")
    asked = parser.parse_args()
    found = trio.run(measure, asked)
    outcome.hand_in(found, asked.results)


if __name__ == "__main__":
    sys.exit(main())
