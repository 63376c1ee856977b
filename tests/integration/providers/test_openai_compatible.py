"""`openai_compatible` over real connections to a server that can misbehave."""

import gzip
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import trio
from pydantic import SecretStr

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Usage
from nexus_actors.providers.http_exchange import (
    Body,
    Broken,
    HttpAnswer,
    HttpSession,
    http_session,
    trusting_context,
)
from nexus_actors.providers.openai_compatible import PROVIDER
from nexus_actors.providers.port import Outcome, ProviderFailure, ProviderSession
from tests.http_server import (
    Recorded,
    Reply,
    Script,
    ScriptedServer,
    completion,
    scripted_server,
)

KEY = "sk-canary-0123456789"
PROMPT = "tell me what the weather is like in Springfield"
REQUEST = LLMRequest(
    request_id="r", complexity="simple", messages=({"role": "user", "content": PROMPT},)
)
LONG = 60.0
"""Seconds; never reached."""
SHORT = 0.2


@asynccontextmanager
async def connected(
    script: Script | None = None, *, key: str | None = KEY, **settings: Any
) -> AsyncIterator[tuple[ScriptedServer, ProviderSession]]:
    async with scripted_server(script) as server:
        checked = PROVIDER.settings(
            kind="openai_compatible", base_url=f"{server.url}/v1", api_key_env="LLM_KEY", **settings
        )
        secret = None if key is None else SecretStr(key)
        async with PROVIDER.open("openai", checked, secret) as session:
            yield server, session


async def ask(reply: Reply, *, timeout: float = LONG, **settings: Any) -> Outcome:
    async with connected({"*": reply}, **settings) as (_, session):
        return await session.complete(REQUEST, "gpt-4o-mini", timeout=timeout)


async def fail(reply: Reply, *, timeout: float = LONG) -> ProviderFailure:
    failure = await ask(reply, timeout=timeout)
    assert isinstance(failure, ProviderFailure), failure
    return failure


async def test_asks_and_is_answered() -> None:
    async with connected(headers={"OpenAI-Organization": "org-1"}) as (server, session):
        answer = await session.complete(REQUEST, "gpt-4o-mini", timeout=LONG)
        assert isinstance(answer, Answer)
        assert answer.cost == pytest.approx(7 * 0.15e-6 + 2 * 0.6e-6)
        assert replace(answer, cost=None) == Answer(
            response="Hello.",
            provider="openai",
            model="gpt-4o-mini",
            usage=Usage(7, 2, 9),
            cost=None,
            finish_reason="stop",
            response_id="chatcmpl-1",
        )
        [asked] = server.requests
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.json == {"model": "gpt-4o-mini", "messages": list(REQUEST.messages)}
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["openai-organization"] == "org-1"
    assert asked.headers["host"] in server.url


async def test_a_local_server_needs_no_key_and_costs_nothing() -> None:
    async with connected(key=None, free=True) as (server, session):
        answer = await session.complete(REQUEST, "smollm", timeout=LONG)
        assert "authorization" not in server.requests[0].headers
    assert isinstance(answer, Answer)
    assert answer.cost == 0.0


async def test_a_line_end_after_the_key_is_no_part_of_it() -> None:
    async with connected(key=f"{KEY}\n") as (server, session):
        await session.complete(REQUEST, "m", timeout=LONG)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_an_unknown_price_is_unknown() -> None:
    async with connected() as (_, session):
        answer = await session.complete(REQUEST, "no-such-model", timeout=LONG)
    assert isinstance(answer, Answer)
    assert answer.cost is None


@pytest.mark.parametrize(
    "reply",
    [
        Reply(delay=0.01),
        Reply(drip=0.0),
        Reply(headers={"content-type": "text/html"}),
        Reply(
            body=gzip.compress(json.dumps(completion()).encode()),
            headers={"content-encoding": "gzip"},
        ),
        Reply(body=b"\xef\xbb\xbf" + json.dumps(completion()).encode()),
        Reply(headers={"connection": "close"}),
        Reply(status=201),
    ],
)
async def test_answers_that_are_good_enough(reply: Reply) -> None:
    answer = await ask(reply)
    assert isinstance(answer, Answer)
    assert answer.response == "Hello."


