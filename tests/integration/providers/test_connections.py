"""Connections: kept, closed, never leaked, never used for what they are not for."""

import gzip
import zlib

import pytest
import trio

from nexus_actors.contract.result import Answer
from nexus_actors.providers.http.exchange import Body, Broken, HttpAnswer, decoded
from nexus_actors.providers.http.transports import http_session
from nexus_actors.providers.http.trust import trusting_context
from nexus_actors.providers.openai_compatible import PROVIDER
from nexus_actors.providers.port import ProviderFailure
from tests.http_server import (
    Reply,
    scripted_server,
)
from tests.integration.providers.helpers import (
    LONG,
    REQUEST,
    SHORT,
    ask,
    connected,
)

pytestmark = pytest.mark.usefixtures("_each_transport")


async def test_a_host_that_never_shakes_hands_is_given_up_early() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")  # connects, but never answers
    async with listener:
        port = listener.socket.getsockname()[1]
        async with http_session(f"https://127.0.0.1:{port}/", {}, connect_timeout=SHORT) as session:
            body = Body(b"{}")
            with trio.fail_after(LONG):
                assert await session.post("", body) == Broken("unconnected", sent=False)
    assert not body.sent


async def test_the_limit_is_exact_and_the_rest_is_not_waited_for() -> None:
    packed = {"content-encoding": "gzip"}
    replies = {
        "/fits": Reply(body=b"x" * 1000),
        "/more": Reply(body=b"x" * 1001),
        "/packed": Reply(body=gzip.compress(bytes(1000)), headers=packed),
        "/packed-more": Reply(body=gzip.compress(bytes(1001)), headers=packed),
        "/endless": Reply(body=b"x" * 2002, breaks="hang", after_headers=True),
    }
    async with scripted_server(replies) as server:
        for path, fits in zip(replies, (True, False, True, False, False), strict=True):
            async with http_session(server.url + path, {}, answer_limit=1000) as session:
                with trio.fail_after(LONG):
                    answer = await session.post("", Body(b"{}"))
                    if fits:
                        assert isinstance(answer, HttpAnswer)
                        assert len(answer.body) == 1000
                    else:
                        assert answer == Broken("too_large", sent=True)
                    if path == "/endless":
                        await server.until(lambda s: s.open == 0)
                    assert type(await session.post("", Body(b"{}"))) is type(answer)
            await server.until(lambda s: s.open == 0)


def test_unpacking_stops_at_the_limit() -> None:
    assert len(decoded(gzip.compress(bytes(10_000_000)), "gzip", 1000)) == 1001
    assert decoded(zlib.compress(b"abc"), "deflate", 1000) == b"abc"
    assert decoded(b"abc", "gzip", 1000) == b"abc"
    assert decoded(b"abc", "br", 1000) == b"abc"


async def test_proxies_and_netrc_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with scripted_server() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert isinstance(await ask(Reply()), Answer)
        assert proxy.opened == 0


async def test_cookies_are_not_kept() -> None:
    async with connected({"*": Reply(headers={"set-cookie": "a=b"})}) as (server, session):
        for _ in range(2):
            await session.complete(REQUEST, "m", timeout=LONG)
        assert "cookie" not in server.requests[1].headers


async def test_calls_share_one_connection() -> None:
    async with connected({"*": [Reply(), Reply(status=503), Reply()]}) as (server, session):
        for _ in range(100):
            await session.complete(REQUEST, "m", timeout=LONG)
        assert (server.opened, len(server.requests)) == (1, 100)
        assert server.open == 1
    assert server.open == 0


async def test_each_session_has_a_connection_of_its_own() -> None:
    async with scripted_server() as server:
        url = f"{server.url}/v1"
        checked = PROVIDER.settings(kind="openai_compatible", base_url=url, free=True)

        async def work() -> None:
            async with PROVIDER.open("p", checked, None) as session:
                for _ in range(5):
                    assert isinstance(await session.complete(REQUEST, "m", timeout=LONG), Answer)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(work)
        await server.until(lambda s: s.open == 0)
        assert (server.opened, len(server.requests)) == (20, 100)


