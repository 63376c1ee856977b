"""Reading Gemini's answers: those the official client knows, odd ones, and those that are none."""

import json
from typing import Any

import pytest

from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.generate_content.answer import FINISHES, read_generated
from nexus_actors.providers.http.api import Reading
from nexus_actors.providers.port import ProviderFailure
from tests.unit.providers.gemini_oracle import check_answer, types

COUNTS = {
    "promptTokenCount": 10,
    "toolUsePromptTokenCount": 2,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 30,
    "cachedContentTokenCount": 4,
    "totalTokenCount": 47,
}
PARIS = {"functionCall": {"name": "weather", "args": {"city": "Orléans"}}}


def answer(*parts: dict[str, Any], finish: str | None = "STOP", **changes: Any) -> dict[str, Any]:
    """An answer as the API's reference shows it."""
    candidate: dict[str, Any] = {"index": 0}
    if parts:
        candidate["content"] = {"role": "model", "parts": list(parts)}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": COUNTS,
        "modelVersion": "gemini-3.8-flash",
        "responseId": "resp1",
    } | changes


def good(value: dict[str, Any], *, known: bool = True) -> Reading:
    if known:
        check_answer(value)
    reading = read_generated(value)
    assert isinstance(reading, Reading), reading
    return reading


def bad(value: dict[str, Any]) -> ProviderFailure:
    failure = read_generated(value)
    assert isinstance(failure, ProviderFailure), failure
    return failure


def test_reads_what_the_official_client_would_write() -> None:
    response = types.GenerateContentResponse(
        candidates=[
            types.Candidate(
                index=0,
                finish_reason=types.FinishReason.STOP,
                content=types.Content(
                    role="model",
                    parts=[
                        types.Part(text="Let me see.", thought=True),
                        types.Part(text="It "),
                        types.Part(text="rains.", thought_signature=b"sealed"),
                    ],
                ),
                safety_ratings=[
                    types.SafetyRating(
                        category=types.HarmCategory.HARM_CATEGORY_HARASSMENT,
                        probability=types.HarmProbability.NEGLIGIBLE,
                    )
                ],
            )
        ],
        usage_metadata=types.GenerateContentResponseUsageMetadata(
            prompt_token_count=10,
            tool_use_prompt_token_count=2,
            candidates_token_count=5,
            thoughts_token_count=30,
            cached_content_token_count=4,
            total_token_count=47,
        ),
        model_version="gemini-3.8-flash-001",
        response_id="resp1",
    )
    value = response.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert good(value) == Reading(
        response=response.text,
        usage=Usage(12, 35, 47, 4, 30),
        finish_reason="stop",
        native_finish_reason="STOP",
        response_id="resp1",
        served_model="gemini-3.8-flash-001",
        state='{"length":9,"signed":[[3,9,"c2VhbGVk"]]}',
    )


def test_reads_calls_as_the_chat_api_has_them() -> None:
    signed = {"functionCall": {"id": "fc1", "name": "now"}, "thoughtSignature": "c2VhbGVk"}
    reading = good(answer({"text": "Both."}, signed, PARIS))
    assert reading.response == "Both."
    assert (reading.finish_reason, reading.native_finish_reason) == ("tool_calls", "STOP")
    assert reading.tool_calls == (
        {
            "id": "fc1",
            "type": "function",
            "function": {"name": "now", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": "c2VhbGVk"}},
            "provider_state": '{"thought_signature":"c2VhbGVk"}',
        },
        {
            "id": "call_resp1_1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Orléans"}'},
        },
    )


def test_calls_alone_have_no_text_and_ids_that_stay_the_same() -> None:
    reading = good(answer(PARIS, PARIS))
    assert reading.response is None
    ids = [call["id"] for call in reading.tool_calls]
    assert ids == ["call_resp1_0", "call_resp1_1"]
    assert reading == good(answer(PARIS, PARIS))
    [call] = good(answer(PARIS, responseId=None), known=False).tool_calls
    assert call["id"] == "call_0"


@pytest.mark.parametrize(("native", "finish"), FINISHES.items())
def test_finish_reasons_have_the_contracts_names(native: str, finish: str) -> None:
    reading = good(answer({"text": "so far"}, finish=native))
    assert (reading.finish_reason, reading.native_finish_reason) == (finish, native)
    nothing = good(answer(finish=native))
    assert (nothing.response, nothing.finish_reason) == ("", finish)


def test_other_reasons_stay_as_they_are_and_with_nothing_said_there_is_no_answer() -> None:
    for native in ("OTHER", "SOMETHING_NEW"):
        reading = good(answer({"text": "so far"}, finish=native), known=native != "SOMETHING_NEW")
        assert (reading.finish_reason, reading.native_finish_reason) == (native, native)
        assert reading.fault is None
        nothing = good(answer(finish=native), known=native != "SOMETHING_NEW")
        assert nothing.fault is not None
        assert native in nothing.fault
        assert nothing.usage == Usage(12, 35, 47, 4, 30)  # it is paid all the same


