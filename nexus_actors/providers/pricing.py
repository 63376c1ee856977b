"""What an answer cost, in US dollars, by the config's prices and the price list.

Offline, and never a guess: what nobody knows costs None, not 0. Each kind of token has its rate
(`price_list.py`); where the list has none for a kind, it costs what it is part of, as with the
vendors: cached tokens as input, thoughts as output. Service tiers, places and the fees of
the provider's own tools that the list lacks are in `prices.toml`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from nexus_actors.providers.port import ModelSettings
from nexus_actors.providers.price_list import (
    Rates,
    context_window,
    listed_name,
    load,
    provider_id,
    rates,
)
from nexus_actors.providers.price_rules import Factor, factor, fee

__all__ = [
    "Tokens",
    "Used",
    "configured_cost",
    "context_window",
    "cost",
    "listed_name",
    "load",
    "price",
]

_MILLION: Final = 1_000_000
MOST_A_CALL_COSTS: Final = 1_000.0
"""US dollars. The dearest model's fullest window costs less than a tenth; more is nonsense, and
would use up a budget."""
_HOUR_TIMES_INPUT: Final = 2.0
"""What is kept in Anthropic's cache for an hour, where the list has no price for it.
https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing"""
_LISTED_CALLS: Final = MappingProxyType(
    {
        "web_search": "web_searches_kcount",
        "file_search": "storage_searches_kcount",
        "x_search": "social_searches_kcount",
        "code_execution": "code_executions_kcount",
    }
)
"""Calls of providers' own tools by the list's name for them."""
_USUAL: Final = frozenset({"", "auto", "default", "on_demand", "standard", "unspecified"})
"""Service tiers that cost what the list says: no tier, by the words of several vendors."""
_EVERYWHERE: Final = frozenset({"", "global", "not_available", "unspecified"})


_REGIONAL: Final = re.compile(r"(https://)([a-z]{2})\.(api\.openai\.com|api\.x\.ai)(?=/|$)")
"""Hosts of one region, whose prices are those of the host without it, times a factor."""
_HEARD_AS_TEXT: Final = frozenset({"google"})
"""Whose models take audio at the price of text where the list has none of its own.
https://ai.google.dev/gemini-api/docs/pricing: `$2.00 (text / image / video / audio)`. With others a
token of audio costs many times one of text."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one answer. `input` includes those read from the cache, those written, and
    those heard; `output` those spoken and those thought."""

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    """Those of `cache_write` that are kept for an hour."""
    audio_input: int = 0
    audio_output: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Used:
    """All that has a price in one answer."""

    tokens: Tokens
    tier: str | None = None
    """The service tier it was given in."""
    geo: str | None = None
    """Where it was computed."""
    calls: Mapping[str, int] = field(default_factory=dict)
    """How often tools of the provider's own were called, by name."""


@dataclass(frozen=True, slots=True)
class Price:
    """What the list says."""

    dollars: float | None
    """None where something was used that has no price in it."""


def cost(provider: str, base_url: str, model: str, tokens: Tokens) -> float | None:
    """US dollars for tokens of `model` in the usual tier; None if that is not known."""
    found = price(provider, base_url, model, Used(tokens))
    return None if found is None else found.dollars


def price(
    provider: str,
    base_url: str,
    model: str,
    used: Used,
    *,
    configured: ModelSettings | None = None,
    at: float | None = None,
) -> Price | None:
    """For one answer of `model`; None if nobody knows the model's prices.

    `configured` prices count for the tokens, as they are, in every tier and place. `at`: seconds
    since 1970 at which it was asked, else now.
    """
    tier = usual_or(used.tier)
    base_url, region = _worldwide(base_url)
    used = used if used.geo or region is None else replace(used, geo=region)
    known = rates(provider, base_url, model, tier, at=at)
    dollars = configured_cost(configured, used.tokens)
    where = known.provider if known is not None else provider_id(provider, base_url)
    if dollars is None:
        if known is None:
            return None
        dollars = _for_tokens(known, model, used, tier)
    total = _sum(dollars, _for_calls(known, where, model, used))
    return Price(total if total is None or total <= MOST_A_CALL_COSTS else None)


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
    return dollars / _MILLION


