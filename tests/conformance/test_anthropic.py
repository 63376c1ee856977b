"""`anthropic` against a server that plays its part."""

from typing import Any, Final

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Answer, Usage
from nexus_actors.providers.anthropic import AnthropicSettings
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import EFFORTS, model_takes
from tests.http_server import Reply
from tests.integration.providers.helpers import KEY, LONG, PROMPT, REQUEST, connected, events
from tests.unit.providers.conversations import CALL, CALLED, EVERY_KIND, NESTED
from tests.vendors import anthropic as vendor

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
        failure = await session.complete(REQUEST, "claude-sonnet-4-5", timeout=LONG)
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


# -- against a server that holds every call to the vendor's documented rules

MODELS: Final = (
    "claude-fable-5-2",
    "claude-mythos-5-1",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-fable-5",
    "claude-mythos-preview",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-opus-4-6",
    "claude-sonnet-4-6",
    "claude-opus-4-5-20251101",
    "claude-sonnet-4-5",
    "claude-haiku-4-5-20251001",
    "claude-opus-4-1",
    "claude-sonnet-4-20250514",
    "claude-3-7-sonnet-latest",
    "claude-3-5-haiku-20241022",
    "claude-3-opus-20240229",
)
SCHEMA: Final = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 1, "pattern": "^O"},
        "degrees": {"type": ["integer", "null"], "minimum": 0, "maximum": 50},
        "more": {"$ref": "#/$defs/More"},
    },
    "required": ["city"],
    "$defs": {"More": {"type": "array", "items": {"type": "string"}, "maxItems": 3}},
}
TREE: Final = {"type": "object", "properties": {"of": {"$ref": "#"}}}
TOOL: Final = {
    "type": "function",
    "function": {"name": "weather", "parameters": SCHEMA, "strict": True},
    "cache_control": {"type": "ephemeral", "ttl": "1h"},
}
SAID: Final = {"role": "user", "content": "The weather in Oslo?"}
MARKED: Final = tuple(
    {
        "role": role,
        "content": [
            {"type": "text", "text": "Oslo.", "cache_control": {"type": "ephemeral", "ttl": ttl}}
        ],
    }
    for role, ttl in zip(
        ("system", "user", "assistant", "user", "assistant", "user"),
        ("1h", "5m", "1h", "5m", "1h", "1h"),
        strict=True,
    )
)
HARD: Final[dict[str, dict[str, Any]]] = {
    **EVERY_KIND,
    **{f"effort {it}": {"messages": (SAID,), "reasoning_effort": it} for it in EFFORTS},
    **{
        f"effort {it}, forced": {
            "messages": (SAID,),
            "reasoning_effort": it,
            "tools": (TOOL,),
            "tool_choice": "required",
        }
        for it in EFFORTS
    },
    **{
        f"thinking {it['type']}, {more}": {"messages": (SAID,), "thinking": it, **more}
        for it in (
            {"type": "adaptive", "display": "summarized"},
            {"type": "enabled", "budget_tokens": 2048},
            {"type": "enabled", "budget_tokens": 10},
            {"type": "enabled"},
            {"type": "disabled"},
            {"type": "between_tools"},
            {"type": "news"},
        )
        for more in (
            {},
            {"max_tokens": 100},
            {"max_tokens": 1500},
            {"max_tokens": 900_000},
            {"reasoning_effort": "max"},
            {"reasoning_effort": "none"},
            {"temperature": 0.3, "top_p": 0.9, "top_k": 40},
            {"tools": (TOOL,), "tool_choice": "required"},
            {"messages": CALLED, "tools": (NESTED,)},
            {"messages": (SAID, {"role": "assistant", "content": "It is "})},
        )
    },
    "hot": {"messages": (SAID,), "temperature": 2.0},
    "only top_p": {"messages": (SAID,), "top_p": 0.9, "top_k": 5},
    "blank stops": {"messages": (SAID,), "stop": ("\n", "END", "  ", "")},
    "begun": {"messages": (SAID, {"role": "assistant", "content": "It is \n"})},
    "begun, by a schema": {
        "messages": (SAID, {"role": "assistant", "content": "{"}),
        "response_format": {"type": "json_schema", "schema": SCHEMA},
    },
    "schema": {
        "messages": (SAID,),
        "response_format": {"type": "json_schema", "json_schema": {"name": "w", "schema": SCHEMA}},
    },
    "schema that refers to itself": {
        "messages": (SAID,),
        "response_format": {"type": "json_schema", "schema": TREE},
    },
    "strict tool": {"messages": (SAID,), "tools": (TOOL,)},
    "strict tool that refers to itself": {
        "messages": (SAID,),
        "tools": ({"type": "function", "name": "f", "parameters": TREE, "strict": True},),
    },
    "marks": {"messages": MARKED, "tools": (TOOL,), "cache_control": {"type": "ephemeral"}},
    "account": {
        "messages": (SAID,),
        "user": "u" * 300,
        "metadata": {"user_id": "u", "team": "a"},
        "service_tier": "flex",
        "presence_penalty": 0.5,
        "verbosity": "low",
        "include": ("x",),
    },
    "odd ids": {
        "messages": (
            SAID,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{**CALL, "id": "a:0"}, {**CALL, "id": "a.0"}],
            },
            {"role": "tool", "tool_call_id": "a.0", "content": "rain"},
            {"role": "tool", "tool_call_id": "a:0", "content": ""},
        ),
        "tools": (NESTED,),
    },
}


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
@pytest.mark.parametrize("model", MODELS)
async def test_no_request_breaks_a_rule_of_the_vendor(model: str, version: str) -> None:
    script = {"*": vendor.answer}
    async with connected(script, kind="anthropic", api_version=version) as (server, session):
        for place, (name, fields) in enumerate(HARD.items()):
            # Streamed at one version, whole at the other: what is asked is written alike.
            on_text = [].append if (place + (version > "2026")) % 2 else None
            request = LLMRequest(request_id="r", complexity="simple", **fields)
            answer = await session.complete(request, model, timeout=LONG, on_text=on_text)
            sent = server.requests[-1].json
            if isinstance(answer, ProviderFailure) and answer.repeat_once:
                continue  # it breaks the schema that the vendor does not hold it to
            assert isinstance(answer, Answer), (name, answer, sent)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", MODELS)
