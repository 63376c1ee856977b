"""Classifies a provider's error by its status, headers and codes.

The wording counts only if no code does, and only by a closed list of sentences with their statuses
(`_SENTENCES`), matched from the message's first character on. A message that quotes the prompt
begins differently.

Sources: RFC 9110 (statuses, `retry-after`), OpenAI's error codes
(https://platform.openai.com/docs/guides/error-codes), the official clients' retry rules.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from nexus_actors.contract.errors import ErrorType
from nexus_actors.providers.complaints import Complaint, read_body, read_complaint
from nexus_actors.providers.port import ProviderFailure, Scope
from nexus_actors.providers.waits import reset_after, retry_after

__all__ = [
    "Complaint",
    "failed_inside",
    "failed_status",
    "no_answer",
    "read_complaint",
    "retry_after",
]

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "enforced_spend_limit_reached",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_disabled",
        "billing_error",
        "per_day_quota",
    }
)
"""Codes of an exhausted quota, sent with 429 or 403: not worth a retry. The last is our own, for
Google's `QuotaFailure` that names a quota per day."""
NO_QUOTA = "no_quota"
"""Our own, for one that names a quota of 0: the account's plan does not include this model."""
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
"""Some of these come with 403, but concern one model and not the key."""
KEY_CODES = frozenset(
    {
        "invalid_api_key",
        "account_deactivated",
        "organization_restricted",
        "api_key_invalid",
        "api_key_http_referrer_blocked",
        "api_key_ip_address_blocked",
        "api_key_service_blocked",
        "consumer_invalid",
        "consumer_suspended",
        "service_disabled",
    }
)
"""From `api_key_invalid` on, these are Google's reasons (google.rpc.ErrorInfo), with 400 or 403."""
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
"""The status that a code implies if the error has none: inside a 200, or in a stream that has begun
(Anthropic's `type`, Google's `status`)."""
_REFUSED = (400, 413, 422)
_NO_CAPACITY = 498
"""Groq's status for no capacity in its tier `flex`: worth a retry.
https://console.groq.com/docs/flex-processing"""
_GAVE_UP_WAITING = (408, 502, 504, 520, 524)
"""Statuses of a front end that got no response from the server behind it, which may still be
working.
"""


class _Class(NamedTuple):
    type: ErrorType
    retryable: bool
    scope: Scope
    suspects: Literal["key"] | None = None


def no_answer(timeout: float) -> str:
    """The message of a call that got no answer in its time, to two digits: what is left of a
    request's own timeout is rarely a round number."""
    return f"no answer within {timeout:{'.0f' if timeout >= 10 else '.2g'}} s"


def failed_status(
    status: int, headers: Mapping[str, str], body: bytes, *, now: float
) -> ProviderFailure:
    """Classify a response with an HTTP status other than 2xx.

    `now` is the Unix time, to compare a date in `retry-after` with.
    """
    complaint = read_body(body.decode("utf-8", "replace"))
    failure = _failure(status, complaint)
    may_be_overruled = failure.type != ErrorType.QUOTA_EXCEEDED and not _is_too_large(failure)
    if may_be_overruled and headers.get("x-should-retry") in ("true", "false"):
        retryable = headers["x-should-retry"] == "true"
        scope = "request" if failure.type == ErrorType.RATE_LIMITED else failure.scope
        failure = replace(failure, retryable=retryable, scope=failure.scope if retryable else scope)
    asked = [retry_after(headers, now), complaint.retry_after]
    if status == 429:
        asked.append(reset_after(headers, now))
    return replace(failure, retry_after=next((it for it in asked if it is not None), None))


def _is_too_large(failure: ProviderFailure) -> bool:
    return failure.type == ErrorType.RATE_LIMITED and failure.scope == "request"


def failed_inside(complaint: Complaint) -> ProviderFailure:
    """Classify an error inside a response with status 200 (OpenRouter sends them).

    Without a status or a known code, the provider is at fault and the call counts as paid.
    """
    failure = _failure(complaint.status or _implied_status(complaint.codes), complaint)
    return replace(
        failure,
        message=_message("error in a 200 answer", complaint),
        status_code=complaint.status or 200,
        maybe_paid=failure.type == ErrorType.PROVIDER_ERROR,
        retry_after=complaint.retry_after,
    )


def _implied_status(codes: frozenset[str]) -> int:
    if codes & (TOO_LONG_CODES | FILTER_CODES):
        return 400
    return next((status for code, status in _IMPLIED.items() if code in codes), 500)


