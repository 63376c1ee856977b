"""triotp: a gen_server is a module, here this one. Restart and ordered stop are not measured."""

import sys
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import trio
import trio.testing
from triotp import gen_server, mailbox

from benchmarks.actors.figures import Figures
from benchmarks.actors.measuring import hundreds, in_trio, resident

NAME = "server"


async def init(_argument: Any) -> int:
    """Counts from 0."""
    return 0


async def handle_call(_message: Any, _caller: Any, count: int) -> tuple[Any, int]:
    """A call."""
    return gen_server.Reply(count + 1), count + 1


async def handle_cast(_message: Any, count: int) -> tuple[Any, int]:
    """A cast."""
    return gen_server.NoReply(), count + 1


def with_server(use: Callable[[int], Awaitable[Figures]]) -> Callable[[int], Figures]:
    """The measure with a server of that name."""

    async def measure(count: int) -> Figures:
        mailbox._init()  # what triotp.node.run does
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gen_server.start, sys.modules[__name__], None, NAME)
            await trio.testing.wait_all_tasks_blocked()
            figures = await use(count)
            nursery.cancel_scope.cancel()
        return figures

    return in_trio(measure)


async def calls(count: int, timeout: float | None = None) -> float:
    """Seconds of so many."""
    began = perf_counter()
    for _ in range(count):
        await gen_server.call(NAME, None, timeout)
    return perf_counter() - began


async def call(count: int) -> Figures:
    """Without a timeout."""
    return {"call": count / await calls(count)}


async def call_timeout(count: int) -> Figures:
    """With one."""
    return {"call_timeout": count / await calls(count, 5.0)}


async def call_100(count: int) -> Figures:
    """100 tasks with their share."""
    began = perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(calls, hundreds(count) // 100)
    return {"call_100": hundreds(count) / (perf_counter() - began)}


async def cast(count: int) -> Figures:
    """The call at the end is behind them all."""
    began = perf_counter()
    for _ in range(count):
        await gen_server.cast(NAME, None)
    posted = perf_counter() - began
    await gen_server.call(NAME, None)
    return {"cast_posted": count / posted, "cast_handled": count / (perf_counter() - began)}


async def _idle(count: int) -> Figures:
    mailbox._init()
    async with trio.open_nursery() as nursery:
        before = resident()
        for _ in range(count):
            nursery.start_soon(gen_server.start, sys.modules[__name__])
        await trio.testing.wait_all_tasks_blocked()
        after = resident()
        nursery.cancel_scope.cancel()
    return {"idle": (after - before) / count}


MEASURES: dict[str, Callable[[int], Figures]] = {
    "call": with_server(call),
    "call_timeout": with_server(call_timeout),
    "call_100": with_server(call_100),
    "cast": with_server(cast),
    "idle": in_trio(_idle),
}