async def test_a_loop_of_tools_goes_on_with_its_thinking(model: str, streamed: bool) -> None:
    on_text = [].append if streamed else None
    asked: dict[str, Any] = {"tools": (TOOL,), "reasoning_effort": "high"}
    if model_takes("anthropic", model).thinking == ("enabled", "disabled"):
        asked["thinking"] = {"type": "enabled", "budget_tokens": 2048}
    messages: tuple[Any, ...] = ({"role": "system", "content": "Be brief."}, SAID)
    async with connected({"*": vendor.answer}, kind="anthropic") as (server, session):
        for _ in range(2):
            request = LLMRequest(request_id="r", complexity="simple", messages=messages, **asked)
            called = await session.complete(request, model, timeout=LONG, on_text=on_text)
            assert isinstance(called, Answer), called
            [call] = called.tool_calls
            messages = (
                *messages,
                {
                    "role": "assistant",
                    "content": called.response,
                    "tool_calls": list(called.tool_calls),
                    "provider_state": called.provider_state,
                },
                {"role": "tool", "tool_call_id": call["id"], "content": "rain"},
            )
            request = LLMRequest(request_id="r", complexity="simple", messages=messages, **asked)
            end = await session.complete(request, model, timeout=LONG, on_text=on_text)
            assert isinstance(end, Answer), end
            said = {"role": "assistant", "content": end.response}
            messages = (*messages, {**said, "provider_state": end.provider_state}, SAID)
        sent = server.requests[-1].json["messages"]
    thinks = bool(model_takes("anthropic", model).thinking)
    kinds = [
        [block["type"] for block in message["content"]]
        for message in sent
        if message["role"] == "assistant" and isinstance(message["content"], list)
    ]
    with_call = ["thinking", "text", "thinking", "tool_use"] if thinks else ["tool_use"]
    assert [kind for kind in kinds if "tool_use" in kind] == [with_call] * 2


async def test_what_was_left_over_of_another_providers_turn_is_no_rule_broken() -> None:
    """A failover in the middle: the calls come without thinking, and none is made up."""
    script = {"*": vendor.answer}
    thinking = {"type": "enabled", "budget_tokens": 2048}
    request = LLMRequest(
        request_id="r", complexity="simple", messages=CALLED, tools=(NESTED,), thinking=thinking
    )
    async with connected(script, kind="anthropic") as (server, session):
        answer = await session.complete(request, "claude-sonnet-4-5", timeout=LONG)
        [sent] = server.requests
    assert isinstance(answer, Answer)
    assert "thinking" not in sent.json
    assert answer.dropped == ("thinking: not sent, as the calls came without their thinking",)


@pytest.mark.parametrize(
    ("schema", "text", "holds"),
    [
        ({"type": "integer", "maximum": 5}, "4", True),
        ({"type": "integer", "maximum": 5}, "9", False),
        ({"type": "string", "pattern": "^a"}, '"b"', False),
        ({"type": "integer", "maximum": 5}, "nine", False),
        (TREE, '{"of": {"of": 1}}', False),
        (TREE, '{"of": {"of": {}}}', True),
    ],
)
async def test_what_the_vendor_does_not_hold_to_is_checked_here(
    schema: Any, text: str, holds: bool
) -> None:
    reply = Reply(body={**ANSWER, "content": [{"type": "text", "text": text}]})
    wanted = {"type": "json_schema", "schema": schema}
    request = LLMRequest(
        request_id="r", complexity="simple", messages=(SAID,), response_format=wanted
    )
    async with connected({"*": reply}, kind="anthropic", name="anthropic") as (_, session):
        outcome = await session.complete(request, "claude-sonnet-4-5", timeout=LONG)
    if holds:
        assert isinstance(outcome, Answer)
        assert outcome.response == text
    else:
        assert isinstance(outcome, ProviderFailure)
        assert (outcome.type, outcome.repeat_once) == ("invalid_response", True)
        assert outcome.cost == pytest.approx(1000 * 3e-6 + 100 * 15e-6)


@pytest.mark.parametrize(
    "odd",
    [{"stop_reason": "max_tokens"}, {"stop_reason": "refusal"}, {"stop_reason": "pause_turn"}],
)
async def test_an_answer_that_was_cut_is_not_held_against_the_schema(odd: Any) -> None:
    reply = Reply(body={**ANSWER, "content": [{"type": "text", "text": '{"a'}], **odd})
    wanted = {"type": "json_schema", "schema": {"type": "integer", "maximum": 5}}
    request = LLMRequest(
        request_id="r", complexity="simple", messages=(SAID,), response_format=wanted
    )
    async with connected({"*": reply}, kind="anthropic") as (_, session):
        outcome = await session.complete(request, "claude-sonnet-4-5", timeout=LONG)
    assert isinstance(outcome, Answer)
