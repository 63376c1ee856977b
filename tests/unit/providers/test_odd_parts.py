"""Parts whose data is none; and what one API has in parts, calls and tools, and another has not."""

import json
from typing import Any

import pytest

from nexus_actors.contract.decode import decode_request
from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.chat.request import chat_call
from nexus_actors.providers.apis.generate_content.request import generate_content_call
from nexus_actors.providers.apis.messages.request import messages_call
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.http.api import Prepared
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes


def asked(**fields: Any) -> LLMRequest:
    fields = {"messages": ({"role": "user", "content": "x"},)} | fields
    return LLMRequest(request_id="r", complexity="simple", **fields)


def said(part: dict[str, Any], role: str = "user") -> LLMRequest:
    return asked(messages=({"role": role, "content": [part]},))


def file(data: Any) -> dict[str, Any]:
    return {"type": "file", "file": {"file_data": data, "filename": "x.pdf"}}


def test_data_that_is_neither_base64_nor_a_data_url_is_refused() -> None:
    cases = [
        file("169.254.169.254/x"),
        file("../../etc/passwd"),
        file(["x"]),
        {"type": "input_file", "file_data": "169.254.169.254/x"},
        {"type": "input_audio", "input_audio": {"data": "10.0.0.1:80", "format": "wav"}},
        {"type": "input_audio", "input_audio": "10.0.0.1:80"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "a.b"}},
        {"type": "document", "source": {"type": "base64", "data": "a.b"}},
    ]
    wrong = []
    for part in cases:
        for role in ["user", "assistant"]:
            for write in [chat_call, responses_call]:
                outcome = write(said(part, role), "m", Takes(), stream=False)
                if not (
                    isinstance(outcome, ProviderFailure)
                    and "messages[0].content[0]" in outcome.message
                ):
                    wrong.append((part, role, write, outcome))
    assert not wrong, "\n".join(map(repr, wrong))


def test_data_goes() -> None:
    cases = ["AAAA", "AA==\n", "data:application/pdf;base64,AAAA", "_-_-"]
    wrong = []
    for data in cases:
        for write in [chat_call, responses_call]:
            if not (isinstance(write(said(file(data)), "m", Takes(), stream=False), Prepared)):
                wrong.append((data, write))
    assert not wrong, "\n".join(map(repr, wrong))


WRITERS: dict[str, Any] = {
    "chat": lambda request: chat_call(request, "m", Takes(), stream=False),
    "responses": lambda request: responses_call(request, "m", Takes(), stream=False),
    "messages": lambda request: messages_call(
        request, "m", Takes(cache_control=True), stream=False, version="2023-06-01"
    ),
    "gemini": lambda request: generate_content_call(request, "m", Takes(), stream=False),
}
DOCUMENT = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "x"},
    "context": "of note",
    "citations": {"enabled": True},
}
SIGNED = {"google": {"thought_signature": "AAAA"}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def told(api: str, request: LLMRequest) -> set[str]:
    prepared = WRITERS[api](request)
    assert isinstance(prepared, Prepared), prepared
    return {it.partition(": ")[0] for it in prepared.dropped}


@pytest.mark.parametrize("api", WRITERS)
def test_what_is_said_of_a_document_is_sent_or_reported(api: str) -> None:
    paths = {f"messages[0].content[0].{key}" for key in ("context", "citations")}
    assert told(api, said(DOCUMENT)) & paths == (set() if api == "messages" else paths)


@pytest.mark.parametrize("api", WRITERS)
def test_extras_of_messages_and_calls_are_sent_or_reported(api: str) -> None:
    call = {**CALL, "extra_content": SIGNED, "cache_control": {"type": "ephemeral"}}
    turn = {"role": "assistant", "content": "", "tool_calls": [call], "extra_content": SIGNED}
    result = {"role": "tool", "tool_call_id": "c", "content": "x"}
    found = told(api, asked(messages=({"role": "user", "content": "x"}, turn, result)))
    message, inner = "messages[1].extra_content", "messages[1].tool_calls[0].extra_content"
    mark = "messages[1].tool_calls[0].cache_control"
    assert (message in found, inner in found) == (True, api != "gemini")
    assert (mark in found) == (api in ("chat", "responses"))


@pytest.mark.parametrize("api", WRITERS)
def test_keys_of_functions_are_sent_or_reported(api: str) -> None:
    function = {"name": "f", "parameters": {"type": "object"}, "x": 1}
    nested = {"type": "function", "function": function, "defer_loading": True}
    flat = {"type": "function", **function, "defer_loading": True}
    found = {it for it in told(api, asked(tools=(nested, flat))) if not it.endswith("strict")}
    inside = {"tools[0].defer_loading", "tools[0].function.x"}
    everywhere = inside | {"tools[1].defer_loading", "tools[1].x"}
    expected: dict[str, set[str]] = {"chat": set(), "responses": inside}
    assert found == expected.get(api, everywhere)


@pytest.mark.parametrize("api", WRITERS)
def test_keys_of_items_are_sent_or_reported(api: str) -> None:
    item = {"role": "user", "content": [{"type": "input_text", "text": "x", "y": 1}], "z": 1}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "w": 1}
    done = {"type": "function_call_output", "call_id": "c", "output": "x", "status": "completed"}
    decoded = decode_request(
        json.dumps({"request_id": "r", "complexity": "simple", "input": [item, call, done]})
    )
    assert isinstance(decoded, LLMRequest)
    assert decoded.unknown == ()
    paths = set() if api == "responses" else {"input.content.y", "input.z", "input.w"}
    assert told(api, decoded) == paths


def test_what_a_producer_wrote_beside_a_state_is_reported_unless_it_is_the_same() -> None:
    state = json.dumps({"reasoning_content": "a"})
    for written, expected in (("a", set()), ("b", {"messages[1].reasoning_content"})):
        turn = {
            "role": "assistant",
            "content": "x",
            "provider_state": state,
            "reasoning_content": written,
        }
        user = {"role": "user", "content": "x"}
        assert told("chat", asked(messages=(user, turn, user))) == expected


def test_further_keys_of_a_mark_are_reported() -> None:
    mark = {"type": "ephemeral", "ttl": "5m", "scope": "global"}
    assert told("messages", asked(cache_control=mark)) == {"cache_control.scope"}


def test_no_part_makes_a_writer_raise() -> None:
    cases = [
        {"type": "text", "text": None},
        {"type": "text", "text": {"a": 1}},
        {"type": "image_url", "image_url": "https://[::1"},
        {"type": "image_url", "image_url": {"url": "https://[::1?x=.png"}},
        {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "https://[::1"}},
    ]
    wrong = []
    for part in cases:
        for role in ["user", "tool"]:
            for write in WRITERS.values():
                call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                before = {"role": "assistant", "content": "", "tool_calls": [call]}
                message = {"role": role, "tool_call_id": "c", "content": [part]}
                if not (
                    isinstance(write(asked(messages=(before, message))), Prepared | ProviderFailure)
                ):
                    wrong.append((part, role, write, before, message))
    assert not wrong, "\n".join(map(repr, wrong))
