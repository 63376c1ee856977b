"""Connections to the admin server: hypercorn speaks HTTP on each, and no client can block others.

Hypercorn's own server accepts any number of connections, and its sends to a client that does not
read cannot be cancelled. So this module accepts, and passes on at most `MOST` connections. Each is
closed when nothing was read or written for a while. When all places are taken, a connection without
a request gives way to the next one. Only HTTP/1.1 is spoken.
"""

import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, cast

import h11
import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Event, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState, LifespanState

from nexus_actors.dashboard.protocol import STAYS

MOST: Final = 32
"""The most connections at once. Further ones wait if a request is served on each. Streams do not
count (`STAYS`): the dashboard limits their number."""
HEAD_TIMEOUT: Final = 5.0
"""Seconds for the head of a request, and until an idle connection is closed."""
SEND_TIMEOUT: Final = 5.0
"""Seconds within which the client must read a piece of a response."""
QUIET: Final = 15.0
"""Seconds without any data in either direction after which a connection is closed."""
HEAD_BYTES: Final = 16 * 1024
"""The most bytes of a request's line and headers."""
RECEIVED: Final = 16 * 1024
"""The most bytes that are read at once."""
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
"""Errors of `accept` that are temporary."""
EXHAUSTED_PAUSE: Final = 0.2

log = structlog.get_logger("nexus.admin")


class Connections:
    """Serves the connections of one server with one ASGI application."""

    def __init__(self, app: ASGIFramework) -> None:
        self._app = ASGIWrapper(app)
        self._config = config = Config()
        config.keep_alive_timeout = HEAD_TIMEOUT
        config.h11_max_incomplete_size = HEAD_BYTES
        config.include_server_header = False
        config.accesslog = None
        config.errorlog = logging.getLogger("nexus.admin")
        self._context = WorkerContext(None)
        self._room = trio.Semaphore(MOST, max_value=MOST)
        self._waiting = 0
        """Accepted connections without a place."""
        self._wanted = 0
        """Those of them that no idle connection has given way to."""
        self._open: set[_Stream] = set()
        self._logged: set[str] = set()

    async def serve(self, listeners: list[trio.SocketListener]) -> None:
        """Serve all connections. Never returns. Raises a group of OSErrors if a listener fails. If
        cancelled, it closes all connections. The listeners stay open."""
        async with trio.open_nursery() as nursery:
            for listener in listeners:
                nursery.start_soon(self._accept, listener, nursery)

    async def _accept(self, listener: trio.SocketListener, nursery: trio.Nursery) -> None:
        try:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:
                    if error.errno not in _EXHAUSTED:
                        raise
                    await trio.sleep(EXHAUSTED_PAUSE)
                    continue
                try:
                    await self._take_place()
                except BaseException:
                    stream.socket.close()
                    raise
                nursery.start_soon(self._answer, stream)
        finally:
            for it in self._open:
                it.cut()  # nothing else cancels hypercorn's sends

    async def _take_place(self) -> None:
        """Take a free place, else the place of the connection that is idle for longest, else wait
        for the first that becomes idle."""
        if self._room.value == 0:
            idle = [it for it in self._open if it.idle_since is not None]
            if idle:
                min(idle, key=lambda it: it.idle_since or 0.0).give_way()
            else:
                self._wanted += 1
        self._waiting += 1
        try:
            await self._room.acquire()
        finally:
            self._waiting -= 1
            self._wanted = min(self._wanted, self._waiting)  # a connection may have ended by itself

    async def _answer(self, accepted: trio.SocketStream) -> None:
        stream = _Stream(accepted)
        self._open.add(stream)
        place = _Place(self._room)
        try:
            server = _Server(
                self._app,
                self._config,
                self._context,
                LifespanState({STAYS: place.give_back}),
                cast("Any", stream),  # typed for streams that may have TLS
            )
            server.on_idle = partial(self._note_idle, stream)
            server.peer = _peer(accepted)
            stream.on_end = server.idle_task.stop  # else it waits for a client that has gone
            with stream.scope:
                await server.run()
        except Exception as error:  # noqa: BLE001 - one client's connection is no one else's
            self._tell(error)
        finally:
            stream.cut()
            self._open.remove(stream)
            place.give_back()

    def _note_idle(self, stream: "_Stream", idle: bool) -> None:
        stream.idle_since = trio.current_time() if idle else None
        if idle and self._wanted:
            self._wanted -= 1
            stream.give_way()

    def _tell(self, error: Exception) -> None:
        """Log an error once per type, since any client can repeat it."""
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        name = type(error).__name__
        if name not in self._logged:
            self._logged.add(name)
            log.warning("a connection crashed", error=name, exc_info=error)


