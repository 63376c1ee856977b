"""Results on the wire and back, and requests as a client sends them."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexus_actors.contract.encode import Envelope, build_request, decode_result, encode_result
from nexus_actors.contract.errors import Refusal
from nexus_actors.contract.result import Answer, CostBasis, Failure, LLMResult, Usage

NOON = datetime(2025, 10, 25, 12, 0, 5, 250_000, tzinfo=UTC)
ANSWER = Answer(
    response="text",
    provider="anthropic",
    model="claude-sonnet-4-5",
    usage=Usage(100, 200, 300),
    cost=0.015,
    cost_basis="list",
    finish_reason="stop",
    response_id="resp-1",
)
FAILURE = Failure(
    type="rate_limited", message="slow down", retryable=True, provider="groq", status_code=429
)


def result(outcome: Answer | Failure = ANSWER, **changes: Any) -> LLMResult:
    fields: dict[str, Any] = {
        "request_id": "r-1",
        "agent_id": "agent",
        "complexity": "simple",
        "task_type": "coder",
        "outcome": outcome,
        "latency_ms": 2500,
        "attempts": 1,
        "timestamp": NOON,
    }
    return LLMResult(**{**fields, **changes})


def decoded(body: str | None) -> LLMResult:
    outcome = decode_result(body, now=NOON)
    assert isinstance(outcome, LLMResult), outcome
    return outcome


def test_a_success_has_the_contracts_fields_and_ours() -> None:
    assert json.loads(encode_result(result())) == {
        "request_id": "r-1",
        "agent_id": "agent",
        "response": "text",
        "model": "claude-sonnet-4-5",
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 200,
            "total_tokens": 300,
            "cached_tokens": 0,
            "reasoning_tokens": 0,
        },
        "cost": 0.015,
        "cost_basis": "list",
        "latency_ms": 2500,
        "timestamp": "2025-10-25T12:00:05.250Z",
        "status": "ok",
        "provider": "anthropic",
        "complexity": "simple",
        "task_type": "coder",
        "finish_reason": "stop",
        "native_finish_reason": None,
        "dropped": [],
        "response_id": "resp-1",
        "tool_calls": [],
        "provider_state": None,
        "attempts": 1,
        "error": None,
    }


def test_a_failure_has_no_response_but_an_error() -> None:
    fields = json.loads(encode_result(result(FAILURE)))
    assert fields["status"] == "error"
    assert fields["response"] is None
    assert fields["error"] == {
        "type": "rate_limited",
        "message": "slow down",
        "retryable": True,
        "provider": "groq",
        "status_code": 429,
    }


def test_an_unknown_price_is_null_and_not_zero() -> None:
    answer = Answer(response="x", provider="p", model="m", usage=Usage(1, 1, 2), cost=None)
    assert json.loads(encode_result(result(answer)))["cost"] is None


@pytest.mark.parametrize(
    "moment",
    [
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(timedelta(hours=9))),
    ],
    ids=["naive", "elsewhere"],
)
def test_times_are_utc(moment: datetime) -> None:
    fields = json.loads(encode_result(result(timestamp=moment)))
    assert fields["timestamp"] == "2025-10-25T12:00:05.250Z"


def test_what_jsonb_refuses_is_replaced() -> None:
    answer = Answer(
        response="a\x00b\ud800c\U0001f600",
        provider="p",
        model="m",
        usage=Usage(1, 1, 2),
        cost=math.nan,
        tool_calls=({"k\x00": [math.inf, 10**400, {1, 2}], "at": NOON},),
    )
    text = encode_result(result(answer))
    fields = json.loads(text, parse_constant=pytest.fail)
    assert "\\u0000" not in text
    assert fields["response"] == "a\ufffdb\ufffdc\U0001f600"
    assert fields["cost"] is None
    assert fields["tool_calls"][0]["k\ufffd"] == [None, None, [1, 2]]


storable = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
names = st.text(storable, min_size=1)
texts = st.text(storable)
counts = st.integers(0, 2**31 - 1)
answers = st.builds(
    Answer,
    response=st.none() | texts,
    provider=names,
    model=names,
    usage=st.builds(Usage, counts, counts, counts),
    cost=st.none() | st.floats(0, 1e6),
    cost_basis=st.sampled_from(get_args(CostBasis)),
    provider_state=st.none() | st.dictionaries(names, texts),
    finish_reason=st.none() | texts,
    response_id=st.none() | texts,
    tool_calls=st.lists(st.dictionaries(texts, texts | counts), max_size=2).map(tuple),
)
failures = st.builds(
    Failure,
    type=names,
    message=texts,
    retryable=st.booleans(),
    provider=st.none() | texts,
    status_code=st.none() | st.integers(0, 999),
)
moments = st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
results = st.builds(
    LLMResult,
    request_id=names.filter(lambda text: len(text) <= 255),
    agent_id=st.none() | texts,
    complexity=st.none() | texts,
    task_type=st.none() | texts,
    outcome=answers | failures,
    latency_ms=counts,
    attempts=counts,
    timestamp=moments,
)


@settings(derandomize=True, max_examples=200)
@given(results)
def test_a_result_comes_back_as_it_was_sent(sent: LLMResult) -> None:
    assert decode_result(encode_result(sent)) == sent


@settings(derandomize=True, max_examples=200)
@given(
    st.text()
    | st.dictionaries(
        st.sampled_from(["request_id", "usage", "cost", "error", "status", "latency_ms"])
        | st.sampled_from(["timestamp", "response", "tool_calls", "attempts", "model"]),
        st.none()
        | st.text()
        | st.floats()
        | st.integers()
        | st.lists(st.text())
        | st.dictionaries(st.sampled_from(["message", "total_tokens", "type"]), st.floats()),
    ).map(lambda fields: json.dumps({"request_id": "r", **fields}))
)
def test_no_result_makes_it_raise(body: str) -> None:
    assert isinstance(decode_result(body), LLMResult | str)


def test_a_foreign_result_needs_only_the_contracts_eight_fields() -> None:
    read = decoded(
        """{"request_id": "r", "agent_id": "a", "response": "text", "model": "m",
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        "cost": "0.015", "latency_ms": 12.7, "timestamp": "2025-10-25T14:00:05+02:00"}"""
    )
    assert read.outcome == Answer(
        response="text", provider="unknown", model="m", usage=Usage(1, 2, 3), cost=0.015
    )
    assert (read.latency_ms, read.attempts) == (12, 0)
    assert read.timestamp == NOON.replace(microsecond=0)


def test_a_foreign_result_may_be_barer_still() -> None:
    read = decoded('{"request_id": "r"}')
    assert read.timestamp == NOON
    assert isinstance(read.outcome, Answer)
    assert (read.outcome.response, read.outcome.cost) == (None, None)


@pytest.mark.parametrize("strange", ["guessed", "", None, 7, ["list"], {"list": 1}])
def test_a_basis_that_nobody_knows_is_unknown(strange: object) -> None:
    outcome = decoded(json.dumps({"request_id": "r", "cost_basis": strange})).outcome
    assert isinstance(outcome, Answer)
    assert outcome.cost_basis == "unknown"


@pytest.mark.parametrize("strange", ["{}", 7, [], [{}], True])
def test_a_state_that_is_none_is_none(strange: object) -> None:
    outcome = decoded(json.dumps({"request_id": "r", "provider_state": strange})).outcome
    assert isinstance(outcome, Answer)
    assert outcome.provider_state is None


def test_an_answer_is_the_message_that_goes_back() -> None:
    state = {"provider": "claude", "model": "m", "key": None, "state": "{}"}
    function = {"name": "look", "arguments": "{}"}
    call = {"id": "c", "type": "function", "function": function, "provider_state": state}
    asked = replace(ANSWER, response=None, tool_calls=(call,), provider_state=state)
    assert ANSWER.message() == {"role": "assistant", "content": "text"}
    told = decoded(encode_result(result(asked))).outcome
    assert isinstance(told, Answer)
    envelope = build_request([told.message()], complexity="simple")
    assert isinstance(envelope, Envelope)
    assert envelope.request.messages == (
        {"role": "assistant", "content": "", "tool_calls": [call], "provider_state": state},
    )


@pytest.mark.parametrize(
    ("body", "name", "message"),
    [
        ('{"request_id": "r", "error": "boom"}', "provider_error", "boom"),
        ('{"request_id": "r", "status": "failed"}', "provider_error", "no reason given"),
        ('{"request_id": "r", "error": {"type": "timeout"}}', "timeout", "no reason given"),
    ],
)
def test_a_foreign_failure_is_a_failure(body: str, name: str, message: str) -> None:
    outcome = decoded(body).outcome
    assert isinstance(outcome, Failure)
    assert (outcome.type, outcome.message, outcome.retryable) == (name, message, False)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "no message"),
        ("[]", "a list of 0"),
        ("{", "not JSON"),
        ("{}", "request_id"),
        ('{"request_id": ""}', "request_id"),
        ('{"request_id": 7}', "request_id"),
        ('{"request_id": "r", "cost": 1e999}', "out of range"),
    ],
)
def test_what_is_no_result_is_reported_in_a_sentence(body: str | None, reason: str) -> None:
    told = decode_result(body)
    assert isinstance(told, str)
    assert reason in told


def test_a_built_request_is_one_the_service_reads() -> None:
    envelope = build_request(
        [{"role": "user", "content": "hi"}],
        request_id="r-1",
        timeout=1.5,
        timestamp=NOON,
        complexity="simple",
        model=None,
    )
    assert isinstance(envelope, Envelope)
    assert json.loads(envelope.body) == {
        "request_id": "r-1",
        "messages": [{"role": "user", "content": "hi"}],
        "complexity": "simple",
        "timeout": 1500.0,
        "timestamp": "2025-10-25T12:00:05.250Z",
    }
    assert envelope.request.timeout == 1.5


def test_a_built_request_gets_an_id_of_its_own() -> None:
    ids = set()
    for _ in range(2):
        envelope = build_request(input="hi", task_type="coder")
        assert isinstance(envelope, Envelope)
        ids.add(envelope.request.request_id)
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("arguments", "name", "path"),
    [
        ({"complexity": "simple"}, "missing_input", None),
        ({"complexity": "hard", "input": "hi"}, "invalid_complexity", "complexity"),
        ({"complexity": "simple", "input": "hi", "modle": "x"}, "invalid_request", "modle"),
        (
            {"complexity": "simple", "input": "hi", "request_id": "\0"},
            "invalid_request",
            "request_id",
        ),
        (
            {"complexity": "simple", "input": "hi", "request_id": ""},
            "invalid_request",
            "request_id",
        ),
    ],
)
def test_arguments_that_make_no_request_are_refused(
    arguments: dict[str, Any], name: str, path: str | None
) -> None:
    refusal = build_request(**arguments)
    assert isinstance(refusal, Refusal)
    assert (refusal.type, refusal.path) == (name, path)
