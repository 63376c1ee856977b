"""What every measure stands on: one PostgreSQL, services and upstream as processes, and their CPU.

Where there are two cores or more, the process that is measured has the first to itself; PostgreSQL,
the upstream server and the benchmark share the others.
"""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import trio

from nexus_actors.storage.postgres.connection import PostgresPool, fetch, open_postgres
from nexus_actors.storage.postgres.embedded import open_embedded, server_pid

ROOT = Path(__file__).parents[1]
FOREIGN = ("SHARED_QUEUE_DB_URL", "DATABASE_URL", "NEXUS_", "PG", "OPENAI_", "LITELLM_")
"""What these say is about the reader's own service, which a benchmark must not touch."""
SERVER = ("max_connections=200",)
"""Else as the embedded server is shipped: durable, fsync on."""
STOP_TIMEOUT = 30.0
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of CPU, user and system."""

    service: float
    server: float

    def __sub__(self, earlier: "Cpu") -> "Cpu":
        return Cpu(self.service - earlier.service, self.server - earlier.server)


def cores() -> tuple[set[int], set[int]]:
    """The measured process's, and those of all else."""
    there = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (set(there[:1]), set(there[1:])) if len(there) > 1 else (set(there), set(there))


SERVICE_CORES, OTHER_CORES = cores()


def pin(pid: int, where: set[int]) -> None:
    """Keep a process there. Threads and children that it has not started yet follow."""
    if where and hasattr(os, "sched_setaffinity"):
        with suppress(ProcessLookupError):
            os.sched_setaffinity(pid, where)


def prepare() -> None:
    """This process on the other cores; it and its children may open as many files as allowed."""
    pin(0, OTHER_CORES)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def process_cpu(pid: int) -> float:
    """Of a process with all its threads, those that have ended too."""
    with suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return times.user + times.system
    return 0.0


def server_cpu(pid: int) -> float:
    """Of a PostgreSQL: postmaster, sessions, background, and those of them that have ended.

    Those that live are read from schedstat, in nanoseconds, where there is one: a clock tick is
    10 ms, and they are many.
    """
    total = 0.0
    with suppress(psutil.Error):
        postmaster = psutil.Process(pid)
        own = postmaster.cpu_times()
        total += own.children_user + own.children_system
        for process in (postmaster, *postmaster.children()):
            try:
                nanoseconds = Path(f"/proc/{process.pid}/schedstat").read_text().split()[0]
                total += int(nanoseconds) / 1e9
            except (OSError, ValueError, IndexError):
                total += process_cpu(process.pid)
    return total


def resident(pid: int) -> int:
    """Bytes of memory that a process has now."""
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


@asynccontextmanager
async def child(
    command: Sequence[str],
    *,
    log: Path,
    environ: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    where: set[int] = SERVICE_CORES,
) -> AsyncIterator[trio.Process]:
    """A process, its output in `log`. When the block is left it is stopped, by force if need be."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    with log.open("wb") as output:
        process = await trio.lowlevel.open_process(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env={**kept, "PYTHONPATH": str(cwd), **(environ or {})},
            start_new_session=True,
        )
    pin(process.pid, where)
    try:
        yield process
    finally:
        with trio.CancelScope(shield=True):
            if process.poll() is None:
                process.terminate()
                with trio.move_on_after(STOP_TIMEOUT):
                    await process.wait()
            if process.poll() is None:
                process.kill()
                await process.wait()


@dataclass(frozen=True, slots=True)
class Ground:
    """A folder, and a PostgreSQL in it."""

    folder: Path
    url: str

    def file(self, name: str) -> Path:
        """A path that nothing else has."""
        return self.folder / f"{next(_numbers)}-{name}"

    def server_cpu(self) -> float:
        """Seconds so far."""
        return server_cpu(server_pid(self.folder / "postgres") or 0)

    def at(self, database: str) -> str:
        """The URL of a database."""
        return urlsplit(self.url)._replace(path=f"/{database}").geturl()

    async def create(self, like: str = "template0") -> str:
        """A database as `like`, which nobody uses at the time; its name."""
        name = f"bench_{next(_numbers)}"
        await self.admin(f"CREATE DATABASE {name} TEMPLATE {like}")
        return name

    @asynccontextmanager
    async def database(self, like: str = "template0") -> AsyncIterator[str]:
        """A database for this block; its URL."""
        name = await self.create(like)
        try:
            yield self.at(name)
        finally:
            with trio.CancelScope(shield=True):
                await self.admin(f"DROP DATABASE {name} WITH (FORCE)")

    async def admin(self, *statements: str) -> None:
        """Each by itself, outside of any of the databases."""
        async with open_postgres(self.url, pool_size=1, application_name="bench") as pool:
            for statement in statements:
                await pool.run(fetch, statement)


@asynccontextmanager
async def open_ground() -> AsyncIterator[Ground]:
    """A new PostgreSQL, gone afterwards with all that is in it."""
    prepare()
    # Outside of a private folder: as root, the server runs under a user of its own.
    with tempfile.TemporaryDirectory(prefix="nexus-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with open_embedded(folder / "postgres", settings=SERVER) as url:
            yield Ground(folder, url)


@asynccontextmanager
async def open_upstream(
    ground: Ground, *, latency: float = 0.0, size: int = 1024, where: set[int] = OTHER_CORES
) -> AsyncIterator[str]:
    """The server that answers chat completions, a process of its own; its base URL."""
    log = ground.file("upstream.log")
    command = [
        sys.executable,
        "-m",
        "benchmarks.upstream",
        f"--latency={latency}",
        f"--size={size}",
    ]
    async with child(command, log=log, where=where) as process:
        with trio.fail_after(30):
            while not (line := log.read_text()).endswith("\n"):
                if process.poll() is not None:
                    raise RuntimeError(f"the upstream server did not start: {line}")
                await trio.sleep(0.02)
        yield f"http://127.0.0.1:{int(line)}/v1"


async def count_of(pool: PostgresPool, query: str) -> int:
    """The first column of the first row."""
    return int((await pool.run(fetch, query))[0][0])
