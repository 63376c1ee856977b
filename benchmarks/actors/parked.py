"""The floor: a deque whose reader is parked in trio's scheduler, and nothing around it."""

from collections import deque
from collections.abc import Callable
from time import perf_counter

import trio
import trio.testing
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

from benchmarks.actors.figures import Figures
from benchmarks.actors.measuring import hundreds, in_trio, resident


class Slot:
    """A call: who waits, and for what."""

    __slots__ = ("reply", "task")

    def __init__(self) -> None:
        self.task = current_task()
        self.reply = 0


class Server:
    """Counts what it is sent: Slots it answers."""

    def __init__(self) -> None:
        self._items: deque[Slot | None] = deque()
        self._reader: Task | None = None

    def put(self, item: Slot | None) -> None:
        """Never blocks."""
        self._items.append(item)
        if self._reader is not None:
            reader, self._reader = self._reader, None
            reschedule(reader)

    async def call(self) -> int:
        """One call."""
        slot = Slot()
        self.put(slot)
        await wait_task_rescheduled(_given_up)
        return slot.reply

    async def serve(self) -> None:
        """Until it is cancelled."""
        count = 0
        items = self._items
        while True:
            if not items:
                self._reader = current_task()
                await wait_task_rescheduled(self._left)
            slot = items.popleft()
            count += 1
            if slot is not None:
                slot.reply = count
                reschedule(slot.task)

    def _left(self, _: object) -> Abort:
        self._reader = None
        return Abort.SUCCEEDED


def _given_up(_: object) -> Abort:
    return Abort.SUCCEEDED


async def call(server: Server, count: int) -> None:
    """So many, one after the other."""
    for _ in range(count):
        await server.call()


async def _call(count: int) -> Figures:
    server = Server()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve)
        began = perf_counter()
        await call(server, count)
        took = perf_counter() - began
        nursery.cancel_scope.cancel()
    return {"call": count / took}


async def _call_100(count: int) -> Figures:
    count = hundreds(count)
    server = Server()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve)
        began = perf_counter()
        async with trio.open_nursery() as callers:
            for _ in range(100):
                callers.start_soon(call, server, count // 100)
        took = perf_counter() - began
        nursery.cancel_scope.cancel()
    return {"call_100": count / took}


async def _cast(count: int) -> Figures:
    server = Server()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve)
        await trio.testing.wait_all_tasks_blocked()
        began = perf_counter()
        for _ in range(count):
            server.put(None)
        posted = perf_counter()
        await server.call()
        handled = perf_counter()
        nursery.cancel_scope.cancel()
    return {"cast_posted": count / (posted - began), "cast_handled": count / (handled - began)}


async def _idle(count: int) -> Figures:
    before = resident()
    async with trio.open_nursery() as nursery:
        servers = [Server() for _ in range(count)]
        for server in servers:
            nursery.start_soon(server.serve)
        await trio.testing.wait_all_tasks_blocked()
        after = resident()
        nursery.cancel_scope.cancel()
    return {"idle": (after - before) / count}


MEASURES: dict[str, Callable[[int], Figures]] = {
    "call": in_trio(_call),
    "call_100": in_trio(_call_100),
    "cast": in_trio(_cast),
    "idle": in_trio(_idle),
}
