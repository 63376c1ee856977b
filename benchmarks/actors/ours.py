"""GenServers of this project under a Supervisor."""

import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from statistics import median
from time import perf_counter

import trio

from benchmarks.actors.figures import Figures
from benchmarks.actors.measuring import hundreds, in_trio, resident
from supervisors import (
    ActorRef,
    Call,
    Caller,
    ChildSpec,
    ExitReason,
    GenServer,
    Reply,
    Supervisor,
    open_tree,
)


class Ping(Call[int]):
    """How many messages so far?"""


class Server(GenServer):
    """Counts."""

    def __init__(self, hello: Callable[[ActorRef], None]) -> None:
        self._hello = hello
        self._count = 0

    async def init(self) -> None:
        """Tell those who wait for it."""
        self._hello(self.ref)

    async def handle_call(self, request: Ping, caller: Caller) -> Reply:
        """Count a call."""
        self._count += 1
        return Reply(self._count)

    async def handle_cast(self, message: int) -> None:
        """Count a cast."""
        self._count += 1


def tree(*children: ChildSpec) -> AbstractAsyncContextManager[ActorRef]:
    """These under a Supervisor that restarts them without end."""
    return open_tree(lambda: Supervisor(children, max_restarts=1_000_000_000))


async def with_server(use: Callable[[ActorRef], Awaitable[Figures]]) -> Figures:
    """Its figures, of a Server under a Supervisor."""
    refs: list[ActorRef] = []
    async with tree(ChildSpec("Server", partial(Server, refs.append))):
        return await use(refs[0])


async def call(server: ActorRef, count: int) -> float:
    """Seconds of `count` calls, without a timeout."""
    began = perf_counter()
    for _ in range(count):
        await server.call(Ping(), timeout=math.inf)
    return perf_counter() - began


async def call_timeout(server: ActorRef, count: int) -> float:
    """Seconds of `count` calls as one writes them, with their 5 seconds of timeout."""
    began = perf_counter()
    for _ in range(count):
        await server.call(Ping())
    return perf_counter() - began


async def call_100(server: ActorRef, count: int) -> float:
    """Seconds of 100 tasks with their share of `count` calls."""
    began = perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(call, server, count // 100)
    return perf_counter() - began


def calls(
    name: str, function: Callable[[ActorRef, int], Awaitable[float]]
) -> Callable[[int], Figures]:
    """The measure of one way to call."""

    def measure(count: int) -> Figures:
        count = hundreds(count)

        async def use(server: ActorRef) -> Figures:
            return {name: count / await function(server, count)}

        return trio.run(with_server, use)

    return measure


def cast(count: int) -> Figures:
    """Casts, and a call behind them that is answered when all are handled."""

    async def use(server: ActorRef) -> Figures:
        began = perf_counter()
        for number in range(count):
            server.cast(number)
        posted = perf_counter() - began
        await server.call(Ping(), timeout=math.inf)
        return {"cast_posted": count / posted, "cast_handled": count / (perf_counter() - began)}

    return trio.run(with_server, use)


class Mortal(GenServer):
    """Raises at the first cast, if the cast asks for it; tells the times of both ends."""

    def __init__(self, tell: Callable[[ActorRef, float], None], crash: list[float]) -> None:
        self._tell = tell
        self._crash = crash

    async def init(self) -> None:
        """Its first message comes from itself."""
        self.ref.cast("hello")

    async def handle_cast(self, message: str) -> None:
        """Crash, or tell that it is there."""
        if message == "crash":
            self._crash.append(perf_counter())
            raise RuntimeError("as told")
        self._tell(self.ref, perf_counter())


async def _restart(count: int) -> Figures:
    """From before a handler raises until the next instance has handled its first message."""
    # without the report of the crash, whose price is that of logging
    logging.getLogger("supervisors").setLevel(logging.CRITICAL + 1)
    send, receive = trio.open_memory_channel[tuple[ActorRef, float]](1)
    crashes: list[float] = []
    spec = ChildSpec("Mortal", partial(Mortal, lambda *it: send.send_nowait(it), crashes))
    taken = []
    async with tree(spec):
        ref, _ = await receive.receive()
        for _ in range(count):
            ref.cast("crash")
            ref, answered = await receive.receive()
            taken.append(answered - crashes[-1])
    return {"restart": median(taken) * 1e6}


class Measure(Call[Figures]):
    """What does a call cost you?"""


class Flooded(GenServer):
    """Calls another with its own mailbox empty, then full."""

    def __init__(self, server: ActorRef, unread: int) -> None:
        self._server = server
        self._unread = unread

    async def handle_call(self, request: Measure, caller: Caller) -> Reply:
        """The figures, while nobody reads the mailbox."""
        await call(self._server, 1000)
        empty = await call(self._server, 5000)
        for number in range(self._unread):
            self.ref.cast(number)
        full = await call(self._server, 5000)
        return Reply({"unread_none": empty / 5000 * 1e6, "unread": full / 5000 * 1e6})

    async def handle_cast(self, message: int) -> None:
        """Nothing, at the end."""


def unread(count: int) -> Figures:
    """What a call costs one who has `count` messages to read."""

    async def use(server: ActorRef) -> Figures:
        async with open_tree(lambda: Flooded(server, count)) as flooded:
            return await flooded.call(Measure(), timeout=math.inf)

    return trio.run(with_server, use)


async def _idle(count: int) -> Figures:
    before = resident()
    async with tree(*(ChildSpec(f"child-{n}", GenServer) for n in range(count))):
        return {"idle": (resident() - before) / count}


class Numbered(GenServer):
    """Writes down when it is stopped."""

    trap_exit = True

    def __init__(self, number: int, stopped: list[int]) -> None:
        self._number = number
        self._stopped = stopped

    async def terminate(self, reason: ExitReason) -> None:
        """Its turn."""
        self._stopped.append(self._number)


async def _many(count: int) -> Figures:
    """Children with a `terminate`, which show the order they were stopped in."""
    stopped: list[int] = []
    began = perf_counter()
    async with tree(
        *(ChildSpec(f"child-{n}", partial(Numbered, n, stopped)) for n in range(count))
    ):
        started = perf_counter()
    ended = perf_counter()
    if stopped != list(reversed(range(count))):
        raise RuntimeError("the children were not stopped in reverse order")
    return {"start": started - began, "stop": ended - started}


MEASURES: dict[str, Callable[[int], Figures]] = {
    "call": calls("call", call),
    "call_timeout": calls("call_timeout", call_timeout),
    "call_100": calls("call_100", call_100),
    "cast": cast,
    "restart": in_trio(_restart),
    "unread": unread,
    "idle": in_trio(_idle),
    "many": in_trio(_many),
}
