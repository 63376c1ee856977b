"""What an answer cost, in US dollars, from the price list that the package `genai-prices` carries.

Offline, and never a guess: what the list does not know costs None, not 0. Most prices are linear in
the tokens, so the list is asked once per model for its rates (a few calls of 0.1 ms); those with
tiers or times of day are asked anew for each answer.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from types import ModuleType
from typing import Any

from nexus_actors.providers.port import ModelSettings

_PROBE = 1_000_000
"""Tokens; rates are quoted per million, so that this loses no digits."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one answer. `input` includes those read from the cache, and those written."""

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0


Price = Callable[[Tokens], float]


def cost(provider: str, base_url: str, model: str, tokens: Tokens) -> float | None:
    """US dollars for one answer of `model`; None if its price is not known.

    The provider is known by its URL; where the list does not know that (a gateway, a test), by its
    name in the config, if that is one of the list's (`openai`, `groq`, …).
    """
    price = _price(provider, base_url, model)
    return None if price is None else price(tokens)


def configured_cost(model: ModelSettings | None, tokens: Tokens) -> float | None:
    """By the config's own prices; None where it has none."""
    if model is None or model.input_price is None or model.output_price is None:
        return None
    tokens = _sane(tokens)
    cached_price = model.cached_input_price
    cached_price = model.input_price if cached_price is None else cached_price
    dollars = (
        (tokens.input - tokens.cached) * model.input_price
        + tokens.cached * cached_price
        + tokens.output * model.output_price
    )
    return dollars / _PROBE


@lru_cache(maxsize=1024)
def context_window(provider: str, base_url: str, model: str) -> int | None:
    """The most tokens in and out, as the list has it; None where it does not know."""
    snapshot = importlib.import_module("genai_prices.data_snapshot").get_snapshot()
    for where in ((None, base_url or None), (provider, None)):
        try:
            _, info = snapshot.find_provider_model(model, None, *where)
        except LookupError:
            continue
        window: int | None = info.context_window
        return window
    return None


@cache
def load() -> ModuleType:
    """Import the price list: a third of a second, best spent off the main thread."""
    import genai_prices

    return genai_prices


@lru_cache(maxsize=1024)
def _price(provider: str, base_url: str, model: str) -> Price | None:
    for where in ({"provider_api_url": base_url}, {"provider_id": provider}):
        try:
            found = _ask(model, where, Tokens(_PROBE, 0))
        except LookupError:
            continue
        return _linear(model, where) if _is_linear(found) else _by_list(model, where)
    return None


def _ask(model: str, where: dict[str, str], tokens: Tokens) -> Any:
    library = load()
    cached = {"cache_read_tokens": tokens.cached} if tokens.cached else {}
    if tokens.cache_write:
        cached["cache_write_tokens"] = tokens.cache_write
    usage = library.Usage(input_tokens=tokens.input, output_tokens=tokens.output, **cached)
    return library.calc_price(usage, model, **where)


def _is_linear(found: Any) -> bool:
    """Whether one price a token holds at all times and for all lengths."""
    from genai_prices.types import ModelPrice, TieredPrices

    prices = found.model.prices
    return isinstance(prices, ModelPrice) and not any(
        isinstance(price, TieredPrices) for price in vars(prices).values()
    )


def _linear(model: str, where: dict[str, str]) -> Price:
    def dollars(tokens: Tokens) -> float:
        return float(_ask(model, where, tokens).total_price)

    base = dollars(Tokens(0, 0))  # a price per request, where there is one
    fresh = dollars(Tokens(_PROBE, 0)) - base
    cached = dollars(Tokens(_PROBE, 0, _PROBE)) - base
    written = dollars(Tokens(_PROBE, 0, 0, _PROBE)) - base
    output = dollars(Tokens(0, _PROBE)) - base

    def price(tokens: Tokens) -> float:
        tokens = _sane(tokens)
        parts = (
            (tokens.input - tokens.cached - tokens.cache_write) * fresh
            + tokens.cached * cached
            + tokens.cache_write * written
            + tokens.output * output
        )
        return base + parts / _PROBE

    return price


def _by_list(model: str, where: dict[str, str]) -> Price:
    def price(tokens: Tokens) -> float:
        return float(_ask(model, where, _sane(tokens)).total_price)

    return price


def _sane(tokens: Tokens) -> Tokens:
    """No more of the cache than went in."""
    cached = min(tokens.cached, tokens.input)
    return Tokens(
        tokens.input, tokens.output, cached, min(tokens.cache_write, tokens.input - cached)
    )
