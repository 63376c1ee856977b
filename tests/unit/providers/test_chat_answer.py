"""Reading answers: whole ones, odd ones, and those that are none."""

import json
from typing import Any

import pytest

from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.chat.answer import read_chat
from nexus_actors.providers.http.answer_stream import read_object
from nexus_actors.providers.http.api import Reading, invalid
from nexus_actors.providers.http.costs import answer_cost
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.pricing import Tokens
from tests.http_server import completion


def read(body: Any) -> Reading | ProviderFailure:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    value = read_object(raw)
    return invalid(value) if isinstance(value, str) else read_chat(value)


def good(body: Any) -> Reading:
    reading = read(body)
    assert isinstance(reading, Reading), reading
    return reading


def cost(body: Any, prices: dict[str, float]) -> float | None:
    def price_of(model: str, tokens: Tokens) -> float | None:
        each = prices.get(model)
        return None if each is None else each * (tokens.input + tokens.output)

    return answer_cost(good(body), "asked", price_of)


def with_message(**message: Any) -> dict[str, Any]:
    return completion(choices=[{"message": message, "finish_reason": "stop"}])


def test_reads_a_whole_answer() -> None:
    assert read(completion("Hello.")) == Reading(
        response="Hello.",
        usage=Usage(7, 2, 9),
        finish_reason="stop",
        native_finish_reason="stop",
        response_id="chatcmpl-1",
        served_model="scripted",
    )


def test_price_goes_by_the_model_that_answered_else_by_the_one_asked() -> None:
    assert cost(completion(), {"scripted": 1.0, "asked": 2.0}) == 9.0
    assert cost(completion(), {"asked": 2.0}) == 18.0
    assert cost(completion(), {}) is None


def test_reads_the_barest_answer() -> None:
    body = {"choices": [{"message": {"content": "x"}}]}
    assert good(body) == Reading(response="x")
    assert cost(body, {"asked": 1.0}) is None


def test_tool_calls_without_text() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    for content in (None, ""):
        answer = good(with_message(content=content, tool_calls=[call]))
        assert (answer.response, answer.tool_calls) == (None, (call,))
    assert good(with_message(content="and", tool_calls=[call])).response == "and"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "x"}, {"text": "b"}]}, "ab"),
        ({"content": None, "refusal": "I cannot."}, "I cannot."),
        ({"content": None}, ""),
        ({"content": 7, "tool_calls": "nonsense"}, ""),
    ],
)
def test_odd_contents(message: dict[str, Any], text: str) -> None:
    assert good(with_message(**message)).response == text


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ("many", None),
        ({"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 4, 7)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 11}, Usage(3, 4, 11)),
        ({"prompt_tokens": -1, "completion_tokens": True, "total_tokens": "9"}, Usage(0, 0, 0)),
        ({"prompt_tokens": 10**30, "completion_tokens": 2.0}, Usage(0, 2, 2)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "total_tokens": 14,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(9, 5, 14, 4, 3),
        ),
    ],
)
def test_usage_is_never_nonsense(usage: Any, expected: Usage | None) -> None:
    assert good(completion(usage=usage)).usage == expected


def test_text_the_database_cannot_hold_is_replaced() -> None:
    answer = good(completion("a\x00b\ud800c😀"))
    assert answer.response == "a\ufffdb\ufffdc😀"


def test_what_is_no_answer_is_worth_another_try_and_maybe_paid() -> None:
    cases = [
        b"",
        b"<html>busy</html>",
        b'{"choices": [{"message": {"content": "cut',
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"choices": NaN}',
        b"null",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [null]}',
        b'{"choices": [{"message": null}]}',
    ]
    wrong = []
    for body in cases:
        failure = read(body)
        if not (
            isinstance(failure, ProviderFailure)
            and (failure.type, failure.retryable, failure.maybe_paid)
            == ("invalid_response", True, True)
        ):
            wrong.append((body, failure))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("error", "kind", "retryable", "status"),
    [
        ({"code": 429, "message": "slow down"}, "rate_limited", True, 429),
        ({"code": "502", "message": "upstream"}, "provider_error", True, 502),
        ({"code": "rate_limit_exceeded"}, "rate_limited", True, 200),
        ({"code": "insufficient_quota"}, "quota_exceeded", False, 200),
        ({"type": "invalid_request_error"}, "request_rejected", False, 200),
        ({"code": 401}, "authentication_failed", False, 401),
        ({"message": "?"}, "provider_error", True, 200),
        ("something broke", "provider_error", True, 200),
    ],
)
def test_errors_inside_200(error: Any, kind: str, retryable: bool, status: int) -> None:
    for body in (
        {"error": error},
        completion("half an ans", error=error),
        completion(choices=[{"message": {"content": "half"}, "error": error}]),
    ):
        failure = read(body)
        assert isinstance(failure, ProviderFailure)
        assert (failure.type, failure.retryable, failure.status_code) == (kind, retryable, status)
        assert failure.maybe_paid == (kind == "provider_error")


def test_an_error_that_is_null_is_none() -> None:
    assert good(completion("fine", error=None)).response == "fine"


@pytest.mark.parametrize(("total", "paid"), [(331, 319), (14, 2), (330, 2)])
def test_reasoning_counted_beside_the_completion_is_paid_for_too(total: int, paid: int) -> None:
    """As xAI counts; its own total tells."""
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 2,
        "total_tokens": total,
        "completion_tokens_details": {"reasoning_tokens": 317},
    }
    assert good(completion(usage=usage)).usage == Usage(12, paid, total, 0, 317)


@pytest.mark.parametrize(
    ("native", "finish"), [("model_length", "length"), ("eos", "stop"), ("abort", "abort")]
)
def test_reasons_to_end_that_other_servers_name_otherwise(native: str, finish: str) -> None:
    body = completion(choices=[{"message": {"content": "x"}, "finish_reason": native}])
    reading = good(body)
    assert (reading.finish_reason, reading.native_finish_reason) == (finish, native)
