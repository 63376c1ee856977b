"""Costs as two others have them: the list of `genai-prices` itself, and LiteLLM's table.

LiteLLM is no dependency: `TABLE` is what `model_prices_and_context_window_backup.json` of its
release 1.110.2 (November 2026) says, in US dollars per million tokens. Where it differs from what
we say, `DIFFERENT` says why we hold to ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from genai_prices import Usage, calc_price

from nexus_actors.providers.pricing import Tokens, Used, price

ASKED = datetime(2026, 11, 28, 2, 30, tzinfo=UTC)
"""Both lists change with time; DeepSeek's prices with the hour, of which LiteLLM has the dear one.
"""
URLS = {
    "anthropic": "https://api.anthropic.com/v1",
    "openai": "https://api.openai.com/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta",
    "deepseek": "https://api.deepseek.com/v1",
    "xai": "https://api.x.ai/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
}
Rates = Mapping[str, float]


@dataclass(frozen=True)
class Model:
    """One model of LiteLLM's table."""

    usual: Rates
    tiers: Mapping[str, Rates] = field(default_factory=dict)
    """By service tier; what a tier does not say is as usual."""
    above: int | None = None
    """From above so many tokens in, `long` holds for all."""
    long: Rates = field(default_factory=dict)


def rates(
    fresh: float,
    cached: float,
    output: float,
    write: float | None = None,
    hour: float | None = None,
) -> Rates:
    written = {} if write is None else {"write": write}
    kept = {} if hour is None else {"hour": hour}
    return {"input": fresh, "cached": cached, "output": output, **written, **kept}


TABLE: Mapping[str, Model] = {
    "anthropic/claude-opus-5-5": Model(
        rates(4, 0.2, 20, 5, 8),
        {"batch": rates(2, 0.1, 10, 2.5), "fast": rates(8, 0.4, 40, 10, 16)},
    ),
    "anthropic/claude-sonnet-5-5": Model(
        rates(2, 0.1, 10, 2.5, 4), {"batch": rates(1, 0.05, 5, 1.25)}
    ),
    "anthropic/claude-haiku-5-5": Model(
        rates(0.1, 0.01, 0.5, 0.125, 0.2), above=100_000, long=rates(0.5, 0.05, 2.5, 0.625, 1)
    ),
    "anthropic/claude-opus-4-6": Model(rates(5, 0.5, 25, 6.25, 10)),
    "anthropic/claude-haiku-4-5": Model(
        rates(1, 0.1, 5, 1.25, 2), {"batch": rates(0.5, 0.05, 2.5, 0.625)}
    ),
    "openai/gpt-6.1-sol": Model(
        rates(2, 0.1, 10, 2.5),
        {"flex": rates(1, 0.05, 5, 1.25), "priority": rates(4, 0.2, 20, 5)},
        above=272_000,
        long=rates(4, 0.2, 15, 5),
    ),
    "openai/gpt-5.5": Model(
        rates(5, 0.5, 30),
        {"flex": rates(2.5, 0.25, 15), "priority": rates(12.5, 1.25, 75)},
        above=272_000,
        long=rates(10, 1, 45),
    ),
    "openai/gpt-5.1": Model(
        rates(1.25, 0.125, 10),
        {"flex": rates(0.625, 0.0625, 5), "priority": rates(2.5, 0.25, 20)},
    ),
    "openai/o4-mini": Model(
        rates(1.1, 0.275, 4.4), {"flex": rates(0.55, 0.138, 2.2), "priority": rates(2, 0.5, 8)}
    ),
    "openai/gpt-audio": Model({"input": 2.5, "output": 10, "heard": 32, "spoken": 64}),
    "gemini/gemini-2.5-pro": Model(
        rates(1.25, 0.125, 10),
        {"flex": rates(0.625, 0.125, 5), "priority": rates(2.25, 0.225, 18)},
        above=200_000,
        long=rates(2.5, 0.25, 15),
    ),
    "gemini/gemini-2.5-flash": Model(
        {**rates(0.3, 0.03, 2.5), "heard": 1},
        {
            "flex": {**rates(0.15, 0.03, 1.25), "heard": 0.5},
            "priority": {**rates(0.54, 0.054, 4.5), "heard": 1.8},
            "batch": {**rates(0.15, 0.03, 1.25), "heard": 0.5},
        },
    ),
    "gemini/gemini-3.8-flash": Model(
        rates(0.75, 0.075, 3.75),
        {"flex": rates(0.375, 0.0375, 1.875), "priority": rates(1.35, 0.135, 6.75)},
    ),
    "deepseek/deepseek-v4-pro": Model(rates(1.32, 0.044, 3.96)),
    "deepseek/deepseek-v4-flash": Model(rates(0.3, 0.006, 1.2)),
    "xai/grok-4.7": Model(rates(2, 0.5, 6), above=199_999, long=rates(4, 1, 12)),
    "groq/openai/gpt-oss-120b": Model(rates(0.15, 0.075, 0.6)),
    "mistral/mistral-large-2512": Model(rates(0.5, 0.05, 1.5)),
    "mistral/mistral-medium-latest": Model(rates(1.5, 0.15, 7.5)),
}
SPENT = {
    "plain": Tokens(1_234, 567),
    "thought": Tokens(1_234, 5_678, reasoning=5_000),
    "cached": Tokens(50_000, 3_000, 20_000),
    "written": Tokens(50_000, 3_000, 20_000, 10_000),
    "kept for an hour": Tokens(50_000, 3_000, 20_000, 10_000, 4_000),
    "heard": Tokens(9_000, 3_000, audio_input=4_000),
    "spoken": Tokens(9_000, 3_000, audio_input=4_000, audio_output=2_000),
    "short": Tokens(100_000, 10, 90_000),
    "long": Tokens(900_000, 10_000, 300_000),
}
NEEDS = {
    "cached": "cached",
    "written": "write",
    "kept for an hour": "hour",
    "heard": "heard",
    "spoken": "spoken",
    "short": "cached",
    "long": "cached",
}
NO_HOUR_IN_BATCHES = """LiteLLM has no batch price for what is kept for an hour; the vendor halves
it too: https://platform.claude.com/docs/en/build-with-claude/batch-processing#pricing"""
DIFFERENT = {
    (f"anthropic/{model}", "batch", "kept for an hour"): NO_HOUR_IN_BATCHES
    for model in ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-4-5")
}
"""And the hour of the day: see `test_by_the_hour`."""
CASES = [
    (name, tier, spent)
    for name, model in TABLE.items()
    for tier in (None, *model.tiers)
    for spent in SPENT
    if NEEDS.get(spent, "input") in {**model.usual, **(model.tiers[tier] if tier else {})}
    if not (tier and model.above and spent == "long")  # the tiers of long prompts are not copied
]
LISTED = [
    (name, tier, spent)
    for name, tier, spent in CASES
    if not (name.startswith("gemini/") and tier in ("flex", "priority"))
]
"""The list has no such prices; ours are by the vendor's factors."""


