"""The body sent, field by field."""

import json
from typing import Any

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import model_takes

USER = {"role": "user", "content": "Hi"}


def call(
    model: str = "gpt-4o-mini", *, stream: bool = False, at: str = "openai/chat", **fields: Any
) -> Prepared:
    fields = {"messages": (USER,)} | fields
    request = LLMRequest(request_id="r", complexity="simple", **fields)
    prepared = chat_call(request, model, model_takes(at, model), stream=stream)
    assert isinstance(prepared, Prepared), prepared
    return prepared


def body(model: str = "gpt-4o-mini", **fields: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(json.dumps(call(model, **fields).body))
    return decoded


def test_sends_no_more_than_was_asked() -> None:
    assert body() == {"model": "gpt-4o-mini", "messages": [USER]}


def test_drops_what_only_the_responses_api_has_and_says_so() -> None:
    prepared = call(
        previous_response_id="resp_1",
        store=True,
        capabilities=("code",),
        mcp_servers=({"server_label": "a", "server_url": "https://a.example"},),
        tools=({"type": "web_search"}, {"type": "mcp", "server_label": "a"}),
        tool_choice="auto",
        parallel_tool_calls=True,
    )
    assert prepared.body == {"model": "gpt-4o-mini", "messages": [USER]}
    assert prepared.dropped == (
        "previous_response_id",
        "store",
        "mcp_servers",
        "tools[0]",
        "tools[1]",
        "tool_choice",
        "parallel_tool_calls",
    )


def test_a_stream_is_asked_to_tell_its_usage() -> None:
    assert call(stream=True).body == {
        "model": "gpt-4o-mini",
        "messages": [USER],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_passes_on_how_the_answer_shall_be() -> None:
    flat = {"type": "json_schema", "name": "cat", "schema": {"type": "object"}, "strict": True}
    sent = body(
        "m",
        at="openai_compatible",
        top_p=0.5,
        stop=("END",),
        seed=7,
        reasoning_effort="low",
        response_format=flat,
        tools=({"type": "function", "name": "f"},),
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=False,
    )
    assert sent == {
        "model": "m",
        "messages": [USER],
        "top_p": 0.5,
        "stop": ["END"],
        "seed": 7,
        "reasoning_effort": "low",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "cat", "schema": {"type": "object"}, "strict": True},
        },
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
    }


def test_drops_message_keys_of_the_producers_own() -> None:
    assert body(messages=({**USER, "trace_id": 7, "name": "ann"},))["messages"] == [
        {**USER, "name": "ann"}
    ]


def test_names_the_limit_as_the_model_wants_it() -> None:
    cases = [
        ("openai/chat", "gpt-4o", "max_tokens"),
        ("openai/chat", "gpt-4.1-mini", "max_tokens"),
        ("openai_compatible", "llama-3.1-8b", "max_tokens"),
        ("openrouter", "openai/gpt-5", "max_tokens"),
        ("openai_compatible", "openai/gpt-5", "max_completion_tokens"),
        ("openai_compatible", "openai/gpt-oss-120b", "max_tokens"),
        ("openai/chat", "o1", "max_completion_tokens"),
        ("openai/chat", "o3-mini", "max_completion_tokens"),
        ("openai/chat", "o4-mini-2025-04-16", "max_completion_tokens"),
        ("openai/chat", "ft:o4-mini-2025-04-16:org::id", "max_completion_tokens"),
        ("openai/chat", "gpt-5", "max_completion_tokens"),
        ("openai/chat", "gpt-5.1-chat-latest", "max_completion_tokens"),
        ("openai/chat", "chat-latest", "max_completion_tokens"),
        ("openai_compatible", "gpt-5.1-codex", "max_completion_tokens"),
        ("azure", "my-deployment", "max_completion_tokens"),
        ("groq", "llama-3.3-70b-versatile", "max_completion_tokens"),
        ("xai", "grok-4.5", "max_completion_tokens"),
        ("mistral", "o3", "max_tokens"),
    ]
    wrong = []
    for at, model, field in cases:
        sent = body(model, at=at, max_tokens=100)
        found = (sent[field], len({"max_tokens", "max_completion_tokens"} & sent.keys()))
        if found != (100, 1):
            wrong.append((at, model, field, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_reasoning_models_get_no_temperature_and_no_stop() -> None:
    assert body("gpt-4o", temperature=0.0)["temperature"] == 0.0
    assert body("gpt-5-chat-latest", temperature=0.5)["temperature"] == 0.5
    for model in ("gpt-5", "o3", "gpt-6.1-terra"):
        prepared = call(model, temperature=0.7, top_p=0.5, stop=("X",))
        assert prepared.body == {"model": model, "messages": [USER]}
        assert prepared.dropped == ("temperature", "top_p", "stop")


def test_translates_parts_of_the_responses_api_and_passes_others_on() -> None:
    parts = [
        {"type": "input_text", "text": "what is this?"},
        {"type": "output_text", "text": "a cat"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"},
        {"type": "input_image", "image_url": "https://a.example/b.png"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:…"},
        {"type": "image_url", "image_url": {"url": "https://a.example/c.png"}},
        {"type": "something_new", "x": 1},
    ]
    [message] = body(messages=({"role": "user", "content": parts},))["messages"]
    assert message["content"] == [
        {"type": "text", "text": "what is this?"},
        {"type": "text", "text": "a cat"},
        {
            "type": "image_url",
            "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"},
        },
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        {"type": "file", "file": {"file_data": "data:…", "filename": "a.pdf"}},
        {"type": "image_url", "image_url": {"url": "https://a.example/c.png"}},
        {"type": "something_new", "x": 1},
    ]


def test_nests_flat_function_tools_and_keeps_nested_ones() -> None:
    function = {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}
    flat = {"type": "function", **function}
    nested = {"type": "function", "function": function}
    assert body(tools=(flat, nested))["tools"] == [nested, nested]


def test_passes_tool_calls_and_their_results() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = (
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
    )
    assert body(messages=messages)["messages"] == [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
    ]


def test_any_text_can_be_encoded() -> None:
    odd = "ä€😀\ud800\x00"
    assert body(messages=({"role": "user", "content": odd},))["messages"][0]["content"] == odd
