"""pykka: a thread an actor. It does not restart them."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import pykka

from benchmarks.actors.figures import Figures
from benchmarks.actors.measuring import hundreds, resident


class Server(pykka.ThreadingActor):
    """Counts."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def on_receive(self, message: Any) -> int:
        """A call or a cast: pykka makes no difference."""
        self._count += 1
        return self._count


Reference = pykka.ActorRef[Server]


def with_server(use: Callable[[Reference], Figures]) -> Figures:
    """Its figures, of a Server."""
    server = Server.start()
    try:
        return use(server)
    finally:
        server.stop()


def ask(server: Reference, count: int, timeout: float | None = None) -> float:
    """Seconds of `count` calls."""
    began = perf_counter()
    for _ in range(count):
        server.ask(None, timeout=timeout)
    return perf_counter() - began


def call(count: int) -> Figures:
    """Without a timeout, which is pykka's default."""
    return with_server(lambda server: {"call": count / ask(server, count)})


def call_timeout(count: int) -> Figures:
    """With the timeout that the others have."""
    return with_server(lambda server: {"call_timeout": count / ask(server, count, 5.0)})


def call_100(count: int) -> Figures:
    """One thread that keeps 100 calls in flight: quicker than 100 threads with a call each."""

    def use(server: Reference) -> Figures:
        began = perf_counter()
        for _ in range(hundreds(count) // 100):
            pykka.get_all([server.ask(None, block=False) for _ in range(100)])
        return {"call_100": hundreds(count) / (perf_counter() - began)}

    return with_server(use)


def cast(count: int) -> Figures:
    """The actor's thread handles while this one posts, as the interpreter lets them."""

    def use(server: Reference) -> Figures:
        began = perf_counter()
        for number in range(count):
            server.tell(number)
        posted = perf_counter() - began
        server.ask(None)
        return {"cast_posted": count / posted, "cast_handled": count / (perf_counter() - began)}

    return with_server(use)


class Flooded(pykka.ThreadingActor):
    """Calls another with its own inbox empty, then full."""

    def __init__(self, server: Reference) -> None:
        super().__init__()
        self._server = server

    def on_receive(self, message: int | None) -> Figures | None:
        """How many to flood itself with; None: one of those."""
        if message is None:
            return None
        ask(self._server, 1000)
        empty = ask(self._server, 5000)
        for _ in range(message):
            self.actor_ref.tell(None)
        full = ask(self._server, 5000)
        return {"unread_none": empty / 5000 * 1e6, "unread": full / 5000 * 1e6}


def unread(count: int) -> Figures:
    """What a call costs one who has `count` messages to read."""

    def use(server: Reference) -> Figures:
        flooded = Flooded.start(server)
        figures: Any = flooded.ask(count)
        flooded.stop()
        return dict(figures)

    return with_server(use)


def idle(count: int) -> Figures:
    """A thread each: a tenth of them shows what one needs."""
    count = max(1, count // 10)
    before = resident()
    for _ in range(count):
        Server.start()
    figures = {"idle": (resident() - before) / count}
    pykka.ActorRegistry.stop_all()
    return figures


MEASURES: dict[str, Callable[[int], Figures]] = {
    "call": call,
    "call_timeout": call_timeout,
    "call_100": call_100,
    "cast": cast,
    "unread": unread,
    "idle": idle,
}
