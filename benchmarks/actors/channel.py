"""Raw trio as one writes it: a memory channel, and for each call an object with an Event."""

import math
from collections.abc import Awaitable, Callable
from time import perf_counter

import trio
import trio.testing

from benchmarks.actors.figures import Figures
from benchmarks.actors.measuring import hundreds, in_trio, resident


class Request:
    """A call: the server puts the reply into it, then sets the event."""

    __slots__ = ("done", "reply")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.reply = 0


async def serve(receive: trio.MemoryReceiveChannel[Request]) -> None:
    """Answer calls."""
    count = 0
    async for request in receive:
        count += 1
        request.reply = count
        request.done.set()


async def count_all(receive: trio.MemoryReceiveChannel[int]) -> None:
    """Handle casts."""
    count = 0
    async for _ in receive:
        count += 1


async def ask(server: trio.MemorySendChannel[Request]) -> int:
    """One call."""
    request = Request()
    server.send_nowait(request)
    await request.done.wait()
    return request.reply


async def call(server: trio.MemorySendChannel[Request], count: int) -> float:
    """Seconds of `count` calls."""
    began = perf_counter()
    for _ in range(count):
        await ask(server)
    return perf_counter() - began


async def call_timeout(server: trio.MemorySendChannel[Request], count: int) -> float:
    """Seconds of `count` calls, each in a `fail_after`."""
    began = perf_counter()
    for _ in range(count):
        with trio.fail_after(5):
            await ask(server)
    return perf_counter() - began


async def call_100(server: trio.MemorySendChannel[Request], count: int) -> float:
    """Seconds of 100 tasks with their share of `count` calls."""
    began = perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(call, server, count // 100)
    return perf_counter() - began


def calls(
    name: str, function: Callable[[trio.MemorySendChannel[Request], int], Awaitable[float]]
) -> Callable[[int], Figures]:
    """The measure of one way to call."""

    async def measure(count: int) -> Figures:
        count = hundreds(count)
        send, receive = trio.open_memory_channel[Request](math.inf)
        async with trio.open_nursery() as nursery, send:
            nursery.start_soon(serve, receive)
            return {name: count / await function(send, count)}

    return in_trio(measure)


async def _cast(count: int) -> Figures:
    """Put all into the channel, close it, and wait until the server has read to its end."""
    send, receive = trio.open_memory_channel[int](math.inf)
    began = posted = perf_counter()
    async with trio.open_nursery() as nursery, send:
        nursery.start_soon(count_all, receive)
        await trio.testing.wait_all_tasks_blocked()
        began = perf_counter()
        for number in range(count):
            send.send_nowait(number)
        posted = perf_counter()
    handled = perf_counter()
    return {"cast_posted": count / (posted - began), "cast_handled": count / (handled - began)}


async def _idle(count: int) -> Figures:
    """Tasks that read from a channel each."""
    before = resident()
    async with trio.open_nursery() as nursery:
        channels = []
        for _ in range(count):
            send, receive = trio.open_memory_channel[Request](math.inf)
            channels.append(send)
            nursery.start_soon(serve, receive)
        await trio.testing.wait_all_tasks_blocked()
        after = resident()
        nursery.cancel_scope.cancel()
    return {"idle": (after - before) / count}


async def _many(count: int) -> Figures:
    """The start only: a nursery knows no order to stop in."""
    began = started = perf_counter()
    async with trio.open_nursery() as nursery:
        channels = []
        for _ in range(count):
            send, receive = trio.open_memory_channel[Request](math.inf)
            channels.append(send)
            nursery.start_soon(serve, receive)
        await trio.testing.wait_all_tasks_blocked()
        started = perf_counter()
        nursery.cancel_scope.cancel()
    return {"start": started - began}


MEASURES: dict[str, Callable[[int], Figures]] = {
    "call": calls("call", call),
    "call_timeout": calls("call_timeout", call_timeout),
    "call_100": calls("call_100", call_100),
    "cast": in_trio(_cast),
    "idle": in_trio(_idle),
    "many": in_trio(_many),
}
