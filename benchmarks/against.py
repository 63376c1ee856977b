"""CPU a request, beside an earlier revision's: interleaved pairs on one PostgreSQL.

    python -m benchmarks.against [REVISION] [--pairs 7] [--requests 10000]

Each run is a fresh `nexus start` of its revision's own code with a fresh database; requests are
sent by SQL, and it is over when `job_results` has them all. So nothing here depends on what a
revision calls its parts. Counted are the service's process, and the server's processes, which also
do what the producer asks of them. The ratio is the median of the pairs': what disturbs the machine
disturbs both of a pair.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import trio
from rich.console import Console
from rich.table import Table

from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.postgres.connection import PostgresPool, fetch, open_postgres
from nexus_actors.storage.postgres.embedded import open_embedded, server_pid

ROOT = Path(__file__).parents[1]
REVISION = "adc0287"
MOST = 1.10
"""Times the earlier revision's CPU."""
BATCH = 500
WARMING_UP = 300
"""Requests before the count begins."""
PATIENCE = 180.0
CONFIG = """[service]
data_dir = "{folder}"
[database]
url = "{url}"
[providers.echo]
kind = "echo"
pool_size = 64
[[routes]]
complexity = "*"
task_type = "*"
models = ["echo/e"]
"""
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of CPU."""

    service: float
    server: float

    @property
    def together(self) -> float:
        """Both."""
        return self.service + self.server

    def __sub__(self, earlier: "Cpu") -> "Cpu":
        return Cpu(self.service - earlier.service, self.server - earlier.server)

    def over(self, other: "Cpu") -> tuple[float, float, float]:
        """How many times the other's: the service's, the server's, both's."""
        return (
            self.service / other.service,
            self.server / other.server,
            self.together / other.together,
        )


@contextmanager
def checkout(revision: str) -> Iterator[Path | None]:
    """The files of a revision, gone afterwards; None where this is no history with it."""
    with tempfile.TemporaryDirectory(prefix="nexus-against-") as folder:
        tree = Path(folder) / "tree"
        added = _git("worktree", "add", "--detach", str(tree), revision)
        try:
            yield tree if added else None
        finally:
            if added:
                _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> bool:
    with suppress(OSError):
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
    return False


class Bench:
    """One PostgreSQL, and services of any revision on it, one after the other."""

    def __init__(self, folder: Path, url: str, requests: int) -> None:
        self._folder = folder
        self._url = url
        self._requests = requests

    async def run(self, tree: Path) -> Cpu:
        """What `requests` cost with the code of `tree`."""
        number = next(_numbers)
        name = f"against_{number}"
        url = urlsplit(self._url)._replace(path=f"/{name}").geturl()
        async with open_postgres(self._url, application_name="against") as server:
            await server.run(fetch, f"CREATE DATABASE {name} TEMPLATE template0")
        async with (
            self._service(tree, self._folder / str(number), url) as process,
            open_postgres(url, pool_size=1, application_name="against") as pool,
        ):
            await self._send(pool, process, number, WARMING_UP, stored=WARMING_UP)
            before = self._cpu(process)
            everything = WARMING_UP + self._requests
            await self._send(pool, process, number, self._requests, stored=everything)
            return self._cpu(process) - before

    @asynccontextmanager
    async def _service(self, tree: Path, folder: Path, url: str) -> AsyncIterator[trio.Process]:
        folder.mkdir()
        config = folder / "nexus.toml"
        config.write_text(CONFIG.format(folder=folder / "data", url=url))
        environ = {it: value for it, value in os.environ.items() if not it.startswith("NEXUS_")}
        command = [sys.executable, "-m", "nexus_actors.cli", "start", "--config", str(config)]
        with (folder / "service.log").open("wb") as log:
            process = await trio.lowlevel.open_process(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=tree,
                env={**environ, "PYTHONPATH": str(tree)},
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with trio.CancelScope(shield=True):
                process.terminate()
                with trio.move_on_after(30):
                    await process.wait()
                if process.poll() is None:
                    process.kill()

    async def _send(
        self, pool: PostgresPool, process: trio.Process, number: int, count: int, *, stored: int
    ) -> None:
        """Send `count` requests, and wait until so many results are stored."""
        first = stored - count
        with trio.fail_after(PATIENCE):
            await self._ready(pool, process)
            for begin in range(first, stored, BATCH):
                bodies = [
                    json.dumps(request(number, at))
                    for at in range(begin, min(begin + BATCH, stored))
                ]
                await pool.run(
                    fetch, "SELECT pgmq.send_batch('ai_requests', $1::text[]::jsonb[])", bodies
                )
            while (await pool.run(fetch, "SELECT count(*) FROM job_results"))[0][0] < stored:
                await trio.sleep(0.05)

    async def _ready(self, pool: PostgresPool, process: trio.Process) -> None:
        while process.poll() is None:
            with suppress(StorageError):
                if await pool.run(fetch, "SELECT 1 FROM job_results LIMIT 0") == []:
                    return
            await trio.sleep(0.1)
        logs = "\n".join(it.read_text() for it in self._folder.glob("*/service.log"))
        raise SystemExit(f"the service did not start:\n{logs[-3000:]}")

    def _cpu(self, process: trio.Process) -> Cpu:
        return Cpu(_seconds(process.pid), _seconds(server_pid(self._folder / "postgres") or 0))


def request(number: int, place: int) -> dict[str, object]:
    """A small request, as every revision reads it."""
    return {
        "request_id": f"against-{number}-{place}",
        "agent_id": "bench",
        "complexity": "simple",
        "messages": [{"role": "user", "content": f"message {place}"}],
    }


def _seconds(pid: int) -> float:
    """CPU of a process, its children that live and those that have ended."""
    total = 0.0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        own = process.cpu_times()
        total += own.user + own.system + own.children_user + own.children_system
        for child in process.children():
            with suppress(psutil.Error):
                times = child.cpu_times()
                total += times.user + times.system
    return total


async def compared(tree: Path, pairs: int, requests: int) -> list[tuple[Cpu, Cpu]]:
    """Pairs of the earlier revision's CPU and today's, in turns."""
    found: list[tuple[Cpu, Cpu]] = []
    # Outside of a private folder: as root, the server runs under a user of its own.
    with tempfile.TemporaryDirectory(prefix="nexus-against-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with open_embedded(folder / "postgres") as url:
            bench = Bench(folder, url, requests)
            for pair in range(pairs):
                if pair % 2:
                    today, earlier = await bench.run(ROOT), await bench.run(tree)
                else:
                    earlier, today = await bench.run(tree), await bench.run(ROOT)
                found.append((earlier, today))
                print(f"pair {pair + 1}: {today.together / earlier.together:.3f}", flush=True)
    return found


def table(pairs: list[tuple[Cpu, Cpu]], requests: int, revision: str) -> Table:
    """Milliseconds a request, and ratios."""
    shown = Table("pair", *(f"{who} {what}" for who in (revision, "today") for what in WHAT))
    for name in ("service", "server", "both"):
        shown.add_column(f"{name} times")
    for number, (earlier, today) in enumerate(pairs, 1):
        each = [cpu / requests * 1000 for it in (earlier, today) for cpu in (it.service, it.server)]
        ratios = today.over(earlier)
        shown.add_row(str(number), *(f"{it:.3f}" for it in each), *(f"{it:.3f}" for it in ratios))
    return shown


WHAT = ("service, ms", "server, ms")


def main() -> None:
    """Print each pair and the median ratio."""
    parser = argparse.ArgumentParser(prog="against", description=__doc__.partition("\n")[0])
    parser.add_argument("revision", nargs="?", default=REVISION)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--requests", type=int, default=10_000)
    asked = parser.parse_args()
    with checkout(asked.revision) as tree:
        if tree is None:
            print(f"no revision {asked.revision} here to be compared with")
            return
        pairs = trio.run(compared, tree, asked.pairs, asked.requests)
    Console(width=140).print(table(pairs, asked.requests, asked.revision))
    ratios = [today.over(earlier) for earlier, today in pairs]
    service, server, both = (statistics.median(column) for column in zip(*ratios, strict=True))
    verdict = "met" if both <= MOST else "missed"
    print(
        f"CPU a request, median of {len(pairs)} pairs against {asked.revision}: {both:.3f} times"
        f" (service {service:.3f}, server {server:.3f}); at most {MOST:.2f}: {verdict}"
    )


if __name__ == "__main__":
    main()