def test_a_call_that_the_model_got_wrong_is_no_answer_whatever_was_said() -> None:
    cases = [
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
    ]
    wrong = []
    for native in cases:
        for parts in [(), ({"text": "so far"},), ({"text": "so far"}, PARIS)]:
            fault = good(answer(*parts, finish=native)).fault
            if not (fault is not None and native in fault):
                wrong.append((native, parts, fault))
    assert not wrong, "\n".join(map(repr, wrong))


def test_stopped_with_nothing_said_is_an_empty_answer() -> None:
    for parts in ((), ({"text": ""},), ({"text": "Hm.", "thought": True},)):
        reading = good(answer(*parts))
        assert (reading.response, reading.finish_reason, reading.fault) == ("", "stop", None)


@pytest.mark.parametrize("args", [[1], 7, "no JSON", '"text"', "[1]", True])
def test_arguments_that_are_no_object_never_leave_as_a_call(args: Any) -> None:
    odd = {"functionCall": {"name": "weather", "args": args}}
    reading = good(answer({"text": "x"}, PARIS, odd), known=False)
    assert reading.fault is not None
    assert "arguments" in reading.fault
    cut = good(answer({"text": "x"}, PARIS, odd, finish="MAX_TOKENS"), known=False)
    assert (cut.response, cut.finish_reason, cut.fault) == ("x", "length", None)
    assert [call["function"]["name"] for call in cut.tool_calls] == ["weather"]
    assert [it.partition(":")[0] for it in cut.dropped] == ["tool_calls"]


@pytest.mark.parametrize("args", [{"city": "Oslo"}, '{"city": "Oslo"}'])
def test_arguments_as_text_are_those_that_the_text_holds(args: Any) -> None:
    value = answer({"functionCall": {"name": "weather", "args": args}})
    [call] = good(value, known=False).tool_calls
    assert json.loads(call["function"]["arguments"]) == {"city": "Oslo"}


@pytest.mark.parametrize(
    ("model", "queries", "paid"),
    [
        ("gemini-3.8-flash", ["a", "b", ""], {"web_search": 2}),
        ("gemini-2.5-flash", ["a", "b"], {"web_search": 1}),
        ("gemini-3.8-flash", [], {}),
        ("gemini-3.8-flash", None, {}),
    ],
)
def test_searches_are_counted_as_they_are_paid(model: str, queries: Any, paid: Any) -> None:
    value = answer({"text": "x"}, modelVersion=model)
    value["candidates"][0]["groundingMetadata"] = {"webSearchQueries": queries}
    assert good(value, known=bool(queries)).hosted_calls == paid


def test_tokens_of_recordings_are_told_apart() -> None:
    details = [
        {"modality": "TEXT", "tokenCount": 3},
        {"modality": "AUDIO", "tokenCount": 7},
        {"modality": "AUDIO", "tokenCount": "x"},
        None,
    ]
    counts = {"promptTokenCount": 10, "promptTokensDetails": details}
    reading = good(answer({"text": "x"}, usageMetadata=counts), known=False)
    assert (reading.audio_input_tokens, reading.audio_output_tokens) == (7, 0)
    counts["candidatesTokensDetails"] = details[:2]
    reading = good(answer({"text": "x"}, usageMetadata=counts), known=False)
    assert reading.audio_output_tokens == 7


@pytest.mark.parametrize(
    ("told", "tier"),
    [
        ({"serviceTier": "flex"}, "flex"),
        ({"serviceTier": "SERVICE_TIER_PRIORITY"}, "priority"),
        ({"serviceTier": "standard"}, None),
        ({"usageMetadata": {"serviceTier": "flex"}}, "flex"),
        ({"usageMetadata": {"trafficType": "ON_DEMAND_PRIORITY"}}, "priority"),
        ({"usageMetadata": {"trafficType": "ON_DEMAND"}}, None),
        ({}, None),
    ],
)
def test_the_tier_of_the_answer(told: Any, tier: str | None) -> None:
    assert good(answer({"text": "x"}, **told), known=False).service_tier == tier


def test_a_cut_off_answer_with_calls_is_still_cut_off() -> None:
    assert good(answer(PARIS, finish="MAX_TOKENS")).finish_reason == "length"


