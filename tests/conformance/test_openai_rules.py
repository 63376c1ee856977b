"""`openai` against a server that plays the vendor's documented rules (`tests/vendors/openai.py`):
every kind of request, with every kind of model, is answered by the first call; and a model's
thoughts come back to it through a loop of tools."""

from typing import Any

import pytest

from nexus_actors.contract.provider_state import Owner
from nexus_actors.contract.request import ApiVersion, LLMRequest, Message
from nexus_actors.contract.result import Answer
from nexus_actors.providers.port import ProviderFailure, ProviderSession
from nexus_actors.providers.takes import EFFORTS
from tests.integration.providers.helpers import LONG, after, connected, message_of
from tests.unit.providers.conversations import EVERY_KIND, NESTED, PNG
from tests.vendors import openai, openai_responses

MODELS = (
    "gpt-4o-mini",
    "gpt-4.1",
    "gpt-4o-search-preview",
    "gpt-5",
    "gpt-5-pro",
    "gpt-5-chat-latest",
    "gpt-5-codex",
    "gpt-5.1",
    "gpt-5.1-chat-latest",
    "gpt-5.2",
    "gpt-5.2-pro",
    "gpt-5.3-codex",
    "gpt-5.4-mini",
    "gpt-5.5",
    "gpt-5.6-terra",
    "gpt-6-luna",
    "gpt-6-astra",
    "gpt-6.1-sol",
    "gpt-6.2-sol",
    "gpt-7",
    "o3",
    "o3-pro",
    "ft:o4-mini-2025-04-16:team::x1",
    "ft:gpt-4o-2024-08-06:team::x1",
)
USER = {"role": "user", "content": "How is the weather in Oslo?"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
MARK = {"cache_control": {"type": "ephemeral"}}
MORE: dict[str, dict[str, Any]] = {
    **{f"effort {effort}": {"reasoning_effort": effort} for effort in EFFORTS},
    **{
        f"effort {effort}, with all else": {
            "reasoning_effort": effort,
            "temperature": 0.5,
            "top_p": 0.5,
            "tools": (NESTED,),
            "parallel_tool_calls": True,
            "stop": ("END",),
        }
        for effort in EFFORTS
    },
    "every field": {
        "top_k": 5,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.5,
        "verbosity": "low",
        "reasoning_summary": "auto",
        "prompt_cache_key": "k" * 70,
        "service_tier": "standard",
        "user": "u" * 70,
        "metadata": {"a": "b"},
        "cache_control": {"type": "ephemeral"},
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "max_tokens": 1,
    },
    "a limit beyond the most": {"max_tokens": 1_000_000},
    "odd data": {
        "messages": (
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?", **MARK},
                    {
                        "type": "image_url",
                        "image_url": {"url": f"data:image/jpg;base64,{PNG.rstrip('=')}"},
                    },
                ],
            },
        )
    },
    "long ids": {
        "messages": (
            USER,
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {
                        "id": "c" * 100,
                        "type": "function",
                        "function": {"name": "weather", "arguments": "{}"},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c" * 100, "content": "rain"},
        ),
        "tools": (WEATHER,),
    },
    "a result of ours": {
        "messages": (
            USER,
            {"role": "assistant", "content": "Rain.", "tool_calls": [], "provider_state": None},
            USER,
        )
    },
}


def _heard(_: str) -> None:
    """The answer is read as a stream."""


def asked(version: ApiVersion, **fields: Any) -> LLMRequest:
    given = {"messages": (USER,), **fields}
    return LLMRequest(request_id="r", complexity="simple", api_version=version, **given)


@pytest.mark.parametrize("version", ["responses", "chat_completions"])
@pytest.mark.parametrize("model", MODELS)
async def test_every_kind_of_request_is_answered_by_the_first_call(
    model: str, version: ApiVersion
) -> None:
    refused: dict[str, str] = {}
    async with connected({"*": openai.answer}, kind="openai") as (server, session):
        odd = MODELS.index(model) + (version == "responses")
        for place, (name, fields) in enumerate({**EVERY_KIND, **MORE}.items()):
            # Each kind is streamed from every other model, whole from the rest, and at the other
            # version the other way round: the request is written the same way.
            on_text = _heard if (place + odd) % 2 else None
            outcome = await session.complete(
                asked(version, **fields), model, timeout=LONG, on_text=on_text
            )
            if isinstance(outcome, ProviderFailure):
                refused[name] = outcome.message
        assert refused == {}
        assert len(server.requests) == len(EVERY_KIND | MORE)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"temperature": 0.5}, "temperature", "unsupported_parameter"),
        ({"reasoning": {"effort": "minimal"}}, "reasoning.effort", "unsupported_value"),
        ({"max_output_tokens": 3}, "max_output_tokens", "integer_below_min_value"),
        ({"top_k": 3}, "top_k", "unknown_parameter"),
        ({"input": [{"role": "user", "content": "x", "name": "y"}]}, None, "invalid_type"),
        ({"safety_identifier": "u" * 65}, "safety_identifier", "string_above_max_length"),
    ],
)
async def test_the_vendor_is_strict(fields: Any, param: str | None, code: str) -> None:
    body = {"model": "gpt-6.1-sol", "input": "Hi", **fields}
    assert openai_responses.complaint({"model": "gpt-6.1-sol", "input": "Hi"}) is None
    wrong = openai_responses.complaint(body)
    assert wrong is not None
    assert wrong.code == code
    assert param is None or wrong.param == param


