"""A request as the pipeline knows it: validated, its defaults filled in, never changed again."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

Complexity = Literal["simple", "medium", "complex"]
ApiVersion = Literal["responses", "chat_completions"]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Verbosity = Literal["low", "medium", "high"]
ReasoningSummary = Literal["auto", "concise", "detailed"]
Message = Mapping[str, Any]
"""One chat message, at least `role` and `content`. An assistant's may have `tool_calls`, and it and
each call a `provider_state` (`provider_state.py`); further keys are the producer's own."""


class LLMRequest(Struct, frozen=True, kw_only=True):
    """One validated request. `decode.decode_request` makes it; nothing else should.

    No dataclass, which takes ten times as long to make: there is one for each message.
    """

    request_id: str
    complexity: Complexity
    messages: tuple[Message, ...]
    """The conversation. Where the producer sent `input`, its form as messages."""
    agent_id: str | None = None
    input: str | tuple[Mapping[str, Any], ...] | None = None
    """`input` as the producer sent it, for a provider that has the Responses API; None where
    `messages` was sent."""
    instructions: str | None = None
    """`instructions` that came beside `input`; `messages` has it too, as its first message."""
    task_type: str | None = None
    """Lower-case, runs of white space turned into `_`."""
    model: str = "auto"
    provider: str = "auto"
    api_version: ApiVersion = "responses"
    max_tokens: int | None = None
    temperature: float | None = None
    stream: bool = False
    capabilities: tuple[str, ...] = ()
    previous_response_id: str | None = None
    mcp_servers: tuple[Mapping[str, Any], ...] = ()
    store: bool | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    """As sent: function tools in the chat API's nested or the Responses API's flat form, others as
    the Responses API has them."""
    tool_choice: str | Mapping[str, Any] | None = None
    """`auto`, `none`, `required`, or an object that names the function."""
    parallel_tool_calls: bool | None = None
    response_format: Mapping[str, Any] | None = None
    """`{"type": "text" | "json_object" | "json_schema", …}`, nested as the chat API or flat as the
    Responses API writes it."""
    reasoning_effort: ReasoningEffort | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    verbosity: Verbosity | None = None
    """How much to say: `verbosity`, or the Responses API's `text.verbosity`."""
    reasoning_summary: ReasoningSummary | None = None
    """The Responses API's `reasoning.summary`."""
    thinking: Mapping[str, Any] | None = None
    """Anthropic's own, such as `{"type": "enabled", "budget_tokens": 2048}`."""
    include: tuple[str, ...] = ()
    """The Responses API's: what the answer is to have besides."""
    cache_control: Mapping[str, Any] | None = None
    """Anthropic's: `{"type": "ephemeral"}` has the longest prompt possible cached."""
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    user: str | None = None
    """Whom the request is for, as the provider is to know it."""
    metadata: Mapping[str, Any] | None = None
    unknown: tuple[str, ...] = ()
    """Names of fields that no API of ours has a place for: told in `dropped`. Bounded."""
    timeout: float | None = None
    """Seconds allowed for the whole answer (milliseconds on the wire)."""
    traceparent: str | None = None
    """The valid one that it has as a field; what the message's headers say counts before it."""
