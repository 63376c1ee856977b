"""`gemini` against a server that plays the vendor's documented rules (`tests/vendors/gemini.py`):
every kind of request, with every kind of model, is answered by the first call; and signatures come
back to the model through a loop of tools."""

import json
from dataclasses import replace
from typing import Any

import pytest

from nexus_actors.contract.provider_state import Owner
from nexus_actors.contract.request import LLMRequest, Message
from nexus_actors.contract.result import Answer
from nexus_actors.providers.port import ProviderFailure, ProviderSession
from nexus_actors.providers.takes import EFFORTS
from tests.http_server import Recorded
from tests.integration.providers.helpers import LONG, after, connected, message_of
from tests.unit.providers.conversations import CALLED, EVERY_KIND, NESTED, PNG
from tests.vendors import gemini

MODELS = (
    "gemini-2.0-flash",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-pro",
    "gemini-3-flash-preview",
    "gemini-3-pro-preview",
    "gemini-3.1-pro-preview",
    "gemini-3.1-flash-lite",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.6-flash",
    "gemini-3.8-flash",
    "gemini-4-argon",
    "gemini-4-hydrogen",
    "gemini-flash-latest",
    "gemini-5-newest",
    "models/gemini-3.8-flash",
)
USER = {"role": "user", "content": "How is the weather in Oslo?"}
MARK = {"cache_control": {"type": "ephemeral"}}
MORE: dict[str, dict[str, Any]] = {
    **{
        f"effort {effort}": {"reasoning_effort": effort, "temperature": 0.5, "tools": (NESTED,)}
        for effort in EFFORTS
    },
    **{
        f"thinking of {tokens}": {"thinking": {"type": "enabled", "budget_tokens": tokens}}
        for tokens in (1, 1024, 100_000)
    },
    "no thinking": {"thinking": {"type": "disabled"}},
    "every field": {
        "temperature": 0.7,
        "top_p": 0.5,
        "top_k": 5,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.5,
        "seed": 2**40,
        "stop": ("END", "\n"),
        "verbosity": "low",
        "reasoning_summary": "auto",
        "prompt_cache_key": "k",
        "service_tier": "default",
        "user": "u",
        "metadata": {"a": "b"},
        "include": ("reasoning.encrypted_content",),
        "cache_control": {"type": "ephemeral"},
        "max_tokens": 1_000_000,
        "store": True,
    },
    "begun answer": {"messages": (USER, {"role": "assistant", "content": "It is"})},
    "media": {
        "messages": (
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?", **MARK},
                    {
                        "type": "image_url",
                        "image_url": {"url": f"data:image/jpg;base64,{PNG.rstrip('=')}"},
                    },
                    {"type": "input_audio", "input_audio": {"data": "aGk", "format": "mp3"}},
                    {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}},
                ],
            },
        )
    },
    "calls of another's": {
        "messages": (
            *CALLED,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                    {"type": "text", "text": "Rain."},
                ],
            },
            USER,
        ),
        "tools": (NESTED,),
    },
}


def _heard(_: str) -> None:
    """The answer is read as a stream."""


def asked(**fields: Any) -> LLMRequest:
    return LLMRequest(request_id="r", complexity="simple", **{"messages": (USER,), **fields})


def here(call: Recorded) -> Any:
    """As the vendor answers, whose paths begin otherwise."""
    return gemini.answer(replace(call, path=call.path.replace("/v1/", "/v1beta/", 1)))


@pytest.mark.parametrize("model", MODELS)
async def test_every_kind_of_request_is_answered_by_the_first_call(model: str) -> None:
    refused: dict[str, str] = {}
    async with connected({"*": here}, kind="gemini", name="google") as (server, session):
        for name, fields in {**EVERY_KIND, **MORE}.items():
            for on_text in (None, _heard):
                outcome = await session.complete(
                    asked(**fields), model, timeout=LONG, on_text=on_text
                )
                if isinstance(outcome, ProviderFailure):
                    refused[name] = outcome.message
        assert refused == {}
        assert len(server.requests) == 2 * len(EVERY_KIND | MORE)


