"""Our own `Transport`: one kept-alive connection, one call at a time, one cancel scope per call."""

import re
from collections.abc import Callable, Mapping
from math import inf
from typing import Final
from urllib.parse import quote, urlsplit

import trio

from nexus_actors.providers.http.exchange import (
    Body,
    Broken,
    HttpAnswer,
    Incoming,
    request_headers,
)
from nexus_actors.providers.http.native.connection import Connection, Origin, Unconnected, connect
from nexus_actors.providers.http.trust import trusting_context

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_STAYS: Final = "!#$%&'()*+,-./:;=?@[\\]^_|~"
"""Characters that are not escaped in a target: those with a meaning there, and `%`."""
_MOST_HEADS: Final = 64
"""The most request heads that are cached: one per path, which may contain the model."""
_ONE_SEND: Final = 65_536
"""The largest body for which copying it behind the head is cheaper than a second send."""


class NativeTransport:
    """A `Transport` over HTTP/1.1. Raises ValueError for a URL or headers that cannot be sent."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        answer_limit: int,
        connect_timeout: float,
    ) -> None:
        url = urlsplit(base_url)
        is_tls = url.scheme == "https"
        host = url.hostname or ""
        usual = 443 if is_tls else 80
        port = url.port or usual
        named = f"[{host}]" if ":" in host else host
        self._place = f"{named}:{port}"
        self._base_path = url.path
        self._origin = Origin(host, port, trusting_context() if is_tls else None)
        self._headers = request_headers(named if port == usual else self._place, headers)
        for name, value in self._headers.items():
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError(f"the header {name!r} cannot be sent")
        self._answer_limit = answer_limit
        self._connect_timeout = connect_timeout
        self._heads: dict[tuple[str, bool], bytes] = {}
        self._idle: Connection | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._place}>"

    async def aclose(self) -> None:
        """Close the connection, if there is one."""
        idle, self._idle = self._idle, None
        if idle is not None:
            idle.close()

    async def post(
        self,
        path: str,
        body: Body,
        *,
        take: Callable[[bytes], None] | None = None,
        timeout: float = inf,
        idle_timeout: float = inf,
    ) -> HttpAnswer | Broken:
        """As `Transport.post`."""
        if timeout <= 0:
            return Broken("late", sent=False)
        head = b"%b%d\r\n\r\n" % (self._head(path, take is not None), len(body.content))
        return await self._made(_Call(head, body, timeout, idle_timeout), take)

    async def get(self, path: str, *, timeout: float) -> HttpAnswer | Broken:
        """As `Transport.get`."""
        lines = self._lines("GET", path, "application/json", but="Content-Type")
        head = "\r\n".join((*lines, "", "")).encode("ascii")
        return await self._made(_Call(head, Body(b""), timeout, inf), None)

    async def _made(
        self, call: "_Call", take: Callable[[bytes], None] | None
    ) -> HttpAnswer | Broken:
        await trio.lowlevel.checkpoint_if_cancelled()
        with call.scope:
            while (outcome := await self._once(call, take)) is None:
                pass
            return outcome
        return call.too_late()

    async def _once(
        self, call: "_Call", take: Callable[[bytes], None] | None
    ) -> HttpAnswer | Broken | None:
        """Make the call once. None if a reused connection was closed before the request was sent
        completely: then it is made once more, on a new one."""
        connection = self._reusable() or await connect(self._origin, self._connect_timeout)
        if isinstance(connection, Unconnected):
            why = f"{self._place}: {connection.why}"
            return Broken("unconnected", sent=False, why=why, is_tls=connection.is_tls)
        try:
            is_sent = await call.send(connection)
            outcome = await call.receive(connection, take, self._answer_limit, is_sent=is_sent)
        except BaseException:
            connection.close()
            raise
        if is_sent and connection.parser.is_complete and not connection.parser.is_last:
            connection.idle_since = trio.current_time()
            self._idle = connection
        else:
            connection.close()
        return outcome

    def _reusable(self) -> Connection | None:
        idle, self._idle = self._idle, None
        if idle is None:
            return None
        if idle.is_stale(trio.current_time()):
            idle.close()
            return None
        idle.is_reused = True
        idle.handed_over = 0
        idle.parser.expect()
        return idle

    def _head(self, path: str, is_stream: bool) -> bytes:
        """The request head up to the value of Content-Length, its last header."""
        head = self._heads.get((path, is_stream))
        if head is None:
            accept = "text/event-stream" if is_stream else "application/json"
            lines = self._lines("POST", path, accept)
            head = "\r\n".join((*lines, "Content-Length: ")).encode("ascii")
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[path, is_stream] = head
        return head

    def _lines(self, method: str, path: str, accept: str, *, but: str = "") -> list[str]:
        target = quote(_without_dots(self._base_path + path.partition("#")[0]), safe=_STAYS)
        if not target.startswith("/"):
            target = "/" + target
        headers = self._headers | {"Accept": accept}
        kept = (f"{name}: {value}" for name, value in headers.items() if name != but)
        return [f"{method} {target} HTTP/1.1", *kept]


class _Call:
    """One call and its progress, which decides what its end means."""

    def __init__(self, head: bytes, body: Body, timeout: float, idle_timeout: float) -> None:
        self._head = head
        self._body = body
        now = trio.current_time()
        self._end = now + timeout
        self._idle_timeout = idle_timeout
        self._incoming: Incoming | None = None
        self.scope = trio.CancelScope(deadline=min(self._end, now + idle_timeout))

    def too_late(self) -> HttpAnswer | Broken:
        """The outcome once the scope's deadline has passed."""
        if trio.current_time() >= self._end:
            return Broken("late", self._body.sent)
        if self._incoming is None:
            return Broken("stalled", self._body.sent)
        return self._incoming.end(Broken("stalled", True, self._incoming.headers))

    async def send(self, connection: Connection) -> bool:
        """Send the request. False if the connection broke before all of it was sent."""
        content = self._body.content
        try:
            if len(content) <= _ONE_SEND:
                return await connection.send(self._head + content)
            return await connection.send(self._head) and await connection.send(content)
        finally:
            self._body.sent = connection.handed_over > len(self._head)

    async def receive(
        self,
        connection: Connection,
        take: Callable[[bytes], None] | None,
        answer_limit: int,
        *,
        is_sent: bool,
    ) -> HttpAnswer | Broken | None:
        """Read the response, even if the request was not sent completely: a server may refuse a
        large one early."""
        parser = connection.parser
        incoming: Incoming | None = None
        while True:
            data = await connection.receive()
            if data:
                refusal = parser.feed(data)
            elif incoming is None:
                return self._unanswered(connection, is_sent=is_sent)
            elif data is None:
                return incoming.end(Broken("lost", True, incoming.headers))
            else:
                refusal = parser.finish()
            if incoming is None and parser.status:
                incoming = Incoming(parser.status, parser.headers, take, answer_limit)
                self._incoming = incoming
            if incoming is not None and parser.pieces:
                pieces = parser.pieces
                incoming.add(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            if refusal is not None:
                headers = {} if incoming is None else incoming.headers
                broken = Broken("malformed", self._body.sent, headers, refusal)
                return broken if incoming is None else incoming.end(broken)
            if incoming is not None and (parser.is_complete or incoming.is_too_much):
                return incoming.end()
            if self._idle_timeout != inf:
                self.scope.deadline = min(self._end, trio.current_time() + self._idle_timeout)

    def _unanswered(self, connection: Connection, *, is_sent: bool) -> Broken | None:
        # A server cannot process a request that was not sent completely. It may have processed one
        # that was, even if it closed an idle connection at that moment.
        if connection.is_reused and not is_sent and not connection.parser.has_begun:
            self._body.sent = False
            return None
        return Broken("lost", self._body.sent)


def _without_dots(path: str) -> str:
    """Resolve `.` and `..` in a path (RFC 3986, 5.2.4)."""
    if "/." not in path:
        return path
    path, mark, query = path.partition("?")
    kept: list[str] = []
    parts = path.split("/")
    for part in parts:
        if part == "..":
            if len(kept) > 1:
                kept.pop()
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept) + mark + query
