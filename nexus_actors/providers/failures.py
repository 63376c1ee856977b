"""What a provider's error means: told by status, headers and codes, never by its words.

Sources: RFC 9110 (statuses, `retry-after`), OpenAI's error codes
(https://platform.openai.com/docs/guides/error-codes), the official clients' retry rules.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.json_text import Parsed, parse
from nexus_actors.providers.port import ProviderFailure, Scope

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "enforced_spend_limit_reached",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_error",
        "per_day_quota",
    }
)
"""Codes of a spent allowance, sent with 429 or 403: not worth a second try. The last is ours, for a
`QuotaFailure` of Google's that names a quota per day."""
MODEL_CODES = frozenset({"model_not_found", "model_decommissioned"})
KEY_CODES = frozenset({"invalid_api_key", "api_key_invalid"})
"""Google sends the latter with status 400."""
TOO_LONG_CODES = frozenset({"context_length_exceeded"})
FILTER_CODES = frozenset({"content_filter", "content_policy_violation"})
_IMPLIED = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "too_many_requests": 429,
    "resource_exhausted": 429,
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "failed_precondition": 400,
    "authentication_error": 401,
    "unauthenticated": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "not_found": 404,
    "request_too_large": 413,
    "aborted": 409,
    "timeout_error": 504,
    "deadline_exceeded": 504,
    "overloaded_error": 529,
    "unavailable": 503,
}
"""The status that an error's code stands for, where it comes without one: inside a 200, or in a
stream that has begun (Anthropic's `type`, Google's `status`)."""
_REFUSED = (400, 413, 422)
_GAVE_UP_WAITING = (408, 502, 504, 520, 524)
"""Statuses of a front end that heard no more of what stands behind it, which may be at work still.
"""
LONGEST_WAIT = 86_400.0
"""Seconds; who asks for more is taken to mean this."""


class _Class(NamedTuple):
    type: ErrorType
    retryable: bool
    scope: Scope


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error as a provider words it."""

    codes: frozenset[str] = frozenset()
    """Its `code`, `type`, Google's `status` and the `reason` of its details, lower-case."""
    message: str = ""
    status: int | None = None
    """The status that stands in the error itself, as with OpenRouter."""
    retry_after: float | None = None
    """Seconds to wait, as Google's `RetryInfo` has it."""


def read_complaint(value: Any) -> Complaint:
    """What is at `error` in a body, or the whole body of a server that has no such member."""
    if isinstance(value, str):
        return Complaint(message=value)
    if not isinstance(value, Mapping):
        return Complaint()
    named = [value.get("code"), value.get("type")]
    details = _details(value.get("details"))
    named_besides = [value.get("status"), *(detail.get("reason") for detail in details)]
    if any(_is_per_day(detail) for detail in details):
        named_besides.append("per_day_quota")
    metadata = value.get("metadata")
    if isinstance(metadata, Mapping) and "flagged_input" in metadata:  # OpenRouter's, with 403
        named_besides.append("content_filter")
    delays = [seconds for detail in details if (seconds := _delay(detail)) is not None]
    numbers = [number for name in named if (number := _status(name)) is not None]
    said = [value.get("message"), value.get("detail")]
    return Complaint(
        codes=frozenset(name.lower() for name in (*named, *named_besides) if isinstance(name, str)),
        message=next((text for text in said if isinstance(text, str)), ""),
        status=numbers[0] if numbers else None,
        retry_after=delays[0] if delays else None,
    )


def _details(value: Any) -> list[Mapping[str, Any]]:
    """Google's `error.details` (google.rpc), each with its `@type`."""
    items = value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, Mapping)]


def _is_per_day(detail: Mapping[str, Any]) -> bool:
    """Whether it is a `QuotaFailure` of a quota that fills up again once a day."""
    violations = detail.get("violations")
    return any(
        "PerDay" in str(violation.get("quotaId"))
        for violation in (violations if isinstance(violations, list) else ())
        if isinstance(violation, Mapping)
    )


def _delay(detail: Mapping[str, Any]) -> float | None:
    """A `RetryInfo`'s `retryDelay`, such as `12.5s`."""
    text = detail.get("retryDelay")
    seconds = _number(text.removesuffix("s")) if isinstance(text, str) else None
    return None if seconds is None else min(seconds, LONGEST_WAIT)


