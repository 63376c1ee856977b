"""`openai_compatible` against a server that can misbehave: what comes of each answer."""

import gzip
import json
from dataclasses import replace

import pytest
import trio
import trio.testing
from pydantic import SecretStr

from nexus_actors import __version__
from nexus_actors.contract.result import Answer, Usage
from nexus_actors.providers.openai_compatible import PROVIDER
from nexus_actors.providers.port import ProviderFailure
from tests.http_server import (
    Reply,
    completion,
    scripted_server,
)
from tests.integration.providers.helpers import (
    KEY,
    LONG,
    REQUEST,
    SHORT,
    ask,
    connected,
    fail,
    let_it_pass,
)


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
            cost_basis="list",
            finish_reason="stop",
            native_finish_reason="stop",
            response_id="chatcmpl-1",
        )
        [asked] = server.requests
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.json == {"model": "gpt-4o-mini", "messages": list(REQUEST.messages)}
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["openai-organization"] == "org-1"
    assert asked.headers["host"] in server.url


@pytest.mark.parametrize(
    ("headers", "agent"),
    [
        ({}, f"nexus-actors/{__version__}"),
        ({"User-Agent": "our-proxy/2"}, "our-proxy/2"),
        ({"user-agent": "our-proxy/2"}, "our-proxy/2"),
    ],
)
async def test_says_who_calls_unless_the_config_says_otherwise(
    headers: dict[str, str], agent: str
) -> None:
    async with connected(headers=headers) as (server, session):
        await session.complete(REQUEST, "m", timeout=LONG)
        assert server.requests[0].headers["user-agent"] == agent


async def test_a_local_server_needs_no_key_and_costs_nothing() -> None:
    async with connected(key=None, free=True, by_the_rules=False) as (server, session):
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
async def test_no_answer_in_time_may_have_been_paid(
    reply: Reply, mock_clock: trio.testing.MockClock
) -> None:
    async with connected({"*": reply}) as (server, session), trio.open_nursery() as nursery:
        nursery.start_soon(let_it_pass, server, mock_clock)
        failure = await session.complete(REQUEST, "gpt-4o-mini", timeout=SHORT)
    assert isinstance(failure, ProviderFailure)
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
    for reply, message in (
        (Reply(status=429, breaks="reset", after_headers=True), "HTTP 429"),
        (Reply(status=429, breaks="truncate", after_headers=True), "HTTP 429"),
        (Reply(status=429, body="x" * 1_000_000), "HTTP 429: xxx"),
    ):
        failure = await fail(reply)
        assert failure.type == "rate_limited"
        assert failure.message.startswith(message)
        assert len(failure.message) < 2000


async def test_errors_inside_200() -> None:
    failure = await fail(Reply(body={"error": {"code": 502, "message": "upstream"}}))
    assert (failure.type, failure.status_code, failure.maybe_paid) == ("provider_error", 502, True)


async def test_a_redirect_is_not_followed() -> None:
    async with scripted_server() as other:
        reply = Reply(status=307, headers={"location": f"{other.url}/v1/chat/completions"})
        failure = await fail(reply)
        assert other.opened == 0
    assert (failure.type, failure.retryable) == ("provider_error", False)
