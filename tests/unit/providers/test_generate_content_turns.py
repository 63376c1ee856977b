"""What is said to Gemini, and the signatures that go back where they stood."""

import json
from typing import Any

import pytest

from nexus_actors.contract.request import LLMRequest
from nexus_actors.providers.apis.generate_content.answer import read_generated
from nexus_actors.providers.apis.generate_content.api import GenerateContentApi
from nexus_actors.providers.apis.generate_content.request import generate_content_call
from nexus_actors.providers.apis.generate_content.state import read_call_state, read_signed_texts
from nexus_actors.providers.apis.generate_content.turns import UNCHECKED
from nexus_actors.providers.http.api import Prepared, Reading
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import model_takes
from tests.unit.providers.conversations import CALL, USER
from tests.unit.providers.gemini_oracle import check_answer, check_call

FLASH = "gemini-3.8-flash"


def prepare(*messages: dict[str, Any], model: str = FLASH) -> Prepared | ProviderFailure:
    request = LLMRequest(request_id="r", complexity="simple", messages=messages)
    return generate_content_call(request, model, model_takes("gemini", model), stream=False)


def said(*messages: dict[str, Any], model: str = FLASH) -> list[dict[str, Any]]:
    """The parts of the model's turn."""
    prepared = prepare(USER, *messages, USER, model=model)
    assert isinstance(prepared, Prepared), prepared
    check_call(prepared, model, stream=False)
    [turn] = [it for it in prepared.body["contents"] if it["role"] == "model"]
    parts: list[dict[str, Any]] = json.loads(json.dumps(turn["parts"]))
    return parts


def generated(*parts: dict[str, Any], finish: str | None = "STOP") -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "responseId": "resp1"}


def message_of(reading: Any) -> dict[str, Any]:
    assert isinstance(reading, Reading)
    return {
        "role": "assistant",
        "content": reading.response or "",
        "tool_calls": list(reading.tool_calls),
        "provider_state": reading.state,
    }


A = {"text": "It ", "thoughtSignature": "c2lnQQ=="}
B = {"text": "rains."}
END = {"text": "", "thoughtSignature": "c2lnQg=="}
ASKED = {"functionCall": {"id": "f1", "name": "now", "args": {}}, "thoughtSignature": "c2lnQw=="}
MORE = {"functionCall": {"id": "f2", "name": "weather", "args": {"city": "Oslo"}}}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([A], [A]),
        ([A, B], [A, B]),
        ([B, A], [B, A]),
        ([B, END], [B, END]),
        ([A, B, END], [A, B, END]),
        ([END], [END]),
        ([B, B], [{"text": "rains.rains."}]),
        ([{"text": "Hm.", "thought": True}, B, END], [B, END]),
        ([ASKED, MORE], [ASKED, MORE]),
        ([A, B, ASKED, MORE], [A, B, ASKED, MORE]),
    ],
)
def test_each_signature_goes_back_with_the_part_that_it_came_with(
    parts: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> None:
    whole = generated(*parts)
    check_answer(whole)
    assert said(message_of(read_generated(whole))) == expected
    api = GenerateContentApi()
    stream = api.reader()
    for part in parts:
        stream.take(generated(part, finish=None))
    stream.take(generated(finish="STOP"))
    told = stream.whole()
    assert told is not None
    assert said(message_of(api.read(told))) == expected


def test_the_signature_in_the_place_of_the_chat_api_serves_producers_of_today() -> None:
    known = {**CALL, "extra_content": {"google": {"thought_signature": "b2xk"}}}
    [part] = said({"role": "assistant", "content": "", "tool_calls": [known]})
    assert part["thoughtSignature"] == "b2xk"
    both = {**known, "provider_state": '{"thought_signature":"bmV3"}'}
    [part] = said({"role": "assistant", "content": "", "tool_calls": [both]})
    assert part["thoughtSignature"] == "bmV3"


@pytest.mark.parametrize(
    ("model", "signature"),
    [
        (FLASH, UNCHECKED),
        ("gemini-3-pro-preview", UNCHECKED),
        ("gemini-4-argon", UNCHECKED),
        ("gemini-flash-latest", UNCHECKED),
        ("gemini-2.5-pro", None),
        ("gemini-2.0-flash", None),
        ("gemma-3-27b-it", None),
    ],
)
def test_an_unsigned_call_is_marked_where_the_model_demands_a_signature(
    model: str, signature: str | None
) -> None:
    parts = said({"role": "assistant", "content": "", "tool_calls": [CALL, CALL]}, model=model)
    assert [part.get("thoughtSignature") for part in parts] == [signature, None]


def test_a_text_that_is_not_the_one_that_came_with_it_goes_unsigned_and_is_reported() -> None:
    message = message_of(read_generated(generated(A, B)))
    for content in ("It rains", "", "Something else."):
        changed = {**message, "content": content, "tool_calls": [CALL]}
        prepared = prepare(USER, changed)
        assert isinstance(prepared, Prepared)
        parts = prepared.body["contents"][1]["parts"]
        assert [part for part in parts if "text" in part] == (
            [{"text": content}] if content else []
        )
        assert [it.partition(":")[0] for it in prepared.dropped] == ["messages[1].provider_state"]


@pytest.mark.parametrize(
    "state",
    [
        "no JSON",
        "{}",
        "[]",
        '{"length": 3}',
        '{"length": 3, "signed": 7}',
        '{"length": 3, "signed": [7]}',
        '{"length": 3, "signed": [[0, 3]]}',
        '{"length": 3, "signed": [[0, 4, "c2ln"]]}',
        '{"length": 3, "signed": [[-1, 3, "c2ln"]]}',
        '{"length": 3, "signed": [[2, 1, "c2ln"]]}',
        '{"length": 3, "signed": [[0, 2, "c2ln"], [1, 3, "c2ln"]]}',
        '{"length": 3, "signed": [[0, 3, "no base 64"]]}',
        '{"length": 3, "signed": [[0, 3, ""]]}',
        '{"length": 4, "signed": [[0, 3, "c2ln"]]}',
        "[" * 100_000,
    ],
)
def test_a_state_of_another_form_is_passed_over(state: str) -> None:
    assert read_signed_texts(state, "abc") is None
    assert read_call_state(state) is None
    call = {**CALL, "provider_state": state}
    parts = said(
        {"role": "assistant", "content": "abc", "tool_calls": [call], "provider_state": state}
    )
    assert [part.get("thoughtSignature") for part in parts] == [None, UNCHECKED]


@pytest.mark.parametrize("signature", ["", "no base 64", "a\nb", 7])
def test_a_signature_of_a_call_has_the_form_of_one(signature: Any) -> None:
    assert read_call_state(json.dumps({"thought_signature": signature})) is None


@pytest.mark.parametrize(
    "arguments",
    ['{"x": NaN}', '{"x": 1e999}', "[" * 100_000, '{"x":' * 100_000, '{"x": -Infinity}'],
)
def test_arguments_that_no_json_can_carry_are_refused(arguments: str) -> None:
    bad = {**CALL, "function": {"name": "f", "arguments": arguments}}
    failure = prepare(USER, {"role": "assistant", "content": "", "tool_calls": [bad]})
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.scope) == ("request_rejected", "request")
    assert "messages[1].tool_calls[0]" in failure.message
    assert len(failure.message) < 300


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ("", {}),
        ('{"a": 1}', {"a": 1}),
        ("[1]", {"arguments": [1]}),
        ("no JSON", {"arguments": "no JSON"}),
        ('{"a": ', {"arguments": '{"a": '}),
    ],
)
def test_arguments_are_an_object(arguments: str, sent: Any) -> None:
    call = {**CALL, "function": {"name": "f", "arguments": arguments}}
    [part] = said({"role": "assistant", "content": "", "tool_calls": [call]})
    assert part["functionCall"]["args"] == sent