def by_litellm(model: Model, tier: str | None, tokens: Tokens) -> float:
    is_long = model.above is not None and tokens.input > model.above
    each = {**model.usual, **(model.tiers[tier] if tier else {}), **(model.long if is_long else {})}
    text = tokens.input - tokens.cached - tokens.cache_write - tokens.audio_input
    return (
        text * each["input"]
        + tokens.cached * each.get("cached", 0)
        + (tokens.cache_write - tokens.cache_write_1h) * each.get("write", 0)
        + tokens.cache_write_1h * each.get("hour", 0)
        + tokens.audio_input * each.get("heard", 0)
        + (tokens.output - tokens.audio_output) * each["output"]
        + tokens.audio_output * each.get("spoken", 0)
    ) / 1_000_000


def ours(name: str, tier: str | None, tokens: Tokens, at: datetime = ASKED) -> float:
    provider, _, model = name.partition("/")
    used = Used(tokens, tier=tier)
    found = price(provider, URLS[provider], model, used, at=at.timestamp())
    assert found is not None
    assert found.dollars is not None
    return found.dollars


def by_the_list(name: str, tier: str | None, tokens: Tokens, at: datetime = ASKED) -> float:
    provider, _, model = name.partition("/")
    usage = Usage(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cached,
        cache_write_tokens=tokens.cache_write,
        cache_write_1h_tokens=tokens.cache_write_1h,
        input_audio_tokens=tokens.audio_input,
        output_audio_tokens=tokens.audio_output,
    )
    context = {} if tier is None else {"service_tier": tier, "processing": tier, "speed": tier}
    found = calc_price(
        usage,
        model,
        provider_api_url=URLS[provider],
        genai_request_timestamp=at,
        price_context=context,
    )
    return float(found.total_price)


@pytest.mark.parametrize(("name", "tier", "spent"), CASES)
def test_litellm_says_the_same(name: str, tier: str | None, spent: str) -> None:
    tokens = SPENT[spent]
    theirs = pytest.approx(by_litellm(TABLE[name], tier, tokens), rel=1e-6)
    assert (ours(name, tier, tokens) == theirs) is not ((name, tier, spent) in DIFFERENT)


@pytest.mark.parametrize(("name", "tier", "spent"), LISTED)
def test_the_list_says_the_same(name: str, tier: str | None, spent: str) -> None:
    tokens = SPENT[spent]
    listed = by_the_list(name, tier, tokens)
    assert ours(name, tier, tokens) == pytest.approx(listed, rel=1e-9)


@pytest.mark.parametrize(
    ("hour", "times"), [(0, 0.5), (1, 1), (3, 1), (4, 0.5), (6, 1), (10, 0.5), (23, 0.5)]
)
def test_by_the_hour(hour: int, times: float) -> None:
    """DeepSeek halves its prices but for two spans of the day (UTC); LiteLLM knows no hours.
    https://api-docs.deepseek.com/quick_start/pricing"""
    at = datetime(2026, 11, 28, hour, 30, tzinfo=UTC)
    name, tokens = "deepseek/deepseek-v4-pro", SPENT["cached"]
    full = by_litellm(TABLE[name], None, tokens)
    assert ours(name, None, tokens, at) == pytest.approx(full * times, rel=1e-6)
    assert by_the_list(name, None, tokens, at) == pytest.approx(full * times, rel=1e-6)


def test_at_least_as_many_models_as_promised() -> None:
    assert len(TABLE) >= 18
