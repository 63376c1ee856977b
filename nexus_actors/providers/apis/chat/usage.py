"""Reads token counts and the cost from an answer of chat completions, in all known forms.

- Cached: `prompt_tokens_details.cached_tokens`; DeepSeek's `prompt_cache_hit_tokens`; Moonshot's
  `cached_tokens` at the top level. Written to the cache: OpenRouter's `cache_write_tokens`, a
  gateway's `cache_creation_input_tokens`.
- A missing total is the sum. If the total counts reasoning in addition to the completion (xAI),
  the reasoning is added to the completion, since it is charged like it.
- The cost: `reported_cost.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nexus_actors.contract.result import Usage
from nexus_actors.providers.apis.reported_cost import reported_cost
from nexus_actors.providers.http.api import MOST_TOKENS, count, few, text_or_none

_USUAL_TIERS: Final = ("auto", "default", "standard", "on_demand")
"""Names of the tiers at list price, of OpenAI, Anthropic and Groq."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Fields of a `Reading`, with the same names."""

    usage: Usage | None = None
    cache_write_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    reported_cost: float | None = None
    service_tier: str | None = None
    hosted_calls: Mapping[str, int] = field(default_factory=dict)


def read_spent(answer: Mapping[str, Any]) -> Spent:
    """Read the tokens, cost and tier of this answer."""
    tier = text_or_none(answer.get("service_tier"))
    tier = None if tier in _USUAL_TIERS else tier
    usage = answer.get("usage")
    if not isinstance(usage, Mapping):
        return Spent(service_tier=tier)
    prompt, completion = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    return Spent(
        usage=_usage(usage),
        cache_write_tokens=_first(
            (prompt, "cache_write_tokens"),
            (prompt, "cache_creation_tokens"),
            (usage, "cache_creation_input_tokens"),
            (usage, "cache_write_tokens"),
        ),
        audio_input_tokens=count(prompt, "audio_tokens"),
        audio_output_tokens=count(completion, "audio_tokens"),
        reported_cost=reported_cost(usage),
        service_tier=tier,
        hosted_calls=_hosted(usage),
    )


def with_earlier(earlier: Any, later: Any) -> Any:
    """Merge a stream's usages. A later value counts unless it is empty and the earlier is not."""
    if not isinstance(earlier, Mapping) or not isinstance(later, Mapping):
        return later or earlier
    merged = {**earlier, **{name: it for name, it in later.items() if it or name not in earlier}}
    for name in earlier.keys() & later.keys():
        if isinstance(earlier[name], Mapping) and isinstance(later[name], Mapping):
            inner = {key: it for key, it in later[name].items() if it or key not in earlier[name]}
            merged[name] = few({**earlier[name], **inner})
    return few(merged)


def _usage(usage: Mapping[str, Any]) -> Usage:
    prompt, completion = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    reasoning = count(usage.get("completion_tokens_details"), "reasoning_tokens")
    total = count(usage, "total_tokens")
    if total == prompt + completion + reasoning:  # xAI counts this way
        completion += reasoning
    cached = _first(
        (usage.get("prompt_tokens_details"), "cached_tokens"),
        (usage, "prompt_cache_hit_tokens"),
        (usage, "cached_tokens"),
        (usage, "cache_read_input_tokens"),
    )
    total = total or min(prompt + completion, MOST_TOKENS)
    return Usage(prompt, completion, total, cached, reasoning)


def _first(*places: tuple[Any, str]) -> int:
    return next((found for holder, name in places if (found := count(holder, name))), 0)


def _hosted(usage: Mapping[str, Any]) -> dict[str, int]:
    """Calls of the server's own tools: `web_search_calls` (xAI), `web_search_requests`
    (OpenRouter), and the number of sources in xAI's live search."""
    counts: dict[str, int] = {}
    for holder in (usage.get("server_side_tool_usage_details"), usage.get("server_tool_use")):
        for name in holder if isinstance(holder, Mapping) else ():
            number = count(holder, name)
            if number and isinstance(name, str):
                counts[name.removesuffix("_calls").removesuffix("_requests")] = number
    if sources := count(usage, "num_sources_used"):
        counts["live_search_source"] = sources
    return counts
