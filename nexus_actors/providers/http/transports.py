"""Chooses the transport of a provider's calls: our own, or httpx2's."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from math import inf
from typing import Literal
from urllib.parse import urlsplit

import structlog
import trio

from nexus_actors.providers.http.exchange import (
    ANSWER_LIMIT,
    CONNECT_TIMEOUT,
    Body,
    Broken,
    HttpAnswer,
    Transport,
)
from nexus_actors.providers.http.trust import trusting_context

Choice = Literal["auto", "native", "httpx2"]
log = structlog.get_logger("nexus.http")


@asynccontextmanager
async def http_session(
    base_url: str,
    headers: Mapping[str, str],
    *,
    answer_limit: int = ANSWER_LIMIT,
    connect_timeout: float = CONNECT_TIMEOUT,
    transport: Choice = "auto",
    proxy: str | None = None,
) -> AsyncIterator[Transport]:
    """Open a `Transport` for calls below `base_url`.

    `auto` uses our own. It uses httpx2's if a proxy is configured, or if the environment names one
    (which is itself ignored: calls carry keys, and the environment is not the config). If a TLS
    handshake fails with our own, httpx2's is tried, and kept if it connects.
    """
    if urlsplit(base_url).scheme == "https" and not trusting_context.cache_info().currsize:
        await trio.to_thread.run_sync(trusting_context)  # takes 150 ms, which would block the loop

    def by_httpx2() -> Transport:
        from nexus_actors.providers.http.httpx2_transport import Httpx2Transport

        return Httpx2Transport(base_url, headers, answer_limit, connect_timeout, proxy)

    session: Transport
    if transport == "httpx2" or (transport == "auto" and (proxy or _is_proxied(base_url))):
        session = by_httpx2()
    else:
        from nexus_actors.providers.http.native.transport import NativeTransport

        native = NativeTransport(base_url, headers, answer_limit, connect_timeout)
        session = native if transport == "native" else FallingBack(native, by_httpx2, base_url)
    try:
        yield session
    finally:
        await session.aclose()


class FallingBack:
    """A `Transport`: our own, until it fails in TLS and httpx2's connects."""

    def __init__(self, native: Transport, other: Callable[[], Transport], base_url: str) -> None:
        self._transport = native
        self._other: Callable[[], Transport] | None = other
        self._base_url = base_url

    async def aclose(self) -> None:
        """Close the connection, if there is one."""
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

        async def call(transport: Transport, left: float) -> HttpAnswer | Broken:
            return await transport.post(
                path, body, take=take, timeout=left, idle_timeout=idle_timeout
            )

        return await self._call(call, timeout)

    async def get(self, path: str, *, timeout: float) -> HttpAnswer | Broken:
        """As `Transport.get`."""

        async def call(transport: Transport, left: float) -> HttpAnswer | Broken:
            return await transport.get(path, timeout=left)

        return await self._call(call, timeout)

    async def _call(
        self,
        call: Callable[[Transport, float], Awaitable[HttpAnswer | Broken]],
        timeout: float,
    ) -> HttpAnswer | Broken:
        end = trio.current_time() + timeout
        outcome = await call(self._transport, timeout)
        if self._other is None or not (isinstance(outcome, Broken) and outcome.is_tls):
            return outcome
        other = self._other()
        try:
            second = await call(other, end - trio.current_time())
        except BaseException:
            await other.aclose()
            raise
        if isinstance(second, Broken) and not second.sent:
            await other.aclose()
        else:
            self._transport, self._other = other, None
            _tell(self._base_url, outcome.why)
        return second


@cache
def _tell(base_url: str, why: str) -> None:
    """Log it once per server, since every worker finds it out for itself."""
    log.warning("calls go by httpx2, which gets on with this server", url=base_url, why=why)


def _is_proxied(url: str) -> bool:
    """Whether the environment names a proxy for the URL (HTTP_PROXY, …, but not NO_PROXY)."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return False
    from urllib.request import getproxies_environment, proxy_bypass

    proxies = getproxies_environment()
    parts = urlsplit(url)
    if not (proxies.get(parts.scheme) or proxies.get("all")):
        return False
    return not proxy_bypass(parts.netloc, proxies)