def _worldwide(base_url: str) -> tuple[str, str | None]:
    """A URL without the region in its host, and the region."""
    found = _REGIONAL.match(base_url)
    return (base_url, None) if found is None else (_REGIONAL.sub(r"\1\3", base_url), found[2])


def usual_or(tier: str | None) -> str | None:
    """A service tier by its plain name; None for the usual one."""
    name = (tier or "").lower().removeprefix("service_tier_").removeprefix("traffic_type_")
    name = "" if name == "on_demand" else name.removeprefix("on_demand_")
    return None if name in _USUAL else name


def _for_tokens(known: Rates, model: str, used: Used, tier: str | None) -> float | None:
    """None where a kind of tokens has no price, or what changes all prices is not known."""
    tokens = _sane(used.tokens)
    found = _factors(known, model, tier, used.geo)
    if found is None:
        return None
    total = known.of("requests_kcount", tokens.input) or 0.0
    for unit, count in _units(tokens):
        if not count:
            continue
        rate = _rate(known, unit, tokens.input)
        if rate is None:
            return None
        total += count * rate * _times(found, unit)
    return total


def _factors(
    known: Rates, model: str, tier: str | None, geo: str | None
) -> tuple[Factor, ...] | None:
    found: list[Factor | None] = []
    if tier is not None and not known.has_tier:
        found.append(factor(known.provider, model, tier=tier))
    place = (geo or "").lower()
    if place not in _EVERYWHERE:
        found.append(factor(known.provider, model, geo=place))
    sure = tuple(it for it in found if it is not None)
    return sure if len(sure) == len(found) else None


def _times(factors: tuple[Factor, ...], unit: str) -> float:
    product = 1.0
    for it in factors:
        own = it.cached_times if unit == "cache_read_mtok" else None
        product *= it.times if own is None else own
    return product


def _units(tokens: Tokens) -> Iterator[tuple[str, int]]:
    """Each token once, by the list's name of its kind."""
    heard = min(tokens.audio_input, tokens.input - tokens.cached - tokens.cache_write)
    yield "input_mtok", tokens.input - tokens.cached - tokens.cache_write - heard
    yield "cache_read_mtok", tokens.cached
    yield "cache_write_mtok", tokens.cache_write - tokens.cache_write_1h
    yield "cache_write_1h_mtok", tokens.cache_write_1h
    yield "input_audio_mtok", heard
    yield "output_mtok", tokens.output - tokens.audio_output - tokens.reasoning
    yield "output_audio_mtok", tokens.audio_output
    yield "output_reasoning_mtok", tokens.reasoning


def _rate(known: Rates, unit: str, input_tokens: int) -> float | None:
    rate = known.of(unit, input_tokens)
    if rate is not None:
        return rate
    if "audio" in unit and known.provider not in _HEARD_AS_TEXT:
        return None
    whole = known.of("output_mtok" if unit.startswith("output") else "input_mtok", input_tokens)
    if whole is not None and unit == "cache_write_1h_mtok":
        return whole * _HOUR_TIMES_INPUT
    return whole


def _for_calls(known: Rates | None, provider: str | None, model: str, used: Used) -> float | None:
    """None where one of them has no price."""
    total = 0.0
    for name, count in used.calls.items():
        if count <= 0:
            continue
        unit = _LISTED_CALLS.get(name)
        each = known.of(unit, used.tokens.input) if known is not None and unit else None
        if each is None and provider is not None:
            each = fee(provider, model, name)
        if each is None:
            return None
        total += count * each
    return total


def _sum(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second


def _sane(tokens: Tokens) -> Tokens:
    """No part larger than what it is part of."""
    cached = min(tokens.cached, tokens.input)
    written = min(tokens.cache_write, tokens.input - cached)
    spoken = min(tokens.audio_output, tokens.output)
    return Tokens(
        tokens.input,
        tokens.output,
        cached,
        written,
        min(tokens.cache_write_1h, written),
        min(tokens.audio_input, tokens.input),
        spoken,
        min(tokens.reasoning, tokens.output - spoken),
    )
