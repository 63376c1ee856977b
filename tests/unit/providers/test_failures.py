"""Statuses, codes and headers to failures."""

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from nexus_actors.providers.failures import failed_status, no_answer
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.waits import retry_after

NOW = 1_700_000_000.0


def failed(status: int, error: Any = None, **headers: str) -> ProviderFailure:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = b"" if error is None else json.dumps({"error": error}).encode()
    return failed_status(status, names, body, now=NOW)


CLASSES = [
    (301, None, "provider_error", False, "provider"),
    (400, None, "request_rejected", False, "request"),
    (400, "context_length_exceeded", "context_too_long", False, "request"),
    (400, "content_filter", "content_filtered", False, "request"),
    (400, "model_decommissioned", "model_unavailable", False, "request"),
    (400, "invalid_api_key", "authentication_failed", False, "key"),
    (401, None, "authentication_failed", False, "key"),
    (402, None, "quota_exceeded", False, "request"),
    (403, None, "authentication_failed", False, "request"),
    (403, "billing_not_active", "quota_exceeded", False, "key"),
    (403, "model_not_found", "model_unavailable", False, "request"),
    (404, None, "model_unavailable", False, "request"),
    (405, None, "provider_error", False, "provider"),
    (408, None, "provider_error", True, "provider"),
    (409, None, "provider_error", True, "provider"),
    (413, None, "request_rejected", False, "request"),
    (422, None, "request_rejected", False, "request"),
    (429, None, "rate_limited", True, "key"),
    (429, "insufficient_quota", "quota_exceeded", False, "key"),
    (429, "enforced_spend_limit_reached", "quota_exceeded", False, "key"),
    (498, "capacity_exceeded", "provider_error", True, "provider"),
    (500, None, "provider_error", True, "provider"),
    (503, None, "provider_error", True, "provider"),
    (529, None, "provider_error", True, "provider"),
]


def test_classes() -> None:
    wrong = []
    for status, code, *expected in CLASSES:
        for name in ("code", "type"):
            failure = failed(status, None if code is None else {name: code, "message": "no"})
            found = [failure.type, failure.retryable, failure.scope]
            if found != expected or failure.status_code != status:
                wrong.append((status, name, code, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_the_words_of_a_message_mean_nothing() -> None:
    failure = failed(429, {"message": "insufficient_quota: context_length_exceeded"})
    assert (failure.type, failure.retryable) == ("rate_limited", True)


def test_the_provider_may_overrule_whether_to_retry() -> None:
    assert failed(503, x_should_retry="false").retryable is False
    assert failed(400, x_should_retry="true").retryable is True
    assert failed(503, x_should_retry="maybe").retryable is True
    quota = failed(429, {"code": "insufficient_quota"}, x_should_retry="true")
    assert quota.retryable is False


@pytest.mark.parametrize("status", [408, 504, 524])
def test_a_front_end_that_gave_up_may_have_been_paid(status: int) -> None:
    assert failed(status).maybe_paid
    assert not failed(503).maybe_paid


def test_how_long_to_wait() -> None:
    cases = [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "20"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "20"}, 20.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0.0),
    ]
    wrong = [
        (headers, seconds, found)
        for headers, seconds in cases
        if (found := retry_after(headers, NOW)) != seconds
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_date_is_read_as_written_by_others() -> None:
    date = format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True)
    assert failed(503, retry_after=date).retry_after == 90.0


def test_says_what_the_provider_said() -> None:
    cases = [
        (b'{"error": {"message": "bad", "type": "t", "code": null}}', "HTTP 400: bad"),
        (b'{"error": {"code": "c", "type": "t"}}', "HTTP 400: c, t"),
        (b'{"error": "bad"}', "HTTP 400: bad"),
        (b'{"object": "error", "message": "bad", "code": 400}', "HTTP 400: bad"),
        (b'{"detail": "bad"}', "HTTP 400: bad"),
        (b"<html>secret things</html>", "HTTP 400"),
        (b"\xff\x00", "HTTP 400"),
        (b"[1]", "HTTP 400"),
        (b'{"error": null}', "HTTP 400"),
        (b"", "HTTP 400"),
    ]
    wrong = [
        (body, message, found)
        for body, message in cases
        if (found := failed_status(400, {}, body, now=NOW).message) != message
    ]
    assert not wrong, "\n".join(map(repr, wrong))


