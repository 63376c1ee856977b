"""Streamed answers of Gemini's come to what they would have been unstreamed."""

import json
from typing import Any

import pytest

from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.generate_content.api import GenerateContentApi
from nexus_actors.providers.http.api import Reading
from nexus_actors.providers.port import ProviderFailure
from tests.unit.providers.gemini_oracle import check_answer

API = GenerateContentApi()
TAIL = {"modelVersion": "gemini-3.8-flash", "responseId": "resp1"}


def chunk(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], **TAIL, **more}


def counts(prompt: int, completion: int) -> dict[str, Any]:
    return {
        "promptTokenCount": prompt,
        "candidatesTokenCount": completion,
        "totalTokenCount": prompt + completion,
    }


def read(*events: dict[str, Any]) -> tuple[list[str], Reading | ProviderFailure | None]:
    reader = API.reader()
    told = [reader.take(event) for event in events]
    whole = reader.whole()
    return told, None if whole is None else API.read(json.loads(json.dumps(whole)))


def test_texts_thoughts_calls_and_the_last_count_come_together() -> None:
    events = [
        chunk({"text": "Hm.", "thought": True}, usageMetadata=counts(7, 0)),
        chunk({"text": "It "}, usageMetadata=counts(7, 1)),
        chunk({"text": "rains."}),
        chunk(
            {"functionCall": {"name": "now", "args": {"zone": "CET"}}, "thoughtSignature": "c2Vh"}
        ),
        chunk({"text": ""}, finish="STOP", usageMetadata=counts(7, 9)),
    ]
    for event in events:
        check_answer(event)
    told, reading = read(*events)
    assert told == ["", "It ", "rains.", "", ""]
    assert reading == Reading(
        response="It rains.",
        usage=Usage(7, 9, 16),
        finish_reason="tool_calls",
        native_finish_reason="STOP",
        response_id="resp1",
        served_model="gemini-3.8-flash",
        tool_calls=(
            {
                "id": "call_resp1_0",
                "type": "function",
                "function": {"name": "now", "arguments": '{"zone": "CET"}'},
                "extra_content": {"google": {"thought_signature": "c2Vh"}},
                "provider_state": '{"thought_signature":"c2Vh"}',
            },
        ),
    )


def test_a_stream_without_a_finish_reason_is_no_answer() -> None:
    assert read(chunk({"text": "It "}), chunk({"text": "rai"})) == (["It ", "rai"], None)
    assert read() == ([], None)
    assert read({}, {"candidates": []}, {"usageMetadata": counts(1, 0)})[1] is None


def test_counts_after_the_end_still_count() -> None:
    _, reading = read(chunk({"text": "x"}, finish="STOP"), {"usageMetadata": counts(3, 4)})
    assert isinstance(reading, Reading)
    assert reading.usage == Usage(3, 4, 7)


def test_stopped_by_a_filter_in_the_middle() -> None:
    last = {"candidates": [{"finishReason": "SAFETY", "index": 0}]}
    told, reading = read(chunk({"text": "so far"}), last)
    assert told == ["so far", ""]
    assert isinstance(reading, Reading)
    assert (reading.response, reading.finish_reason) == ("so far", "content_filter")


def test_a_blocked_prompt_ends_the_stream() -> None:
    _, failure = read({"promptFeedback": {"blockReason": "SAFETY"}, **TAIL})
    assert isinstance(failure, ProviderFailure)
    assert failure.type == "content_filtered"


def test_an_error_in_the_stream_counts_also_after_text() -> None:
    error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    told, failure = read(chunk({"text": "It "}), error)
    assert told == ["It ", ""]
    assert isinstance(failure, ProviderFailure)
    assert (failure.type, failure.retryable) == ("provider_error", True)


def test_other_candidates_are_passed_over() -> None:
    other = {
        "candidates": [
            {"index": 1, "content": {"parts": [{"text": "other"}]}, "finishReason": "STOP"}
        ]
    }
    assert read(other) == ([""], None)


@pytest.mark.parametrize("pack", [lambda error: error, lambda error: [error]])
def test_an_errors_body_may_be_a_list_of_one(pack: Any) -> None:
    error = {"error": {"code": 404, "message": "no such model", "status": "NOT_FOUND"}}
    failure = API.failed(404, {}, json.dumps(pack(error)).encode(), now=0.0)
    assert (failure.type, failure.message) == ("model_unavailable", "HTTP 404: no such model")


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b"[1]", b"[{}, {}]", b" <html>", b"\xff["])
def test_an_errors_body_may_be_anything(body: bytes) -> None:
    failure = API.failed(503, {}, body, now=0.0)
    assert (failure.type, failure.retryable) == ("provider_error", True)


def test_searches_reported_in_the_middle_count() -> None:
    grounded = chunk({"text": "It rains."})
    grounded["candidates"][0]["groundingMetadata"] = {"webSearchQueries": ["a", "b"]}
    _, reading = read(grounded, chunk({"text": ""}, finish="STOP"))
    assert isinstance(reading, Reading)
    assert reading.hosted_calls == {"web_search": 2}
    assert read(grounded)[1] is None


def test_what_different_chunks_say_of_tools_comes_together() -> None:
    first, last = chunk({"text": "It rains."}), chunk({"text": ""}, finish="STOP")
    first["candidates"][0]["groundingMetadata"] = {"webSearchQueries": ["a", "b"]}
    last["candidates"][0]["groundingMetadata"] = {"groundingChunks": [{"maps": {}}]}
    _, reading = read(first, last)
    assert isinstance(reading, Reading)
    assert reading.hosted_calls == {"web_search": 2, "maps": 1}


def test_an_error_after_the_end_takes_nothing_back() -> None:
    error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    whole = chunk({"text": "x"}, finish="STOP")
    assert read(whole, error)[1] == read(whole)[1]
    assert isinstance(read(whole)[1], Reading)
    for events in ((error, whole), ({**whole, **error},)):
        assert isinstance(read(*events)[1], ProviderFailure)
