"""One exchange over HTTP: what every transport is given, and what comes of it.

A `Transport` posts below one URL for one worker. What a client library adds (redirects, cookies,
netrc, proxies from the environment, a log line a request) is what a call carrying a key must not
do. What can go wrong on the wire comes back as a `Broken`; anything else is unexpected and raised.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal, Protocol

from nexus_actors import __version__
from nexus_actors.providers.http.event_stream import BLANK, BOM, begins_stream

ANSWER_LIMIT = 16 * 1024 * 1024
"""Bytes of a decoded answer; more is a fault of the server's, not an answer."""
ERROR_LIMIT = 64 * 1024
"""Bytes read of an answer that is no success: its status says most, the rest is a sentence."""
CONNECT_TIMEOUT = 10.0
"""Seconds for each of connecting and the TLS handshake: a dead host is to be known as one early."""
PACKED = ("gzip", "x-gzip", "deflate")
"""Encodings that are unpacked, at the end of an answer."""
KEEP_ALIVE = 30.0
"""Seconds an idle connection is kept; less than public providers' front ends allow."""
USER_AGENT: Final = f"nexus-actors/{__version__}"
"""So that a server's operator can tell whose calls these are; `headers` may say otherwise."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """To be looked up in lower case."""
    body: bytes
    """Decoded. Of an answer that is no success, what arrived of the first `ERROR_LIMIT` bytes."""


@dataclass(frozen=True, slots=True)
class Broken:
    """An exchange without a whole answer."""

    how: Literal["unconnected", "lost", "malformed", "too_large", "stalled", "late"]
    """No connection; connection lost; answer cut short or not HTTP; more than the answer's limit;
    nothing arrived for the idle timeout; the time was over."""
    sent: bool
    """True if any of the request's body was sent, so the work may have been done."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the answer, where it had begun."""
    why: str = field(default="", compare=False)
    """For eyes, of one that is unconnected: the host, the port, and the cause; of one that is
    malformed: what is wrong with it, where that is known."""
    is_tls: bool = field(default=False, compare=False)
    """Unconnected, since the TLS handshake failed: another transport may get on with this peer."""


@dataclass(slots=True)
class Body:
    """A request's body that knows whether sending it has begun."""

    content: bytes
    sent: bool = False


class Transport(Protocol):
    """Posts below one URL over one kept-alive connection; one call at a time. It also gets, for who
    asks what costs nothing."""

    async def post(
        self,
        path: str,
        body: Body,
        *,
        take: Callable[[bytes], None] | None = None,
        timeout: float = inf,
        idle_timeout: float = inf,
    ) -> HttpAnswer | Broken:
        """Send `body`, read the whole answer. Cancelled at any point, it closes the connection.

        `take` is given the pieces of a successful body as they arrive; that answer's `body` is then
        empty. `timeout`: seconds for all of it. `idle_timeout`: seconds allowed until the first
        byte and between two pieces.
        """
        ...

    async def get(self, path: str, *, timeout: float) -> HttpAnswer | Broken:
        """Ask, and read the whole answer, within `timeout` seconds. Cancelled at any point, it
        closes the connection."""
        ...

    async def aclose(self) -> None:
        """Close the connection, if there is one, also while cancelled."""
        ...


def request_headers(host: str, headers: Mapping[str, str]) -> dict[str, str]:
    """What every call to `host` carries, besides its length and what it accepts."""
    usual = {
        "Host": host,
        "Content-Type": "application/json",
        # Answers are small: compressing them buys nothing and would only have to be watched.
        "Accept-Encoding": "identity",
    }
    named = {name.lower() for name in headers}
    agent = {} if "user-agent" in named else {"User-Agent": USER_AGENT}
    return {**usual, **headers, **agent}


class Incoming:
    """One answer as it comes, whatever brings it: within its limit, handed on or collected."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        take: Callable[[bytes], None] | None,
        answer_limit: int,
    ) -> None:
        self.headers = headers
        self.is_too_much = False
        """True once more came than is read: the rest need not be waited for."""
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
        """The next of the body's bytes, as they were sent."""
        self._length += len(piece)
        if self._length > self._limit:
            self.is_too_much = True
            within = self._limit + len(piece) - self._length
            self._came.add(piece[: max(within, 0)], is_last=True)
        else:
            self._came.add(piece)

    def end(self, broken: Broken | None = None) -> HttpAnswer | Broken:
        """Nothing more comes; `broken`: before the answer's end, and why."""
        self._came.end()
        body = decoded(bytes(self._came.content), self._encoding, self._limit)
        if not self._is_success:
            broken = None  # the status alone tells enough
        elif self.is_too_much or len(body) > self._limit:
            broken = Broken("too_large", sent=True)
        elif self._encoding in PACKED:
            unpacked = _Arriving(self._take, self._content_type)
            unpacked.add(body)
            unpacked.end()
            body = bytes(unpacked.content)
        return broken or HttpAnswer(self._status, self.headers, body[: self._limit])


class _Arriving:
    """A body as it comes: handed on piece by piece if it is an event stream, else collected.

    Its first bytes decide, since servers get the content type wrong: one that cannot stream answers
    whole, and one that streams calls it JSON. The type decides where they say nothing.
    """

    def __init__(self, take: Callable[[bytes], None] | None, content_type: str) -> None:
        self.content = bytearray()
        """What was not handed on."""
        self._take = take
        self._is_stream = False if take is None else None
        self._otherwise = "json" not in content_type.lower()
        self._head = b""

    def add(self, piece: bytes, *, is_last: bool = False) -> None:
        """`is_last`: the rest is too much, and no listener is to have half of it."""
        if self._is_stream is None:
            self._is_stream = self._look_at(piece)
        if not self._is_stream:
            self.content += piece
        elif not is_last:
            self._hand_on(piece)

    def end(self) -> None:
        """Nothing more comes."""
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
    """`content` unpacked, no further than just beyond `limit`.

    Nothing packed was asked for, but some front ends pack all the same. What cannot be unpacked
    stays as it is, and the reader finds that it is no answer.
    """
    if encoding not in PACKED:
        return content
    try:
        return zlib.decompressobj(wbits=47).decompress(content, limit + 1)  # 47: by its header
    except zlib.error:
        return content
