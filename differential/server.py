"""The one server that all sides speak to, and the sides' calls to it."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from tests.http_server import Recorded, Reply, ScriptedServer, scripted_server

_LOOPBACK = ("127.0.0.1", "::1", "localhost", None)


def stay_at_home() -> None:
    """From now on no connection leaves this machine: libraries like to look for news."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            host = arguments[0]
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        else:
            return
        if (host.decode() if isinstance(host, bytes) else host) not in _LOOPBACK:
            raise ConnectionRefusedError("the differential run stays on this machine")

    sys.addaudithook(watch)


class Bench:
    """The server, and what it is to answer next. One call at a time."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._reply = Reply()
        server.script["*"] = self._answer

    @property
    def url(self) -> str:
        """Without a path."""
        return self._server.url

    def _answer(self, _: Recorded) -> Reply:
        return self._reply

    def expect(self, reply: Reply) -> None:
        """Answer the next call so, and forget the last one."""
        self._reply = reply
        self._server.requests.clear()

    @property
    def sent(self) -> dict[str, Any] | None:
        """The body of the last call, of the first where it was repeated; None if there was none."""
        bodies = [it.body for it in self._server.requests if it.method == "POST"]
        return json.loads(bodies[0]) if bodies else None

    @property
    def path(self) -> str:
        """Of the last call."""
        return self._server.requests[0].path if self._server.requests else ""

    @property
    def calls(self) -> int:
        """How many there were since `expect`."""
        return len(self._server.requests)

    async def call(self, function: Callable[[], Any]) -> Any:
        """What `function`, which blocks, returns or raises."""
        return await trio.to_thread.run_sync(function)


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    """For as long as the context lasts."""
    async with scripted_server() as server:
        yield Bench(server)
