"""The price list that the package `genai-prices` carries: which rates hold for a model, and when.

Offline. A model's rates are looked up once; where they depend on the time (a price that begins on a
day, a cheaper night) once a minute.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from types import ModuleType
from typing import Any, Final

_KEPT: Final = 1024
"""Models at most: requests can name any number of them."""
_PER: Final = {"_mtok": 1_000_000, "_kcount": 1_000}
"""How many tokens or calls a price of the list is for, by the end of its name."""
_TIER_NAMES: Final[tuple[str, ...]] = ("service_tier", "processing", "speed")
"""What the list calls the choice of a tier, depending on the provider."""

Rate = tuple[tuple[int, float], ...]
"""US dollars for one token or call, each from above so many tokens of input on, largest last. The
one that is reached counts for all tokens, as providers do it."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What one model costs."""

    provider: str
    """By the list's name."""
    by_unit: Mapping[str, Rate]
    """Names are the list's: `input_mtok`, `cache_read_mtok`, …"""
    has_tier: bool
    """Whether they are those of the service tier asked for."""

    def of(self, unit: str, input_tokens: int) -> float | None:
        """US dollars for one; None where the list has no price for it."""
        rate = self.by_unit.get(unit)
        if rate is None:
            return None
        return next(dollars for above, dollars in reversed(rate) if input_tokens > above)


@dataclass(frozen=True, slots=True)
class _Found:
    provider: str
    model: Any
    is_timeless: bool


@cache
def load() -> ModuleType:
    """Import the price list: a third of a second, best spent off the main thread."""
    import genai_prices

    return genai_prices


def rates(
    provider: str, base_url: str, model: str, tier: str | None = None, *, at: float | None = None
) -> Rates | None:
    """For a model in a service tier (None: the usual one), `at` so many seconds since 1970, else
    now; None where the list does not know the model.

    The provider is known by its URL; where the list does not know that (a gateway, a test), by its
    name in the config, if that is one of the list's (`openai`, `groq`, …).
    """
    found = _find(provider, base_url, model)
    if found is None:
        return None
    seconds = time.time() if at is None else at
    minute = 0 if found.is_timeless else int(seconds // 60)
    return _rates(provider, base_url, model, tier, minute)


@lru_cache(_KEPT)
def context_window(provider: str, base_url: str, model: str) -> int | None:
    """The most tokens in and out; None where the list does not know."""
    found = _find(provider, base_url, model)
    window: int | None = None if found is None else found.model.context_window
    return window


@lru_cache(_KEPT)
def listed_name(provider: str, base_url: str, model: str) -> str | None:
    """The list's own name of a model, which stands for many spellings of it; None where the list
    does not know it."""
    found = _find(provider, base_url, model)
    name: str | None = None if found is None else found.model.id
    return name


@lru_cache(_KEPT)
def provider_id(provider: str, base_url: str) -> str | None:
    """The list's name of a provider, whether or not it knows the model; None if it has none."""
    for where in ((None, base_url or None), (provider, None)):
        try:
            known: str = _snapshot().find_provider(None, *where).id
        except LookupError:
            continue
        return known
    return None


def _snapshot() -> Any:
    load()
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


@lru_cache(_KEPT)
def _find(provider: str, base_url: str, model: str) -> _Found | None:
    for where in ((None, base_url or None), (provider, None)):
        try:
            known, info = _snapshot().find_provider_model(model, None, *where)
        except LookupError:
            continue
        variants = info.price_variants or ()
        is_timeless = not isinstance(info.prices, list) and not any(
            it.constraint for it in variants
        )
        return _Found(known.id, info, is_timeless)
    return None


@lru_cache(_KEPT)
def _rates(provider: str, base_url: str, model: str, tier: str | None, minute: int) -> Rates:
    found = _find(provider, base_url, model)
    assert found is not None  # noqa: S101 - `rates` has found it
    now = datetime.fromtimestamp(minute * 60, UTC)
    context: dict[str, str] = {} if tier is None else dict.fromkeys(_TIER_NAMES, tier)
    prices = found.model.get_prices(now, context)
    by_unit = {
        unit: _rate(unit, price)
        for unit, price in vars(prices).items()
        if price is not None and unit.endswith(tuple(_PER))
    }
    return Rates(found.provider, by_unit, tier is not None and _has(found.model, context, now))


def _has(model: Any, context: Mapping[str, str], now: datetime) -> bool:
    return any(
        variant.constraint is None or variant.constraint.active(now)
        for variant in model.price_variants or ()
        if all(context.get(name) == value for name, value in variant.when.items())
    )


def _rate(unit: str, price: Any) -> Rate:
    per = next(per for end, per in _PER.items() if unit.endswith(end))
    base = ((-1, float(getattr(price, "base", price)) / per),)
    tiers = getattr(price, "tiers", ())
    return base + tuple((tier.start, float(tier.price) / per) for tier in tiers)
