"""What a request ends in, and its form on the wire.

The field names are the contract's: other programs read them, so none is renamed or dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

CostBasis = Literal["told", "list", "partial", "unknown"]
"""Where a cost comes from: the provider reported it; the price list; a price list that lacks the
price of something used (the cost is then None); unknown."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of a call, in the same form for every provider."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int = 0
    """The part of `prompt_tokens` that was read from the provider's cache, at a lower price."""
    reasoning_tokens: int = 0
    """The part of `completion_tokens` that the model spent on thinking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The outcome of a request that succeeded."""

    response: str | None
    """The text; None where the model answered with tool calls alone."""
    provider: str
    model: str
    usage: Usage
    cost: float | None
    """US dollars; None if the price is unknown. 0 only if it cost nothing."""
    cost_basis: CostBasis = "unknown"
    finish_reason: str | None = None
    """`stop`, `length`, `tool_calls` or `content_filter`; otherwise the provider's own word."""
    native_finish_reason: str | None = None
    """The provider's own word."""
    dropped: tuple[str, ...] = ()
    """Paths of what the provider was not sent, or not in the requested form; `PATH: why` if the
    reason is not obvious."""
    provider_state: Mapping[str, Any] | None = None
    """State that the provider wants back with this message, sealed. Tool calls carry their own."""
    seconds_to_first_text: float | None = None
    """For a streamed answer. Not published."""
    response_id: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()

    def message(self) -> dict[str, Any]:
        """The answer as a message, to send back when the conversation continues."""
        message: dict[str, Any] = {"role": "assistant", "content": self.response or ""}
        if self.tool_calls:
            message["tool_calls"] = [*self.tool_calls]
        if self.provider_state is not None:
            message["provider_state"] = self.provider_state
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The outcome of a request that failed; `type` is one of the names in `errors.py`."""

    type: str
    message: str
    retryable: bool
    provider: str | None = None
    status_code: int | None = None
    path: str | None = None
    """The field of the request that was refused; None if there is none, or several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMResult:
    """The result of one request. A request has a second one only if that `supersedes` the first."""

    request_id: str
    agent_id: str | None
    complexity: str | None
    task_type: str | None
    outcome: Answer | Failure
    latency_ms: int
    """From the first lease of the request to its outcome."""
    attempts: int
    """Calls made to providers, including failed ones."""
    timestamp: datetime
    """When the outcome was known; UTC."""
    traceparent: str | None = None
    """Where the trace continues (W3C); None if there is no trace."""
    supersedes: bool = False
    """An operator sent a failed request again under its own id; this replaces its error."""
