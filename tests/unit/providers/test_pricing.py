"""Costs, against the price list itself."""

import pytest
from genai_prices import Usage, calc_price

from nexus_actors.providers.pricing import Tokens, cost

OPENAI = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("url", "model"),
    [
        (OPENAI, "gpt-4o-mini"),
        (OPENAI, "gpt-4o-2024-08-06"),
        (OPENAI, "gpt-5"),
        (OPENAI, "o3"),
        ("https://api.groq.com/openai/v1", "llama-3.1-8b-instant"),
        ("https://openrouter.ai/api/v1", "anthropic/claude-sonnet-4.5"),  # with tiers
        ("https://api.deepseek.com/v1", "deepseek-chat"),  # by the time of day
    ],
)
@pytest.mark.parametrize(
    "tokens", [Tokens(0, 0), Tokens(1, 1), Tokens(1234, 567, 89), Tokens(900_000, 10, 1000)]
)
def test_is_what_the_list_says(url: str, model: str, tokens: Tokens) -> None:
    usage = Usage(
        input_tokens=tokens.input, output_tokens=tokens.output, cache_read_tokens=tokens.cached
    )
    listed = float(calc_price(usage, model, provider_api_url=url).total_price)
    assert cost("any", url, model, tokens) == pytest.approx(listed, rel=1e-9)


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
