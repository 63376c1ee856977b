"""Connections to the admin server: hypercorn reads and writes HTTP on each, and nobody can hold up
more than his own.

Hypercorn's own loop accepts as many as come, and sends to whoever does not read, past any
cancellation. So it is given one connection at a time: at most `MOST` of them, each with a stream
that is closed when nothing moves on it for a while.
"""

import errno
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, LifespanState

MOST: Final = 32
"""Connections at once; further ones wait to be accepted."""
HEAD_TIMEOUT: Final = 5.0
"""Seconds for the head of a request, and for which a connection is kept that asks for no more."""
SEND_TIMEOUT: Final = 5.0
"""Seconds until a piece of an answer must be taken."""
QUIET: Final = 15.0
"""Seconds after which a connection is closed on which nothing was read or written."""
HEAD_BYTES: Final = 16 * 1024
"""Of a request's line and headers."""
RECEIVED: Final = 16 * 1024
"""Bytes that are read at once."""
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
"""Errors of accepting that pass."""
EXHAUSTED_PAUSE: Final = 0.2

log = structlog.get_logger("nexus.admin")


class Connections:
    """Those of one server, to one ASGI application."""

    def __init__(self, app: ASGIFramework) -> None:
        self._app = ASGIWrapper(app)
        self._config = config = Config()
        config.keep_alive_timeout = HEAD_TIMEOUT
        config.h11_max_incomplete_size = HEAD_BYTES
        config.h2_max_concurrent_streams = 4
        config.include_server_header = False
        config.accesslog = None
        config.errorlog = logging.getLogger("nexus.admin")
        self._context = WorkerContext(None)
        self._room = trio.Semaphore(MOST)
        self._open: set[_Stream] = set()
        self._told: set[str] = set()

    async def serve(self, listeners: list[trio.SocketListener]) -> None:
        """Answer whoever connects. Never returns. Raises a group of OSErrors if a listener cannot
        go on. Cancelled, it cuts off all connections. The listeners stay open."""
        async with trio.open_nursery() as nursery:
            for listener in listeners:
                nursery.start_soon(self._accept, listener, nursery)

    async def _accept(self, listener: trio.SocketListener, nursery: trio.Nursery) -> None:
        try:
            while True:
                await self._room.acquire()
                try:
                    stream = await listener.accept()
                except BaseException as error:
                    self._room.release()
                    if not isinstance(error, OSError) or error.errno not in _EXHAUSTED:
                        raise
                    await trio.sleep(EXHAUSTED_PAUSE)
                else:
                    nursery.start_soon(self._answer, stream)
        finally:
            for it in self._open:
                it.cut()  # what hypercorn sends is cancelled by nothing else

    async def _answer(self, accepted: trio.SocketStream) -> None:
        stream = _Stream(accepted)
        self._open.add(stream)
        try:
            server = TCPServer(
                self._app,
                self._config,
                self._context,
                LifespanState(),
                cast("Any", stream),  # it is made for streams with TLS, and asks whether it is
            )
            stream.on_end = server.idle_task.stop  # else one that has gone is waited for
            with stream.scope:
                await server.run()
        except Exception as error:  # noqa: BLE001 - one client's connection is no one else's
            self._tell(error)
        finally:
            stream.cut()
            self._open.remove(stream)
            self._room.release()

    def _tell(self, error: Exception) -> None:
        """Once of each kind: whoever can connect can repeat it."""
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        name = type(error).__name__
        if name not in self._told:
            self._told.add(name)
            log.warning("a connection crashed", error=name, exc_info=error)


class _Stream:
    """One connection, as hypercorn uses it. Cancelled when nothing was read or written for long."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.socket = stream.socket
        self.scope = trio.CancelScope()
        self.on_end: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
        """Called when the client will say no more."""
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

    def cut(self) -> None:
        """Close it at once; whoever waits to send or receive learns of it."""
        self.socket.close()
