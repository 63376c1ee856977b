"""xoscar, in a local pool without further processes. It does not restart actors there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter
from typing import Any

import xoscar

from benchmarks.actors.figures import Figures
from benchmarks.actors.measuring import hundreds, resident


class Server(xoscar.Actor):
    """Counts."""

    def __init__(self) -> None:
        self._count = 0

    async def ping(self) -> int:
        """A call or a cast: xoscar makes no difference."""
        self._count += 1
        return self._count

    async def handled(self) -> int:
        """How many messages so far?"""
        return self._count


@asynccontextmanager
async def pool() -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    """What starts a Server in a pool of this process."""
    async with await xoscar.create_actor_pool("127.0.0.1", n_process=0) as local:
        yield partial(xoscar.create_actor, Server, address=local.external_address)


def in_pool(
    function: Callable[[Callable[[], Awaitable[Any]], int], Awaitable[Figures]],
) -> Callable[[int], Figures]:
    """The measure."""

    async def measure(count: int) -> Figures:
        async with pool() as start:
            return await function(start, count)

    return lambda count: asyncio.run(measure(count))


async def calls(server: Any, count: int) -> None:
    """So many, one after the other."""
    for _ in range(count):
        await server.ping()


async def call(start: Callable[[], Awaitable[Any]], count: int) -> Figures:
    """Without a timeout."""
    server = await start()
    began = perf_counter()
    await calls(server, count)
    return {"call": count / (perf_counter() - began)}


async def call_timeout(start: Callable[[], Awaitable[Any]], count: int) -> Figures:
    """Each in xoscar's own `wait_for`."""
    server = await start()
    began = perf_counter()
    for _ in range(count):
        await xoscar.wait_for(server.ping(), 5.0)
    return {"call_timeout": count / (perf_counter() - began)}


async def call_100(start: Callable[[], Awaitable[Any]], count: int) -> Figures:
    """100 tasks with their share."""
    server = await start()
    began = perf_counter()
    await asyncio.gather(*(calls(server, hundreds(count) // 100) for _ in range(100)))
    return {"call_100": hundreds(count) / (perf_counter() - began)}


async def cast(start: Callable[[], Awaitable[Any]], count: int) -> Figures:
    """`tell` is a task each, and a call is not behind them: asked until all are handled."""
    server = await start()
    began = perf_counter()
    for _ in range(count):
        await server.ping.tell()
    posted = perf_counter() - began
    while await server.handled() < count:
        await asyncio.sleep(0)
    return {"cast_posted": count / posted, "cast_handled": count / (perf_counter() - began)}


async def idle(start: Callable[[], Awaitable[Any]], count: int) -> Figures:
    """The first is there before, and with it what all share."""
    refs = [await start()]
    before = resident()
    for _ in range(count):
        refs.append(await start())
    return {"idle": (resident() - before) / count}


MEASURES: dict[str, Callable[[int], Figures]] = {
    "call": in_pool(call),
    "call_timeout": in_pool(call_timeout),
    "call_100": in_pool(call_100),
    "cast": in_pool(cast),
    "idle": in_pool(idle),
}
