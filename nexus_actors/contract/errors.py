"""Every name an error can have on the wire, in the journal and in the client.

The names are fixed: producers and operators match on them. What belongs to a name that differs
from case to case stands in the message, never in the name.
"""

from dataclasses import dataclass
from enum import StrEnum


class ErrorType(StrEnum):
    """The one list of names. A plain string with the same text compares equal."""

    # A request that can never succeed, refused before any provider is asked (contract).
    MISSING_FIELDS = "missing_fields"
    """Required fields are absent or null; all of them are listed."""
    INVALID_COMPLEXITY = "invalid_complexity"
    """`complexity` is given and none of simple, medium, complex."""
    EMPTY_MESSAGES = "empty_messages"
    """`messages` is an empty list."""
    MISSING_INPUT = "missing_input"
    """Nothing to answer: neither `messages` nor a non-empty `input`."""
    UNSUPPORTED_API_VERSION = "unsupported_api_version"
    """`api_version` is neither responses nor chat_completions."""
    INVALID_REQUEST = "invalid_request"
    """Anything else; the path of the field is given."""

    # What a caller of the client knows (contract).
    TIMEOUT = "timeout"
    """The request's timeout passed without an answer, or a call's."""
    UNAVAILABLE = "unavailable"
    """No service is consuming the queue."""
    INVALID_ARGUMENTS = "invalid_arguments"
    """The caller's arguments make no valid request."""
    MODEL_UNAVAILABLE = "model_unavailable"
    """No provider that can be reached serves what was asked for."""
    RATE_LIMITED = "rate_limited"
    """The provider asks to slow down; worth another try later."""
    QUOTA_EXCEEDED = "quota_exceeded"
    """The provider's paid or daily allowance is used up; soon repeating is no use."""

    # What happens at a provider.
    PROVIDER_ERROR = "provider_error"
    """The provider failed (5xx, or an error of its own kind)."""
    AUTHENTICATION_FAILED = "authentication_failed"
    """The key is missing, wrong, or not allowed to do this (401, 403)."""
    CONNECTION_FAILED = "connection_failed"
    """The provider could not be reached, or the connection broke."""
    INVALID_RESPONSE = "invalid_response"
    """The provider answered with something that cannot be understood."""
    REQUEST_REJECTED = "request_rejected"
    """The provider refuses this request as it is (400, 413, 422)."""
    CONTEXT_TOO_LONG = "context_too_long"
    """The conversation does not fit the model."""
    CONTENT_FILTERED = "content_filtered"
    """The provider refuses the content."""

    # What happens in this service.
    MAX_ATTEMPTS_EXCEEDED = "max_attempts_exceeded"
    """Every attempt allowed was used, and no better reason is known."""
    WORKER_CRASHED = "worker_crashed"
    """A worker died while it had the request."""
    CANCELLED = "cancelled"
    """It was asked for before the request was given to a provider."""
    DUPLICATE_REQUEST = "duplicate_request"
    """The request_id was used before, with another payload."""
    UNSTORABLE_RESULT = "unstorable_result"
    """An answer came, but the database refuses to hold it."""
    INTERNAL_ERROR = "internal_error"
    """A mistake of ours."""


REFUSALS: frozenset[str] = frozenset(
    {
        ErrorType.MISSING_FIELDS,
        ErrorType.INVALID_COMPLEXITY,
        ErrorType.EMPTY_MESSAGES,
        ErrorType.MISSING_INPUT,
        ErrorType.UNSUPPORTED_API_VERSION,
        ErrorType.INVALID_REQUEST,
    }
)
"""Names a `Refusal` can have."""

NO_FAULT: frozenset[str] = REFUSALS | {ErrorType.CANCELLED, ErrorType.DUPLICATE_REQUEST}
"""Ends that say nothing about the service and its providers: producers' mistakes, and what nobody
wanted any more. The alert NexusErrorShare leaves out the same ones."""

CALL_ERRORS: frozenset[str] = frozenset(
    {
        ErrorType.TIMEOUT,
        ErrorType.UNAVAILABLE,
        ErrorType.INVALID_ARGUMENTS,
        ErrorType.MODEL_UNAVAILABLE,
        ErrorType.RATE_LIMITED,
        ErrorType.QUOTA_EXCEEDED,
    }
)
"""Names the client has an exception of its own for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a message can never become a request. Fit for a log: nothing of the prompt is in it."""

    type: ErrorType
    """One of `REFUSALS`."""
    message: str
    """One sentence, bounded: the path, where there is one, what was expected there, and the type
    of what was found."""
    path: str | None = None
    """The field, such as `messages[2].role`; None where it is not about one field."""
    fields: tuple[str, ...] = ()
    """For missing_fields: all that are missing, in the contract's order."""
    request_id: str | None = None
    """None where none can be read; then no result can be published."""
    agent_id: str | None = None
    complexity: str | None = None
    """As sent, if it is a valid one."""
    task_type: str | None = None
    traceparent: str | None = None
    """As `LLMRequest.traceparent`."""
    excerpt: str = ""
    """The message's shape: names of known fields with types and sizes, values only of those that
    cannot hold a prompt. At most `EXCERPT_LIMIT` characters."""


EXCERPT_LIMIT = 500
