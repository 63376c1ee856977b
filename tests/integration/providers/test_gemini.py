"""`gemini` against a server that answers as Google's does, or misbehaves."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec import structs
from pydantic import SecretStr

from nexus_actors.contract.result import Answer, Usage
from nexus_actors.providers.gemini import PROVIDER, GeminiSettings
from nexus_actors.providers.port import ProviderFailure, ProviderSession
from tests.http_server import Recorded, Reply, ScriptedServer, scripted_server
from tests.integration.providers.helpers import KEY, LONG, PROMPT, REQUEST, check_rules

FLASH = "gemini-2.5-flash"
COUNTS = {
    "promptTokenCount": 1000,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 80,
    "totalTokenCount": 1100,
}


def answer(text: str, *, finish: str | None = "STOP", **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": FLASH, "responseId": "resp1", **more}


WHOLE = Reply(body=answer("Hello.", usageMetadata=COUNTS))


def events(*values: Any, end: str = "\r\n\r\n") -> Reply:
    """Server-sent events, with the line ends that Google's have."""
    body = "".join(f"data: {json.dumps(value)}{end}" for value in values)
    return Reply(body=body, headers={"content-type": "text/event-stream"})


@asynccontextmanager
async def connected(
    reply: Any, *, by_the_rules: bool = True
) -> AsyncIterator[tuple[ScriptedServer, ProviderSession]]:
    async with scripted_server({"*": reply}) as server:
        settings = PROVIDER.settings(kind="gemini", base_url=f"{server.url}/v1beta")
        # The price list knows Google by its name as well.
        async with PROVIDER.open("google", settings, SecretStr(KEY)) as session:
            yield server, session
        if by_the_rules:
            check_rules(server, "gemini", base="/v1beta")


async def fail(reply: Any, *, stream: bool = False) -> ProviderFailure:
    async with connected(reply) as (_, session):
        listen = (lambda _: None) if stream else None
        failure = await session.complete(REQUEST, FLASH, timeout=LONG, on_text=listen)
    assert isinstance(failure, ProviderFailure), failure
    return failure


async def test_asks_and_is_answered() -> None:
    async with connected(WHOLE) as (server, session):
        found = await session.complete(REQUEST, FLASH, timeout=LONG)
        [asked] = server.requests
    assert (asked.method, asked.path) == ("POST", f"/v1beta/models/{FLASH}:generateContent")
    assert asked.json == {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}
    assert asked.headers["x-goog-api-key"] == KEY
    assert "authorization" not in asked.headers
    assert isinstance(found, Answer)
    assert found.cost == pytest.approx(1000 * 0.3e-6 + 100 * 2.5e-6)
    assert (found.response, found.usage) == ("Hello.", Usage(1000, 100, 1100, 0, 80))
    assert (found.finish_reason, found.native_finish_reason) == ("stop", "STOP")
    assert (found.provider, found.model, found.response_id) == ("google", FLASH, "resp1")


async def test_a_model_by_its_full_name_and_an_odd_one_are_one_segment_of_the_path() -> None:
    async with connected(WHOLE, by_the_rules=False) as (server, session):
        for model in (f"models/{FLASH}", "a/b:c"):
            await session.complete(REQUEST, model, timeout=LONG)
        assert [asked.path for asked in server.requests] == [
            f"/v1beta/models/{FLASH}:generateContent",
            "/v1beta/models/a%2Fb%3Ac:generateContent",
        ]


async def test_a_streamed_answer_is_told_as_it_comes_and_whole_at_the_end() -> None:
    told: list[str] = []
    reply = events(
        answer("Hel", finish=None), answer("lo."), {"usageMetadata": COUNTS, "responseId": "resp1"}
    )
    async with connected(reply) as (server, session):
        streamed = await session.complete(REQUEST, FLASH, timeout=LONG, on_text=told.append)
        [asked] = server.requests
    assert asked.path == f"/v1beta/models/{FLASH}:streamGenerateContent?alt=sse"
    assert asked.headers["accept"] == "text/event-stream"
    assert told == ["Hel", "lo."]
    assert isinstance(streamed, Answer)
    assert streamed.seconds_to_first_text is not None
    async with connected(WHOLE) as (_, session):
        whole = await session.complete(REQUEST, FLASH, timeout=LONG)
    assert isinstance(whole, Answer)
    assert (streamed.response, streamed.usage, streamed.cost, streamed.finish_reason) == (
        whole.response,
        whole.usage,
        whole.cost,
        whole.finish_reason,
    )


