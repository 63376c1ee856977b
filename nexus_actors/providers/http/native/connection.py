"""One connection to a server, plain or with TLS, with the parser of its responses."""

import socket
import ssl
from dataclasses import dataclass
from typing import Final

import trio

from nexus_actors.providers.http.exchange import KEEP_ALIVE
from nexus_actors.providers.http.native.parser import AnswerParser
from nexus_actors.providers.http.unconnected import why_unconnected

READ: Final = 65_536
"""The most bytes per read."""
MOST_AGE: Final = 300.0
"""Seconds after which a connection is not reused, so that its host's name is resolved again."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where to connect to."""

    host: str
    port: int
    context: ssl.SSLContext | None
    """The TLS context; None for plain HTTP."""


@dataclass(frozen=True, slots=True)
class Unconnected:
    """Why there is no connection."""

    why: str
    is_tls: bool


class Connection:
    """A plain connection. It uses the socket directly: a trio stream does not say how much it has
    sent, which decides whether a call may be repeated. One call at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.parser = AnswerParser()
        self.is_reused = False
        self.handed_over = 0
        """Bytes of the current request that were passed to the operating system."""
        self.born = self.idle_since = trio.current_time()
        self._socket = sock

    async def send(self, data: bytes) -> bool:
        """Send all; False if the connection broke before that."""
        left = memoryview(data)
        while True:
            try:
                count = self._socket.send(left)
            except BlockingIOError:
                count = 0
            except OSError:
                return False
            self.handed_over += count
            if count == len(left):
                return True
            left = left[count:]
            await trio.lowlevel.wait_writable(self._socket)

    async def receive(self) -> bytes | None:
        """Receive bytes; empty at the end; None if the connection broke."""
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return self._socket.recv(READ)
            except BlockingIOError:
                continue
            except OSError:
                return None

    def is_stale(self, now: float) -> bool:
        """Whether the connection must not be reused. Between two calls a server sends nothing, so
        readable data means that it has closed the connection, or misbehaves."""
        if now - self.idle_since > KEEP_ALIVE or now - self.born > MOST_AGE:
            return True
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def close(self) -> None:
        """Close at once, whatever is in progress."""
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()
        self.parser.close()


class TlsConnection(Connection):
    """A connection with TLS. It does not use trio's SSLStream, which does not show unsolicited
    data: that would be mistaken for the response to the next call."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        super().__init__(sock)
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)

    async def shake_hands(self) -> None:
        """Do the TLS handshake. Raises ssl.SSLError, or ConnectionError if the connection broke."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._take_in()
            except ssl.SSLError:
                await self._send_out()  # the alert, so that the server learns why
                raise
            else:
                if not await self._send_out():
                    raise ConnectionResetError
                return

    async def send(self, data: bytes) -> bool:
        for start in range(0, len(data), READ):
            piece = data[start : start + READ]
            self.handed_over += len(piece)
            try:
                self._tls.write(piece)
            except ssl.SSLError:
                return False
            if not await self._send_out():
                return False
        return True

    async def receive(self) -> bytes | None:
        while True:
            try:
                return self._tls.read(READ)
            except ssl.SSLWantReadError:
                try:
                    await self._take_in()
                except ConnectionError:
                    return None
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""  # many servers close without close_notify
            except ssl.SSLError:
                return None

    def is_stale(self, now: float) -> bool:
        return bool(self._in.pending or self._tls.pending()) or super().is_stale(now)

    async def _take_in(self) -> None:
        # Send pending TLS records first: the peer may wait for them.
        if not await self._send_out() or (data := await super().receive()) is None:
            raise ConnectionResetError
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    async def _send_out(self) -> bool:
        handed_over = self.handed_over
        is_sent = not self._out.pending or await super().send(self._out.read())
        self.handed_over = handed_over
        return is_sent


async def connect(origin: Origin, timeout: float) -> Connection | Unconnected:
    """Open a connection. `timeout`: seconds for connecting, and again for the TLS handshake.

    The name is resolved each time. Of several addresses, the first that connects is used
    (RFC 8305). If this is cancelled, nothing stays open.
    """
    try:
        with trio.fail_after(timeout):
            stream = await trio.open_tcp_stream(origin.host, origin.port)
    except (OSError, UnicodeError, trio.TooSlowError) as error:
        return Unconnected(why_unconnected(error), is_tls=False)
    sock = socket.socket(fileno=stream.socket.detach())
    sock.setblocking(False)
    if origin.context is None:
        return Connection(sock)
    try:
        connection = TlsConnection(sock, origin.context, origin.host)
        with trio.fail_after(timeout):
            await connection.shake_hands()
    except (OSError, ValueError, trio.TooSlowError) as error:
        sock.close()
        return Unconnected(why_unconnected(error), is_tls=isinstance(error, ssl.SSLError))
    except BaseException:
        sock.close()
        raise
    return connection
