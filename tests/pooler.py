"""A connection pooler between a client and the tests' PostgreSQL, as far as a client notices it: it
greets by itself, lets few settings pass, and gives a session for good or for one transaction."""

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit

import trio

PASSES = {"user", "database", "application_name", "client_encoding"}
"""What PgBouncer takes at a connection's start."""
MAY_WE_TALK_TLS, CANCEL = 80877103, 80877102
"""What stands in the place of the protocol's version."""


class Pooler:
    """`mode`: `session` or `transaction`; the latter has one session of the server for all."""

    def __init__(self, url: str, mode: str) -> None:
        parts = urlsplit(url)
        (folder,) = parse_qs(parts.query)["host"]
        self._socket = f"{folder}/.s.PGSQL.5432"
        self._database = parts.path.lstrip("/")
        self._mode = mode
        self._shared: trio.SocketStream | None = None
        self._turn = trio.Lock()
        self._servers: list[trio.SocketStream] = []

    def close(self) -> None:
        """End all sessions of the server."""
        for server in self._servers:
            server.socket.close()

    async def serve(self, client: trio.SocketStream) -> None:
        """One client, until it goes."""
        async with client:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError, EOFError):
                if await self._greet(client):
                    await self._relay(client)

    async def _greet(self, client: trio.SocketStream) -> bool:
        while True:
            (size,) = struct.unpack("!I", await _exactly(client, 4))
            body = await _exactly(client, size - 4)
            (code,) = struct.unpack("!I", body[:4])
            if code == CANCEL:  # on a connection of its own, which gets no answer
                return False
            if code != MAY_WE_TALK_TLS:
                break
            await client.send_all(b"N")
        words = body[4:].rstrip(b"\0").split(b"\0")
        asked = dict(zip(words[::2], words[1::2], strict=True))
        refused = {it.decode() for it in asked} - PASSES
        if refused:
            said = f"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: {refused}\0\0".encode()
            await client.send_all(_message(b"E", said))
            return False
        said = _message(b"R", struct.pack("!I", 0))
        for name, value in (("server_version", "18.0"), ("client_encoding", "UTF8")):
            said += _message(b"S", f"{name}\0{value}\0".encode())
        said += _message(b"K", struct.pack("!II", 4_000_000 + id(client) % 1000, 7))
        await client.send_all(said + _message(b"Z", b"I"))
        return True

    async def _relay(self, client: trio.SocketStream) -> None:
        own = await self._server() if self._mode == "session" else None
        while True:
            kind, message = await _read(client)
            if kind == b"X":  # it says goodbye
                return
            async with self._turn if own is None else trio.Lock():
                if own is None and self._shared is None:
                    self._shared = await self._server()
                server = own or self._shared
                assert server is not None
                while True:  # until the transaction is over
                    await server.send_all(message)
                    if kind == b"H":  # what a statement is like, before it is run
                        await self._answers(server, client, b"TnE")
                    elif kind in b"QS" and await self._answers(server, client, b"Z") == b"I":
                        break
                    kind, message = await _read(client)

    async def _answers(
        self, server: trio.SocketStream, client: trio.SocketStream, last: bytes
    ) -> bytes:
        while True:
            kind, message = await _read(server)
            await client.send_all(message)
            if kind in last:
                return message[-1:]

    async def _server(self) -> trio.SocketStream:
        server = trio.SocketStream(trio.socket.socket(socket.AF_UNIX))
        self._servers.append(server)
        await server.socket.connect(self._socket)
        words = f"user\0postgres\0database\0{self._database}\0client_encoding\0UTF8\0\0".encode()
        body = struct.pack("!I", 196608) + words
        await server.send_all(struct.pack("!I", len(body) + 4) + body)
        while (await _read(server))[0] != b"Z":
            pass
        return server


@asynccontextmanager
async def pooler(url: str, mode: str) -> AsyncIterator[str]:
    """A pooler for the database of `url`; its own URL."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        between = Pooler(url, mode)
        nursery.start_soon(trio.serve_listeners, between.serve, [listener])
        port = listener.socket.getsockname()[1]
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}{urlsplit(url).path}"
        finally:
            nursery.cancel_scope.cancel()
            between.close()


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


async def _read(stream: trio.SocketStream) -> tuple[bytes, bytes]:
    head = await _exactly(stream, 5)
    size = struct.unpack("!I", head[1:])[0]
    return head[:1], head + await _exactly(stream, size - 4)


async def _exactly(stream: trio.SocketStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = await stream.receive_some(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data
