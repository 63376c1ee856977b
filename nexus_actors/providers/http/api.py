"""The port between an HTTP session and an API: pure translation, both ways.

`http/provider.py` does what all of them have in common (the connection, the deadline, the stream,
masking secrets, the price); an API says how a request is written and what an answer means.
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
"""Counts beyond are nonsense, and would not fit the database's column."""
MOST_COUNTS: Final = 64
"""Counts of one answer's usage; there are a dozen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One call, written."""

    path: str
    """What follows the provider's `base_url`; names in it percent-encoded."""
    body: Mapping[str, Any]
    """To be sent as JSON."""
    dropped: tuple[str, ...] = ()
    """As `Answer.dropped`: what `body` leaves out, or has in a form that is the nearest only."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Where the body has an optional field under another name than the request: the place there,
    such as `reasoning.effort`, to the field of `LLMRequest`."""
    check: Mapping[str, Any] | None = None
    """A JSON Schema that an answer's text is to be held against, since the provider does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An answer as the API told it."""

    response: str | None
    """The text; None where there are tool calls alone."""
    usage: Usage | None = None
    """None: it did not say."""
    finish_reason: str | None = None
    """`stop`, `length`, `tool_calls` or `content_filter`; any other as the provider says it."""
    native_finish_reason: str | None = None
    response_id: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    """In the chat API's form, whatever the API."""
    served_model: str | None = None
    """The model that answered, by the name the provider has for it."""
    cache_write_tokens: int = 0
    """Those of the prompt's that were written to the provider's cache, at a higher price."""
    cache_write_1h_tokens: int = 0
    """Those of them that are kept for an hour, at a higher price still."""
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    told_cost: float | None = None
    """US dollars, as the provider says; not checked."""
    service_tier: str | None = None
    """That the answer was given in, such as `flex` or `priority`; None for the usual one."""
    geo: str | None = None
    """Where it was computed, if that has a price."""
    hosted_calls: Mapping[str, int] = field(default_factory=dict)
    """Calls of the provider's own tools that cost by the call: `web_search` and the like."""
    state: str | None = None
    """What is to be sent back with this message, as JSON text; those of calls stand in the calls,
    as `provider_state`."""
    dropped: tuple[str, ...] = ()
    """What of the answer was left out, told with what of the request was."""
    fault: str | None = None
    """Why it is no answer although it was paid for: worth one more try at most."""


class StreamReader(Protocol):
    """Puts one streamed answer together."""

    def take(self, event: Mapping[str, Any]) -> str:
        """Take the next event's JSON; returns the text that it adds to the answer, or ""."""
        ...

    def whole(self) -> Mapping[str, Any] | None:
        """The answer in the form it would have had unstreamed, for `HttpApi.read`; with an `error`
        where one came. None if the stream ended before the answer did."""
        ...


@dataclass(frozen=True, slots=True)
class FreeCall:
    """A GET that costs nothing."""

    path: str = "/models"
    """What follows the provider's `base_url`."""
    proves_key: bool = True
    """It wants the key that calls want. False: everybody is answered."""
    lists_models: bool = True
    """The answer lists every model that calls may name, by that name."""


class HttpApi(Protocol):
    """One of the APIs that providers speak."""

    free_call: FreeCall
    """To see whether a provider is there, and takes a key."""

    def headers(self, key: str) -> Mapping[str, str]:
        """What each call carries besides the content's: the key, a version. `key` may be ""."""
        ...

    def prepare(
        self, request: LLMRequest, model: str, takes: Takes, *, stream: bool
    ) -> Prepared | ProviderFailure:
        """Write the call as the model takes it. A failure refuses what must not be dropped, before
        anything is sent."""
        ...

    def read(self, value: Mapping[str, Any]) -> Reading | ProviderFailure:
        """What a 2xx answer means: a failure where it holds an error, or no answer."""
        ...

    def failed(
        self, status: int, headers: Mapping[str, str], body: bytes, *, now: float
    ) -> ProviderFailure:
        """What any other answer means. `now`: seconds since 1970, to compare dates with."""
        ...

    def reader(self) -> StreamReader:
        """For one streamed answer."""
        ...


def refused(message: str) -> ProviderFailure:
    """The API cannot say this request, and to leave a part out would change the question."""
    return ProviderFailure(
        type=ErrorType.REQUEST_REJECTED, message=message, retryable=False, scope="request"
    )


def invalid(why: str) -> ProviderFailure:
    """An answer that cannot be understood: worth another try, and maybe paid for."""
    return ProviderFailure(
        type=ErrorType.INVALID_RESPONSE,
        message=f"the answer cannot be understood: {why}",
        retryable=True,
        status_code=200,
        maybe_paid=True,
    )


def count(counts: Any, name: str) -> int:
    """A number of tokens in `counts`; 0 where there is none that makes sense."""
    # Most answers tell few of those that are asked for.
    match counts.get(name) if counts is not None and isinstance(counts, Mapping) else None:
        case None | bool():
            return 0
        case int() | float() as number if 0 <= number <= MOST_TOKENS:
            return int(number)
        case _:
            return 0


def few(counts: Mapping[str, Any]) -> dict[str, Any]:
    """The first `MOST_COUNTS` of them. What a stream adds to with each of its events is kept short:
    else the last would cost as much as all before it."""
    return dict(islice(counts.items(), MOST_COUNTS))


def text_or_none(value: Any) -> str | None:
    """Text that says something."""
    return value if isinstance(value, str) and value else None
