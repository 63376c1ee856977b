"""Every body we send is one that the official Gemini client sends for the same request."""

from dataclasses import replace
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.generate_content.answer import FINISHES
from nexus_actors.providers.apis.generate_content.request import generate_content_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.conversations import CALL, CALLED, EVERY_KIND, NESTED, PNG
from tests.unit.providers.gemini_oracle import check_call

FURTHER: dict[str, dict[str, Any]] = {
    "documents": {
        "messages": (
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}},
                    {"type": "input_file", "file_url": "https://x.example/a.pdf?v=1"},
                    {"type": "input_file", "file_url": "https://x.example/nothing"},
                ],
            },
        )
    },
    "a tool's picture": {
        "messages": (
            *CALLED[:2],
            {
                "role": "tool",
                "tool_call_id": "call_1",
                "content": [
                    {"type": "text", "text": "rain"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                ],
            },
        )
    },
    "signed call": {
        "messages": (
            CALLED[0],
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {**CALL, "extra_content": {"google": {"thought_signature": "c2VhbGVk"}}}
                ],
            },
            CALLED[2],
        )
    },
    "system alone": {"messages": ({"role": "system", "content": "Say hello."},)},
    "function of nothing": {
        "messages": (CALLED[0],),
        "tools": ({"type": "function", "function": {"name": "now"}}, NESTED),
    },
}


@pytest.mark.parametrize(
    "model", ["gemini-3.8-flash", "gemini-2.5-pro", "gemini-2.5-flash", "models/gemini-3.8-flash"]
)
@pytest.mark.parametrize("name", [*EVERY_KIND, *FURTHER])
def test_is_what_the_official_client_sends(name: str, model: str) -> None:
    fields = (EVERY_KIND | FURTHER)[name]
    request = LLMRequest(request_id="r", complexity="simple", **fields)
    for stream in (False, True):
        prepared = generate_content_call(
            request, model, model_takes("gemini", model), stream=stream
        )
        assert isinstance(prepared, Prepared), prepared
        check_call(prepared, model, stream=stream)


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh"])
@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-2.5-pro", "gemini-2.0-flash"])
def test_every_effort_is_what_the_official_client_sends(effort: Any, model: str) -> None:
    request = LLMRequest(
        request_id="r", complexity="simple", messages=(CALLED[0],), reasoning_effort=effort
    )
    prepared = generate_content_call(request, model, model_takes("gemini", model), stream=False)
    assert isinstance(prepared, Prepared)
    check_call(prepared, model, stream=False)


def _parts(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": list(parts)}]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"unknown": 1},
        {"system_instruction": {"parts": [{"text": "x"}]}},
        {"generationConfig": {"max_output_tokens": 7}},
        {"generationConfig": {"maxOutputTokens": "7"}},
        {"generationConfig": {"systemInstruction": {"parts": [{"text": "x"}]}}},
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "low"}}},
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "HUGE"}}},
        {"toolConfig": {"functionCallingConfig": {"mode": "REQUIRED"}}},
        {"tools": [{"functionDeclarations": [{"name": "f", "strict": True}]}]},
        {"contents": [{"role": "user", "parts": [{"text": "x"}], "name": "x"}]},
        _parts({"inline_data": {"mimeType": "image/png", "data": PNG}}),
        _parts({"inlineData": {"mimeType": "image/png", "data": "no base 64"}}),
        _parts({"functionCall": {"name": "f", "willContinue": True}}),
        _parts({"functionCall": {"name": "f", "args": "{}"}}),
    ],
)
def test_the_oracle_is_strict(wrong: dict[str, Any]) -> None:
    right = Prepared(path="/models/m:generateContent", body=_parts({"text": "x"}))
    check_call(right, "m", stream=False)
    with pytest.raises((ValueError, AssertionError, Warning)):
        check_call(replace(right, body={**right.body, **wrong}), "m", stream=False)


def test_the_oracle_looks_at_the_path() -> None:
    wrong = Prepared(path="/models/other:generateContent", body=_parts({"text": "x"}))
    with pytest.raises(AssertionError):
        check_call(wrong, "m", stream=False)


def test_every_reason_we_name_is_one_of_the_apis() -> None:
    from google.genai.types import FinishReason

    assert FINISHES.keys() <= {reason.value for reason in FinishReason}