@pytest.mark.parametrize("counts", [{"promptTokenCount": 10}, None])
def test_a_blocked_prompt_is_filtered_and_says_nothing_of_the_provider(counts: Any) -> None:
    value: dict[str, Any] = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    if counts:
        value["usageMetadata"] = counts
    check_answer(value)
    failure = bad(value)
    assert (failure.type, failure.retryable, failure.scope) == (
        "content_filtered",
        False,
        "request",
    )
    assert failure.maybe_paid is bool(counts)
    assert "PROHIBITED_CONTENT" in failure.message


def test_ratings_of_the_prompt_block_nothing() -> None:
    feedback = {"safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "LOW"}]}
    assert good(answer({"text": "x"}, promptFeedback=feedback)).response == "x"


def test_an_error_inside_200_counts_before_the_answer_with_it() -> None:
    error = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
    failure = bad(answer({"text": "x"}, error=error))
    assert (failure.type, failure.status_code, failure.retryable) == ("provider_error", 503, True)


def test_counts_that_are_absent_are_none_and_the_total_is_the_sum() -> None:
    assert good(answer({"text": "x"}, usageMetadata=None), known=False).usage is None
    counts = {"promptTokenCount": 3, "candidatesTokenCount": 4, "thoughtsTokenCount": 5}
    assert good(answer({"text": "x"}, usageMetadata=counts)).usage == Usage(3, 9, 12, 0, 5)
    assert good(answer({"text": "x"}, usageMetadata={"promptTokenCount": "3"}), known=False).usage


def test_reads_the_barest_answer() -> None:
    bare = {"candidates": [{"content": {"parts": [{"text": "x"}]}}]}
    assert good(bare) == Reading(response="x")


def test_pictures_have_no_place_in_an_answer() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}}
    assert good(answer({"text": "Look:"}, picture)).response == "Look:"


def test_what_holds_no_answer_is_invalid() -> None:
    cases = [
        {},
        {"candidates": []},
        {"candidates": None},
        {"candidates": ["x"]},
        {"candidates": [{}]},
        {"candidates": [{"content": "x"}]},
        {"candidates": [{"content": {"parts": "x"}}]},
        {"candidates": [{"content": {"parts": ["x"]}}]},
        {"candidates": {"0": {}}, "promptFeedback": "x"},
        {"promptFeedback": {"blockReason": ""}},
    ]
    wrong = []
    for value in cases:
        failure = bad(value)
        found = (failure.type, failure.retryable, failure.maybe_paid)
        if found != (
            "invalid_response",
            True,
            True,
        ):
            wrong.append((value, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_odd_parts_are_passed_over() -> None:
    odd = [1, None, {}, {"text": 7}, {"functionCall": "x"}, {"functionCall": {"name": ""}}]
    value = answer({"text": "x"})
    value["candidates"][0]["content"]["parts"] += odd
    reading = good(json.loads(json.dumps(value)), known=False)
    assert (reading.response, reading.tool_calls) == ("x", ())


@pytest.mark.parametrize(
    "odd",
    [
        {"args": {"a": 1}},
        {"args": {}},
        {"name": "", "args": {"a": 1}},
        {"name": 7, "id": "c"},
        {"name": None, "args": [1]},
        {"id": "c"},
    ],
)
def test_a_call_of_nothing_is_no_answer_unless_it_ended_early(odd: Any) -> None:
    alone = good(answer({"functionCall": odd}), known=False)
    assert alone.tool_calls == ()
    assert alone.fault is not None
    for finish in ("MAX_TOKENS", "SAFETY"):
        early = good(
            answer({"text": "x"}, PARIS, {"functionCall": odd}, finish=finish), known=False
        )
        assert (early.response, len(early.tool_calls), early.fault) == ("x", 1, None)
        assert [it.partition(":")[0] for it in early.dropped] == ["tool_calls"]


@pytest.mark.parametrize(
    ("grounding", "paid"),
    [
        ({"groundingChunks": [{"maps": {"uri": "https://maps.google.com/"}}] * 3}, {"maps": 1}),
        ({"groundingChunks": [{"web": {}}, {"maps": {}}]}, {"maps": 1}),
        ({"groundingChunks": [{"web": {}}, None, "x"]}, {}),
        ({"groundingChunks": "x"}, {}),
        (
            {"groundingChunks": [{"maps": {}}], "webSearchQueries": ["a"]},
            {"web_search": 1, "maps": 1},
        ),
    ],
)
def test_maps_are_paid_by_the_answer(grounding: Any, paid: dict[str, int]) -> None:
    value = answer({"text": "x"})
    value["candidates"][0]["groundingMetadata"] = grounding
    assert good(value, known=False).hosted_calls == paid


def test_an_id_that_stands_twice_is_the_first_calls() -> None:
    call = {"functionCall": {"id": "c", "name": "now"}}
    assert [it["id"] for it in good(answer(call, call)).tool_calls] == ["c", "call_resp1_1"]
