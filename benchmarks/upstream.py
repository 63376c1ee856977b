"""An imitation of a provider that costs next to nothing: the same chat completion to every call.

    python -m benchmarks.upstream [--latency SECONDS] [--size BYTES]

Prints its port. It reads of a call only how long it is, and the answer is made once: on a machine
with few cores it must not take from those that are measured.
"""

import argparse
import asyncio
import json
import resource
from typing import Any


def answer(size: int) -> bytes:
    """A whole HTTP answer whose body has about `size` bytes."""

    def body(text: str) -> bytes:
        message = {"role": "assistant", "content": text}
        return json.dumps(
            {
                "id": "chatcmpl-bench",
                "object": "chat.completion",
                "created": 1_760_000_000,
                "model": "model",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 200, "total_tokens": 300},
            }
        ).encode()

    whole = body("word " * max(1, (size - len(body(""))) // 5))
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(whole)}\r\n"
    return head.encode() + b"\r\n" + whole


def call_length(data: bytes) -> int | None:
    """How long the first call in `data` is, head and body; None while its head is incomplete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    _, found, rest = data[:end].lower().partition(b"content-length:")
    return end + 4 + (int(rest.split(b"\r\n", 1)[0]) if found else 0)


class Connection(asyncio.Protocol):
    """Answers each call after the latency."""

    def __init__(self, answer: bytes, latency: float) -> None:
        self._answer = answer
        self._latency = latency
        self._data = b""
        self._transport: Any = None  # uvloop's is no asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A caller."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A part of a call, or several."""
        self._data += data
        while (length := call_length(self._data)) is not None and length <= len(self._data):
            self._data = self._data[length:]
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._reply)
            else:
                self._reply()

    def _reply(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._answer)


async def serve(latency: float, size: int) -> None:
    """Until the process is ended."""
    whole = answer(size)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(whole, latency), "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="upstream", description=__doc__.partition("\n")[0])
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--size", type=int, default=1024)
    asked = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        import uvloop
    except ImportError:
        run = asyncio.run
    else:
        run = uvloop.run
    run(serve(asked.latency, asked.size))


if __name__ == "__main__":
    main()
