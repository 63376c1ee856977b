"""The kind `openai` against a scripted server: which API is asked, and what comes of it."""

from dataclasses import replace

import pytest
from msgspec import structs

from nexus_actors.contract.result import Answer, Usage
from nexus_actors.providers.openai import OpenAISettings
from nexus_actors.providers.port import ProviderFailure
from tests.http_server import Reply
from tests.integration.providers.helpers import KEY, LONG, PROMPT, REQUEST, connected, events
from tests.unit.providers.sdk_answers import CALL, CHAT_CALL, delta, event, response, text

CHAT = structs.replace(REQUEST, api_version="chat_completions")
MODEL = "gpt-4o-mini"


def whole(reply: Reply) -> dict[str, Reply]:
    return {"/v1/responses": reply}


def test_needs_no_base_url() -> None:
    assert OpenAISettings(kind="openai").base_url == "https://api.openai.com/v1"


async def test_asks_the_responses_api_and_is_answered() -> None:
    script = whole(Reply(body=response(text("Hello."), model=MODEL)))
    async with connected(script, kind="openai") as (server, session):
        answer = await session.complete(REQUEST, MODEL, timeout=LONG)
        [asked] = server.requests
    assert isinstance(answer, Answer)
    # 20 tokens went in, 8 of them from the cache, at half the price.
    assert answer.cost == pytest.approx((12 * 0.15 + 8 * 0.075 + 9 * 0.6) * 1e-6)
    assert replace(answer, cost=None) == Answer(
        response="Hello.",
        provider="openai",
        model=MODEL,
        usage=Usage(20, 9, 29, 8, 5),
        cost=None,
        cost_basis="list",
        finish_reason="stop",
        native_finish_reason="completed",
        response_id="resp_1",
    )
    assert asked.path == "/v1/responses"
    messages = [{"type": "message", **message} for message in REQUEST.messages]
    assert asked.json == {"model": MODEL, "input": messages}
    assert asked.headers["authorization"] == f"Bearer {KEY}"


async def test_asks_chat_completions_where_the_request_says_so() -> None:
    async with connected(kind="openai") as (server, session):
        answer = await session.complete(CHAT, MODEL, timeout=LONG)
        [asked] = server.requests
    assert isinstance(answer, Answer)
    assert (answer.response, answer.response_id) == ("Hello.", "chatcmpl-1")
    assert asked.path == "/v1/chat/completions"
    assert asked.json["messages"] == list(REQUEST.messages)


async def test_both_apis_over_one_connection() -> None:
    script = whole(Reply(body=response(CALL)))
    async with connected(script, kind="openai") as (server, session):
        for request in (REQUEST, CHAT, REQUEST):
            answer = await session.complete(request, MODEL, timeout=LONG)
            assert isinstance(answer, Answer)
            assert answer.tool_calls == (() if request is CHAT else (CHAT_CALL,))
        assert server.opened == 1


async def test_what_was_dropped_is_reported_with_the_answer_and_with_the_failure() -> None:
    request = structs.replace(REQUEST, seed=7, stop=("END",))
    script = {"good": Reply(body=response(text("Hello."))), "bad": Reply(status=500)}
    async with connected(script, kind="openai") as (_, session):
        for model in script:
            outcome = await session.complete(request, model, timeout=LONG)
            assert outcome.dropped == ("stop", "seed")


async def test_streams_from_the_responses_api() -> None:
    final = response(text("Hello."), model=MODEL)
    script = whole(
        events(
            event("response.created", response=response(status="in_progress", usage=None)),
            delta("Hel"),
            delta("lo."),
            event("response.completed", response=final),
            done=False,
        )
    )
    told: list[str] = []
    async with connected(script, kind="openai") as (server, session):
        answer = await session.complete(REQUEST, MODEL, timeout=LONG, on_text=told.append)
        assert server.requests[0].json["stream"] is True
        assert server.requests[0].headers["accept"] == "text/event-stream"
    assert told == ["Hel", "lo."]
    assert isinstance(answer, Answer)
    assert (answer.response, answer.usage, answer.response_id) == (
        "Hello.",
        Usage(20, 9, 29, 8, 5),
        "resp_1",
    )
    assert answer.seconds_to_first_text is not None


async def test_streams_from_chat_completions_too() -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    told: list[str] = []
    async with connected({"/v1/chat/completions": events(chunk)}, kind="openai") as (_, session):
        answer = await session.complete(CHAT, MODEL, timeout=LONG, on_text=told.append)
    assert isinstance(answer, Answer)
    assert (told, answer.response) == (["Hi"], "Hi")


async def test_a_failed_response_is_a_failure_without_the_prompt() -> None:
    error = {"code": "invalid_prompt", "message": f"no: {PROMPT}"}
    body = response(status="failed", error=error)
    for reply in (Reply(body=body), events(event("response.failed", response=body))):
        async with connected(whole(reply), kind="openai") as (_, session):
            on_text = None if reply.body is body else str
            failure = await session.complete(REQUEST, MODEL, timeout=LONG, on_text=on_text)
        assert isinstance(failure, ProviderFailure)
        assert (failure.type, failure.retryable) == ("request_rejected", False)
        assert failure.message == "error in a 200 answer: no: [prompt]"


async def test_what_cannot_be_said_is_refused_before_anything_is_sent() -> None:
    odd = {"role": "assistant", "content": "", "tool_calls": [{"id": 7}]}
    async with connected(kind="openai") as (server, session):
        request = structs.replace(REQUEST, messages=(odd,))
        failure = await session.complete(request, MODEL, timeout=LONG)
        assert not server.requests
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.maybe_paid) == ("request_rejected", False)


async def test_azure_by_its_preset() -> None:
    query = {"api-version": "preview"}
    async with connected(preset="azure", query=query) as (server, session):
        answer = await session.complete(REQUEST, "my-deployment", timeout=LONG)
        [asked] = server.requests
    assert isinstance(answer, Answer)
    assert asked.path == "/v1/chat/completions?api-version=preview"
    assert asked.headers["api-key"] == KEY
    assert "authorization" not in asked.headers
