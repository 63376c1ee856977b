"""A scripted HTTP/1.1 server on 127.0.0.1, for tests of what speaks HTTP.

It answers as a chat completions server does until it is told otherwise, records every request, and
can misbehave in each way a real server does: errors with headers, silence, a slow drip, a reset, a
truncated or malformed body.

    async with scripted_server({"bad-model": Reply(status=503)}) as server:
        ...  # POST to f"{server.url}/v1/chat/completions"
        assert server.requests[0].json["model"] == "bad-model"

A script maps a key to what to answer. The keys are tried in this order: the `model` of the JSON
body, the path of the request, `*`. The value is one `Reply`, a list of them (one per request, the
last one for all further), or a function from the recorded request to a `Reply`.

As a program it prints its URL as the only line on standard output and serves until it is ended:

    python -m tests.http_server --port 0

There the model's name chooses the answer (`PROGRAM_SCRIPT`): `status-503`, `hang`, `reset`, … .
"""

import argparse
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import h11
import trio

Break = Literal["hang", "reset", "truncate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to answer one request with."""

    body: Any = None
    """Bytes as they are, text as UTF-8, else as JSON; None for the usual chat completion."""
    times: int = 1
    """How often the body is sent, as one: more than fits into memory, if need be."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """Added to content-type and content-length; a name given here replaces the usual one."""
    delay: float = 0.0
    """Seconds before the answer begins."""
    after: trio.Event | None = None
    """What must have happened before it begins."""
    drip: float | None = None
    """Seconds between single bytes of the body."""
    breaks: Break | None = None
    """`hang`: say nothing more; `reset`: TCP reset; `truncate`: close in the body's middle."""
    after_headers: bool = False
    """Whether `breaks` comes after half of the answer's body rather than in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    """Which connection it came on, counted from 0."""

    @property
    def json(self) -> Any:
        """The body, decoded; None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


Answers = Reply | Sequence[Reply] | Callable[[Recorded], Reply]
Script = Mapping[str, Answers]


class ScriptedServer:
    """A running server. `requests` grows as they arrive; counts of connections are live."""

    def __init__(self, script: Script | None = None) -> None:
        self.script: dict[str, Answers] = dict(script or {})
        self.requests: list[Recorded] = []
        self.url = ""
        """`http://127.0.0.1:PORT`, without a path."""
        self.opened = 0
        """Connections ever accepted."""
        self.open = 0
        """Connections open now."""
        self.sent = 0
        """Bytes of bodies that were taken off our hands."""
        self._served: dict[str, int] = {}
        self._changed = trio.Condition()

    async def until(self, condition: Callable[["ScriptedServer"], bool]) -> None:
        """Wait for something to be true of the server, such as `lambda s: s.open == 0`."""
        async with self._changed:
            while not condition(self):
                await self._changed.wait()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection until either side closes it."""
        number = self.opened
        self.opened += 1
        self.open += 1
        await self._notify()
        try:
            async with stream:
                await self._serve(_Connection(stream, self._count), number)
        except (trio.BrokenResourceError, h11.ProtocolError):
            pass  # the peer is gone, or speaks something else: as a real server, forget it
        finally:
            self.open -= 1
            with trio.CancelScope(shield=True):
                await self._notify()

    async def _serve(self, connection: "_Connection", number: int) -> None:
        while (request := await connection.request(number)) is not None:
            self.requests.append(request)
            await self._notify()
            if not await connection.answer(self._reply(request)):
                return

    def _count(self, length: int) -> None:
        self.sent += length

    def _reply(self, request: Recorded) -> Reply:
        body = request.json
        model = body.get("model") if isinstance(body, dict) else None
        for key in (model, request.path, "*"):
            if key in self.script:
                return self._scripted(key, request)
        return Reply()

    def _scripted(self, key: str, request: Recorded) -> Reply:
        answers = self.script[key]
        if isinstance(answers, Reply):
            return answers
        if not isinstance(answers, Sequence):
            return answers(request)
        served = self._served.get(key, 0)
        self._served[key] = served + 1
        return answers[min(served, len(answers) - 1)]


class _Connection:
    """HTTP/1.1 on one stream, from the server's side."""

    def __init__(self, stream: trio.SocketStream, sent: Callable[[int], None]) -> None:
        self._stream = stream
        self._sent = sent
        self._http = h11.Connection(h11.SERVER)

    async def request(self, number: int) -> Recorded | None:
        """The next request; None if the peer closed."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = await self._event()
            if isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                break
            else:
                return None
        return Recorded(
            method=head.method.decode(),
            path=head.target.decode(),
            headers={name.decode(): value.decode("latin-1") for name, value in head.headers},
            body=bytes(body),
            connection=number,
        )

    async def _event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._stream.receive_some(65536))
        return event

    async def answer(self, reply: Reply) -> bool:
        """Send `reply`; False where the connection has ended with it."""
        await trio.sleep(reply.delay)
        if reply.after is not None:
            await reply.after.wait()
        if reply.breaks and not reply.after_headers:
            return await self._break(reply.breaks)
        body = _encoded(reply)
        usual = {"content-type": "application/json", "content-length": str(len(body) * reply.times)}
        headers = usual | {name.lower(): value for name, value in reply.headers.items()}
        await self._send(h11.Response(status_code=reply.status, headers=list(headers.items())))
        if reply.breaks:
            await self._send(h11.Data(data=body[: len(body) // 2]))
            return await self._break(reply.breaks)
        if reply.drip is None:
            for _ in range(reply.times):
                await self._send(h11.Data(data=body))
                self._sent(len(body))
        else:
            for byte in body:
                await self._send(h11.Data(data=bytes([byte])))
                await trio.sleep(reply.drip)
        await self._send(h11.EndOfMessage())
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            await self._stream.send_all(data)

    async def _break(self, how: Break) -> bool:
        if how == "hang":
            while await self._stream.receive_some(65536):
                pass  # until the peer gives up
        elif how == "reset":
            # Closing with a linger of zero sends RST instead of FIN (socket(7)).
            linger = struct.pack("ii", 1, 0)
            self._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False


def _encoded(reply: Reply) -> bytes:
    if isinstance(reply.body, bytes):
        return reply.body
    if isinstance(reply.body, str):
        return reply.body.encode()
    return json.dumps(completion() if reply.body is None else reply.body).encode()


def completion(text: str | None = "Hello.", **changes: Any) -> dict[str, Any]:
    """A chat completion as OpenAI's API reference shows it; `changes` replace top-level keys."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
    } | changes


