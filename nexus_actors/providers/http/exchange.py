"""The port for HTTP transports: one request, and a response or what went wrong.

A `Transport` makes the requests of one worker below one URL. It does none of what HTTP client
libraries add (redirects, cookies, netrc, proxies from the environment, a log line per request),
since a call that carries a key must not do that. Failures of the connection are returned as
`Broken`; anything else is unexpected and raised.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal, Protocol

from nexus_actors import __version__
from nexus_actors.providers.http.event_stream import BLANK, BOM, begins_stream

ANSWER_LIMIT = 16 * 1024 * 1024
"""The most bytes of a decoded answer. More is a fault of the server."""
ERROR_LIMIT = 64 * 1024
"""Bytes that are read of an unsuccessful response. A status and a sentence suffice."""
CONNECT_TIMEOUT = 10.0
"""Seconds for connecting, and again for the TLS handshake, so that a dead host is noticed early."""
PACKED = ("gzip", "x-gzip", "deflate")
"""Content encodings that are decompressed, at the end of the response."""
KEEP_ALIVE = 30.0
"""Seconds for which an idle connection is kept: less than public providers' front ends allow."""
USER_AGENT: Final = f"nexus-actors/{__version__}"
"""Identifies the client to a server's operator. The setting `headers` may override it."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    """Decoded. Of an unsuccessful response, what arrived of the first `ERROR_LIMIT` bytes."""


@dataclass(frozen=True, slots=True)
class Broken:
    """An exchange without a complete response."""

    how: Literal["unconnected", "lost", "malformed", "too_large", "stalled", "late"]
    """No connection; connection lost; response truncated or not HTTP; larger than the limit;
    nothing arrived for the idle timeout; the timeout was over."""
    sent: bool
    """Whether any of the request's body was sent, so that the work may have been done."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the response, if it had begun."""
    why: str = field(default="", compare=False)
    """For people. `unconnected`: host, port and cause. `malformed`: what is wrong, if known."""
    is_tls: bool = field(default=False, compare=False)
    """Whether the TLS handshake failed, so that another transport may be able to connect."""


@dataclass(slots=True)
class Body:
    """A request's body, and whether sending it has begun."""

    content: bytes
    sent: bool = False


class Transport(Protocol):
    """Makes requests below one URL over one kept-alive connection, one at a time. Calls are POSTs;
    GET is for free calls."""

    async def post(
        self,
        path: str,
        body: Body,
        *,
        take: Callable[[bytes], None] | None = None,
        timeout: float = inf,
        idle_timeout: float = inf,
    ) -> HttpAnswer | Broken:
        """Send `body` and read the complete response. If cancelled, it closes the connection.

        `take` is called with the pieces of a successful body as they arrive; the response's `body`
        is then empty. `timeout`: seconds for the whole exchange. `idle_timeout`: seconds allowed
        before the first byte and between two pieces.
        """
        ...

    async def get(self, path: str, *, timeout: float) -> HttpAnswer | Broken:
        """Send a GET and read the complete response within `timeout` seconds. If cancelled, it
        closes the connection."""
        ...

    async def aclose(self) -> None:
        """Close the connection, if there is one, also while cancelled."""
        ...


def request_headers(host: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of every call to `host`, except Content-Length and Accept."""
    usual = {
        "Host": host,
        "Content-Type": "application/json",
        # Answers are small, so compression gains nothing and only adds risk (bombs).
        "Accept-Encoding": "identity",
    }
    named = {name.lower() for name in headers}
    agent = {} if "user-agent" in named else {"User-Agent": USER_AGENT}
    return {**usual, **headers, **agent}


class Incoming:
    """One response while it arrives: limited in size, and passed on or collected."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        take: Callable[[bytes], None] | None,
        answer_limit: int,
    ) -> None:
        self.headers = headers
        self.is_too_much = False
        """True once the limit is exceeded: the rest need not be awaited."""
        self._status = status
        self._is_success = 200 <= status < 300
        self._take = take if self._is_success else None
        self._limit = answer_limit if self._is_success else ERROR_LIMIT
        self._length = 0
        self._encoding = headers.get("content-encoding")
        self._content_type = headers.get("content-type", "")
        is_packed = self._encoding in PACKED
        self._came = _Arriving(None if is_packed else self._take, self._content_type)

    def add(self, piece: bytes) -> None:
        """Add the next bytes of the body, as they were sent."""
        self._length += len(piece)
        if self._length > self._limit:
            self.is_too_much = True
            within = self._limit + len(piece) - self._length
            self._came.add(piece[: max(within, 0)], is_last=True)
        else:
            self._came.add(piece)

    def end(self, broken: Broken | None = None) -> HttpAnswer | Broken:
        """Nothing more comes. `broken`: why, if the response is not complete."""
        self._came.end()
        body = decoded(bytes(self._came.content), self._encoding, self._limit)
        if not self._is_success:
            broken = None  # the status alone suffices
        elif self.is_too_much or len(body) > self._limit:
            broken = Broken("too_large", sent=True)
        elif self._encoding in PACKED:
            unpacked = _Arriving(self._take, self._content_type)
            unpacked.add(body)
            unpacked.end()
            body = bytes(unpacked.content)
        return broken or HttpAnswer(self._status, self.headers, body[: self._limit])


class _Arriving:
    """A body while it arrives: passed on piece by piece if it is an event stream, else collected.

    The first bytes decide which it is, since content types are often wrong: servers that cannot
    stream send a whole answer, and some call a stream JSON. The type counts only if the bytes do
    not decide.
    """

    def __init__(self, take: Callable[[bytes], None] | None, content_type: str) -> None:
        self.content = bytearray()
        """What was not passed on."""
        self._take = take
        self._is_stream = False if take is None else None
        self._otherwise = "json" not in content_type.lower()
        self._head = b""

    def add(self, piece: bytes, *, is_last: bool = False) -> None:
        """Add a piece. `is_last`: it exceeds the limit, so it is not passed on."""
        if self._is_stream is None:
            self._is_stream = self._look_at(piece)
        if not self._is_stream:
            self.content += piece
        elif not is_last:
            self._hand_on(piece)

    def end(self) -> None:
        """The body is complete."""
        if self._is_stream is None and self._otherwise:
            self._hand_on(b"")

    def _look_at(self, piece: bytes) -> bool | None:
        self._head = (self._head + piece[:64]).lstrip(BLANK).removeprefix(BOM).lstrip(BLANK)
        if not self._head or BOM.startswith(self._head):
            return None
        if self._head[:1] in (b"{", b"["):
            return False
        found = begins_stream(self._head)
        return self._otherwise if found is False else found

    def _hand_on(self, piece: bytes) -> None:
        if self._take is not None:
            self._take(bytes(self.content) + piece)
        self.content.clear()


def decoded(content: bytes, encoding: str | None, limit: int) -> bytes:
    """Decompress `content`, to at most one byte more than `limit`.

    The request asks for no compression, but some front ends compress anyway. Content that cannot be
    decompressed is returned unchanged, and will be found not to be an answer.
    """
    if encoding not in PACKED:
        return content
    try:
        return zlib.decompressobj(wbits=47).decompress(content, limit + 1)  # 47: by its header
    except zlib.error:
        return content