def _status(value: Any) -> int | None:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    is_one = len(text) == 3 and text.isascii() and text.isdigit() and text[0] in "45"
    return int(text) if is_one else None


def failed_status(
    status: int, headers: Mapping[str, str], body: bytes, *, now: float
) -> ProviderFailure:
    """The failure that an answer with an HTTP status other than 2xx means.

    `now` is the time in seconds since 1970, to which a date in `retry-after` is compared.
    """
    parsed = parse(body.decode("utf-8", "replace"))
    value = parsed.value if isinstance(parsed, Parsed) else None
    inner = value.get("error", value) if isinstance(value, Mapping) else None
    complaint = read_complaint(inner)
    failure = _failure(status, complaint)
    if failure.type != ErrorType.QUOTA_EXCEEDED:
        failure = replace(failure, retryable=_should_retry(headers, failure.retryable))
    asked = retry_after(headers, now)
    return replace(failure, retry_after=complaint.retry_after if asked is None else asked)


def failed_inside(complaint: Complaint) -> ProviderFailure:
    """The failure that an error inside an answer with status 200 means (OpenRouter sends them).

    Without a status or a known code it counts as the provider's own trouble, and as paid for.
    """
    failure = _failure(complaint.status or _implied_status(complaint.codes), complaint)
    return replace(
        failure,
        message=_told("error in a 200 answer", complaint),
        status_code=complaint.status or 200,
        maybe_paid=failure.type == ErrorType.PROVIDER_ERROR,
        retry_after=complaint.retry_after,
    )


def _implied_status(codes: frozenset[str]) -> int:
    if codes & (TOO_LONG_CODES | FILTER_CODES):
        return 400
    return next((status for code, status in _IMPLIED.items() if code in codes), 500)


def _failure(status: int, complaint: Complaint) -> ProviderFailure:
    found = _classify(status, complaint.codes)
    return ProviderFailure(
        type=found.type,
        message=_told(f"HTTP {status}", complaint),
        retryable=found.retryable,
        scope=found.scope,
        status_code=status,
        maybe_paid=status in _GAVE_UP_WAITING,
    )


def _told(where: str, complaint: Complaint) -> str:
    said = complaint.message or ", ".join(sorted(complaint.codes))
    return f"{where}: {said}" if said else where


def _classify(status: int, codes: frozenset[str]) -> _Class:
    if codes & QUOTA_CODES or status == 402:
        return _Class(ErrorType.QUOTA_EXCEEDED, retryable=False, scope="key")
    if codes & FILTER_CODES:
        return _Class(ErrorType.CONTENT_FILTERED, retryable=False, scope="request")
    # Before the statuses of a bad key: OpenAI refuses a model that a project may not use with 403.
    if codes & MODEL_CODES or status == 404:
        return _Class(ErrorType.MODEL_UNAVAILABLE, retryable=False, scope="request")
    if codes & KEY_CODES or status in (401, 403):
        return _Class(ErrorType.AUTHENTICATION_FAILED, retryable=False, scope="key")
    if codes & TOO_LONG_CODES:
        return _Class(ErrorType.CONTEXT_TOO_LONG, retryable=False, scope="request")
    if status in _REFUSED:
        return _Class(ErrorType.REQUEST_REJECTED, retryable=False, scope="request")
    if status == 429:
        return _Class(ErrorType.RATE_LIMITED, retryable=True, scope="key")
    again = status in (408, 409) or status >= 500
    return _Class(ErrorType.PROVIDER_ERROR, retryable=again, scope="provider")


def _should_retry(headers: Mapping[str, str], otherwise: bool) -> bool:
    return {"true": True, "false": False}.get(headers.get("x-should-retry", ""), otherwise)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds the provider asks to wait; None where it asks for nothing that can be understood.

    `retry-after-ms`, then `retry-after` in seconds or as a date (RFC 9110, 10.2.3).
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, LONGEST_WAIT)
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return None if seconds is None else min(seconds, LONGEST_WAIT)
    try:
        return min(max(parsedate_to_datetime(text).timestamp() - now, 0.0), LONGEST_WAIT)
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
