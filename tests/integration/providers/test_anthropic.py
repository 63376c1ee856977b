"""`anthropic` against a server that plays its part."""

from typing import Any

import pytest

from nexus_actors.contract.result import Answer, Usage
from nexus_actors.providers.anthropic import AnthropicSettings
from nexus_actors.providers.port import ProviderFailure
from tests.http_server import Reply
from tests.integration.providers.helpers import KEY, LONG, PROMPT, REQUEST, connected, events

ANSWER: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Mild."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1000, "output_tokens": 100},
}


async def test_asks_and_is_answered() -> None:
    script = {"*": Reply(body=ANSWER)}
    async with connected(script, kind="anthropic", name="anthropic") as (server, session):
        answer = await session.complete(REQUEST, "claude-sonnet-4-5", timeout=LONG)
        [asked] = server.requests
    assert isinstance(answer, Answer)
    assert (answer.response, answer.usage) == ("Mild.", Usage(1000, 100, 1100))
    assert answer.cost == pytest.approx(1000 * 3e-6 + 100 * 15e-6)
    assert asked.path == "/v1/messages"
    assert asked.headers["x-api-key"] == KEY
    assert asked.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in asked.headers
    assert asked.json["messages"][0]["content"] == PROMPT


async def test_streams() -> None:
    deltas = [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": text},
        }
        for text in ("Mi", "ld.")
    ]
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 100},
    }
    start = {"type": "message_start", "message": {**ANSWER, "content": [], "stop_reason": None}}
    heard: list[str] = []
    script = {"*": events(start, *deltas, end, {"type": "message_stop"})}
    async with connected(script, kind="anthropic") as (server, session):
        answer = await session.complete(
            REQUEST, "claude-sonnet-4-5", timeout=LONG, on_text=heard.append
        )
        assert server.requests[0].json["stream"] is True
    assert isinstance(answer, Answer)
    assert (heard, answer.response) == (["Mi", "ld."], "Mild.")
    assert answer.usage == Usage(1000, 100, 1100)


@pytest.mark.parametrize(
    ("status", "error", "kind", "retryable"),
    [
        (401, "authentication_error", "authentication_failed", False),
        (404, "not_found_error", "model_unavailable", False),
        (413, "request_too_large", "request_rejected", False),
        (429, "rate_limit_error", "rate_limited", True),
        (500, "api_error", "provider_error", True),
        (529, "overloaded_error", "provider_error", True),
    ],
)
async def test_errors(status: int, error: str, kind: str, retryable: bool) -> None:
    body = {"type": "error", "error": {"type": error, "message": "no"}}
    async with connected({"*": Reply(status=status, body=body)}, kind="anthropic") as (_, session):
        failure = await session.complete(REQUEST, "claude", timeout=LONG)
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.retryable, failure.message) == (
        kind,
        retryable,
        f"HTTP {status}: no",
    )


def test_the_settings_say_which_version_and_how_long() -> None:
    settings = AnthropicSettings(kind="anthropic")
    assert settings.base_url == "https://api.anthropic.com/v1"
    for wrong in ({"api_version": "latest"}, {"max_tokens": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            AnthropicSettings(kind="anthropic", **wrong)  # type: ignore[arg-type]
