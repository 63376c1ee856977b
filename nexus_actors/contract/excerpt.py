"""What may be reported of a refused message: its shape, never its prompt."""

from typing import Any, Final

from nexus_actors.contract.errors import EXCERPT_LIMIT

_SHOWN: Final = (
    "request_id",
    "agent_id",
    "complexity",
    "task_type",
    "model",
    "provider",
    "api_version",
)
"""Fields whose short text is shown: routing words, which hold no prompt unless misused."""
_COUNTED: Final = (
    "messages",
    "input",
    "system",
    "instructions",
    "max_tokens",
    "max_output_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "stop_sequences",
    "seed",
    "n",
    "candidate_count",
    "stream",
    "capabilities",
    "previous_response_id",
    "mcp_servers",
    "store",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "text",
    "verbosity",
    "output_config",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "include",
    "cache_control",
    "prompt_cache_key",
    "service_tier",
    "user",
    "safety_identifier",
    "metadata",
    "timeout",
    "timestamp",
)
_SHOWN_LENGTH: Final = 64


def kind_of(value: Any) -> str:
    """The JSON type of a value with its size, such as `a list of 3`."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "an empty text" if not value else f"a text of {_count(len(value), 'character')}"
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return f"an object with {_count(len(value), 'key')}"
        case _:
            return "something else"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def shown(value: Any) -> str:
    """A routing word as it was sent if it is short text on one line, else its type."""
    if isinstance(value, str) and 0 < len(value) <= _SHOWN_LENGTH and value.isprintable():
        return f'"{value}"'
    return kind_of(value)


def excerpt(value: Any) -> str:
    """The shape of a request body in at most EXCERPT_LIMIT characters."""
    if not isinstance(value, dict):
        return kind_of(value)
    parts = [f"{name}: {shown(value[name])}" for name in _SHOWN if name in value]
    parts += [f"{name}: {kind_of(value[name])}" for name in _COUNTED if name in value]
    others = sum(name not in _SHOWN and name not in _COUNTED for name in value)
    if others:
        parts.append(_count(others, "unknown key"))
    text = ", ".join(parts) or "an empty object"
    return text if len(text) <= EXCERPT_LIMIT else text[: EXCERPT_LIMIT - 1] + "…"
