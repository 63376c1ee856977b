"""Every field of the official clients' request types is sent, refused, or told: none is lost.

The fields are collected from the clients themselves, so one that a newer client has fails here
until a value for it stands below, and what becomes of it is decided.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, get_type_hints

import pytest
from pydantic.alias_generators import to_camel

from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.errors import Refusal
from nexus_actors.providers.apis.chat.preset_api import PresetApi
from nexus_actors.providers.apis.chat.presets import PLAIN, PRESETS
from nexus_actors.providers.apis.generate_content.api import GenerateContentApi
from nexus_actors.providers.apis.messages.api import MessagesApi
from nexus_actors.providers.apis.responses.api import ResponsesOrChatApi
from nexus_actors.providers.http.api import HttpApi
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import model_takes
from tests.lazy import Lazy

beta_message = Lazy("anthropic.types.beta.message_create_params")
message = Lazy("anthropic.types.message_create_params")
genai_models = Lazy("google.genai.models")
genai = Lazy("google.genai.types")
openai_chat = Lazy("openai.types.chat")
chat = Lazy("openai.types.chat.completion_create_params")
responses = Lazy("openai.types.responses.response_create_params")
openai_responses = Lazy("openai.types.responses")
openai_shared = Lazy("openai.types.shared_params")

LOOK = {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}
TOOLS = [{"type": "function", "function": LOOK}]
ANTHROPIC_TOOLS = [{"name": "look", "input_schema": {"type": "object"}}]
SCHEMA = {
    "type": "object",
    "properties": {"x": {"type": "string"}},
    "required": ["x"],
    "additionalProperties": False,
}
USER = {"role": "user", "content": "What is this?"}

VALUES: Mapping[str, Any] = {
    # Anthropic
    "betas": ["some-beta-2026-01-01"],
    "billing_policy": {"type": "standard"},
    "cache_control": {"type": "ephemeral"},
    "compaction": {"enabled": True},
    "container": "container_1",
    "diagnostics": {"level": "full"},
    "fallback_credit_token": "token",
    "fallbacks": "default",
    "inference_geo": "us",
    "output_config": {"effort": "high"},
    "output_config.effort": "high",
    "output_config.format": {"type": "json_schema", "schema": SCHEMA},
    "output_config.task_budget": {"type": "tokens", "total": 20_000},
    "speed": "fast",
    "stop_sequences": ["END"],
    "system": [{"type": "text", "text": "Be brief."}],
    "thinking": {"type": "enabled", "budget_tokens": 2048},
    "thread": {"id": "thread_1"},
    "top_k": 20,
    "user_profile_id": "profile_1",
    "workspace_id": "workspace_1",
    # OpenAI, chat
    "audio": {"voice": "alloy", "format": "mp3"},
    "frequency_penalty": 0.5,
    "function_call": {"name": "look"},
    "functions": [LOOK],
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "max_completion_tokens": 100,
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Another question."}],
    "metadata": {"user_id": "u-1"},
    "modalities": ["text", "audio"],
    "model": "another-model",
    "moderation": {"model": "omni-moderation-latest"},
    "n": 2,
    "parallel_tool_calls": False,
    "prediction": {"type": "content", "content": "It is"},
    "presence_penalty": 0.5,
    "prompt_cache_key": "key-1",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "high",
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
    "safety_identifier": "u-1",
    "seed": 7,
    "service_tier": "flex",
    "stop": ["END"],
    "store": False,
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0.3,
    "tool_choice": "none",
    "tools": TOOLS,
    "top_logprobs": 3,
    "top_p": 0.3,
    "user": "u-1",
    "verbosity": "low",
    "web_search_options": {"search_context_size": "low"},
    # OpenAI, Responses
    "access_programs": {"trusted": True},
    "background": True,
    "background_options": {"mode": "x"},
    "context_management": [{"type": "compaction"}],
    "conversation": "conv_1",
    "image": {"size": "auto"},
    "include": ["reasoning.encrypted_content"],
    "input": "Another question.",
    "instructions": "Be brief.",
    "max_output_tokens": 100,
    "max_tool_calls": 3,
    "mcp_servers": [{"server_label": "l", "server_url": "https://mcp.example/"}],
    "previous_response_id": "resp_1",
    "prompt": {"id": "pmpt_1"},
    "reasoning": {"effort": "high"},
    "reasoning.context": "auto",
    "reasoning.effort": "high",
    "reasoning.generate_summary": "auto",
    "reasoning.mode": "pro",
    "reasoning.summary": "auto",
    "text": {"verbosity": "low"},
    "text.format": {"type": "json_schema", "name": "a", "schema": SCHEMA},
    "text.verbosity": "low",
    "truncation": "auto",
    # Gemini
    "audio_timestamp": True,
    "audio_transcription_config": {"languageCodes": ["en"]},
    "automatic_continuation": True,
    "automatic_function_calling": {"disable": True},
    "cached_content": "cachedContents/1",
    "candidate_count": 2,
    "config": {"temperature": 0.3},
    "contents": [{"role": "user", "parts": [{"text": "Another question."}]}],
    "continuation_token": "token",
    "enable_enhanced_civic_answers": True,
    "generation_output_config": {"x": 1},
    "http_options": {"timeout": 1000},
    "image_config": {"aspectRatio": "1:1"},
    "labels": {"team": "a"},
    "media_resolution": "MEDIA_RESOLUTION_LOW",
    "model_armor_config": {"x": 1},
    "model_selection_config": {"x": 1},
    "response_json_schema": SCHEMA,
    "response_logprobs": True,
    "response_mime_type": "application/json",
    "response_modalities": ["TEXT"],
    "response_schema": SCHEMA,
    "routing_config": {"x": 1},
    "safety_settings": [{"category": "x", "threshold": "y"}],
    "should_return_http_response": True,
    "speech_config": {"x": 1},
    "system_instruction": "Be brief.",
    "thinking_config": {"thinkingBudget": 100},
    "tool_config": {"functionCallingConfig": {"mode": "NONE"}},
}
"""A plausible value of each, and another than what happens without it."""
OF_ONE_CLIENT: Mapping[tuple[str, str], Any] = {
    ("anthropic", "tools"): ANTHROPIC_TOOLS,
    ("anthropic", "tool_choice"): {"type": "none"},
    ("anthropic", "service_tier"): "standard_only",
    ("anthropic beta", "tools"): ANTHROPIC_TOOLS,
    ("anthropic beta", "tool_choice"): {"type": "tool", "name": "look"},
    ("anthropic beta", "mcp_servers"): [{"type": "url", "name": "l", "url": "https://a.example"}],
    ("gemini", "tools"): [{"functionDeclarations": [LOOK]}],
    ("responses", "tools"): [{"type": "function", **LOOK}],
    ("responses", "tool_choice"): {"type": "function", "name": "look"},
}
BESIDE: Mapping[str, Mapping[str, Any]] = {
    "tool_choice": {"tools": TOOLS},
    "function_call": {"functions": [LOOK]},
    "parallel_tool_calls": {"tools": TOOLS},
    "input": {"messages": None},
}
"""What a field makes sense with alone."""
ANOTHER_NAME: Mapping[str, str] = {
    "candidate_count": "n",
    "function_call": "tool_choice",
    "functions": "tools",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "output_config": "reasoning_effort",
    "output_config.effort": "reasoning_effort",
    "output_config.format": "response_format",
    "reasoning": "reasoning_effort",
    "reasoning.effort": "reasoning_effort",
    "reasoning.generate_summary": "reasoning_summary",
    "reasoning.summary": "reasoning_summary",
    "safety_identifier": "user",
    "stop_sequences": "stop",
    "text": "verbosity",
    "text.format": "response_format",
    "text.verbosity": "verbosity",
}
"""By which name it is told besides its own: that of `LLMRequest`."""
NOT_SENT = {"model", "stream"}
"""Told to the provider by the route and the caller, not by `prepare` from the request."""


def keys(form: Any, *prefix: str) -> set[str]:
    return {".".join((*prefix, name)) for name in get_type_hints(form)}


@cache
def all_fields() -> list[tuple[str, str]]:
    """Of every client: (client, name)."""
    plain, beta = message.MessageCreateParamsBase, beta_message.MessageCreateParamsBase
    clients = {
        "chat": keys(chat.CompletionCreateParamsBase) | keys(chat.CompletionCreateParamsStreaming),
        "responses": keys(responses.ResponseCreateParamsBase)
        | keys(responses.ResponseCreateParamsStreaming)
        | keys(openai_shared.Reasoning, "reasoning")
        | keys(openai_responses.ResponseTextConfigParam, "text"),
        "anthropic": keys(plain) | keys(get_type_hints(plain)["output_config"], "output_config"),
        "anthropic beta": keys(beta) | keys(get_type_hints(beta)["output_config"], "output_config"),
        "gemini": {*genai.GenerateContentConfig.model_fields}
        | (keys(genai_models.Models.generate_content) - {"return"}),
    }
    return sorted((client, name) for client, names in clients.items() for name in names)


SERVERS: list[tuple[str, str, str]] = [
    ("openai/chat", "chat_completions", "gpt-4o"),
    ("openai/chat", "chat_completions", "gpt-5.6-sol"),
    ("openai/responses", "responses", "gpt-4o"),
    ("openai/responses", "responses", "gpt-5.6-sol"),
    ("anthropic", "responses", "claude-sonnet-4-5"),
    ("anthropic", "responses", "claude-opus-5-5"),
    ("gemini", "responses", "gemini-2.5-flash"),
    ("gemini", "responses", "gemini-3-pro-preview"),
    ("openai_compatible", "responses", "some-model"),
    *((preset, "responses", "some-model") for preset in PRESETS),
]


def api_of(server: str) -> HttpApi:
    match server:
        case "anthropic":
            return MessagesApi(version="2023-06-01")
        case "gemini":
            return GenerateContentApi()
        case "openai/chat" | "openai/responses":
            return ResponsesOrChatApi()
        case "openai_compatible":
            return PresetApi(PLAIN, {})
        case preset:
            return PresetApi(dict(PRESETS)[preset], {})


def request(name: str, value: Any, api_version: str) -> dict[str, Any]:
    base: dict[str, Any] = {
        "request_id": "r",
        "complexity": "simple",
        "messages": [USER],
        "api_version": api_version,
        **BESIDE.get(name, {}),
    }
    outer, _, inner = name.partition(".")
    return {**base, outer: {inner: value} if inner else value}


def outcome(fields: Mapping[str, Any], server: str, model: str) -> tuple[Any, tuple[str, ...]]:
    """The body, None where the request is refused; and what is told."""
    decoded = decode_request(json.dumps(fields))
    if isinstance(decoded, Refusal):
        return None, ()
    takes = model_takes(server, model)
    prepared = api_of(server).prepare(decoded, model, takes, stream=decoded.stream)
    if isinstance(prepared, ProviderFailure):
        return None, ()
    return prepared.body, (*prepared.dropped, *decoded.unknown)


def fate(client: str, name: str, server: str, api_version: str, model: str) -> str:
    value = OF_ONE_CLIENT.get((client, name), VALUES[name])
    fields = request(name, value, api_version)
    body, told = outcome(fields, server, model)
    if body is None:
        return "refused"
    names = {name, ANOTHER_NAME.get(name, name)}
    if any(_path(entry) in names for entry in told):
        return "told"
    without, _ = outcome(request(name, None, api_version), server, model)
    return "lost" if body == without else "sent"


def _path(entry: str) -> str:
    return entry.partition(":")[0].partition("[")[0]


def test_there_is_a_value_for_every_field() -> None:
    known = VALUES.keys()
    assert {name for _, name in all_fields()} - known == set()


@pytest.mark.parametrize(("server", "api_version", "model"), SERVERS, ids=str)
def test_every_field_is_sent_refused_or_reported(server: str, api_version: str, model: str) -> None:
    fates = {
        (client, name): fate(client, name, server, api_version, model)
        for client, name in all_fields()
        if name not in NOT_SENT
    }
    assert [field for field, what in fates.items() if what == "lost"] == []
    # Were all of them refused, nothing were lost either.
    assert {"sent", "told", "refused"} <= set(fates.values())


def test_no_field_of_geminis_own_api_is_lost() -> None:
    fields = {"request_id": "r", "complexity": "simple", "messages": [USER]}
    camel = {name: to_camel(name) for name in genai.GenerateContentConfig.model_fields}
    for name, written in camel.items():
        if name == written:
            continue
        decoded = decode_request(json.dumps({**fields, written: VALUES[name]}))
        if isinstance(decoded, Refusal):
            assert decoded.path == written
        else:
            assert decoded.unknown == (written,)
    assert {"maxOutputTokens", "topP"} <= {*camel.values()}


CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
MESSAGE_VALUES: Mapping[tuple[str, str], Any] = {
    ("assistant", "audio"): {"id": "audio_1"},
    ("assistant", "function_call"): {"name": "look", "arguments": "{}"},
    ("assistant", "name"): "ann",
    ("assistant", "refusal"): "I will not.",
    ("assistant", "tool_calls"): [CALL],
    ("assistant", "reasoning_content"): "Hm.",
    ("assistant", "reasoning"): "Hm.",
    ("assistant", "reasoning_details"): [{"type": "reasoning.text", "text": "Hm."}],
    ("developer", "name"): "ann",
    ("system", "name"): "ann",
    ("tool", "tool_call_id"): "c1",
    ("user", "name"): "ann",
}
"""A plausible value of each key that a message may have besides role and content."""
FORMS: Mapping[str, str] = {
    "assistant": "ChatCompletionAssistantMessageParam",
    "developer": "ChatCompletionDeveloperMessageParam",
    "system": "ChatCompletionSystemMessageParam",
    "tool": "ChatCompletionToolMessageParam",
    "user": "ChatCompletionUserMessageParam",
}
"""The client's type of each role's messages."""


def test_there_is_a_value_for_every_key_of_a_message() -> None:
    forms = {role: getattr(openai_chat, name) for role, name in FORMS.items()}
    keys_of_all = {(role, key) for role, form in forms.items() for key in get_type_hints(form)}
    others = {it for it in keys_of_all if it[1] not in ("role", "content")}
    assert others <= MESSAGE_VALUES.keys()


@pytest.mark.parametrize(("server", "api_version", "model"), SERVERS, ids=str)
def test_every_key_of_a_message_is_sent_refused_or_reported(
    server: str, api_version: str, model: str
) -> None:
    for (role, key), value in MESSAGE_VALUES.items():
        content = {"role": role, "content": "That is a rose."}
        told_place = f"messages[2].{key}"
        bodies = []
        for message in (content, {**content, key: value}):
            answered = [{"role": "tool", "tool_call_id": "c1", "content": "a rose"}]
            before = [USER, {"role": "assistant", "content": "", "tool_calls": [CALL]}]
            after = answered if key == "tool_calls" else [USER]
            fields = request("messages", [*before, message, *after], api_version)
            bodies.append(outcome({**fields, "tools": TOOLS}, server, model))
        (without, _), (body, told) = bodies
        paths = {entry.partition(":")[0] for entry in told}
        if body is not None and body == without:
            assert paths & {told_place, f"messages.{key}"}, (role, key)
