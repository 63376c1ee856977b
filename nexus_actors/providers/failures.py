"""What a provider's error means: told by status, headers and codes.

By its words only where no code says it, and then by a closed list of sentences, matched from their
first character on, with the statuses that they come with (`_SENTENCES`): a message may quote the
prompt, but then begins otherwise.

Sources: RFC 9110 (statuses, `retry-after`), OpenAI's error codes
(https://platform.openai.com/docs/guides/error-codes), the official clients' retry rules.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from nexus_actors.contract.errors import ErrorType
from nexus_actors.providers.complaints import (
    LONGEST_WAIT,
    Complaint,
    number_of,
    read_body,
    read_complaint,
)
from nexus_actors.providers.port import ProviderFailure, Scope

__all__ = ["Complaint", "failed_inside", "failed_status", "read_complaint", "retry_after"]

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
MODEL_CODES = frozenset(
    {
        "deploymentnotfound",
        "model_decommissioned",
        "model_not_found",
        "model_permission_blocked_org",
        "model_permission_blocked_project",
        "model_terms_required",
    }
)
"""Some come with 403, and speak of one model, not of the key."""
KEY_CODES = frozenset({"invalid_api_key", "api_key_invalid"})
"""Google sends the latter with status 400."""
TOO_LONG_CODES = frozenset(
    {"context_length_exceeded", "context_window_exceeded", "exceed_context_size_error"}
)
"""The last is llama.cpp's."""
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
_NO_CAPACITY = 498
"""Groq's, in its tier `flex`: worth another try. https://console.groq.com/docs/flex-processing"""
_GAVE_UP_WAITING = (408, 502, 504, 520, 524)
"""Statuses of a front end that heard no more of what stands behind it, which may be at work still.
"""


class _Class(NamedTuple):
    type: ErrorType
    retryable: bool
    scope: Scope


def failed_status(
    status: int, headers: Mapping[str, str], body: bytes, *, now: float
) -> ProviderFailure:
    """The failure that an answer with an HTTP status other than 2xx means.

    `now` is the time in seconds since 1970, to which a date in `retry-after` is compared.
    """
    complaint = read_body(body.decode("utf-8", "replace"))
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
    found = _by_words(status, complaint) or _classify(status, complaint.codes)
    refused = complaint.refused if found.type == ErrorType.REQUEST_REJECTED else None
    if status not in (400, 422):
        refused = None
    return ProviderFailure(
        type=found.type,
        message=_told(f"HTTP {status}", complaint),
        retryable=found.retryable,
        scope=found.scope,
        status_code=status,
        maybe_paid=status in _GAVE_UP_WAITING,
        refused_field=refused.word if refused else None,
        refused_value=refused is not None and refused.is_value,
    )


_TOO_LONG = _Class(ErrorType.CONTEXT_TOO_LONG, retryable=False, scope="request")
_REJECTED = _Class(ErrorType.REQUEST_REJECTED, retryable=False, scope="request")
_UNAFFORDABLE = _Class(ErrorType.QUOTA_EXCEEDED, retryable=False, scope="request")
_NO_MODEL = _Class(ErrorType.MODEL_UNAVAILABLE, retryable=False, scope="request")
_FILTERED = _Class(ErrorType.CONTENT_FILTERED, retryable=False, scope="request")
_SENTENCES: Final = tuple(
    (statuses, re.compile(pattern), found)
    for statuses, pattern, found in (
        # Anthropic
        (_REFUSED, r"prompt is too long: \d+ tokens? > \d+", _TOO_LONG),
        (_REFUSED, r"input length and `?max_tokens`? exceed context limit", _TOO_LONG),
        # Google
        (_REFUSED, r"The input token count (?:\(\d+\) )?exceeds the maximum number", _TOO_LONG),
        # OpenAI, vLLM, DeepSeek; OpenRouter; xAI; Mistral; llama.cpp before its code
        (
            _REFUSED,
            r"(?:This|The) (?:model|endpoint)'s maximum (?:context|prompt) length",
            _TOO_LONG,
        ),
        (_REFUSED, r"Your input exceeds the context window of this model", _TOO_LONG),
        (_REFUSED, r"Prompt contains \d+ tokens(?: and \d+ draft tokens)?, too large", _TOO_LONG),
        (_REFUSED, r"the request exceeds the available context size", _TOO_LONG),
        # A limit that the request exceeds by itself: to wait is no use, and the key is well.
        ((429,), r"Request too large for ", _REJECTED),
        ((402,), r"This request requires more credits, or fewer max_tokens", _UNAFFORDABLE),
        ((402,), r"Prompt tokens limit exceeded: \d+ > \d+", _UNAFFORDABLE),
        # One file, one model, one text
        ((403,), r"You do not have permission to access the File ", _REJECTED),
        ((403,), r"You don't have access to the model ", _NO_MODEL),
        ((403,), r"This model is not available in your (?:region|country)", _NO_MODEL),
        ((400, 403), r"Content violates usage guidelines", _FILTERED),
    )
)
"""Statuses, a sentence's beginning, and what they mean together."""


def _by_words(status: int, complaint: Complaint) -> _Class | None:
    matching = (
        found
        for statuses, pattern, found in _SENTENCES
        if status in statuses and pattern.match(complaint.message)
    )
    return next(matching, None)


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
    again = status in (408, 409, _NO_CAPACITY) or status >= 500
    return _Class(ErrorType.PROVIDER_ERROR, retryable=again, scope="provider")


def _should_retry(headers: Mapping[str, str], otherwise: bool) -> bool:
    return {"true": True, "false": False}.get(headers.get("x-should-retry", ""), otherwise)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds the provider asks to wait; None where it asks for nothing that can be understood.

    `retry-after-ms`, then `retry-after` in seconds or as a date (RFC 9110, 10.2.3).
    """
    milliseconds = number_of(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, LONGEST_WAIT)
    text = headers.get("retry-after")
    seconds = number_of(text)
    if seconds is not None or text is None:
        return None if seconds is None else min(seconds, LONGEST_WAIT)
    try:
        return min(max(parsedate_to_datetime(text).timestamp() - now, 0.0), LONGEST_WAIT)
    except (ValueError, OverflowError):
        return None