@pytest.mark.parametrize(
    "reply",
    [
        Reply(breaks="hang"),
        Reply(breaks="hang", after_headers=True),
        Reply(drip=SHORT),
        Reply(delay=LONG),
        Reply(status=503, breaks="hang", after_headers=True, body="x" * 100),
    ],
)
async def test_no_answer_in_time_may_have_been_paid(reply: Reply) -> None:
    failure = await fail(reply, timeout=SHORT)
    assert (failure.type, failure.retryable, failure.maybe_paid) == ("timeout", True, True)


@pytest.mark.parametrize("timeout", [0.0, -1.0])
async def test_without_time_nothing_is_sent(timeout: float) -> None:
    async with connected() as (server, session):
        failure = await session.complete(REQUEST, "m", timeout=timeout)
        assert not server.requests
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.maybe_paid) == ("timeout", False)


async def test_nobody_listening_is_not_paid() -> None:
    async with connected() as (server, session):
        pass
    checked = PROVIDER.settings(kind="openai_compatible", base_url=server.url, free=True)
    async with PROVIDER.open("gone", checked, None) as session:
        failure = await session.complete(REQUEST, "m", timeout=LONG)
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.retryable) == ("connection_failed", True)
    assert not failure.maybe_paid


async def test_a_server_without_tls_is_a_failed_connection() -> None:
    async with scripted_server() as server:
        url = server.url.replace("http:", "https:")
        checked = PROVIDER.settings(kind="openai_compatible", base_url=url, free=True)
        async with PROVIDER.open("plain", checked, SecretStr(KEY)) as session:
            failure = await session.complete(REQUEST, "m", timeout=LONG)
        assert not server.requests
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.maybe_paid) == ("connection_failed", False)


async def test_a_host_that_never_shakes_hands_is_given_up_early() -> None:
    async with scripted_server() as server:
        url = server.url.replace("http:", "https:")
        # The handshake's first bytes make the server wait for more: h11 sees no end of line.
        session = HttpSession(url, {}, connect_timeout=SHORT)
        with trio.fail_after(LONG):
            body = Body(b"{}")
            assert await session.post(body) == Broken("unconnected", sent=False)
        assert not body.sent
        await session.aclose()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(breaks="reset"), "connection_failed"),
        (Reply(breaks="truncate"), "connection_failed"),
        (Reply(breaks="reset", after_headers=True), "connection_failed"),
        (Reply(breaks="truncate", after_headers=True), "invalid_response"),
        (Reply(headers={"content-length": "3"}, body="{}}"), "invalid_response"),
        (Reply(body="<html>"), "invalid_response"),
        (Reply(body=b"not gzip", headers={"content-encoding": "gzip"}), "invalid_response"),
        (Reply(body=b" " * 17 * 1024 * 1024), "invalid_response"),
        (
            Reply(body=gzip.compress(bytes(40_000_000)), headers={"content-encoding": "gzip"}),
            "invalid_response",
        ),
    ],
)
async def test_broken_answers_may_have_been_paid(reply: Reply, kind: str) -> None:
    failure = await fail(reply)
    assert (failure.type, failure.retryable, failure.maybe_paid) == (kind, True, True)


async def test_the_limit_is_exact_and_the_rest_is_not_waited_for() -> None:
    replies = {
        "/fits": Reply(body=b"x" * 1000),
        "/endless": Reply(body=b"x" * 2000, breaks="hang", after_headers=True),
        "/more": Reply(body=b"x" * 1001),
    }
    async with scripted_server(replies) as server:
        for path, expected in (("/fits", None), ("/more", "too_large"), ("/fits", None)):
            session = HttpSession(server.url + path, {}, answer_limit=1000)
            answer = await session.post(Body(b"{}"))
            assert answer.how == expected if isinstance(answer, Broken) else expected is None
            await session.aclose()
        session = HttpSession(server.url + "/endless", {}, answer_limit=999)
        assert await session.post(Body(b"{}")) == Broken("too_large", sent=True)
        await server.until(lambda s: s.open == 0)
        await session.aclose()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "x", "request_rejected"),
        (401, "x", "authentication_failed"),
        (403, "x", "authentication_failed"),
        (404, "x", "model_unavailable"),
        (408, "x", "provider_error"),
        (409, "x", "provider_error"),
        (422, "x", "request_rejected"),
        (429, "x", "rate_limited"),
        (429, "insufficient_quota", "quota_exceeded"),
        (500, "x", "provider_error"),
        (503, "x", "provider_error"),
    ],
)
async def test_errors_by_status_and_code(status: int, code: str, kind: str) -> None:
    reply = Reply(
        status=status,
        body={"error": {"message": "no", "code": code}},
        headers={"retry-after": "7"},
    )
    failure = await fail(reply)
    assert (failure.type, failure.status_code) == (kind, status)
    assert (failure.message, failure.retry_after) == (f"HTTP {status}: no", 7.0)