@pytest.mark.parametrize(
    ("form", "kind"), [("wav", "audio/wav"), ("mp3", "audio/mp3"), ("flac", "audio/flac")]
)
def test_a_recording_is_data(form: str, kind: str) -> None:
    part = {"type": "input_audio", "input_audio": {"data": "aGk", "format": form}}
    prepared = prepare({"role": "user", "content": [part]})
    assert isinstance(prepared, Prepared)
    [turn] = prepared.body["contents"]
    assert turn["parts"] == [{"inlineData": {"mimeType": kind, "data": "aGk="}}]


@pytest.mark.parametrize(
    ("url", "kind", "data"),
    [
        ("data:image/jpg;base64,aGk", "image/jpeg", "aGk="),
        ("data:image/png;base64,_-8", "image/png", "/+8="),
        ("data:image/png;base64,aG k=", "image/png", "aGk="),
    ],
)
def test_data_is_written_as_the_api_wants_it(url: str, kind: str, data: str) -> None:
    for part in (
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "input_image", "image_url": url},
    ):
        prepared = prepare({"role": "user", "content": [part]})
        assert isinstance(prepared, Prepared)
        [sent] = prepared.body["contents"][0]["parts"]
        assert sent == {"inlineData": {"mimeType": kind, "data": data}}


def test_marks_of_caches_and_anothers_thoughts_are_reported() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    prepared = prepare(
        {"role": "system", "content": [{"type": "text", "text": "Be brief.", **mark}]},
        {"role": "user", "content": [{"type": "text", "text": "Hi", **mark}]},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "Ho"}]},
        USER,
    )
    assert isinstance(prepared, Prepared)
    assert "ephemeral" not in json.dumps(prepared.body)
    assert "Hm." not in json.dumps(prepared.body)
    assert {it.partition(":")[0] for it in prepared.dropped} == {
        "messages[0].cache_control",
        "messages[1].cache_control",
        "messages[2].content",
    }


@pytest.mark.parametrize(
    ("model", "goes_on"),
    [
        (FLASH, False),
        ("gemini-3.6-flash", False),
        ("gemini-3.5-flash-lite", False),
        ("gemini-4-argon", False),
        ("gemini-3.5-flash", True),
        ("gemini-2.5-pro", True),
    ],
)
def test_a_model_that_takes_no_begun_answer_is_asked_to_go_on(model: str, goes_on: bool) -> None:
    prepared = prepare(USER, {"role": "assistant", "content": "It"}, model=model)
    assert isinstance(prepared, Prepared)
    last = prepared.body["contents"][-1]
    assert last["role"] == ("model" if goes_on else "user")
    told = [it.partition(":")[0] for it in prepared.dropped]
    assert told == ([] if goes_on else ["messages[1]"])
