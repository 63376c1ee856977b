"""Reads the cost that an answer reports.

- `cost`, in dollars (https://openrouter.ai/docs/use-cases/usage-accounting), plus the upstream's
  cost if that is billed separately (`is_byok`). Perplexity's `cost` is an object with a
  `total_cost` (https://docs.perplexity.ai/api-reference/chat-completions-post).
- xAI's `cost_in_usd_ticks`, ten billion per dollar (https://docs.x.ai/developers/cost-tracking).
"""

from collections.abc import Mapping
from typing import Any, Final

_TICKS: Final = 10_000_000_000


def reported_cost(usage: Any) -> float | None:
    """US dollars from an answer's `usage`, unchecked; None if it reports no cost."""
    if not isinstance(usage, Mapping):
        return None
    said = usage.get("cost")
    cost = _number(said.get("total_cost") if isinstance(said, Mapping) else said)
    if cost is None:
        ticks = _number(usage.get("cost_in_usd_ticks"))
        return None if ticks is None else ticks / _TICKS
    details = usage.get("cost_details")
    if usage.get("is_byok") is True and isinstance(details, Mapping):
        upstream = _number(details.get("upstream_inference_cost"))
        return None if upstream is None else cost + upstream
    return cost


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
