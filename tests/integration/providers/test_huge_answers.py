"""A server that is ready to send a gigabyte, and how little of it it gets rid of."""

import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import trio

from nexus_actors.providers.http.exchange import ANSWER_LIMIT, ERROR_LIMIT
from nexus_actors.providers.openai_compatible import PROVIDER, OpenAICompatibleSettings
from nexus_actors.providers.port import ProviderFailure
from tests.integration.providers.helpers import LONG, REQUEST

pytestmark = pytest.mark.usefixtures("_each_transport")

GIGABYTE = 1 << 30
PIECE = 1 << 20
SOCKET_BUFFERS = 16 * PIECE
"""Bytes: more than the kernel keeps between two ends of a connection on one machine."""


class Gigabyte:
    """Answers every request with `head` and then `piece` again and again, up to a gigabyte."""

    def __init__(self, head: str, piece: bytes) -> None:
        self._head = f"HTTP/1.1 {head}\r\ncontent-length: {GIGABYTE}\r\n\r\n".encode()
        self._piece = piece
        self.sent = 0
        self.closed = trio.Event()
        self.url = ""

    async def serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some(65_536)
            try:
                await stream.send_all(self._head)
                while self.sent < GIGABYTE:
                    await stream.send_all(self._piece)
                    self.sent += len(self._piece)
            except trio.BrokenResourceError:
                self.closed.set()


@asynccontextmanager
async def gigabyte(head: str, piece: bytes) -> AsyncIterator[Gigabyte]:
    server = Gigabyte(head, piece)
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/v1"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, server.serve, [listener])
        yield server
        nursery.cancel_scope.cancel()


@contextmanager
def most_memory(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < limit


def bomb() -> bytes:
    """The beginning of a gzip file, of which each further piece stands for 64 megabytes."""
    packer = zlib.compressobj(wbits=-15)
    block = packer.compress(bytes(64 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + block * 16


JSON = "200 OK\r\ncontent-type: application/json"
GZIP = "content-encoding: gzip"
EVENTS = "200 OK\r\ncontent-type: text/event-stream"


@pytest.mark.parametrize(
    ("head", "piece", "stream", "limit", "kind"),
    [
        (JSON, b" " * PIECE, False, ANSWER_LIMIT, "invalid_response"),
        (JSON, b" " * PIECE, True, ANSWER_LIMIT, "invalid_response"),
        (EVENTS, b"x" * PIECE, True, ANSWER_LIMIT, "invalid_response"),
        (EVENTS, b"data: " + b"x" * PIECE + b"\n", True, ANSWER_LIMIT, "invalid_response"),
        ("500 Oh", b"x" * PIECE, False, ERROR_LIMIT, "provider_error"),
        (f"{JSON}\r\n{GZIP}", bytes(PIECE), False, ANSWER_LIMIT, "invalid_response"),
    ],
)
async def test_a_gigabyte_is_cut_off_at_the_limit(
    head: str, piece: bytes, stream: bool, limit: int, kind: str
) -> None:
    async with gigabyte(head, piece) as server:
        with most_memory(6 * ANSWER_LIMIT):
            failure = await called(server.url, stream=stream)
        with trio.fail_after(LONG):
            await server.closed.wait()
    assert isinstance(failure, ProviderFailure)
    assert failure.type == kind
    assert server.sent <= limit + SOCKET_BUFFERS


async def test_a_gigabyte_packed_into_one_is_not_unpacked() -> None:
    packed = bomb()
    head = f"HTTP/1.1 {JSON}\r\n{GZIP}\r\ncontent-length: {len(packed)}\r\n\r\n"

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some(65_536)
            await stream.send_all(head.encode() + packed)

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/v1"
        with most_memory(6 * ANSWER_LIMIT):
            failure = await called(url, stream=False)
        nursery.cancel_scope.cancel()
    assert isinstance(failure, ProviderFailure)
    assert "too large" in failure.message


async def called(url: str, *, stream: bool) -> Any:
    settings = OpenAICompatibleSettings(kind="openai_compatible", base_url=url, free=True)
    async with PROVIDER.open("p", settings, None) as session:
        told: list[str] = []
        on_text = told.append if stream else None
        return await session.complete(REQUEST, "m", timeout=LONG, on_text=on_text)
