"""One connection to a server, plain or with TLS. Its parser takes apart what comes on it."""

import socket
import ssl
from dataclasses import dataclass
from typing import Final

import trio

from nexus_actors.providers.http.exchange import KEEP_ALIVE
from nexus_actors.providers.http.native.parser import AnswerParser
from nexus_actors.providers.http.unconnected import why_unconnected

READ: Final = 65_536
"""Bytes read at once at most."""
MOST_AGE: Final = 300.0
"""Seconds after which a connection takes no further call: names may stand for other servers then,
and so are looked up anew."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where to connect to."""

    host: str
    port: int
    context: ssl.SSLContext | None
    """Of TLS; None for plain HTTP."""


@dataclass(frozen=True, slots=True)
class Unconnected:
    """Why there is no connection."""

    why: str
    is_tls: bool


class Connection:
    """Plain: on the socket itself, since a stream of trio's does not tell how much it sent, and
    that decides whether a call may be made once more. One call at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.parser = AnswerParser()
        self.is_reused = False
        self.handed_over = 0
        """Bytes of the last request that left this program."""
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
        """What came; nothing at the end; None if the connection broke."""
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            try:
                return self._socket.recv(READ)
            except BlockingIOError:
                continue
            except OSError:
                return None

    def is_stale(self, now: float) -> bool:
        """Whether it is of no further use. Between two calls a server has nothing to say: if there
        is something to read, it is the end."""
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
        """At once, whatever was going on."""
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()
        self.parser.close()


class TlsConnection(Connection):
    """The same inside TLS. Not on trio's stream for TLS, which does not tell whether something came
    that nobody asked for: that would be taken for the next call's answer."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        super().__init__(sock)
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)

    async def shake_hands(self) -> None:
        """Raises ssl.SSLError, or ConnectionError where the connection broke meanwhile."""
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
                return b""  # as everybody's servers do, some leave out to say that it is the end
            except ssl.SSLError:
                return None

    def is_stale(self, now: float) -> bool:
        return bool(self._in.pending or self._tls.pending()) or super().is_stale(now)

    async def _take_in(self) -> None:
        # What TLS itself has to say goes first: the other side may wait for that.
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
    """A new connection. `timeout`: seconds for each of connecting and the handshake of TLS.

    The name is looked up each time; of several addresses the first that answers is taken
    (RFC 8305). Cancelled, it leaves nothing open.
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
