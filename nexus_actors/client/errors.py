"""What a call can fail with. The names are the contract's error names.

CallError
├─ Timeout             no result within the timeout; the request has ended, or is still queued
├─ Unavailable         no service is consuming the queue, or the database is unavailable
├─ InvalidArguments    the arguments make no valid request; nothing was sent (`request_id` is None)
├─ ModelUnavailable    no reachable provider serves the model
├─ RateLimited         the provider asks to slow down
├─ QuotaExceeded       the allowance is used up
└─ RequestFailed       any other failure; `type` says which
"""

from nexus_actors.contract.errors import REFUSALS, ErrorType
from nexus_actors.contract.result import Failure


class CallError(Exception):
    """A call without an answer. `type` is the error's name in messages."""

    type: str = ErrorType.INTERNAL_ERROR

    def __init__(
        self, message: str, *, request_id: str | None = None, failure: Failure | None = None
    ) -> None:
        super().__init__(message)
        self.request_id = request_id
        """None if nothing was sent or the id is unknown; else `LLMService.result` accepts it."""
        self.failure = failure
        """The failure that the service published, if it did."""


class Timeout(CallError):
    """No result within the timeout. The request has the same timeout, so it ends as well, mostly
    with the error `timeout`, but only once a service takes it: while its queue is paused, or no
    service runs, it stays queued. `LLMService.result` fetches the result."""

    type = ErrorType.TIMEOUT


class Unavailable(CallError):
    """No service is consuming the queue, or the database cannot be reached."""

    type = ErrorType.UNAVAILABLE


class InvalidArguments(CallError):
    """The arguments or the configuration are not valid; the message says which and what is
    expected.

    Nothing was sent, unless `request_id` is set: then the service refused the request.
    """

    type = ErrorType.INVALID_ARGUMENTS


class ModelUnavailable(CallError):
    """No reachable provider serves the requested model."""

    type = ErrorType.MODEL_UNAVAILABLE


class RateLimited(CallError):
    """The provider asks to slow down."""

    type = ErrorType.RATE_LIMITED


class QuotaExceeded(CallError):
    """The paid or daily allowance is used up."""

    type = ErrorType.QUOTA_EXCEEDED


class RequestFailed(CallError):
    """Any other failure that the service published."""


_NAMED: dict[str, type[CallError]] = {
    **dict.fromkeys(REFUSALS, InvalidArguments),
    **{
        kind.type: kind
        for kind in (
            Timeout,
            Unavailable,
            InvalidArguments,
            ModelUnavailable,
            RateLimited,
            QuotaExceeded,
        )
    },
}


def error_of(failure: Failure, request_id: str) -> CallError:
    """The exception for a published failure."""
    kind = _NAMED.get(failure.type, RequestFailed)
    error = kind(f"{failure.type}: {failure.message}", request_id=request_id, failure=failure)
    error.type = failure.type
    return error
