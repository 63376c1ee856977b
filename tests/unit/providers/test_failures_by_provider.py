"""Errors as Anthropic and Google send them, and whatever else may come."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus_actors.providers.failures import failed_inside, failed_status, read_complaint
from nexus_actors.providers.port import ProviderFailure

NOW = 1_700_000_000.0


def failed(status: int, error: Any, **headers: str) -> ProviderFailure:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return failed_status(status, names, json.dumps({"error": error}).encode(), now=NOW)


@pytest.mark.parametrize(
    ("status", "name", "kind", "retryable", "scope"),
    [
        (400, "invalid_request_error", "request_rejected", False, "request"),
        (401, "authentication_error", "authentication_failed", False, "key"),
        (402, "billing_error", "quota_exceeded", False, "key"),
        (403, "permission_error", "authentication_failed", False, "request"),
        (404, "not_found_error", "model_unavailable", False, "request"),
        (413, "request_too_large", "request_rejected", False, "request"),
        (429, "rate_limit_error", "rate_limited", True, "key"),
        (500, "api_error", "provider_error", True, "provider"),
        (504, "timeout_error", "provider_error", True, "provider"),
        (529, "overloaded_error", "provider_error", True, "provider"),
    ],
)
def test_anthropics_errors_with_a_status_and_in_a_stream(
    status: int, name: str, kind: str, retryable: bool, scope: str
) -> None:
    error = {"type": name, "message": "no"}
    inside = failed_inside(read_complaint(error))
    for failure in (failed(status, error), inside):
        assert (failure.type, failure.retryable, failure.scope) == (kind, retryable, scope)
    assert inside.message == "error in a 200 answer: no"


def google(status: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"code": 429, "message": "no", "status": status, "details": list(details)}


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.5s"}


def quota(quota_id: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaMetric": "requests", "quotaId": quota_id}],
    }


PER_MINUTE = quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
PER_DAY = quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")


def test_googles_delay_stands_in_the_body() -> None:
    failure = failed(429, google("RESOURCE_EXHAUSTED", PER_MINUTE, RETRY))
    assert (failure.type, failure.retryable, failure.retry_after) == ("rate_limited", True, 12.5)
    failure = failed(429, google("RESOURCE_EXHAUSTED", RETRY), retry_after="3")
    assert failure.retry_after == 3.0


def test_a_quota_of_the_day_is_spent() -> None:
    failure = failed(429, google("RESOURCE_EXHAUSTED", PER_DAY, RETRY))
    assert (failure.type, failure.retryable, failure.scope) == ("quota_exceeded", False, "key")


def test_googles_wrong_key_comes_with_400() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    failure = failed(400, {**google("INVALID_ARGUMENT", info), "code": 400})
    assert (failure.type, failure.scope) == ("authentication_failed", "key")


def test_googles_names_where_no_number_comes() -> None:
    cases = [
        ("RESOURCE_EXHAUSTED", "rate_limited", True),
        ("UNAVAILABLE", "provider_error", True),
        ("INTERNAL", "provider_error", True),
        ("DEADLINE_EXCEEDED", "provider_error", True),
        ("ABORTED", "provider_error", True),
        ("INVALID_ARGUMENT", "request_rejected", False),
        ("FAILED_PRECONDITION", "request_rejected", False),
        ("PERMISSION_DENIED", "authentication_failed", False),
        ("UNAUTHENTICATED", "authentication_failed", False),
        ("NOT_FOUND", "model_unavailable", False),
    ]
    wrong = []
    for status, kind, retryable in cases:
        failure = failed_inside(read_complaint({"status": status, "message": "no"}))
        found = (failure.type, failure.retryable)
        if found != (kind, retryable):
            wrong.append((status, kind, retryable, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("status", [408, 502, 504, 524])
def test_who_heard_no_more_of_the_model_may_have_been_charged(status: int) -> None:
    assert failed(status, None).maybe_paid


@pytest.mark.parametrize("status", [400, 401, 429, 503, 529])
def test_who_was_turned_away_was_not(status: int) -> None:
    assert not failed(status, None).maybe_paid


def test_a_prompt_that_openrouter_flagged_says_nothing_of_the_key() -> None:
    flagged = {"reasons": ["violence"], "flagged_input": "…", "provider_name": "x"}
    error = {"code": 403, "message": "flagged", "metadata": flagged}
    for failure in (failed(403, error), failed_inside(read_complaint(error))):
        assert (failure.type, failure.scope) == ("content_filtered", "request")
    elsewhere = failed(403, {"code": 403, "metadata": {"provider_name": "x"}})
    assert (elsewhere.type, elsewhere.suspects) == ("authentication_failed", "key")


def test_a_very_long_wait_is_a_day() -> None:
    for asked in ("1e9", "Fri, 31 Dec 9999 23:59:59 GMT"):
        assert failed(503, None, retry_after=asked).retry_after == 86_400.0
    assert failed(503, None, retry_after_ms="1e300").retry_after == 86_400.0
    error = google("RESOURCE_EXHAUSTED", {**RETRY, "retryDelay": "1e300s"})
    assert failed(429, error).retry_after == 86_400.0
    assert failed_inside(read_complaint(error)).retry_after == 86_400.0


WORDS = [
    "error",
    "code",
    "type",
    "status",
    "message",
    "details",
    "reason",
    "retryDelay",
    "violations",
    "quotaId",
    "x",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "x-should-retry"]),
    st.text(max_size=20)
    | st.sampled_from(["inf", "-1", "1e400", "nan", "true", "Tue, 99 Foo 2023 25:61:61 GMT"]),
)


@given(status=st.integers(300, 599), headers=HEADERS, body=JSON.map(json.dumps) | st.text())
def test_nothing_that_comes_can_break_the_reading(
    status: int, headers: dict[str, str], body: str
) -> None:
    failure = failed_status(status, headers, body.encode("utf-8", "replace"), now=NOW)
    check(failure)


@given(error=JSON)
def test_nor_can_anything_inside_an_answer(error: Any) -> None:
    check(failed_inside(read_complaint(error)))


def check(failure: ProviderFailure) -> None:
    assert failure.retry_after is None or 0 <= failure.retry_after < math.inf
    assert isinstance(failure.message, str)
    assert failure.status_code is not None
