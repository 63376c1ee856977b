"""The drill's provider: chat completions over real HTTP, with the faults of real providers.

A request's prompt is its id, so the provider knows what it was paid for. It bills each call that it
does not refuse, whether or not the answer arrives.
"""

import json
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import h11
import trio

Fault = Literal["failed", "overloaded", "too early", "reset", "cut short", "hang"]
FAULTS: tuple[Fault, ...] = ("failed", "overloaded", "too early", "reset", "cut short", "hang")
_STATUS = {"failed": 500, "overloaded": 503, "too early": 429}
TOKENS = 5
"""Tokens of a prompt, and of an answer."""
PRICE = 1.0
"""US dollars per million tokens, input or output."""
COST = 2 * TOKENS * PRICE / 1_000_000
"""US dollars billed for each call."""
LATENCY = (0.01, 0.2)
"""The least and most seconds of a call."""


@dataclass(slots=True)
class DrillProvider:
    """The server. It counts calls, faults and complete answers."""

    chance: random.Random
    fault_share: float
    url: str = ""
    calls: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    """How often the whole answer was sent, and so was paid for, by request id."""
    billed: Counter[str] = field(default_factory=Counter)
    """How many calls are on the bill, by request id."""

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection until either side closes it."""
        http = h11.Connection(h11.SERVER)
        try:
            async with stream:
                while (request_id := await _asked(http, stream)) is not None:
                    if not await self._answer(http, stream, request_id):
                        return
                    http.start_next_cycle()
        except (trio.BrokenResourceError, h11.ProtocolError, ValueError, KeyError):
            return  # the drill killed the caller

    async def _answer(
        self, http: h11.Connection, stream: trio.SocketStream, request_id: str
    ) -> bool:
        """Answer one call. False if the connection ends with it."""
        self.calls += 1
        await trio.sleep(self.chance.uniform(*LATENCY))
        if self.chance.random() >= self.fault_share:
            self.billed[request_id] += 1
            await _send(http, stream, 200, _completion(request_id))
            self.answered[request_id] += 1
            return True
        fault = self.chance.choice(FAULTS)
        self.faults[fault] += 1
        self.billed[request_id] += fault not in _STATUS
        match fault:
            case "failed" | "overloaded" | "too early":
                body = json.dumps({"error": {"message": fault, "type": "drill"}}).encode()
                await _send(http, stream, _STATUS[fault], body)
                return True
            case "cut short":
                body = _completion(request_id)
                await stream.send_all(_head(http, 200, len(body)) + body[: len(body) // 2])
            case "reset":
                # Closing with a linger of zero sends RST instead of FIN (socket(7)).
                linger = struct.pack("ii", 1, 0)
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            case "hang":
                while await stream.receive_some():
                    pass  # until the caller gives up
        return False


async def _asked(http: h11.Connection, stream: trio.SocketStream) -> str | None:
    """The request id of the next call; None if the peer closed the connection."""
    body = b""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return str(json.loads(body)["messages"][-1]["content"])
        elif not isinstance(event, h11.Request):
            return None


async def _send(http: h11.Connection, stream: trio.SocketStream, status: int, body: bytes) -> None:
    head = _head(http, status, len(body))
    rest = http.send(h11.Data(data=body)) or b""
    await stream.send_all(head + rest + (http.send(h11.EndOfMessage()) or b""))


def _head(http: h11.Connection, status: int, length: int) -> bytes:
    headers = [("content-type", "application/json"), ("content-length", str(length))]
    if status == 429:
        headers.append(("retry-after-ms", "200"))
    return http.send(h11.Response(status_code=status, headers=headers)) or b""


def _completion(request_id: str) -> bytes:
    message = {"role": "assistant", "content": f"answer to {request_id}"}
    return json.dumps(
        {
            "id": f"drill-{request_id}",
            "object": "chat.completion",
            "model": "model",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": TOKENS,
                "completion_tokens": TOKENS,
                "total_tokens": 2 * TOKENS,
            },
        }
    ).encode()


@asynccontextmanager
async def open_provider(chance: random.Random, fault_share: float) -> AsyncIterator[DrillProvider]:
    """Serve on a free port of 127.0.0.1."""
    provider = DrillProvider(chance, fault_share)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    provider.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/v1"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, provider.serve, [listener])
        yield provider
        nursery.cancel_scope.cancel()