@pytest.mark.parametrize(
    "reply",
    [
        events(answer("Hel", finish=None)),
        events(answer("Hel", finish=None), end=""),
        Reply(body="data: no JSON\n\n", headers={"content-type": "text/event-stream"}),
        Reply(
            body=f"data: {json.dumps(answer('Hello.', finish=None))}\n\n" * 2,
            headers={"content-type": "text/event-stream"},
            breaks="truncate",
            after_headers=True,
        ),
    ],
)
async def test_a_stream_cut_short_is_no_answer(reply: Reply) -> None:
    failure = await fail(reply, stream=True)
    assert (failure.type, failure.retryable, failure.maybe_paid) == ("invalid_response", True, True)


async def test_an_error_in_a_stream() -> None:
    error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    failure = await fail(events(answer("Hel", finish=None), error), stream=True)
    assert (failure.type, failure.status_code) == ("provider_error", 503)


async def test_a_blocked_prompt() -> None:
    for stream in (False, True):
        value = {"promptFeedback": {"blockReason": "SAFETY"}}
        failure = await fail(events(value) if stream else Reply(body=value), stream=stream)
        assert (failure.type, failure.message) == (
            "content_filtered",
            "the prompt was blocked: SAFETY",
        )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "word", "kind", "retryable"),
    [
        (400, "INVALID_ARGUMENT", "request_rejected", False),
        (403, "PERMISSION_DENIED", "authentication_failed", False),
        (404, "NOT_FOUND", "model_unavailable", False),
        (429, "RESOURCE_EXHAUSTED", "rate_limited", True),
        (500, "INTERNAL", "provider_error", True),
        (503, "UNAVAILABLE", "provider_error", True),
    ],
)
async def test_errors_by_status_also_as_a_list_of_one(
    status: int, word: str, kind: str, retryable: bool, stream: bool
) -> None:
    error = {"error": {"code": status, "message": "no", "status": word}}
    body = [error] if stream else error
    failure = await fail(Reply(status=status, body=body), stream=stream)
    assert (failure.type, failure.retryable, failure.status_code) == (kind, retryable, status)
    assert failure.message == f"HTTP {status}: no"


@pytest.mark.parametrize("status", [200, 400])
async def test_neither_key_nor_prompt_leaves_with_a_failure(status: int) -> None:
    def quoting(request: Recorded) -> Reply:
        quoted = f"{request.headers['x-goog-api-key']} for {request.body.decode()}"
        error = {"error": {"code": 400, "message": quoted, "status": quoted}}
        return Reply(status=status, body=error)

    for stream in (False, True):
        failure = await fail(quoting, stream=stream)
        assert "canary" not in repr(failure)
        assert "Springfield" not in repr(failure)


async def test_what_was_dropped_is_reported_and_what_cannot_be_said_is_not_sent() -> None:
    async with connected(WHOLE) as (server, session):
        found = await session.complete(structs.replace(REQUEST, store=True), FLASH, timeout=LONG)
        assert found.dropped == ("store",)
        upload = {"type": "input_image", "file_id": "file-1"}
        unsayable = structs.replace(REQUEST, messages=({"role": "user", "content": [upload]},))
        refused = await session.complete(unsayable, FLASH, timeout=LONG)
        assert len(server.requests) == 1
    assert isinstance(refused, ProviderFailure)
    assert (refused.type, refused.scope) == ("request_rejected", "request")


def test_googles_own_address_is_the_default() -> None:
    settings = GeminiSettings(kind="gemini")
    assert settings.base_url == "https://generativelanguage.googleapis.com/v1beta"