async def test_a_connection_the_server_closed_meanwhile_is_replaced() -> None:
    async with connected({"*": [Reply(headers={"connection": "close"}), Reply()]}) as (
        server,
        session,
    ):
        for _ in range(2):
            assert isinstance(await session.complete(REQUEST, "m", timeout=LONG), Answer)
            await server.until(lambda s: s.open <= 1)
        assert server.opened == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(breaks="hang"),
        Reply(breaks="hang", after_headers=True),
        Reply(drip=0.01),
    ],
)
async def test_a_cancelled_call_closes_its_connection_and_the_session_lives_on(
    reply: Reply,
) -> None:
    async with connected({"*": [reply, Reply()]}) as (server, session):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: session.complete(REQUEST, "m", timeout=LONG))
            await server.until(lambda s: len(s.requests) == 1)
            nursery.cancel_scope.cancel()
        with trio.fail_after(LONG):
            await server.until(lambda s: s.open == 0)
        assert isinstance(await session.complete(REQUEST, "m", timeout=LONG), Answer)
        assert server.opened == 2


async def test_a_call_that_timed_out_closes_its_connection() -> None:
    async with connected({"*": [Reply(breaks="hang"), Reply()]}) as (server, session):
        assert isinstance(await session.complete(REQUEST, "m", timeout=SHORT), ProviderFailure)
        with trio.fail_after(LONG):
            await server.until(lambda s: s.open == 0)
        assert isinstance(await session.complete(REQUEST, "m", timeout=LONG), Answer)


async def test_a_session_left_while_cancelled_closes_its_connection() -> None:
    async with scripted_server() as server:
        with trio.CancelScope() as scope:
            async with http_session(server.url, {}) as session:
                assert isinstance(await session.post("", Body(b"{}")), HttpAnswer)
                scope.cancel()
                await trio.sleep_forever()
        with trio.fail_after(LONG):
            await server.until(lambda s: s.open == 0)


def test_one_trusting_context_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")  # would be trusted, or fail, if read
    trusting_context.cache_clear()
    assert trusting_context() is trusting_context()
    assert trusting_context().check_hostname


async def test_a_server_that_is_not_reached_is_reported_with_its_port_and_the_cause() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    assert await _told(f"http://127.0.0.1:{port}/v1") == (
        f"cannot connect to 127.0.0.1:{port}: connection refused"
    )
    async with scripted_server() as server:  # which speaks no TLS
        place = server.url.removeprefix("http://")
        told = await _told(f"https://{place}/v1")
        assert told.startswith(f"cannot connect to {place}: TLS: ")


@pytest.mark.parametrize(
    ("body", "has_url"),
    [
        ("<html><body>nothing here</body></html>", True),
        ({"detail": "Not Found"}, True),
        ("404 page not found", True),
        ({"error": {"message": "The model `some-model` does not exist"}}, False),
        ({"error": {"message": "model 'x' not found", "type": "not_found_error"}}, False),
    ],
)
async def test_a_path_that_is_not_there_is_reported_as_it_was_asked(
    body: object, has_url: bool
) -> None:
    async with scripted_server({"*": Reply(status=404, body=body)}) as server:
        told = await _told(f"{server.url}/v2", query={"api-version": "1"})
        place = f"HTTP 404 at {server.url}/v2/chat/completions (is base_url right?)"
        assert told.startswith(place) == has_url
        assert "api-version" not in told


async def _told(base_url: str, **settings: object) -> str:
    given = {"kind": "openai_compatible", "base_url": base_url, "free": True, **settings}
    checked = PROVIDER.settings.model_validate(given)
    async with PROVIDER.open("p", checked, None) as session:
        outcome = await session.complete(REQUEST, "some-model", timeout=LONG)
    assert isinstance(outcome, ProviderFailure)
    return outcome.message
