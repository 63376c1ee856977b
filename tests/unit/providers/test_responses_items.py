"""What is said, in the form that the Responses API takes."""

import json
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.responses.request import responses_call
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.conversations import CALL, FLAT, FUNCTION
from tests.unit.providers.responses_calls import body, call, items, spoken, told


def test_marks_of_caches_are_taken_out_and_reported_wherever_they_stand() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    prepared = call(
        messages=(
            {"role": "system", "content": [{"type": "text", "text": "Be brief.", **mark}]},
            {"role": "user", "content": "Hi", **mark},
            {"role": "assistant", "content": [{"type": "text", "text": "Ho", **mark}]},
        ),
        tools=({**FLAT, **mark}, {"type": "function", "function": {**FUNCTION, **mark}}),
    )
    assert "cache_control" not in json.dumps(prepared.body)
    assert set(prepared.dropped) == {
        "messages[0].content[0].cache_control",
        "messages[1].cache_control",
        "messages[2].content[0].cache_control",
        "tools[0].cache_control",
        "tools[1].cache_control",
    }
    given = ({"role": "user", "content": [{"type": "input_text", "text": "Hi", **mark}], **mark},)
    prepared = call(input=given)
    assert "cache_control" not in json.dumps(prepared.body)
    assert set(prepared.dropped) == {"input[0].content[0].cache_control", "input[0].cache_control"}


@pytest.mark.parametrize(
    "part", [{"type": "text", "text": "Hi"}, {"type": "input_text", "text": "Hi"}]
)
@pytest.mark.parametrize("role", ["system", "user", "assistant"])
def test_text_alone_is_a_plain_string(role: str, part: dict[str, Any]) -> None:
    assert items({"role": role, "content": [part]}) == [spoken(role, "Hi")]
    assert items({"role": role, "content": [part, part]}) == [spoken(role, "HiHi")]
    result = {"role": "tool", "tool_call_id": "c", "content": [part]}
    assert items(result)[0]["output"] == "Hi"


@pytest.mark.parametrize("calls", [[], None])
def test_an_empty_list_of_calls_is_none(calls: Any) -> None:
    said = {"role": "assistant", "content": "Ho", "tool_calls": calls}
    assert items(said) == [spoken("assistant", "Ho")]


def test_a_refusal_of_the_chat_api_is_what_was_said() -> None:
    said = {"role": "assistant", "content": None, "refusal": "I cannot."}
    assert items(said) == [spoken("assistant", "I cannot.")]


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("data:image/jpg;base64,aGk", "data:image/jpeg;base64,aGk="),
        ("data:IMAGE/PNG;base64,aG k=", "data:image/png;base64,aGk="),
        ("data:image/png;base64,_-8", "data:image/png;base64,/+8="),
    ],
)
def test_data_is_written_as_the_api_wants_it(url: str, sent: str) -> None:
    for part in (
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "input_image", "image_url": url},
    ):
        [message] = items({"role": "user", "content": [part]})
        assert message["content"][0]["image_url"] == sent
        [given] = body(input=({"role": "user", "content": [{**part, "x": 1}]},))["input"]
        if part["type"] == "input_image":
            assert given["content"][0] == {**part, "image_url": sent, "detail": "auto", "x": 1}


def test_anthropics_parts_have_a_form_and_its_thoughts_are_dropped_and_reported() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "aGk="}
    prepared = call(
        messages=(
            {"role": "user", "content": [{"type": "image", "source": source}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "s"},
                    {"type": "text", "text": "Ho"},
                ],
            },
        )
    )
    first, second = prepared.body["input"]
    assert first["content"] == [
        {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"}
    ]
    assert second == spoken("assistant", "Ho")
    assert told(prepared) == ("messages[1].content[0]",)


@pytest.mark.parametrize("fields", ["messages", "input"])
def test_a_recording_is_refused(fields: str) -> None:
    part = {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}
    said = ({"role": "user", "content": [part]},)
    request = LLMRequest(
        request_id="r",
        complexity="simple",
        messages=said,
        input=said if fields == "input" else None,
    )
    failure = responses_call(
        request, "gpt-4o", model_takes("openai/responses", "gpt-4o"), stream=False
    )
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.scope) == ("request_rejected", "request")
    assert f"{fields}[0].content[0]" in failure.message


@pytest.mark.parametrize(
    "arguments", ['{"x": NaN}', '{"x": 1e999}', "[" * 100_000, '{"x":' * 100_000, '{"x": Infinity}']
)
def test_arguments_that_no_json_can_carry_are_refused(arguments: str) -> None:
    bad = {**CALL, "function": {"name": "f", "arguments": arguments}}
    request = LLMRequest(
        request_id="r",
        complexity="simple",
        messages=({"role": "assistant", "content": "", "tool_calls": [bad]},),
    )
    failure = responses_call(
        request, "gpt-5", model_takes("openai/responses", "gpt-5"), stream=False
    )
    assert isinstance(failure, ProviderFailure)
    assert "messages[0].tool_calls[0]" in failure.message
    assert len(failure.message) < 300


def test_ids_that_are_too_long_are_the_same_in_call_and_result() -> None:
    long, other = "c" * 65, "d" * 65
    calls = [{**CALL, "id": long}, {**CALL, "id": other}, {**CALL, "id": "short"}]
    sent = items(
        {"role": "assistant", "content": "", "tool_calls": calls},
        *({"role": "tool", "tool_call_id": it["id"], "content": "x"} for it in calls),
    )
    ids = [it["call_id"] for it in sent]
    assert ids[:3] == ids[3:]
    assert len({*ids}) == 3
    assert max(map(len, ids)) <= 64
    assert ids[2] == "short"
    given = (
        {"type": "function_call", "call_id": long, "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": long, "output": "x"},
    )
    assert [it["call_id"] for it in body(input=given)["input"]] == [ids[0], ids[0]]