class _Place:
    """A connection's place among `MOST`."""

    def __init__(self, room: trio.Semaphore) -> None:
        self._room = room
        self._is_taken = True

    def give_back(self) -> None:
        """Free the place; does nothing if it is free already."""
        if self._is_taken:
            self._is_taken = False
            self._room.release()


def _peer(stream: trio.SocketStream) -> tuple[str, int] | None:
    if stream.socket.family == socket.AF_UNIX:
        return None
    try:
        host, port = stream.socket.getpeername()[:2]
    except OSError:  # the client has gone
        return None
    return host, port


class _Http1(H11Protocol):
    """HTTP/1.1 without upgrades, even if the client offers them."""

    async def _check_protocol(self, event: h11.Request) -> None:
        pass

    async def _create_stream(self, request: h11.Request) -> None:
        headers = [(name, value) for name, value in request.headers if name != b"upgrade"]
        plain = h11.Request(
            method=request.method,
            target=request.target,
            headers=headers,
            http_version=request.http_version,
        )
        await super()._create_stream(plain)


class _Server(TCPServer):
    """Hypercorn's server of one connection, without other protocols."""

    on_idle: Callable[[bool], None]
    """Called with whether the connection is idle, each time that this changes."""
    peer: tuple[str, int] | None = None
    """The client's address; None on a Unix socket."""

    async def run(self) -> None:
        try:
            async with TaskGroup() as group:
                self._task_group = group
                protocol = _Http1(
                    self.app,
                    self.config,
                    self.context,
                    group,
                    ConnectionState(self.state),
                    False,
                    self.peer,
                    None,
                    self.protocol_send,
                )
                self.protocol = cast("Any", protocol)  # instead of choosing one
                await self.idle_task.restart(group, self._idle_timeout)
                await self._read_data()
        finally:
            await self._close()

    async def protocol_send(self, event: Event) -> None:
        await super().protocol_send(event)
        if isinstance(event, Updated):
            self.on_idle(event.idle)


class _Stream:
    """A stream for hypercorn. `scope` is cancelled after `QUIET` seconds without data."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.socket = stream.socket
        self.scope = trio.CancelScope()
        self.idle_since: float | None = trio.current_time()
        """When it began to wait for a request; None while a request is served."""
        self.on_end: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
        """Called when the client sends no more."""
        self._moved()

    def _moved(self) -> None:
        self.scope.deadline = trio.current_time() + QUIET

    async def receive_some(self, most: int) -> bytes:
        data = bytes(await self._stream.receive_some(min(most, RECEIVED)))
        self._moved()
        if not data:
            await self.on_end()
        return data

    async def send_all(self, data: bytes) -> None:
        with trio.move_on_after(SEND_TIMEOUT) as limit:
            await self._stream.send_all(data)
        if limit.cancelled_caught:
            self.cut()
            raise trio.BrokenResourceError
        self._moved()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def give_way(self) -> None:
        """Close this idle connection, since another one waits for its place."""
        self.idle_since = None
        self.scope.cancel()

    def cut(self) -> None:
        """Close it at once; pending sends and receives fail."""
        self.socket.close()
