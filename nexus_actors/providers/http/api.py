"""The port between an HTTP session and an API: pure translation in both directions.

`http/provider.py` does what all APIs have in common: connection, deadline, stream, masking, price.
An API defines how a request is written and what an answer means.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Protocol

from nexus_actors.contract.errors import ErrorType
from nexus_actors.contract.request import LLMRequest
from nexus_actors.contract.result import Usage
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.providers.takes import Takes

MOST_TOKENS = 2**31 - 1
"""Larger counts make no sense, and would not fit into the database's column."""
MOST_COUNTS: Final = 64
"""The most counts that are kept of one answer's usage. Real ones have about a dozen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A call that is ready to be sent."""

    path: str
    """The path below the provider's `base_url`, with names percent-encoded."""
    body: Mapping[str, Any]
    """The body, to be sent as JSON."""
    dropped: tuple[str, ...] = ()
    """See `Answer.dropped`: what `body` leaves out or only approximates."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Optional fields that have another name in the body: the path there, such as
    `reasoning.effort`, to the field of `LLMRequest`."""
    check: Mapping[str, Any] | None = None
    """A JSON Schema to validate an answer's text with, since the provider does not enforce it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An answer as the API gave it."""

    response: str | None
    """The text; None if there are only tool calls."""
    usage: Usage | None = None
    """None if the answer has no usage."""
    finish_reason: str | None = None
    """`stop`, `length`, `tool_calls` or `content_filter`; others unchanged from the provider."""
    native_finish_reason: str | None = None
    response_id: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    """In the form of chat completions, whatever the API."""
    served_model: str | None = None
    """The provider's name of the model that answered."""
    cache_write_tokens: int = 0
    """Prompt tokens that were written to the provider's cache, at a higher price."""
    cache_write_1h_tokens: int = 0
    """Those of `cache_write_tokens` that are kept for an hour, at an even higher price."""
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    reported_cost: float | None = None
    """US dollars as the provider reports them, unchecked."""
    service_tier: str | None = None
    """The tier of the answer, such as `flex` or `priority`; None for the default one."""
    geo: str | None = None
    """Where the answer was computed, if that affects the price."""
    hosted_calls: Mapping[str, int] = field(default_factory=dict)
    """Calls of the provider's own tools that are charged per call, such as `web_search`."""
    state: str | None = None
    """Provider state to be sent back with this message, as JSON text. The state of a call is in the
    call itself, as `provider_state`."""
    dropped: tuple[str, ...] = ()
    """What was left out of the answer; reported together with what was left out of the request."""
    fault: str | None = None
    """Why this paid response is not a usable answer: worth at most one more try."""


class StreamReader(Protocol):
    """Assembles one streamed answer."""

    def take(self, event: Mapping[str, Any]) -> str:
        """Take the next event. Returns the text that it adds to the answer, or ""."""
        ...

    def whole(self) -> Mapping[str, Any] | None:
        """The answer in its unstreamed form, for `HttpApi.read`, with an `error` if one came. None
        if the stream ended before the answer was complete."""
        ...


@dataclass(frozen=True, slots=True)
class FreeCall:
    """A GET that costs nothing."""

    path: str = "/models"
    """The path below the provider's `base_url`."""
    proves_key: bool = True
    """Whether it needs the same key as other calls. False: it works without a key."""
    lists_models: bool = True
    """Whether the response lists all models by the names that calls use."""


class HttpApi(Protocol):
    """One of the APIs that providers speak."""

    free_call: FreeCall
    """Checks whether a provider is reachable and accepts a key."""

    def headers(self, key: str) -> Mapping[str, str]:
        """Headers of each call, such as the key and a version. `key` may be ""."""
        ...

    def prepare(
        self, request: LLMRequest, model: str, takes: Takes, *, stream: bool
    ) -> Prepared | ProviderFailure:
        """Write the call so that the model accepts it. Returns a failure, before anything is sent,
        if the call would lose something that must not be dropped."""
        ...

    def read(self, value: Mapping[str, Any]) -> Reading | ProviderFailure:
        """Read a 2xx response. Returns a failure if it has an error, or no answer."""
        ...

    def failed(
        self, status: int, headers: Mapping[str, str], body: bytes, *, now: float
    ) -> ProviderFailure:
        """Classify any other response. `now` is the Unix time, to compare dates with."""
        ...

    def reader(self) -> StreamReader:
        """Make the reader of one streamed answer."""
        ...


def refused(message: str) -> ProviderFailure:
    """The API cannot express the request, and leaving a part out would change the question."""
    return ProviderFailure(
        type=ErrorType.REQUEST_REJECTED, message=message, retryable=False, scope="request"
    )


def invalid(why: str) -> ProviderFailure:
    """A response that cannot be understood: worth another try, and perhaps paid for."""
    return ProviderFailure(
        type=ErrorType.INVALID_RESPONSE,
        message=f"the answer cannot be understood: {why}",
        retryable=True,
        status_code=200,
        maybe_paid=True,
    )


def count(counts: Any, name: str) -> int:
    """A number of tokens in `counts`; 0 if it is missing or makes no sense."""
    # Most answers have few of the counts that are looked up.
    match counts.get(name) if counts is not None and isinstance(counts, Mapping) else None:
        case None | bool():
            return 0
        case int() | float() as number if 0 <= number <= MOST_TOKENS:
            return int(number)
        case _:
            return 0


def few(counts: Mapping[str, Any]) -> dict[str, Any]:
    """The first `MOST_COUNTS` counts. A stream may add to them with each event, and merging an
    unbounded number each time would take quadratic time."""
    return dict(islice(counts.items(), MOST_COUNTS))


def text_or_none(value: Any) -> str | None:
    """The value, if it is a text that is not empty."""
    return value if isinstance(value, str) and value else None
