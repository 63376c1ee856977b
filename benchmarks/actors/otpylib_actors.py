"""otpylib, on its asyncio backend. Restarts are not measured."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from otpylib import gen_server, process
from otpylib.module import GEN_SERVER, OTPModule
from otpylib.runtime.backends.asyncio_backend import AsyncIOBackend

from benchmarks.actors.figures import Figures
from benchmarks.actors.measuring import resident

NAME = "server"
"""Calls by a process id are refused."""


class Server(metaclass=OTPModule, behavior=GEN_SERVER, version="1.0.0"):
    """Counts."""

    async def init(self, _argument: Any) -> int:
        """From 0."""
        return 0

    async def handle_call(self, _message: Any, _caller: Any, count: int) -> tuple[Any, int]:
        """A call."""
        return gen_server.Reply(count + 1), count + 1

    async def handle_cast(self, _message: Any, count: int) -> tuple[Any, int]:
        """A cast."""
        return gen_server.NoReply(), count + 1

    async def handle_info(self, _message: Any, count: int) -> tuple[Any, int]:
        """Anything else."""
        return gen_server.NoReply(), count

    async def terminate(self, _reason: Any, _count: int) -> None:
        """Nothing is held."""


async def logger() -> None:
    """Each call and crash is told to whoever has this name; here nothing comes of it."""
    while True:
        await process.receive()


def in_process(use: Callable[[int], Awaitable[Figures]]) -> Callable[[int], Figures]:
    """The measure, run by a process of otpylib's."""

    async def measure(count: int) -> Figures:
        backend = AsyncIOBackend()
        await backend.initialize()
        process.use_runtime(backend)
        done: asyncio.Future[Figures] = asyncio.get_running_loop().create_future()

        async def root() -> None:
            try:
                done.set_result(await use(count))
            except Exception as error:  # noqa: BLE001 - told where it is waited for
                done.set_exception(error)

        await process.spawn(logger, name="logger", mailbox=True)
        await process.spawn(root, mailbox=True)
        figures = await done
        await backend.shutdown()
        return figures

    return lambda count: asyncio.run(measure(count))


async def calls(count: int, timeout: float | None = None) -> float:
    """Seconds of so many."""
    await gen_server.start(Server, name=NAME)
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


async def cast(count: int) -> Figures:
    """The call at the end is behind them all."""
    await gen_server.start(Server, name=NAME)
    began = perf_counter()
    for _ in range(count):
        await gen_server.cast(NAME, None)
    posted = perf_counter() - began
    await gen_server.call(NAME, None)
    return {"cast_posted": count / posted, "cast_handled": count / (perf_counter() - began)}


async def idle(count: int) -> Figures:
    """The first is there before, and with it what all share."""
    await gen_server.start(Server)
    before = resident()
    for _ in range(count):
        await gen_server.start(Server)
    return {"idle": (resident() - before) / count}


MEASURES: dict[str, Callable[[int], Figures]] = {
    "call": in_process(call),
    "call_timeout": in_process(call_timeout),
    "cast": in_process(cast),
    "idle": in_process(idle),
}