CAUSES = [
    ({"message": "bad"}, "bad"),
    ({"message": {"detail": "bad"}}, "bad"),
    ({"error": {"message": {"detail": "bad"}}}, "bad"),
    ({"error": {"message": {"error": {"message": "bad"}}}}, "bad"),
    ({"error": {"error": "bad"}}, "bad"),
    ({"error": ["bad", "worse"]}, "bad; worse"),
    ({"errors": ["bad", {"message": "worse"}]}, "bad; worse"),
    ({"errors": [{"detail": "bad"}]}, "bad"),
    ({"detail": [{"loc": ["body", "seed"], "msg": "bad", "type": "x"}]}, "body.seed: bad"),
    ({"detail": [{"loc": ["body", 0], "msg": "bad"}, {"msg": "worse"}]}, "body.0: bad; worse"),
    ({"message": {"detail": [{"loc": ["a"], "msg": "bad"}]}, "code": None}, "a: bad"),
    ({"message": '{"detail": [{"loc": ["a"], "msg": "bad"}]}'}, "a: bad"),
    ({"error": {"message": '{"error": {"message": "bad"}}'}}, "bad"),
    ({"error": {"message": "{bad"}}, "{bad"),
    ({"code": "x", "error": "bad"}, "bad"),
    ({"error": "Not Found", "message": "no such path"}, "Not Found: no such path"),
    ({"error": {"message": "bad"}, "message": "bad"}, "bad"),
    ({"error": True, "msg": "bad"}, "bad"),
    ({"error_msg": "bad", "error_code": 7}, "bad"),
    ([{"error": {"message": "bad"}}], "bad"),
    (
        {
            "error": {
                "message": "Provider returned error",
                "metadata": {"raw": '{"error": "bad"}'},
            }
        },
        "Provider returned error: bad",
    ),
]