def _complaint(body: dict[str, Any], model: str = "gemini-3.8-flash") -> Any:
    path = f"/v1beta/models/{model}:generateContent"
    headers = {"x-goog-api-key": "k"}
    said = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], **body}
    call = Recorded(
        method="POST", path=path, headers=headers, body=json.dumps(said).encode(), connection=0
    )
    reply = gemini.answer(call)
    return reply.body["error"] if reply.status != 200 else None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"generation_config": {}}, "generation_config"),
        ({"generationConfig": {"top_k": 3}}, "top_k"),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}}, "MINIMAL"),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 128}}}, "128"),
        ({"generationConfig": {"presencePenalty": 1}}, "Penalty"),
        ({"contents": [{"role": "model", "parts": [{"text": "It"}]}]}, "model turn"),
        ({"contents": [{"role": "user", "parts": [{"text": "x", "cache_control": {}}]}]}, "cache"),
        (
            {
                "contents": [
                    {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
                    {
                        "role": "user",
                        "parts": [{"functionResponse": {"name": "f", "response": {}}}],
                    },
                ]
            },
            "thought_signature",
        ),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "function_declarations"),
    ],
)
def test_the_vendor_is_strict(body: dict[str, Any], why: str) -> None:
    assert _complaint({}) is None
    error = _complaint(body)
    assert error is not None
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert why in error["message"]


async def step(
    session: ProviderSession, messages: tuple[Message, ...], model: str, *, stream: bool
) -> Answer:
    answer = await session.complete(
        asked(messages=messages, tools=(NESTED,)),
        model,
        timeout=LONG,
        on_text=_heard if stream else None,
        key_name="KEY",
    )
    assert isinstance(answer, Answer), answer
    return answer


def signatures(call: Recorded) -> list[str | None]:
    """Those of the model's parts, in their order."""
    turns = [turn for turn in call.json["contents"] if turn["role"] == "model"]
    return [part.get("thoughtSignature") for turn in turns for part in turn["parts"]]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-3-pro-preview"])
async def test_signatures_come_back_through_a_loop_of_tools(model: str, stream: bool) -> None:
    async with connected({"*": here}, kind="gemini", name="google") as (server, session):
        first = await step(session, (USER,), model, stream=stream)
        second = await step(session, after((USER,), first), model, stream=stream)
        messages = (*after((USER,), first), message_of(second), USER)
        third = await step(session, messages, model, stream=stream)
        sent = [signatures(call) for call in server.requests]
    assert second.response == "Hello there."
    assert sent[0] == []
    assert len(sent[1]) == 1
    assert sent[1][0] not in (None, "skip_thought_signature_validator")
    assert sent[2] == [sent[1][0], None, sent[2][2]]
    assert sent[2][2] is not None
    assert [it for it in third.dropped if "provider_state" in it] == []


@pytest.mark.parametrize("stream", [False, True])
async def test_after_a_failover_signatures_stay_at_home_and_are_reported(stream: bool) -> None:
    """Also where the chat API's place for them says the same once more."""
    async with connected({"*": here}, kind="gemini", name="google") as (server, session):
        first = await step(session, (USER,), "gemini-3.8-flash", stream=stream)
        [call] = first.tool_calls
        assert call["extra_content"]["google"]["thought_signature"]
        messages = after((USER,), first)
        other = await step(session, messages, "gemini-3.5-flash", stream=stream)
        elsewhere = Owner("openai", "gpt-5", "O").seal('{"reasoning": []}')
        foreign = {"role": "assistant", "content": "Rain.", "provider_state": elsewhere}
        home = await step(session, (*messages, foreign, USER), "gemini-3.8-flash", stream=stream)
        sent = [signatures(it) for it in server.requests]
    why = "another provider's, model's or key's"
    assert [it for it in other.dropped if "provider_state" in it] == [
        f"messages[1].tool_calls[0].provider_state: {why}"
    ]
    assert sent[1] == ["skip_thought_signature_validator"]
    assert [it for it in home.dropped if "provider_state" in it] == [
        f"messages[3].provider_state: {why}"
    ]
    assert sent[2][0] not in (None, "skip_thought_signature_validator")


async def test_one_who_knows_the_chat_apis_place_alone_is_served_too() -> None:
    async with connected({"*": here}, kind="gemini", name="google") as (server, session):
        first = await step(session, (USER,), "gemini-3.8-flash", stream=False)
        [call] = first.tool_calls
        known = {key: call[key] for key in call if key != "provider_state"}
        messages = (
            USER,
            message_of(first, tool_calls=[known], provider_state=None),
            {"role": "tool", "tool_call_id": call["id"], "content": "rain"},
        )
        await step(session, messages, "gemini-3.8-flash", stream=False)
        assert signatures(server.requests[1])[0] not in (None, "skip_thought_signature_validator")