async def test_a_model_that_nobody_knows_says_which_field_it_does_not_take() -> None:
    async with connected({"*": openai.answer}, kind="openai", by_the_rules=False) as (
        server,
        session,
    ):
        for version in ("responses", "chat_completions"):
            request = asked(version, temperature=0.7)
            failure = await session.complete(request, "future-model-9", timeout=LONG)
            assert isinstance(failure, ProviderFailure)
            assert failure.refused_field == "temperature"
            answer = await session.complete(
                request, "future-model-9", timeout=LONG, without={"temperature": "refused"}
            )
            assert isinstance(answer, Answer)
            assert answer.dropped == ("temperature: refused",)
        assert len(server.requests) == 4


async def step(
    session: ProviderSession, messages: tuple[Message, ...], model: str, *, stream: bool
) -> Answer:
    request = asked("responses", messages=messages, tools=(WEATHER,))
    answer = await session.complete(
        request, model, timeout=LONG, on_text=_heard if stream else None, key_name="KEY"
    )
    assert isinstance(answer, Answer), answer
    return answer


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["gpt-6.1-sol", "gpt-5", "o3"])
async def test_thoughts_come_back_through_a_loop_of_tools(model: str, stream: bool) -> None:
    async with connected({"*": openai.answer}, kind="openai") as (server, session):
        first = await step(session, (USER,), model, stream=stream)
        second = await step(session, after((USER,), first), model, stream=stream)
        messages = (*after((USER,), first), message_of(second), USER)
        third = await step(session, messages, model, stream=stream)
        items = [asked.json["input"] for asked in server.requests]
    assert (first.dropped, second.dropped, third.dropped) == ((), (), ())
    assert [it["type"] for it in items[1]] == [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert [it["id"] for it in items[2] if it["type"] == "reasoning"] == ["rs_1", "rs_4"]
    assert second.response == "Hello there."


@pytest.mark.parametrize("stream", [False, True])
async def test_after_a_failover_the_other_models_thoughts_stay_at_home_and_are_reported(
    stream: bool,
) -> None:
    async with connected({"*": openai.answer}, kind="openai") as (server, session):
        first = await step(session, (USER,), "gpt-6.1-sol", stream=stream)
        messages = after((USER,), first)
        other = await step(session, messages, "gpt-5", stream=stream)
        assert other.dropped == (
            "messages[1].provider_state: another provider's, model's or key's",
        )
        # What another vendor made has no place here either; back home, its own is sent again.
        elsewhere = Owner("gemini", "gemini-3.8-flash", "G").seal('{"thought_signature":"c2ln"}')
        call = {**first.tool_calls[0], "id": "c2", "provider_state": elsewhere}
        foreign = {"role": "assistant", "content": "", "tool_calls": [call]}
        result = {"role": "tool", "tool_call_id": "c2", "content": "sun"}
        home = await step(
            session,
            (*messages, message_of(other), USER, foreign, result),
            "gpt-6.1-sol",
            stream=stream,
        )
        items = [asked.json["input"] for asked in server.requests]
    assert "reasoning" not in [it["type"] for it in items[1]]
    assert [it["id"] for it in items[2] if it["type"] == "reasoning"] == ["rs_1"]
    assert home.dropped == (
        "messages[3].provider_state: another provider's, model's or key's",
        "messages[5].tool_calls[0].provider_state: another provider's, model's or key's",
    )


async def test_the_tier_and_the_cost_are_those_of_the_answer() -> None:
    async with connected({"*": openai.answer}, kind="openai") as (_, session):
        usual = await session.complete(asked("responses"), "gpt-5", timeout=LONG)
        flex = await session.complete(
            asked("responses", service_tier="flex"), "gpt-5", timeout=LONG
        )
    assert isinstance(usual, Answer)
    assert isinstance(flex, Answer)
    assert usual.cost is not None
    assert flex.cost is not None
    assert flex.cost == pytest.approx(usual.cost / 2)


async def test_a_state_of_another_shape_changes_nothing_but_is_reported() -> None:
    sealed = Owner("openai", "gpt-5", "KEY").seal('{"reasoning": [[0, {"type": "message"}]]}')
    said = {"role": "assistant", "content": "Rain.", "provider_state": sealed}
    async with connected({"*": openai.answer}, kind="openai") as (server, session):
        answer = await step(session, (USER, said, USER), "gpt-5", stream=False)
        told = "messages[1].provider_state: nothing in it can be sent back"
        assert answer.dropped == (told,)
        assert [it["type"] for it in server.requests[0].json["input"]] == ["message"] * 3


@pytest.mark.parametrize(
    ("effort", "model"), [("minimal", "gpt-5.1"), ("none", "gpt-5"), ("max", "gpt-5.2")]
)
async def test_a_value_that_is_refused_is_told_apart_from_a_field(effort: Any, model: str) -> None:
    """As by a model that takes less than the table says."""
    everything = {"takes": {"efforts": EFFORTS, "chat": "always"}}
    async with connected(
        {"*": openai.answer}, kind="openai", by_the_rules=False, models={model: everything}
    ) as (_, session):
        for version in ("responses", "chat_completions"):
            request = asked(version, reasoning_effort=effort)
            failure = await session.complete(request, model, timeout=LONG)
            assert isinstance(failure, ProviderFailure)
            assert (failure.refused_field, failure.refused_value) == ("reasoning_effort", True)