@asynccontextmanager
async def scripted_server(
    script: Script | None = None, *, port: int = 0
) -> AsyncIterator[ScriptedServer]:
    """Serve on 127.0.0.1 (a free port unless `port` is given) as long as the context lasts."""
    server = ScriptedServer(script)
    [listener] = await trio.open_tcp_listeners(port, host="127.0.0.1")
    server.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, server.serve, [listener])
        yield server
        nursery.cancel_scope.cancel()


def _error(status: int, code: str) -> Reply:
    return Reply(status=status, body={"error": {"message": code, "type": code, "code": code}})


def _last_text(request: Recorded) -> Reply:
    """Answer as `echo` does, so that a test can tell the answers of its requests apart."""
    body = request.json
    messages = body.get("messages") if isinstance(body, dict) else None
    content = messages[-1].get("content") if messages else None
    text = f"echo: {content if isinstance(content, str) else json.dumps(content)}"
    return Reply(body=completion(text, model=body.get("model") if isinstance(body, dict) else ""))


PROGRAM_SCRIPT: dict[str, Answers] = {
    "*": _last_text,
    "status-400": _error(400, "invalid_request_error"),
    "status-401": _error(401, "invalid_api_key"),
    "status-404": _error(404, "model_not_found"),
    "status-429": _error(429, "rate_limit_exceeded"),
    "status-500": _error(500, "server_error"),
    "status-503": _error(503, "overloaded"),
    "quota": _error(429, "insufficient_quota"),
    "hang": Reply(breaks="hang"),
    "reset": Reply(breaks="reset"),
    "truncate": Reply(breaks="truncate", after_headers=True),
    "drip": Reply(drip=0.05),
    "slow": Reply(delay=2.0),
    "not-json": Reply(body="<html>busy</html>", headers={"content-type": "text/html"}),
    "error-in-200": Reply(body={"error": {"message": "overloaded", "code": 503}}),
}


async def _main(port: int) -> None:
    async with scripted_server(PROGRAM_SCRIPT, port=port) as server:
        print(server.url, flush=True)  # noqa: T201
        await trio.sleep_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A scripted chat completions server.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    with suppress(KeyboardInterrupt):
        trio.run(_main, parser.parse_args().port)
