"""Answers that go on for long take no place of those that ask and go."""

from pathlib import Path
from typing import Any

import trio

from nexus_actors.admin.connections import MOST, STAYS, Connections
from nexus_actors.admin.listening import listen
from tests.service import PATIENCE
from tests.unit.admin.test_server import GET, say

STREAM = b"GET /stream HTTP/1.1\r\nhost: h\r\n\r\n"


async def _app(scope: Any, receive: Any, send: Any) -> None:
    is_stream = scope["path"] == "/stream"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if is_stream:
        scope["state"][STAYS]()
    await send({"type": "http.response.body", "body": b"hello", "more_body": is_stream})
    while is_stream and (await receive())["type"] != "http.disconnect":
        pass


async def test_whoever_asks_is_answered_while_many_streams_are_open() -> None:
    listening = await listen("127.0.0.1:0", Path("/none"))
    connections = Connections(_app)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connections.serve, listening.listeners)
        port = listening.listeners[0].socket.getsockname()[1]
        with trio.fail_after(PATIENCE):
            streams = []
            for _ in range(2 * MOST):
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                await stream.send_all(STREAM)
                seen = b""
                while b"hello" not in seen:
                    seen += await stream.receive_some()
                streams.append(stream)
            assert b"hello" in await say(port, GET)
            for stream in streams:
                await stream.aclose()
            assert b"hello" in await say(port, GET)
            while connections._room.value != MOST:  # each place is given back once
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    listening.close()
