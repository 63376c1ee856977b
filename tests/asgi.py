"""Requests to an ASGI application without a server: one call each."""

import html
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import trio

LOCAL: Final = "127.0.0.1"


@dataclass(slots=True)
class Answer:
    """To one request."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def words(self) -> str:
        """The text of a page, on one line."""
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.text)))

    @property
    def cookie(self) -> str:
        """What a browser would send back."""
        return self.headers["set-cookie"].partition(";")[0]


async def ask(
    app: Callable[..., Awaitable[None]],
    path: str,
    *,
    headers: Mapping[str, str],
    form: Mapping[str, object] | None = None,
    body: bytes | None = None,
    peer: str | None = LOCAL,
    receive: Callable[[], Awaitable[Any]] | None = None,
) -> Answer:
    """GET; or POST of a form or body. `receive`: by which that comes instead."""
    headers = dict(headers)
    if form is not None:
        body = urlencode(form).encode()
        headers["content-type"] = "application/x-www-form-urlencoded"
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET" if body is None else "POST",
        "scheme": "http",
        "path": path,
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": None if peer is None else (peer, 4711),
        "server": None,
        "state": {},
    }
    answer = Answer()
    parts = [{"type": "http.request", "body": body or b"", "more_body": False}]

    async def receive_body() -> Any:
        if not parts:
            await trio.sleep_forever()
        return parts.pop()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {it.decode(): value.decode() for it, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    await app(scope, receive or receive_body, send)
    return answer