def test_the_cause_is_reported_whatever_the_form() -> None:
    wrong = []
    for body, message in CAUSES:
        failure = failed_status(422, {}, json.dumps(body).encode(), now=NOW)
        found = (failure.message, failure.type)
        expected = (f"HTTP 422: {message}", "request_rejected")
        if found != expected:
            wrong.append((body, message, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_body_that_is_no_json_is_reported_where_it_is_words() -> None:
    cases = [
        ("upstream connect error", "HTTP 503: upstream connect error"),
        (" no\r\nhealthy  upstream\n", "HTTP 503: no healthy upstream"),
        ("<html><head><title>503 Busy &amp; back soon</title>", "HTTP 503: 503 Busy & back soon"),
        ("<!DOCTYPE html>\n<TITLE>\n Busy\n</TITLE><p>words", "HTTP 503: Busy"),
        ("<p>words</p>", "HTTP 503"),
        ('{"cut', "HTTP 503"),
        ("\x00\x01", "HTTP 503"),
        ('"busy"', "HTTP 503"),
        ('event: error\ndata: {"error": {"message": "busy"}}\n\n', "HTTP 503: busy"),
        ('data: {"error": {"message": "busy"}}', "HTTP 503: busy"),
        (': x\n\ndata:\n\ndata: {"type": "error", "error": {"message": "busy"}}', "HTTP 503: busy"),
        ("data: busy\n\n", "HTTP 503: busy"),
        ("data: data: busy\n\n", "HTTP 503: data: data: busy"),
        ("event: error\n\n", "HTTP 503: event: error"),
        ("7", "HTTP 503"),
    ]
    wrong = [
        (body, message, found)
        for body, message in cases
        if (found := failed_status(503, {}, body.encode(), now=NOW).message) != message
    ]
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize("body", ["w" * 60_000, json.dumps({"error": {"message": "w" * 60_000}})])
def test_what_is_said_is_bounded(body: str) -> None:
    assert len(failed_status(400, {}, body.encode(), now=NOW).message) < 1_100


def test_complaints_inside_complaints_come_to_an_end() -> None:
    body: Any = "deep"
    for _ in range(50):
        body = {"message": [body]}
    assert failed_status(400, {}, json.dumps(body).encode(), now=NOW).message == "HTTP 400"


TOO_LONG = [
    "prompt is too long: 213221 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).",
    "The input token count exceeds the maximum number of tokens allowed 1048576.",
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
    "This endpoint's maximum context length is 163840 tokens. However, you requested more.",
    "The model's maximum context length is 4096, but the prompt has 5000.",
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "Your input exceeds the context window of this model. Please adjust your input.",
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum",
    "the request exceeds the available context size, try increasing it",
]


@pytest.mark.parametrize("message", TOO_LONG)
def test_a_prompt_too_long_is_known_by_its_sentence_where_no_code_comes(message: str) -> None:
    for status in (400, 413, 422):
        for error in ({"type": "invalid_request_error", "message": message}, message):
            failure = failed(status, error)
            assert (failure.type, failure.scope) == ("context_too_long", "request")
    assert failed(429, {"message": message}).type == "rate_limited"
    assert failed(400, {"message": f"invalid text: {message}"}).type == "request_rejected"


@pytest.mark.parametrize(
    "error",
    [
        {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8},
        {"code": "context_length_exceeded", "type": "invalid_request_error", "param": "messages"},
        {"type": "context_window_exceeded"},
    ],
)
def test_a_prompt_too_long_is_known_by_its_code(error: Any) -> None:
    assert failed(400, error).type == "context_too_long"


def test_what_stands_behind_a_gateway_says_nothing_of_its_key() -> None:
    def behind(raw: Any) -> ProviderFailure:
        metadata = {"provider_name": "x", "raw": json.dumps({"error": raw})}
        return failed(
            400, {"message": "Provider returned error", "code": 400, "metadata": metadata}
        )

    assert behind({"code": "context_length_exceeded", "message": "no"}).type == "context_too_long"
    for code in ("invalid_api_key", "insufficient_quota", "billing_not_active"):
        failure = behind({"code": code, "message": "no"})
        assert (failure.type, failure.scope) == ("request_rejected", "request")
        assert failure.message == "HTTP 400: Provider returned error: no"


NOT_OF_THE_KEY = [
    (
        429,
        {
            "message": "Request too large for gpt-4o in organization org-x on tokens per min"
            " (TPM): Limit 30000, Requested 45000.",
            "type": "tokens",
            "code": "rate_limit_exceeded",
        },
        "rate_limited",
    ),
    (
        413,
        {
            "message": "Request too large for model `x` on tokens per minute",
            "code": "rate_limit_exceeded",
        },
        "request_rejected",
    ),
    (
        402,
        {
            "message": "This request requires more credits, or fewer max_tokens. You requested"
            " up to 65536 tokens, but can only afford 3919.",
            "code": 402,
        },
        "quota_exceeded",
    ),
    (402, {"message": "Prompt tokens limit exceeded: 230799 > 91442."}, "quota_exceeded"),
    (
        403,
        {
            "message": "You do not have permission to access the File abc or it may not exist.",
            "status": "PERMISSION_DENIED",
        },
        "request_rejected",
    ),
    (403, {"code": "model_permission_blocked_project"}, "model_unavailable"),
    (403, {"code": "model_permission_blocked_org"}, "model_unavailable"),
    (403, {"code": "model_not_found"}, "model_unavailable"),
    (403, {"message": "This model is not available in your region."}, "model_unavailable"),
    (403, "Content violates usage guidelines. Failed check: X", "content_filtered"),
]


def test_one_request_file_or_model_says_nothing_of_the_key() -> None:
    wrong = []
    for status, error, kind in NOT_OF_THE_KEY:
        failure = failed(status, error)
        found = (failure.type, failure.scope, failure.retryable)
        if found != (kind, "request", False):
            wrong.append((status, error, kind, found))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (429, "Rate limit reached for gpt-4o on tokens per min: Limit 30000", "rate_limited"),
        (402, "Insufficient credits. Add more to go on.", "quota_exceeded"),
    ],
)
def test_the_rest_does(status: int, message: str, kind: str) -> None:
    failure = failed(status, {"message": message})
    assert (failure.type, failure.scope) == (kind, "key")


@pytest.mark.parametrize(
    ("timeout", "told"),
    [(0.996618, "1 s"), (0.25, "0.25 s"), (2.0, "2 s"), (29.9966, "30 s"), (119.9, "120 s")],
)
def test_the_time_of_a_call_without_an_answer_is_rounded(timeout: float, told: str) -> None:
    assert no_answer(timeout) == f"no answer within {told}"