async def test_headers_overrule_and_set_the_delay() -> None:
    headers = {"X-Should-Retry": "false", "Retry-After-Ms": "1500"}
    failure = await fail(Reply(status=503, headers=headers))
    assert (failure.retryable, failure.retry_after) == (False, 1.5)


async def test_an_error_counts_also_if_its_body_breaks_or_does_not_end() -> None:
    for reply in (
        Reply(status=429, breaks="reset", after_headers=True),
        Reply(status=429, breaks="truncate", after_headers=True),
        Reply(status=429, body="x" * 1_000_000),
    ):
        failure = await fail(reply)
        assert (failure.type, failure.message) == ("rate_limited", "HTTP 429")


async def test_errors_inside_200() -> None:
    failure = await fail(Reply(body={"error": {"code": 502, "message": "upstream"}}))
    assert (failure.type, failure.status_code, failure.maybe_paid) == ("provider_error", 502, True)


async def test_a_redirect_is_not_followed() -> None:
    async with scripted_server() as other:
        reply = Reply(status=307, headers={"location": f"{other.url}/v1/chat/completions"})
        failure = await fail(reply)
        assert other.opened == 0
    assert (failure.type, failure.retryable) == ("provider_error", False)


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
                assert isinstance(await session.post(Body(b"{}")), HttpAnswer)
                scope.cancel()
                await trio.sleep_forever()
        with trio.fail_after(LONG):
            await server.until(lambda s: s.open == 0)


def quoting(status: int) -> Any:
    """A server that sends back whatever it was sent, in each place an error has."""

    def reply(request: Recorded) -> Reply:
        key = request.headers["authorization"]
        quoted = f"{key} is no good for {request.body.decode()} ({key[-10:]})"
        body = {"error": {"message": quoted, "type": quoted, "code": quoted}}
        return Reply(status=status, body=body, headers={"x-you-sent": key})

    return reply


HOSTILE: dict[str, Any] = {
    "quote-200": quoting(200),
    "quote-400": quoting(400),
    "quote-401": quoting(401),
    "quote-429": quoting(429),
    "quote-500": quoting(500),
    "codes": lambda r: Reply(status=500, body={"error": {"code": r.headers["authorization"]}}),
    "html": lambda r: Reply(body=r.headers["authorization"]),
    "reset": Reply(breaks="reset"),
    "truncate": Reply(breaks="truncate", after_headers=True),
    "hang": Reply(breaks="hang"),
}


async def test_neither_key_nor_prompt_leaves_with_a_failure(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with connected(HOSTILE) as (_, session):
        for model in HOSTILE:
            timeout = SHORT if model == "hang" else LONG
            failure = await session.complete(REQUEST, model, timeout=timeout)
            assert isinstance(failure, ProviderFailure), model
            told = repr(failure) + repr(session) + repr(vars(session).get("_http"))
            assert "canary" not in told, told
            assert "23456789" not in told, told
            assert "Springfield" not in told, told
            assert 0 < len(failure.message) <= 300
    captured = capsys.readouterr()
    for text in (caplog.text, captured.out, captured.err):
        assert "canary" not in text
        assert "Springfield" not in text


async def test_the_key_is_in_no_exception() -> None:
    unsendable = LLMRequest(
        request_id="r", complexity="simple", messages=({"role": "user", "content": object()},)
    )
    async with connected() as (_, session):
        with pytest.raises(TypeError) as error:
            await session.complete(unsendable, "m", timeout=LONG)
    assert "canary" not in repr(error.value)


def test_one_trusting_context_for_all() -> None:
    assert trusting_context() is trusting_context()
    assert trusting_context().check_hostname
