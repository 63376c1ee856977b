"""What an answer cost, and the basis of that figure.

1. A server of one's own (`free`) costs 0, except for models with a price in the config. 2. The
provider's own figure (`told`), if it is plausible: finite, not negative, and at most ten times the
list's figure, if that is more than 0. 3. The tokens times the config's prices, else the price
list's, plus fees (`list`). 4. None if something without a price was used (`partial`), or if there
is no price or no token count (`unknown`).
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final, NamedTuple, TypeVar

from nexus_actors.contract.result import CostBasis
from nexus_actors.providers import pricing
from nexus_actors.providers.http.api import Reading
from nexus_actors.providers.http.settings import HttpSettings

MOST_TIMES_THE_LIST: Final = 10.0
"""A provider's figure above this many times the list's figure is not believed."""
COST_HEADER: Final = "x-litellm-response-cost"
"""US dollars, sent by a LiteLLM proxy. https://docs.litellm.ai/docs/proxy/response_headers"""
T = TypeVar("T")
_NOTHING: Final = pricing.Tokens(0, 0)


class Cost(NamedTuple):
    """US dollars, and the basis of that figure."""

    dollars: float | None
    basis: CostBasis


def answer_price(
    provider: str,
    settings: HttpSettings,
    model: str,
    reading: Reading,
    headers: Mapping[str, str],
) -> Cost:
    """The cost of one answer. `model` is the requested model."""
    if settings.free and pricing.configured_cost(settings.models.get(model), _NOTHING) is None:
        return Cost(0.0, "list")

    def price_of(name: str, tokens: pricing.Tokens) -> pricing.Price | None:
        used = pricing.Used(tokens, reading.service_tier, reading.geo, reading.hosted_calls)
        configured = settings.models.get(model)
        return pricing.price(provider, settings.base_url, name, used, configured=configured)

    listed = answer_cost(reading, model, price_of)
    for reported in (reading.reported_cost, _in_headers(headers)):
        if reported is not None and _is_believed(reported, listed):
            return Cost(reported, "told")
    if listed is None:
        return Cost(None, "unknown")
    return Cost(listed.dollars, "partial" if listed.dollars is None else "list")


def answer_cost(
    reading: Reading, asked: str, price_of: Callable[[str, pricing.Tokens], T | None]
) -> T | None:
    """The cost by the model that answered, which a gateway may have chosen; else by the requested
    one.

    None if there is no token count, which does not mean that the answer was free.
    """
    tokens = reading_tokens(reading)
    if tokens is None:
        return None
    served = reading.served_model
    by_served = price_of(served, tokens) if served else None
    return price_of(asked, tokens) if by_served is None else by_served


def reading_tokens(reading: Reading) -> pricing.Tokens | None:
    """The tokens to be paid for; None if the answer has no counts."""
    usage = reading.usage
    if usage is None or not (usage.prompt_tokens or usage.completion_tokens):
        return None
    return pricing.Tokens(
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens,
        max(reading.cache_write_tokens, reading.cache_write_1h_tokens),
        reading.cache_write_1h_tokens,
        reading.audio_input_tokens,
        reading.audio_output_tokens,
        usage.reasoning_tokens,
    )


def _in_headers(headers: Mapping[str, str]) -> float | None:
    """The cost in a gateway's header. It also sends 0 if it does not know."""
    try:
        reported = float(headers.get(COST_HEADER) or "")
    except ValueError:
        return None
    return reported if reported > 0 else None


def _is_believed(reported: float, listed: pricing.Price | None) -> bool:
    if not isfinite(reported) or not 0 <= reported <= pricing.MOST_A_CALL_COSTS:
        return False
    most = None if listed is None else listed.dollars
    return not most or reported <= MOST_TIMES_THE_LIST * most
