"""Every body sent to the Responses API is one that the official OpenAI client could send."""

from typing import Any

import pytest
from pydantic import ValidationError

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import model_takes
from tests.lazy import Lazy
from tests.unit.providers.conversations import CALLED, EVERY_KIND, NESTED, PNG, SCHEMA, USER
from tests.unit.providers.oracles import check_body

params = Lazy("openai.types.responses.response_create_params")
CUSTOM_CALL = {"id": "call_9", "type": "custom", "custom": {"name": "shout", "input": "ho"}}

MORE: dict[str, dict[str, Any]] = {
    "answer continued": {
        "messages": (
            USER,
            {
                "role": "assistant",
                "content": [{"type": "output_text", "text": "A cat.", "annotations": []}],
            },
            USER,
        )
    },
    "documents": {
        "messages": (
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"file_data": PNG, "filename": "a.pdf"}},
                    {"type": "file", "file": {"file_id": "file-1"}},
                    {"type": "input_file", "file_url": "https://doc.example/a.pdf"},
                    {"type": "image_url", "image_url": "https://img.example/cat.png"},
                    {"type": "input_image", "file_id": "file-2", "detail": "high"},
                ],
            },
        )
    },
    "result in parts": {
        "messages": (*CALLED[:2], {**CALLED[2], "content": [{"type": "text", "text": "rain"}]})
    },
    "names": {"messages": ({**USER, "name": "ann", "trace": 7},)},
    "bare function": {
        "messages": (USER,),
        "tools": ({"type": "function", "function": {"name": "now"}},),
    },
    "custom tool": {
        "messages": (
            USER,
            {"role": "assistant", "content": None, "tool_calls": [CUSTOM_CALL]},
            {"role": "tool", "tool_call_id": "call_9", "content": "HO"},
        ),
        "tools": (
            {
                "type": "custom",
                "custom": {
                    "name": "shout",
                    "format": {
                        "type": "grammar",
                        "grammar": {"definition": "x", "syntax": "regex"},
                    },
                },
            },
        ),
        "tool_choice": {"type": "custom", "custom": {"name": "shout"}},
    },
    "some tools": {
        "messages": (USER,),
        "tools": (NESTED,),
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "required",
                "tools": [{"type": "function", "function": {"name": "weather"}}],
            },
        },
    },
    "nameless schema": {
        "messages": (USER,),
        "response_format": {"type": "json_schema", "schema": SCHEMA},
    },
    "few tokens": {"messages": (USER,), "max_tokens": 1},
    "input text": {"messages": (USER,), "input": "What is this?", "instructions": "Be brief."},
    "input items": {
        "messages": (USER,),
        "input": (
            {"role": "developer", "content": "Be brief."},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        ),
    },
    "cautious MCP server": {
        "messages": (USER,),
        "mcp_servers": (
            {
                "type": "url",
                "server_label": "files",
                "server_url": "https://mcp.example/sse",
                "require_approval": "always",
                "headers": {"X-Team": "a"},
            },
        ),
    },
}


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5", "o3"])
@pytest.mark.parametrize("name", [*EVERY_KIND, *MORE])
def test_is_what_the_official_client_sends(name: str, model: str) -> None:
    fields = {**EVERY_KIND, **MORE}[name]
    request = LLMRequest(request_id="r", complexity="simple", **fields)
    whole, streamed = params.ResponseCreateParamsNonStreaming, params.ResponseCreateParamsStreaming
    for wanted, stream in ((whole, False), (streamed, True)):
        prepared = responses_call(
            request, model, model_takes("openai/responses", model), stream=stream
        )
        assert isinstance(prepared, Prepared), prepared
        check_body(wanted, prepared.body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"stop": ["END"]},
        {"input": [{"role": "user", "content": "x", "name": "ann"}]},
        {"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        {"input": [{"role": "tool", "content": "x"}]},
        {"tools": [NESTED]},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"text": {"format": {"type": "json_schema", "json_schema": {}}}},
        {"max_output_tokens": "7"},
    ],
)
def test_the_oracle_is_strict(wrong: dict[str, Any]) -> None:
    body = {"model": "m", "input": [{"role": "user", "content": "x"}]}
    check_body(params.ResponseCreateParamsNonStreaming, body)
    with pytest.raises(ValidationError):
        check_body(params.ResponseCreateParamsNonStreaming, body | wrong)
