"""One side under one load: how much CPU it takes a request, and how many it does a second.

A first few hundred requests warm it up. The others are made in a transaction, and the count begins
just before its commit: making them costs nothing of what is counted. It ends when all are done,
and what is done is what stands in the table that its user would read.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

import trio

from benchmarks.ground import SERVICE_CORES, Cpu, Ground, process_cpu, resident
from nexus_actors.storage.postgres.connection import PostgresPool, open_postgres

LOOK = 0.02
"""Seconds between two looks at how many are done."""
PATIENCE = 180.0
SENDING = 900.0
"""Seconds that making the requests may take."""
WARMING_UP = 300
"""Requests before the count begins."""


@dataclass(frozen=True, slots=True)
class Load:
    """What there is to do."""

    name: str
    requests: int
    workers: int
    upstream: str = ""
    """Base URL of the provider; empty: each answers for itself (`echo`)."""
    prompt: int = 420
    """Characters of the message: the request has about 0.6 KB then."""
    warming_up: int = WARMING_UP
    behind: int = 0
    """So many more wait behind them, and are not waited for."""


class Side(Protocol):
    """Who does it."""

    name: str
    done: str
    """SQL that counts what is done."""
    send: str
    """SQL that sends $1 requests with messages of $2 characters, numbered from $3."""

    async def template(self, ground: Ground) -> str:
        """The name of a database that is set up for it, and that nobody uses."""
        ...

    def started(self, ground: Ground, url: str, load: Load, place: int, where: set[int]) -> Any:
        """A context manager: its process number `place`, ready; gives the process."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took."""

    requests: int
    seconds: float
    cpu: Cpu
    memory: int
    """Bytes that the process grew by from ready to its most."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def service(self) -> float:
        """µs of CPU a request of the process that is measured."""
        return self.cpu.service / self.requests * 1e6

    @property
    def server(self) -> float:
        """µs of CPU a request of PostgreSQL."""
        return self.cpu.server / self.requests * 1e6


@dataclass(slots=True)
class _Watch:
    """Looks at processes and what they have done."""

    ground: Ground
    processes: Sequence[Any]
    side: Side
    load: Load
    looks: list[tuple[float, Cpu]] = field(default_factory=list)
    memory: int = 0

    def look(self) -> None:
        """At time and CPU."""
        service = sum(process_cpu(it.pid) for it in self.processes)
        self.looks.append((trio.current_time(), Cpu(service, self.ground.server_cpu())))

    async def until(self, pool: PostgresPool, count: int) -> None:
        """Look at how many are done, and at the most memory, until so many are."""
        with trio.move_on_after(PATIENCE):
            while all(it.poll() is None for it in self.processes):
                if await pool.run(_count, self.side.done) >= count:
                    self.look()
                    return
                self.memory = max(self.memory, sum(resident(it.pid) for it in self.processes))
                await trio.sleep(LOOK)
        raise RuntimeError(f"{self.side.name} did not do {self.load}:\n{_log(self.ground)}")

    def run(self, before: int) -> Run:
        """From the look before the load to the one after it."""
        (began, cpu), (ended, whole) = self.looks[-2:]
        return Run(self.load.requests, ended - began, whole - cpu, max(0, self.memory - before))


async def run(
    side: Side,
    ground: Ground,
    load: Load,
    *,
    processes: int = 1,
    where: set[int] | None = None,
    setting: Callable[[PostgresPool], Awaitable[None]] | None = None,
) -> Run:
    """Do the load once, in a database of its own, which `setting` has changed before.

    Raises RuntimeError if it does not get done."""
    where = SERVICE_CORES if where is None else where
    like = await side.template(ground)
    async with ground.database(like) as url, AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_postgres(url, pool_size=2, command_timeout=SENDING, application_name="bench")
        )
        if setting is not None:
            await setting(pool)
        started = [
            await stack.enter_async_context(side.started(ground, url, load, place, where))
            for place in range(processes)
        ]
        watch = _Watch(ground, started, side, load)
        if load.warming_up:
            await pool.run(_send, side.send, load.warming_up, load.prompt, 0)
            await watch.until(pool, load.warming_up)
        watch.memory = 0
        before = sum(resident(it.pid) for it in started)
        count = load.requests + load.behind
        await pool.run(_send, side.send, count, load.prompt, load.warming_up, watch.look)
        await watch.until(pool, load.warming_up + load.requests)
        return watch.run(before)


async def _send(
    connection: Any,
    query: str,
    count: int,
    size: int,
    first: int,
    made: Callable[[], None] = lambda: None,
) -> None:
    """All become visible at once, after `made`."""
    async with connection.transaction():
        await connection.execute(query, count, size, first, timeout=SENDING)
        made()


async def _count(connection: Any, query: str) -> int:
    return int(await connection.fetchval(query))


def _log(ground: Ground) -> str:
    logs = sorted(ground.folder.glob("*.log"), key=lambda it: it.stat().st_mtime)
    return logs[-1].read_text(errors="replace")[-3000:] if logs else "-"


async def rounds(
    sides: Sequence[Side], ground: Ground, load: Load, count: int, **more: Any
) -> dict[str, list[Run]]:
    """The runs of each side, interleaved; each round begins with another one."""
    found: dict[str, list[Run]] = {it.name: [] for it in sides}
    for number in range(count):
        turn = number % len(sides)
        for side in (*sides[turn:], *sides[:turn]):
            done = await run(side, ground, load, **more)
            found[side.name].append(done)
            print(
                f"{load.name} {number + 1}/{count} {side.name}: {done.rate:,.0f}/s,"
                f" {done.service:,.0f} µs, PostgreSQL {done.server:,.0f} µs",
                flush=True,
            )
    return found
