"""What a request ends in, and its form on the wire.

The field names are the contract's: other programs read them, so none is renamed or dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

CostBasis = Literal["told", "list", "partial", "unknown"]
"""Where a cost comes from: the provider said it; a list of prices; a list that lacks the price of
something used (the cost is then None); nobody knows."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as every provider's answer is reported: input, output and their sum."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int = 0
    """Those of `prompt_tokens` that were read from the provider's cache, at a lower price."""
    reasoning_tokens: int = 0
    """Those of `completion_tokens` that the model spent on thinking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A successful end."""

    response: str | None
    """The text; None where the model answered with tool calls alone."""
    provider: str
    model: str
    usage: Usage
    cost: float | None
    """US dollars; None where the price is unknown, never a false 0."""
    cost_basis: CostBasis = "unknown"
    finish_reason: str | None = None
    """`stop`, `length`, `tool_calls` or `content_filter`; any other as the provider says it."""
    native_finish_reason: str | None = None
    """In the provider's own word."""
    dropped: tuple[str, ...] = ()
    """Paths in the request of what this provider was not sent as it was asked for; where the path
    does not say why, `PATH: why`."""
    provider_state: Mapping[str, Any] | None = None
    """What the provider wants back with this message, sealed (`provider_state.py`). Those of calls
    stand in the calls."""
    seconds_to_first_text: float | None = None
    """Of a streamed answer; not published."""
    response_id: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()

    def message(self) -> dict[str, Any]:
        """The answer as the message to send back where the conversation goes on."""
        message: dict[str, Any] = {"role": "assistant", "content": self.response or ""}
        if self.tool_calls:
            message["tool_calls"] = [*self.tool_calls]
        if self.provider_state is not None:
            message["provider_state"] = self.provider_state
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An unsuccessful end; `type` is one of the names in `errors.py`."""

    type: str
    message: str
    retryable: bool
    provider: str | None = None
    status_code: int | None = None
    path: str | None = None
    """The field of the request that was refused; None where it is about none, or about several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMResult:
    """The one result of one request, as published to the results queue; the second or a later one
    only where it `supersedes`."""

    request_id: str
    agent_id: str | None
    complexity: str | None
    task_type: str | None
    outcome: Answer | Failure
    latency_ms: int
    """From the first lease of the request to its outcome."""
    attempts: int
    """Calls made to providers, failed ones included."""
    timestamp: datetime
    """When the outcome was known; UTC."""
    traceparent: str | None = None
    """The trace goes on from here (W3C); None where there is none."""
    supersedes: bool = False
    """An operator sent the request again under its own id: an error was published before."""
