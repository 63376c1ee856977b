"""Whose fault a refusal is, dialect by dialect: what ends, what waits, and what says nothing of the
key, the model or the neighbours."""

import json
from typing import Any

import pytest

from nexus_actors.providers.failures import failed_inside, failed_status, read_complaint
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.waits import reset_after

NOW = 1_700_000_000.0
CLOUDFLARE = "<!DOCTYPE html><html><head><title>Access denied | Cloudflare</title></head></html>"
AZURE_PAGE = "\r\n<HTML><HEAD><TITLE>403 Forbidden</TITLE></HEAD><BODY>no</BODY></HTML>"


def google(status: str, message: str, *details: dict[str, Any], code: int = 403) -> dict[str, Any]:
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return {"error": error}


def reason(name: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": name}


def quota(**violation: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaMetric": "requests", **violation}],
    }


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33.5s"}
PER_MINUTE = {"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}
PER_DAY = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}


def failed(status: int, body: Any, headers: dict[str, str] | None = None) -> ProviderFailure:
    text = body if isinstance(body, str) else json.dumps(body)
    return failed_status(status, headers or {}, text.encode(), now=NOW)


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


TOO_LARGE = [
    error(
        "Request too large for gpt-4o in organization org-x on tokens per min (TPM):"
        " Limit 30000, Requested 61337. The input or output tokens must be reduced.",
        type="tokens",
        code="rate_limit_exceeded",
    ),
    error("Request too large for model `x`", code="rate_limit_exceeded"),
    error(
        "Rate limit reached for model `x` in organization `o` on tokens per minute (TPM):"
        " Limit 6000, Used 5900, Requested 7000. Please try again in 1m9s.",
        code="rate_limit_exceeded",
    ),
    error("Rate limit reached: Limit: 1,000 / day, Requested: 1,001"),
    error("Limit 0, Used 0, Requested 12"),
    google(
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota.\n* Quota exceeded for metric: x, limit: 0, model: y",
        quota(**PER_DAY),
        RETRY,
        code=429,
    ),
    google("RESOURCE_EXHAUSTED", "Quota", quota(**PER_MINUTE, quotaValue="0"), RETRY, code=429),
]


@pytest.mark.parametrize("body", TOO_LARGE)
def test_a_429_of_the_requests_own_size_ends_at_once(body: Any) -> None:
    for headers in ({}, {"x-should-retry": "true"}, {"retry-after": "3"}):
        failure = failed(429, body, headers)
        assert (failure.type, failure.retryable) == ("rate_limited", False)
        assert (failure.scope, failure.suspects) == ("request", None)
    inside = failed_inside(read_complaint({**body["error"], "code": 429}))
    assert (inside.type, inside.retryable, inside.scope) == ("rate_limited", False, "request")


SPENT_ANTHROPIC = {
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2023-11-14T23:00:00Z",
    "anthropic-ratelimit-input-tokens-remaining": "0",
    "anthropic-ratelimit-input-tokens-reset": "2023-11-14T22:13:50Z",
}
LATER: list[tuple[Any, dict[str, str], float | None]] = [
    (
        error("This request would exceed the limit of 40,000 input tokens per minute"),
        SPENT_ANTHROPIC,
        30.0,
    ),
    (error("no"), {**SPENT_ANTHROPIC, "retry-after": "7"}, 7.0),
    (error("no"), {"anthropic-ratelimit-tokens-remaining": "12000"}, None),
    (error("Rate limit reached for x: Limit 6000, Used 5900, Requested 700"), {}, None),
    (error("Limit 100000, Used 99999, Requested 1 (TPD)"), {"retry-after": "600"}, 600.0),
    (
        google("RESOURCE_EXHAUSTED", "no, limit: 15", quota(**PER_MINUTE), RETRY, code=429),
        {},
        33.5,
    ),
    (google("RESOURCE_EXHAUSTED", "limit: 0.5 of it", RETRY, code=429), {}, 33.5),
    (
        error("Rate limit exceeded: free-models-per-day", code=429),
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1700000060000"},
        60.0,
    ),
    (error("Provider returned error", code=429, metadata={"raw": "x is limited"}), {}, None),
    (
        error("Requests to the API have exceeded rate limit", code="429"),
        {"retry-after-ms": "1500"},
        1.5,
    ),
    ({"message": "Requests rate limit exceeded"}, {}, None),
    (
        error("slow down"),
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0.5s"},
        360.5,
    ),
    (CLOUDFLARE, {"retry-after": "20"}, 20.0),
]


def test_every_other_429_waits() -> None:
    wrong = []
    for body, headers, wait in LATER:
        failure = failed(429, body, headers)
        found = (failure.type, failure.retryable, failure.retry_after)
        if found != ("rate_limited", True, wait):
            wrong.append((body, headers, wait, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_provider_that_wants_no_retry_of_a_429_says_nothing_of_its_key() -> None:
    failure = failed(429, error("no"), {"x-should-retry": "false"})
    assert (failure.retryable, failure.scope, failure.suspects) == (False, "request", None)


SURE = [
    (401, {}, "authentication_failed"),
    (401, error("Access denied due to invalid subscription key", code="401"), None),
    (400, error("no", code="invalid_api_key"), "authentication_failed"),
    (400, google("INVALID_ARGUMENT", "no", reason("API_KEY_INVALID")), "authentication_failed"),
    (400, {"code": "x", "error": "Incorrect API key provided: xa***."}, "authentication_failed"),
    (403, google("PERMISSION_DENIED", "no", reason("SERVICE_DISABLED")), "authentication_failed"),
    (403, google("PERMISSION_DENIED", "no", reason("CONSUMER_SUSPENDED")), None),
    (
        403,
        google(
            "PERMISSION_DENIED",
            "Generative Language API has not been used in project 7 before or it is disabled.",
        ),
        "authentication_failed",
    ),
    (
        403,
        google(
            "PERMISSION_DENIED",
            "Your API key was reported as leaked. Please use another API key.",
        ),
        "authentication_failed",
    ),
    (400, error("Your credit balance is too low to access the Anthropic API."), "quota_exceeded"),
    (402, error("no", type="billing_error"), "quota_exceeded"),
    (402, error("Insufficient Balance", code="invalid_request_error"), "quota_exceeded"),
    (402, error("Insufficient credits. Add more to go on.", code=402), "quota_exceeded"),
    (403, error("Key limit exceeded (total limit)", code=403), "quota_exceeded"),
    (429, error("no", code="insufficient_quota"), "quota_exceeded"),
    (429, {"code": "x", "error": "Your team a-b has used all available credits"}, "quota_exceeded"),
]


def test_what_is_sure_of_the_key() -> None:
    wrong = []
    for status, body, kind in SURE:
        failure = failed(status, body)
        found = ((failure.scope, failure.suspects, failure.retryable), failure.type)
        expected = (("key", None, False), kind or "authentication_failed")
        if found != expected:
            wrong.append((status, body, kind, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


UNSURE = [
    (403, google("PERMISSION_DENIED", "The caller does not have permission"), None),
    (403, google("PERMISSION_DENIED", "User location is not supported for the API use."), None),
    (403, error("Country not supported", code="unsupported_country_region_territory"), None),
    (403, error("no", type="permission_error"), "authentication_failed"),
    (403, error("no", code=403, metadata={"provider_name": "x"}), "authentication_failed"),
    (402, error("Payment required"), "quota_exceeded"),
    (401, AZURE_PAGE, "authentication_failed"),
    (403, AZURE_PAGE, "authentication_failed"),
    (403, CLOUDFLARE, "authentication_failed"),
    (403, "error code: 1020", "authentication_failed"),
    (403, "", "authentication_failed"),
]


def test_what_only_another_request_can_tell() -> None:
    wrong = []
    for status, body, kind in UNSURE:
        failure = failed(status, body)
        found = ((failure.scope, failure.suspects, failure.retryable), failure.type)
        expected = (("request", "key", False), kind or "authentication_failed")
        if found != expected:
            wrong.append((status, body, kind, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


ITS_OWN = [
    (
        403,
        google("PERMISSION_DENIED", "You do not have permission to access the File abc"),
        "request_rejected",
    ),
    (
        403,
        error("flagged", code=403, metadata={"reasons": ["violence"], "provider_name": "x"}),
        "content_filtered",
    ),
    (
        402,
        error(
            "This request requires more credits, or fewer max_tokens. You requested up to 8192"
            " tokens, but can only afford 1000.",
            code=402,
        ),
        "quota_exceeded",
    ),
    (403, error("no", code="model_not_found"), "model_unavailable"),
    (400, google("FAILED_PRECONDITION", "User location is not supported", code=400), None),
]


@pytest.mark.parametrize(("status", "body", "kind"), ITS_OWN)
def test_what_is_the_requests_own(status: int, body: Any, kind: str | None) -> None:
    failure = failed(status, body)
    assert (failure.scope, failure.suspects, failure.retryable) == ("request", None, False)
    assert failure.type == (kind or "request_rejected")


@pytest.mark.parametrize(("status", "is_paid"), [(503, False), (522, False), (524, True)])
def test_a_front_ends_page_with_another_status_is_the_providers_trouble(
    status: int, is_paid: bool
) -> None:
    failure = failed(status, CLOUDFLARE)
    assert (failure.type, failure.scope, failure.retryable) == ("provider_error", "provider", True)
    assert failure.maybe_paid is is_paid


def test_a_reset_that_says_nothing_is_none_or_bounded() -> None:
    cases = ["soon", "", "-3", "nan", "1e400", "9" * 400, "0001-01-01", "5x"]
    wrong = []
    for reset in cases:
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
        wait = reset_after(headers, NOW)
        if not (wait is None or 0 <= wait <= 86_400):
            wrong.append((reset, wait))
    assert not wrong, "\n".join(map(repr, wrong))
