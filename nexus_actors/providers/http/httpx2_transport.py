"""A `Transport` on httpx2: for proxies and for servers that the native one cannot talk to. In tests
it is the native one's oracle.

It uses httpx2's transport instead of its client, which adds what a call with a key must not do.
"""

import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cache
from math import inf

import httpx2
import trio

from nexus_actors.providers.http.exchange import (
    KEEP_ALIVE,
    Body,
    Broken,
    HttpAnswer,
    Incoming,
    request_headers,
)
from nexus_actors.providers.http.trust import trusting_context
from nexus_actors.providers.http.unconnected import why_unconnected

# Its debug lines quote response headers, in which a server may echo the key.
logging.getLogger("httpcore2").setLevel(logging.INFO)


class _Sending(httpx2.AsyncByteStream):
    """The body. The transport iterates over it only after it has connected and sent the headers."""

    def __init__(self, body: Body) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._body.sent = True
        yield self._body.content


class Httpx2Transport:
    """A `Transport`. `proxy`: the URL of an HTTP proxy that all calls go through."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        answer_limit: int,
        connect_timeout: float,
        proxy: str | None = None,
    ) -> None:
        self._base_url = base_url
        url = httpx2.URL(base_url)
        host = f"[{url.host}]" if ":" in url.host else url.host
        self._place = f"{host}:{url.port or (443 if url.scheme == 'https' else 80)}"
        self._headers = request_headers(url.netloc.decode("ascii"), headers)
        self._answer_limit = answer_limit
        # Only connecting has its own timeout. The deadline of the call is applied by `post`.
        self._extensions = {"timeout": {"connect": connect_timeout}}
        self._transport = httpx2.AsyncHTTPTransport(
            verify=trusting_context() if url.scheme == "https" else _untrusting_context(),
            limits=httpx2.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE
            ),
            proxy=proxy,
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
        timeout: float = inf,
        idle_timeout: float = inf,
    ) -> HttpAnswer | Broken:
        """As `Transport.post`."""
        accept = "application/json" if take is None else "text/event-stream"
        headers = {"Content-Length": str(len(body.content)), "Accept": accept}
        request = httpx2.Request(
            "POST",
            self._base_url + path,
            headers=self._headers | headers,
            stream=_Sending(body),
            extensions=self._extensions,
        )
        with trio.move_on_after(max(timeout, 0.0)):
            return await self._send(request, body, take, idle_timeout)
        return Broken("late", body.sent)

    async def get(self, path: str, *, timeout: float) -> HttpAnswer | Broken:
        """As `Transport.get`."""
        headers = {name: it for name, it in self._headers.items() if name != "Content-Type"}
        request = httpx2.Request(
            "GET",
            self._base_url + path,
            headers=headers | {"Accept": "application/json"},
            extensions=self._extensions,
        )
        with trio.move_on_after(timeout):
            return await self._send(request, Body(b""), None, inf)
        return Broken("late", sent=False)

    async def _send(
        self,
        request: httpx2.Request,
        body: Body,
        take: Callable[[bytes], None] | None,
        idle_timeout: float,
    ) -> HttpAnswer | Broken:
        response: httpx2.Response | None = None
        try:
            with trio.move_on_after(idle_timeout):
                response = await self._transport.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            why = f"{self._place}: {why_unconnected(error)}"
            return Broken("unconnected", sent=False, why=why)
        except httpx2.NetworkError:
            return Broken("lost", body.sent)
        except httpx2.RemoteProtocolError as error:
            return Broken("malformed" if _is_of_parser(error) else "lost", body.sent)
        if response is None:
            return Broken("stalled", body.sent)
        return await self._read(response, take, idle_timeout)

    async def _read(
        self,
        response: httpx2.Response,
        take: Callable[[bytes], None] | None,
        idle_timeout: float,
    ) -> HttpAnswer | Broken:
        """Read the whole response. However that ends, the connection is released: for the next call
        if the body is complete, else by closing it."""
        incoming = Incoming(response.status_code, response.headers, take, self._answer_limit)
        broken: Broken | None = None
        # Leaving an asynchronous generator early would leave its inner generators to the garbage
        # collector. If they are cancelled instead, they unwind now and close the connection.
        with trio.move_on_after(idle_timeout) as enough:
            try:
                # Raw: a decoding error would leave the generators in the same way.
                async for piece in response.aiter_raw():
                    enough.deadline = trio.current_time() + idle_timeout
                    incoming.add(piece)
                    if incoming.is_too_much:
                        enough.cancel()
            except httpx2.NetworkError:
                broken = Broken("lost", True, response.headers)
            except httpx2.RemoteProtocolError:
                broken = Broken("malformed", True, response.headers)
        if enough.cancelled_caught and not incoming.is_too_much:
            broken = Broken("stalled", True, response.headers)
        return incoming.end(broken)


def _is_of_parser(error: httpx2.RemoteProtocolError) -> bool:
    """Whether the response was not HTTP. Otherwise there was no response."""
    inner = error.__cause__
    return inner is not None and inner.__context__ is not None


@cache
def _untrusting_context() -> ssl.SSLContext:
    """A context that trusts no certificate. httpx2 requires one even for plain HTTP."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
