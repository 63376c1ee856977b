"""Costs, against the price list itself."""

from datetime import UTC, datetime
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot

from nexus_actors.providers.port import ModelSettings
from nexus_actors.providers.price_rules import _rules
from nexus_actors.providers.pricing import Price, Tokens, Used, cost, price

OPENAI = "https://api.openai.com/v1"


def test_is_what_the_list_says() -> None:
    cases = [
        (OPENAI, "gpt-4o-mini"),
        (OPENAI, "gpt-4o-2024-08-06"),
        (OPENAI, "gpt-5"),
        (OPENAI, "o3"),
        ("https://api.groq.com/openai/v1", "llama-3.1-8b-instant"),
        ("https://openrouter.ai/api/v1", "anthropic/claude-sonnet-4.5"),  # with tiers
        ("https://api.deepseek.com/v1", "deepseek-chat"),  # by the time of day
    ]
    others = [Tokens(0, 0), Tokens(1, 1), Tokens(1234, 567, 89), Tokens(900_000, 10, 1000)]
    wrong = []
    for url, model in cases:
        for tokens in others:
            usage = Usage(
                input_tokens=tokens.input,
                output_tokens=tokens.output,
                cache_read_tokens=tokens.cached,
            )
            listed = float(calc_price(usage, model, provider_api_url=url).total_price)
            found = cost("any", url, model, tokens)
            expected = pytest.approx(listed, rel=1e-9)
            if found != expected:
                wrong.append((url, model, tokens, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


def test_a_known_price() -> None:
    dollars = cost("any", OPENAI, "gpt-4o-mini", Tokens(1_000_000, 1_000_000))
    assert dollars == pytest.approx(0.75)


def test_where_the_url_says_nothing_the_name_does() -> None:
    local = "http://127.0.0.1:8080/v1"
    by_name = cost("openai", local, "gpt-4o-mini", Tokens(1000, 100))
    assert by_name == cost("x", OPENAI, "gpt-4o-mini", Tokens(1000, 100))
    assert cost("my-gateway", local, "gpt-4o-mini", Tokens(1000, 100)) is None


def test_the_unknown_is_not_free() -> None:
    assert cost("openai", OPENAI, "no-such-model", Tokens(1, 1)) is None
    assert cost("none", "https://llm.example/v1", "gpt-4o-mini", Tokens(1, 1)) is None


def test_more_cached_than_sent_is_not_believed() -> None:
    assert cost("x", OPENAI, "gpt-4o", Tokens(10, 0, 99)) == cost(
        "x", OPENAI, "gpt-4o", Tokens(10, 0, 10)
    )


ANTHROPIC = "https://api.anthropic.com/v1"
GOOGLE = "https://generativelanguage.googleapis.com/v1beta"
SOME = Tokens(10_000, 1_000)


def dollars(url: str, model: str, used: Used, **more: Any) -> float | None:
    found = price("x", url, model, used, **more)
    assert found is not None
    return found.dollars


def usual(url: str, model: str) -> float:
    found = dollars(url, model, Used(SOME))
    assert found is not None
    return found


@pytest.mark.parametrize(
    "tier",
    [
        None,
        "",
        "auto",
        "default",
        "standard",
        "on_demand",
        "STANDARD",
        "ON_DEMAND",
        "SERVICE_TIER_STANDARD",
        "SERVICE_TIER_UNSPECIFIED",
    ],
)
def test_a_tier_that_is_none_costs_the_usual(tier: str | None) -> None:
    for url, model in (
        (OPENAI, "gpt-5.5"),
        (ANTHROPIC, "claude-opus-5-5"),
        (GOOGLE, "gemini-2.5-pro"),
    ):
        assert dollars(url, model, Used(SOME, tier=tier)) == usual(url, model)


def test_a_tier_with_a_price() -> None:
    cases = [
        (OPENAI, "gpt-5.5", "flex", 0.5),
        (OPENAI, "gpt-5.5", "priority", 2.5),
        (OPENAI, "gpt-5.5", "batch", 0.5),
        (OPENAI, "gpt-5.1", "PRIORITY", 2.0),
        (ANTHROPIC, "claude-opus-5-5", "fast", 2.0),
        (ANTHROPIC, "claude-opus-5-5", "batch", 0.5),
        (ANTHROPIC, "claude-opus-4-5", "batch", 0.5),
        (GOOGLE, "gemini-3.8-flash", "flex", 0.5),
        (GOOGLE, "gemini-3.8-flash", "priority", 1.8),
        (GOOGLE, "gemini-2.5-pro", "ON_DEMAND_PRIORITY", 1.8),
        ("https://api.groq.com/openai/v1", "openai/gpt-oss-120b", "flex", 1.0),
        ("https://api.groq.com/openai/v1", "openai/gpt-oss-120b", "batch", 0.5),
    ]
    wrong = []
    for url, model, tier, times in cases:
        found = dollars(url, model, Used(SOME, tier=tier))
        expected = pytest.approx(usual(url, model) * times)
        if found != expected:
            wrong.append((url, model, tier, times, found, expected))
    assert not wrong, "\n".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("url", "model", "tier"),
    [
        (OPENAI, "gpt-5-pro", "priority"),
        (OPENAI, "gpt-5.5", "scale"),
        (OPENAI, "gpt-5.5", "tomorrows"),
        (ANTHROPIC, "claude-opus-5-5", "priority"),  # paid in advance, by contract
        (ANTHROPIC, "claude-sonnet-5-5", "fast"),
        ("https://api.deepseek.com/v1", "deepseek-v4-pro", "priority"),
    ],
)
def test_a_tier_without_a_price_is_not_the_usual(url: str, model: str, tier: str) -> None:
    assert dollars(url, model, Used(SOME, tier=tier)) is None


@pytest.mark.parametrize(
    ("url", "model", "geo", "times"),
    [
        (ANTHROPIC, "claude-opus-5-5", "us", 1.1),
        (ANTHROPIC, "claude-opus-5-5", "US", 1.1),
        (ANTHROPIC, "claude-opus-5-5", "global", 1.0),
        (ANTHROPIC, "claude-opus-5-5", "not_available", 1.0),
        (ANTHROPIC, "claude-opus-5-5", None, 1.0),
        (ANTHROPIC, "claude-opus-5-5", "mars", None),
        (OPENAI, "gpt-5.5", "eu", 1.1),
    ],
)
def test_where_it_was_computed(url: str, model: str, geo: str | None, times: float | None) -> None:
    expected = None if times is None else pytest.approx(usual(url, model) * times)
    assert dollars(url, model, Used(SOME, geo=geo)) == expected


def test_place_and_tier_together() -> None:
    both = dollars(ANTHROPIC, "claude-opus-5-5", Used(SOME, tier="fast", geo="us"))
    assert both == pytest.approx(usual(ANTHROPIC, "claude-opus-5-5") * 2.2)


@pytest.mark.parametrize("region", ["us", "eu", "jp", "ae"])
def test_a_region_is_known_by_its_host(region: str) -> None:
    there = f"https://{region}.api.openai.com/v1"
    assert dollars(there, "gpt-5.5", Used(SOME)) == pytest.approx(usual(OPENAI, "gpt-5.5") * 1.1)
    assert dollars(there, "gpt-5.1", Used(SOME)) == pytest.approx(usual(OPENAI, "gpt-5.1"))
    other = price("x", f"https://{region}.api.openai.com.evil.example/v1", "gpt-5.5", Used(SOME))
    assert other is None


def test_what_is_kept_for_an_hour_is_twice_the_input_where_the_list_says_nothing() -> None:
    google = {"cached": 0, "cache_write": 1_000_000, "cache_write_1h": 1_000_000}
    found = dollars(GOOGLE, "claude-3-5-haiku", Used(Tokens(1_000_000, 0, **google)))
    plain = dollars(GOOGLE, "claude-3-5-haiku", Used(Tokens(1_000_000, 0)))
    assert found is not None
    assert plain is not None
    assert found == pytest.approx(2 * plain)


def test_tools_of_the_providers_own() -> None:
    cases = [
        (OPENAI, "gpt-5.5", {"web_search": 3}, 0.03),
        (OPENAI, "gpt-5.5", {"file_search": 2}, 0.005),
        (OPENAI, "gpt-5.5", {"web_search": 1, "file_search": 1}, 0.0125),
        (ANTHROPIC, "claude-opus-5-5", {"web_search": 5}, 0.05),
        (ANTHROPIC, "claude-opus-5-5", {"web_fetch": 5}, 0.0),
        (GOOGLE, "gemini-2.5-pro", {"web_search": 1}, 0.035),
        (GOOGLE, "gemini-3.8-flash", {"web_search": 2}, 0.028),
        (GOOGLE, "gemini-3.8-flash", {"url_context": 2}, 0.0),
        ("https://api.x.ai/v1", "grok-4.7", {"web_search": 4, "x_search": 1}, 0.025),
        (OPENAI, "gpt-5.5", {"web_search": 0}, 0.0),
        (OPENAI, "gpt-5.5", {"web_search": -7}, 0.0),
        (OPENAI, "gpt-5.5", {"code_interpreter": 1}, None),
        (OPENAI, "gpt-5.5", {"web_search": 1, "time_travel": 1}, None),
        (ANTHROPIC, "claude-opus-5-5", {"code_execution": 1}, None),
    ]
    wrong = []
    for url, model, calls, fee in cases:
        expected = None if fee is None else pytest.approx(usual(url, model) + fee)
        found = dollars(url, model, Used(SOME, calls=calls))
        if found != expected:
            wrong.append((url, model, calls, fee, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_audio_is_priced_as_text_only_where_it_is_so() -> None:
    heard, spoken = Tokens(10_000, 0, audio_input=5_000), Tokens(0, 900, audio_output=500)
    assert dollars(GOOGLE, "gemini-2.5-pro", Used(heard)) == pytest.approx(0.0125)
    assert dollars(GOOGLE, "gemini-2.5-flash", Used(heard)) == pytest.approx(0.0065)
    assert dollars(OPENAI, "gpt-audio", Used(spoken)) == pytest.approx(400e-5 + 500 * 64e-6)
    assert dollars(OPENAI, "gpt-5.5", Used(heard)) is None
    assert dollars(OPENAI, "gpt-5.5", Used(spoken)) is None


def test_no_part_is_larger_than_what_it_is_part_of() -> None:
    most = Tokens(1_000, 100, 9_999, 9_999, 9_999, 9_999, 9_999, 9_999)
    assert dollars(OPENAI, "gpt-audio", Used(most)) == pytest.approx(1_000 * 2.5e-6 + 100 * 64e-6)
    written = Tokens(1_000, 0, 600, 9_999, 9_999)
    assert dollars(ANTHROPIC, "claude-opus-5-5", Used(written)) == pytest.approx(
        600 * 0.2e-6 + 400 * 8e-6
    )


@pytest.mark.parametrize("tokens", [Tokens(2**31 - 1, 0), Tokens(0, 2**31 - 1)])
def test_a_sum_that_no_call_can_cost_is_not_believed(tokens: Tokens) -> None:
    assert dollars(OPENAI, "gpt-5.5", Used(tokens)) is None


def test_the_configs_prices_count_for_the_tokens_and_the_lists_fees_for_the_rest() -> None:
    own = ModelSettings(input_price=1.0, output_price=2.0)
    tokens = Tokens(1_000_000, 1_000_000)
    for tier in (None, "priority", "unheard_of"):
        used = Used(tokens, tier=tier, geo="mars", calls={"web_search": 1})
        assert dollars(OPENAI, "gpt-5.5", used, configured=own) == pytest.approx(3.01)
        assert dollars(OPENAI, "no-such-model", used, configured=own) == pytest.approx(3.01)
    unpriced = Used(tokens, calls={"time_travel": 1})
    assert dollars(OPENAI, "gpt-5.5", unpriced, configured=own) is None
    assert price("x", "https://llm.example/v1", "m", Used(tokens), configured=own) == Price(3.0)


def test_prices_that_change_with_time_are_looked_up_anew() -> None:
    """Gemini 3.8 Flash is twice as dear from 2027 on; DeepSeek at some hours."""
    before, after = (datetime(year, 1, 2, tzinfo=UTC).timestamp() for year in (2026, 2027))
    one, two = (dollars(GOOGLE, "gemini-3.8-flash", Used(SOME), at=at) for at in (before, after))
    assert one is not None
    assert two == pytest.approx(2 * one)


def test_every_rule_of_the_file_is_one_that_can_come_to_bear() -> None:
    known = {it.id for it in get_snapshot().providers}
    rules = [*_rules().factor, *_rules().fee]
    assert {it.provider for it in rules} <= known
    assert len({str(it) for it in rules}) == len(rules)
