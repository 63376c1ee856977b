"""thespian on its `simpleSystemBase`, the quickest of its bases: all in this thread, no mailbox.

There `tell` runs the actor before it returns, and nobody is concurrent with anybody. Its bases with
a process an actor do at most 6,000 calls and 30,000 casts a second here (UDP). None restarts an
actor.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from thespian.actors import Actor, ActorAddress, ActorExitRequest, ActorSystem

from benchmarks.actors.figures import Figures
from benchmarks.actors.measuring import resident

CALL = "call"
CAST = "cast"


class Server(Actor):
    """Counts; answers a call."""

    def __init__(self) -> None:
        self._count = 0

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:  # noqa: N802 - theirs
        """CALL or CAST."""
        if isinstance(message, ActorExitRequest):
            return
        self._count += 1
        if message == CALL:
            self.send(sender, self._count)


@contextmanager
def system() -> Iterator[ActorSystem]:
    """An actor system, shut down at the end."""
    actors = ActorSystem("simpleSystemBase", logDefs=False)
    try:
        yield actors
    finally:
        actors.shutdown()


def call(count: int) -> Figures:
    """Without a timeout."""
    with system() as actors:
        server = actors.createActor(Server)
        began = perf_counter()
        for _ in range(count):
            actors.ask(server, CALL)
        return {"call": count / (perf_counter() - began)}


def call_timeout(count: int) -> Figures:
    """With the timeout that the others have."""
    with system() as actors:
        server = actors.createActor(Server)
        began = perf_counter()
        for _ in range(count):
            actors.ask(server, CALL, 5.0)
        return {"call_timeout": count / (perf_counter() - began)}


def cast(count: int) -> Figures:
    """Posted is handled here."""
    with system() as actors:
        server = actors.createActor(Server)
        began = perf_counter()
        for _ in range(count):
            actors.tell(server, CAST)
        posted = perf_counter() - began
        actors.ask(server, CALL)
        return {"cast_posted": count / posted, "cast_handled": count / (perf_counter() - began)}


def idle(count: int) -> Figures:
    """The first is there before, and with it what all share."""
    with system() as actors:
        addresses = [actors.createActor(Server)]
        before = resident()
        addresses += [actors.createActor(Server) for _ in range(count)]
        return {"idle": (resident() - before) / count}


MEASURES: dict[str, Callable[[int], Figures]] = {
    "call": call,
    "call_timeout": call_timeout,
    "cast": cast,
    "idle": idle,
}
