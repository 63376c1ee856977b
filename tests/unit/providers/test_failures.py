"""Statuses, codes and headers to failures."""

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from nexus_actors.providers.failures import failed_status, retry_after
from nexus_actors.providers.port import ProviderFailure

NOW = 1_700_000_000.0


def failed(status: int, error: Any = None, **headers: str) -> ProviderFailure:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = b"" if error is None else json.dumps({"error": error}).encode()
    return failed_status(status, names, body, now=NOW)


@pytest.mark.parametrize(
    ("status", "code", "kind", "retryable", "scope"),
    [
        (301, None, "provider_error", False, "provider"),
        (400, None, "request_rejected", False, "request"),
        (400, "context_length_exceeded", "context_too_long", False, "request"),
        (400, "content_filter", "content_filtered", False, "request"),
        (400, "model_decommissioned", "model_unavailable", False, "request"),
        (400, "invalid_api_key", "authentication_failed", False, "key"),
        (401, None, "authentication_failed", False, "key"),
        (402, None, "quota_exceeded", False, "key"),
        (403, None, "authentication_failed", False, "key"),
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
        (500, None, "provider_error", True, "provider"),
        (503, None, "provider_error", True, "provider"),
        (529, None, "provider_error", True, "provider"),
    ],
)
def test_classes(status: int, code: str | None, kind: str, retryable: bool, scope: str) -> None:
    for name in ("code", "type"):
        failure = failed(status, None if code is None else {name: code, "message": "no"})
        assert (failure.type, failure.retryable, failure.scope) == (kind, retryable, scope)
        assert failure.status_code == status


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


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
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
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


def test_a_date_is_read_as_written_by_others() -> None:
    date = format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True)
    assert failed(503, retry_after=date).retry_after == 90.0


@pytest.mark.parametrize(
    ("body", "message"),
    [
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
    ],
)
def test_says_what_the_provider_said(body: bytes, message: str) -> None:
    assert failed_status(400, {}, body, now=NOW).message == message
