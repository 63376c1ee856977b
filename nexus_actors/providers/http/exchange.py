"""One HTTP connection of one worker: the seam behind which the transport can be exchanged.

On httpx2's transport rather than its client: what a client adds (redirects, cookies, netrc, proxies
from the environment, a log line a request) is what a call carrying a key must not do, and costs a
sixth of the calls a second. What can go wrong on the wire comes back as a `Broken`; anything else
is unexpected and raised.
"""

import logging
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from math import inf
from typing import Final, Literal

import httpx2
import trio

from nexus_actors import __version__
from nexus_actors.providers.http.event_stream import BLANK, BOM, begins_stream
from nexus_actors.providers.http.unconnected import why_unconnected

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

# Its debug lines quote the headers of answers, and a server may send back there what it was sent.
logging.getLogger("httpcore2").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    body: bytes
    """Decoded. Of an answer that is no success, what arrived of the first `ERROR_LIMIT` bytes."""


@dataclass(frozen=True, slots=True)
class Broken:
    """An exchange without a whole answer."""

    how: Literal["unconnected", "lost", "malformed", "too_large", "stalled"]
    """No connection; connection lost; body cut short or not HTTP; more than the answer's limit;
    nothing arrived for the idle timeout."""
    sent: bool
    """True if any of the request's body was sent, so the work may have been done."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the answer, where it had begun."""
    why: str = field(default="", compare=False)
    """For eyes, of one that is unconnected: the host, the port, and the cause."""


class Body(httpx2.AsyncByteStream):
    """A request's body that knows whether sending it has begun."""

    def __init__(self, content: bytes) -> None:
        self.sent = False
        self.content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # The transport asks for the body only when it is connected and the headers are written.
        self.sent = True
        yield self.content


USER_AGENT: Final = f"nexus-actors/{__version__}"
"""So that a server's operator can tell whose calls these are; `headers` may say otherwise."""


class HttpSession:
    """Posts below one URL over one kept-alive connection; one call at a time."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        answer_limit: int,
        connect_timeout: float,
    ) -> None:
        self._base_url = base_url
        self._url = httpx2.URL(base_url)
        host = f"[{self._url.host}]" if ":" in self._url.host else self._url.host
        self._place = f"{host}:{self._url.port or (443 if self._url.scheme == 'https' else 80)}"
        self._headers = {
            "Host": self._url.netloc.decode("ascii"),
            "Content-Type": "application/json",
            # Answers are small: compressing them buys nothing and would only have to be watched.
            "Accept-Encoding": "identity",
            **headers,
        }
        if "user-agent" not in {name.lower() for name in headers}:
            self._headers["User-Agent"] = USER_AGENT
        self._answer_limit = answer_limit
        # Only connecting has a time limit of its own: the deadline of the call is the caller's.
        self._extensions = {"timeout": {"connect": connect_timeout}}
        self._transport = httpx2.AsyncHTTPTransport(
            verify=trusting_context() if self._url.scheme == "https" else _untrusting_context(),
            limits=httpx2.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE
            ),
        )

    async def aclose(self) -> None:
        """Close the connection, if there is one; the transport does so even while cancelled."""
        await self._transport.aclose()

    async def post(
        self,
        path: str,
        body: Body,
        *,
        take: Callable[[bytes], None] | None = None,
        idle_timeout: float = inf,
    ) -> HttpAnswer | Broken:
        """Send `body`, read the whole answer. Cancelled at any point, it closes the connection.

        `take` is given the pieces of a successful body as they arrive; that answer's `body` is then
        empty. `idle_timeout`: seconds allowed until the first byte and between two pieces.
        """
        accept = "application/json" if take is None else "text/event-stream"
        headers = {"Content-Length": str(len(body.content)), "Accept": accept}
        request = httpx2.Request(
            "POST",
            self._base_url + path,
            headers=self._headers | headers,
            stream=body,
            extensions=self._extensions,
        )
        response: httpx2.Response | None = None
        try:
            with trio.move_on_after(idle_timeout):
                response = await self._transport.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            why = f"{self._place}: {why_unconnected(error)}"
            return Broken("unconnected", sent=False, why=why)
        except (httpx2.NetworkError, httpx2.RemoteProtocolError):
            return Broken("lost", body.sent)
        if response is None:
            return Broken("stalled", body.sent)
        return await self._read(response, take if response.is_success else None, idle_timeout)

    async def _read(
        self,
        response: httpx2.Response,
        take: Callable[[bytes], None] | None,
        idle_timeout: float,
    ) -> HttpAnswer | Broken:
        """Read all of `response`. However that ends, reading has released the connection: to the
        next call if the body came to its end, else by closing it."""
        limit = self._answer_limit if response.is_success else ERROR_LIMIT
        encoding = response.headers.get("content-encoding")
        content_type = response.headers.get("content-type", "")
        came = _Arriving(None if encoding in PACKED else take, content_type)
        length = 0
        broken: Broken | None = None
        # Leaving an asynchronous generator early would leave its inner ones to the garbage
        # collector; cancelled, they unwind here and now, and the connection is closed.
        with trio.move_on_after(idle_timeout) as enough:
            try:
                # Not decoded on the way: an error of the decoder's would leave them just so.
                async for piece in response.aiter_raw():
                    enough.deadline = trio.current_time() + idle_timeout
                    length += len(piece)
                    if length > limit:
                        came.add(piece[: limit + len(piece) - length], is_last=True)
                        enough.cancel()
                    else:
                        came.add(piece)
            except httpx2.NetworkError:
                broken = Broken("lost", True, response.headers)
            except httpx2.RemoteProtocolError:
                broken = Broken("malformed", True, response.headers)
        if enough.cancelled_caught and length <= limit:
            broken = Broken("stalled", True, response.headers)
        came.end()
        body = decoded(bytes(came.content), encoding, limit)
        if not response.is_success:
            broken = None  # the status alone tells enough
        elif length > limit or len(body) > limit:
            broken = Broken("too_large", sent=True)
        elif encoding in PACKED:
            unpacked = _Arriving(take, content_type)
            unpacked.add(body)
            unpacked.end()
            body = bytes(unpacked.content)
        return broken or HttpAnswer(response.status_code, response.headers, body[:limit])


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


@asynccontextmanager
async def http_session(
    base_url: str,
    headers: Mapping[str, str],
    *,
    answer_limit: int = ANSWER_LIMIT,
    connect_timeout: float = CONNECT_TIMEOUT,
) -> AsyncIterator[HttpSession]:
    """An `HttpSession`, closed at the end."""
    if httpx2.URL(base_url).scheme == "https" and not trusting_context.cache_info().currsize:
        await trio.to_thread.run_sync(trusting_context)  # 150 ms that would hold up all others
    session = HttpSession(base_url, headers, answer_limit, connect_timeout)
    try:
        yield session
    finally:
        await session.aclose()


@cache
def trusting_context() -> ssl.SSLContext:
    """The one context of the process: to make one is to read every root certificate there is."""
    return httpx2.create_ssl_context(trust_env=False)


@cache
def _untrusting_context() -> ssl.SSLContext:
    """For plain HTTP, where a context is asked for and never used. It trusts no certificate."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
