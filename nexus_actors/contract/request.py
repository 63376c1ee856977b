"""A request as the pipeline uses it: validated, with defaults, immutable."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

Complexity = Literal["simple", "medium", "complex"]
ApiVersion = Literal["responses", "chat_completions"]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Verbosity = Literal["low", "medium", "high"]
ReasoningSummary = Literal["auto", "concise", "detailed"]
Message = Mapping[str, Any]
"""One chat message with at least `role` and `content`. An assistant's message may have
`tool_calls`. The message and each call may have a `provider_state` (`provider_state.py`). Further
keys are the producer's own."""


class LLMRequest(Struct, frozen=True, kw_only=True):
    """One validated request. Only `decode.decode_request` should make it.

    A msgspec Struct, since one is made for each message and a dataclass takes ten times as long.
    """

    request_id: str
    complexity: Complexity
    messages: tuple[Message, ...]
    """The conversation. If the producer sent `input`, that converted to messages."""
    agent_id: str | None = None
    input: str | tuple[Mapping[str, Any], ...] | None = None
    """`input` as sent, for a provider with the Responses API; None if `messages` was sent."""
    instructions: str | None = None
    """`instructions` sent with `input`. `messages` also has it, as its first message."""
    task_type: str | None = None
    """Lower-case, with white space replaced by `_`."""
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
    """As sent: function tools in the nested form of chat completions or the flat form of the
    Responses API, other tools in the form of the Responses API."""
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
    """From `verbosity`, or the Responses API's `text.verbosity`."""
    reasoning_summary: ReasoningSummary | None = None
    """The Responses API's `reasoning.summary`."""
    thinking: Mapping[str, Any] | None = None
    """Anthropic's `thinking`, such as `{"type": "enabled", "budget_tokens": 2048}`."""
    include: tuple[str, ...] = ()
    """The Responses API's `include`: further data to return."""
    cache_control: Mapping[str, Any] | None = None
    """Anthropic's `cache_control`: `{"type": "ephemeral"}` caches the longest possible prefix."""
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    user: str | None = None
    """The end user's id for the provider."""
    metadata: Mapping[str, Any] | None = None
    unknown: tuple[str, ...] = ()
    """Names of fields that no supported API has: reported in `dropped`. Bounded."""
    timeout: float | None = None
    """Seconds for the whole request, from being sent (milliseconds on the wire)."""
    traceparent: str | None = None
    """The field `traceparent`, if valid. The message's headers take precedence."""