def _failure(status: int, complaint: Complaint) -> ProviderFailure:
    found = (
        (_TOO_LARGE if status == 429 and _names_own_size(complaint) else None)
        or _by_words(status, complaint)
        or _classify(status, complaint)
    )
    refused = complaint.refused if found.type == ErrorType.REQUEST_REJECTED else None
    if status not in (400, 422):
        refused = None
    return ProviderFailure(
        type=found.type,
        message=_message(f"HTTP {status}", complaint),
        retryable=found.retryable,
        scope=found.scope,
        suspects=found.suspects,
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
_TOO_LARGE = _Class(ErrorType.RATE_LIMITED, retryable=False, scope="request")
_SPENT = _Class(ErrorType.QUOTA_EXCEEDED, retryable=False, scope="key")
_WRONG_KEY = _Class(ErrorType.AUTHENTICATION_FAILED, retryable=False, scope="key")
_LIMIT: Final = re.compile(
    r"\blimit:?\s*(\d[\d,]*).{0,80}?\brequested:?\s*(\d[\d,]*)", re.IGNORECASE | re.DOTALL
)
_LIMIT_OF_NOTHING: Final = re.compile(r"\blimit:?\s*0\b(?![.,]\d)", re.IGNORECASE)
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
        # A limit that the request exceeds by itself: waiting does not help, and the key works.
        ((429,), r"Request too large for ", _TOO_LARGE),
        ((402,), r"This request requires more credits, or fewer max_tokens", _UNAFFORDABLE),
        ((402,), r"Prompt tokens limit exceeded: \d+ > \d+", _UNAFFORDABLE),
        # One file, one model, one text
        ((403,), r"You do not have permission to access the File ", _REJECTED),
        ((403,), r"You don't have access to the model ", _NO_MODEL),
        ((403,), r"This model is not available in your (?:region|country)", _NO_MODEL),
        ((400, 403), r"Content violates usage guidelines", _FILTERED),
        # The account's money: Anthropic; DeepSeek; OpenRouter; xAI
        ((400, 402, 403), r"Your credit balance is too low", _SPENT),
        ((402,), r"Insufficient Balance", _SPENT),
        ((402,), r"Insufficient credits", _SPENT),
        ((402, 403, 429), r"(?:API )?[Kk]ey limit exceeded", _SPENT),
        ((403, 429), r"Your (?:newly created )?team .{1,80}(?:credits|spending limit)", _SPENT),
        # The key itself: xAI, with 400; Google
        ((400, 403), r"Incorrect API key provided", _WRONG_KEY),
        ((403,), r"Your API key was reported as leaked", _WRONG_KEY),
        ((403,), r"Your project has been denied access", _WRONG_KEY),
        ((403,), r".{0,80}API has not been used in project ", _WRONG_KEY),
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


def _names_own_size(complaint: Complaint) -> bool:
    """Whether a 429 says that the request alone is more than the whole limit: waiting is no use,
    and it says nothing of others."""
    if NO_QUOTA in complaint.codes or _LIMIT_OF_NOTHING.search(complaint.message):
        return True
    numbers = _LIMIT.search(complaint.message)
    if numbers is None:
        return False
    limit, requested = (int(it.replace(",", "")) for it in numbers.groups())
    return requested > limit


def _message(where: str, complaint: Complaint) -> str:
    said = complaint.message or ", ".join(sorted(complaint.codes))
    return f"{where}: {said}" if said else where


def _classify(status: int, complaint: Complaint) -> _Class:
    codes = complaint.codes
    if codes & QUOTA_CODES:
        return _SPENT
    if codes & FILTER_CODES:
        return _Class(ErrorType.CONTENT_FILTERED, retryable=False, scope="request")
    # Before the statuses of a bad key: OpenAI refuses a model that a project may not use with 403.
    if codes & MODEL_CODES or status == 404:
        return _Class(ErrorType.MODEL_UNAVAILABLE, retryable=False, scope="request")
    if codes & KEY_CODES or (status == 401 and not complaint.is_page):
        return _WRONG_KEY
    if status in (401, 402, 403):
        return _of_key_or_request(status)
    if codes & TOO_LONG_CODES:
        return _Class(ErrorType.CONTEXT_TOO_LONG, retryable=False, scope="request")
    if status in _REFUSED:
        return _Class(ErrorType.REQUEST_REJECTED, retryable=False, scope="request")
    if status == 429:
        return _Class(ErrorType.RATE_LIMITED, retryable=True, scope="key")
    again = status in (408, 409, _NO_CAPACITY) or status >= 500
    return _Class(ErrorType.PROVIDER_ERROR, retryable=again, scope="provider")


def _of_key_or_request(status: int) -> _Class:
    """A refusal that does not say what is refused: the key, or one file, one model, one size; or it
    is what a front end makes of one request."""
    kind = ErrorType.QUOTA_EXCEEDED if status == 402 else ErrorType.AUTHENTICATION_FAILED
    return _Class(kind, retryable=False, scope="request", suspects="key")
